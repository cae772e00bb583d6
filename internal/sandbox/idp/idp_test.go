package idp

import (
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"sync"
	"testing"
	"time"

	"diresco/internal/platform/clock"
)

// publicURL is where the sandbox of these tests would be.
const publicURL = "http://127.0.0.1:8080"

// key is made once: it takes longer than all tests together.
var key = sync.OnceValues(func() (*rsa.PrivateKey, error) { return NewKey(rand.Reader) })

func testKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	k, err := key()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

var marco = Person{
	Key: "rep-rome", TaxCode: "BNCMRC71C14H501X", GivenName: "Marco", FamilyName: "Bianchi", Sex: "M", BirthDate: "1971-03-14",
	BirthPlace: "H501", Province: "RM", Email: "marco.bianchi@example.com",
}

// world is a provider at a clock that stands still.
type world struct {
	t     *testing.T
	clock *clock.Manual
	*Provider
}

func newWorld(t *testing.T, change ...func(*Deps)) world {
	t.Helper()
	w := world{t: t, clock: clock.NewManual(time.Date(2026, 3, 16, 9, 0, 0, 500_000_000, time.UTC))}
	d := Deps{
		PublicURL: publicURL, Clock: w.clock, Random: rand.Reader, Key: testKey(t), Name: "SPID di prova",
		Clients: []Client{{"cie", "kept-by-cie", "CIE di prova"}, {"oidc", "kept/by oidc", "Provider di prova"}}, RedirectURI: redirectURI,
	}
	for _, c := range change {
		c(&d)
	}
	var err error
	if w.Provider, err = New(d); err != nil {
		t.Fatal(err)
	}
	return w
}

// A request is answered once, in its time, and not after the provider forgot all.
func TestRequest_IsAnsweredOnce(t *testing.T) {
	w := newWorld(t)
	granted := Choice{Person: marco, Level: 2, Outcome: Granted}
	begin := func() string {
		t.Helper()
		id, err := w.ReadOpenID(authorizeQuery())
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	over := func(what, id string) {
		t.Helper()
		if _, err := w.Waiting(id); !errors.Is(err, ErrUnknown) {
			t.Errorf("%s: it waits: %v", what, err)
		}
		if _, err := w.Answer(id, granted); !errors.Is(err, ErrUnknown) {
			t.Errorf("%s: %v", what, err)
		}
	}
	id := begin()
	for _, wrong := range []Choice{{Person: marco, Level: 0, Outcome: Granted}, {Person: marco, Level: 4, Outcome: Granted}, {Person: marco, Level: 2}} {
		if _, err := w.Answer(id, wrong); !errors.Is(err, ErrChoice) {
			t.Errorf("%+v: %v", wrong, err)
		}
	}
	if r, err := w.Waiting(id); err != nil || r.ID != id || r.Level != 2 || r.Provider != "Provider di prova" {
		t.Errorf("waits as %+v: %v", r, err)
	}
	if _, err := w.Answer(id, granted); err != nil {
		t.Fatal(err)
	}
	over("answered", id)
	id = begin()
	w.clock.Advance(requestFor)
	over("late", id)
	id = begin()
	w.Forget()
	over("forgotten", id)
	over("never made", "nothing")
}

// However many begin, the oldest makes room and memory stays as it is.
func TestMemory_IsBounded(t *testing.T) {
	w := newWorld(t)
	m := newMemory[int](time.Minute, w.Deps)
	var names []string
	for i := range most + 2 {
		name, err := m.put(i)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	if len(m.values) != most || len(m.order) != most {
		t.Errorf("kept %d, %d", len(m.values), len(m.order))
	}
	if _, found := m.get(names[1]); found {
		t.Error("the oldest is there")
	}
	if v, found := m.get(names[2]); !found || v != 2 {
		t.Errorf("got %d %v", v, found)
	}
}
