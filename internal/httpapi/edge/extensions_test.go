package edge

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"diresco/api"
)

func TestExtensions_AreWhatTheEdgeDoes(t *testing.T) {
	contract, err := api.GetSpec()
	if err != nil {
		t.Fatal(err)
	}
	operations, err := readOperations(contract)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]string{}
	for _, op := range operations {
		for name, is := range map[string]bool{
			"shared": op.shared, "rendered": op.rendered, "long": op.maxBody == 16<<20,
			"other length": op.maxBody != 16<<20 && op.maxBody != maxBody,
			"forgotten":    strings.HasPrefix(op.pattern, "POST ") && !op.remembered && !strings.HasSuffix(op.pattern, searchSuffix),
		} {
			if is {
				got[name] = append(got[name], op.id)
			}
		}
	}
	for _, ids := range got {
		slices.Sort(ids)
	}
	want := map[string][]string{
		"shared": {
			"downloadDeclarationBatchReceipts", "listDeclarationBatchItems", "listDelegations", "listSubDelegations",
			"searchDelegations", "showDeclarationBatch", "showDelegationBatch", "showDelegationBatchForms", "showSubDelegation",
		},
		"rendered": {"addWebhook", "createSandboxPerson", "rotateWebhookSecret"},
		"long":     {"draftDelegationBatch", "fileDeclarationBatch"},
		"forgotten": {
			"answerSurvey", "confirmPinRotation", "issuePin", "openSandboxSession", "reauthenticate", "renewSession", "rotatePin",
			"startCardSession", "startFederatedLogin", "startFederatedSession", "startSession", "verifyReceipt",
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestExtensions_ThatSayNothingStopTheStart(t *testing.T) {
	session := map[string]any{"to": "session"}
	for name, c := range map[string]struct {
		path       string
		extensions map[string]any
		want       string
	}{
		"right": {path: "/enrolments", extensions: map[string]any{"x-answer": "rendered", "x-max-body": 2 << 20}},
		"unknown extension": {
			path: "/enrolments", extensions: map[string]any{"x-anser": "secret"}, want: "unknown extension x-anser",
		},
		"unpublished extension": {
			path: "/enrolments", extensions: map[string]any{"x-problems": []any{409}}, want: "unknown extension x-problems",
		},
		"unknown answer": {
			path: "/enrolments", extensions: map[string]any{"x-answer": "sekret"}, want: `x-answer: unknown "sekret"`,
		},
		"answer of another form": {
			path: "/enrolments", extensions: map[string]any{"x-answer": map[string]any{"is": "secret"}}, want: "x-answer: json",
		},
		"unknown idempotency": {
			path: "/enrolments", extensions: map[string]any{"x-idempotency": "some"}, want: `x-idempotency: unknown "some"`,
		},
		"answer and idempotency": {
			path: "/enrolments", extensions: map[string]any{"x-answer": "secret", "x-idempotency": "none"}, want: "one says all",
		},
		"a search remembers no key": {
			path: "/delegation-searches", extensions: map[string]any{"x-idempotency": "none"}, want: "for operations that remember",
		},
		"a short body": {
			path: "/enrolments", extensions: map[string]any{"x-max-body": 1 << 20}, want: "x-max-body: for JSON bodies of more than",
		},
		"a part of a byte": {path: "/enrolments", extensions: map[string]any{"x-max-body": 1.5}, want: "x-max-body: json"},
		"no body": {
			path: "/sandbox/reset", extensions: map[string]any{"x-max-body": 2 << 20}, want: "x-max-body: for JSON bodies",
		},
		"a write is not shared": {
			path: "/enrolments", extensions: map[string]any{"x-access": map[string]any{"to": "session", "shared": true}},
			want: "shared is for reads",
		},
		"anyone shares nothing": {
			path: "/delegation-searches", extensions: map[string]any{"x-access": map[string]any{"to": "anyone", "shared": true}},
			want: "shared is for reads",
		},
	} {
		t.Run(name, func(t *testing.T) {
			contract, err := api.GetSpec()
			if err != nil {
				t.Fatal(err)
			}
			if c.extensions["x-access"] == nil {
				c.extensions["x-access"] = session
			}
			contract.Paths.Value(c.path).Post.Extensions = c.extensions
			_, err = readOperations(contract)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
