package application_test

import (
	"testing"

	"diresco/internal/identity/application"
)

func TestApplication_WhereOneMayBeAnswered(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		answered := func(want bool, uris ...string) {
			t.Helper()
			for _, uri := range uris {
				if got, err := w.service.AnsweredAt(ctx, uri, nil, true); err != nil || got != want {
					t.Errorf("%s: %v %v", uri, got, err)
				}
			}
		}
		registered := []string{"https://paghe.example/a&b", "http://127.0.0.1/callback", "com.example.paghe:/callback"}
		a := w.registered(w.owner, func(in *application.Input) { in.RedirectURIs = registered })
		answered(false, registered...)
		w.decided(a.ID, application.Approved)
		answered(true, registered...)
		answered(true, "http://127.0.0.1:8000/callback")
		// In production those of the body alone.
		for client, want := range map[string]bool{a.ClientID: true, "another": false} {
			if got, err := w.service.AnsweredAt(ctx, registered[0], []string{client}, false); err != nil || got != want {
				t.Errorf("%s: %v %v", client, got, err)
			}
		}
		answered(false, "", "https://paghe.example/", "https://paghe.example/a", "https://paghe.example/a&b/", "https://paghe.example/%",
			"http://127.0.0.1:8000/", "http://127.0.0.2:8000/callback", "com.example.paghe:/", `","`)
		w.Exec(t, "UPDATE applications SET state = 'suspended' WHERE id = ?", a.ID)
		answered(false, registered...)
	})
}
