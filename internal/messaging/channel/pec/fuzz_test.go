package pec_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/uuid"
)

// FuzzReceipt looks whether a file that a mailbox brings can end the program, or stop those beside it.
func FuzzReceipt(f *testing.F) {
	good := receipt("avvenuta-consegna", first, "")
	f.Add(good)
	f.Add(receipt("errore-consegna", first, "no-dest"))
	f.Add(made{kind: "accettazione", id: first}.opaque("MIIB"))
	f.Add("From: posta-certificata@x.example\r\nX-Ricevuta: accettazione\r\n\r\n")
	f.Add("Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n--a--")
	f.Fuzz(func(t *testing.T, text string) {
		w := newFixture(t)
		w.put(t, "new/1", text)
		w.put(t, "new/2", receipt("avvenuta-consegna", second, ""))
		w.read(t)
		told := map[uuid.UUID]bool{}
		for _, r := range w.reporter.reports {
			told[r.DeliveryID] = true
		}
		if !told[second] {
			t.Errorf("the receipt beside it was not read")
		}
		if _, err := os.Stat(filepath.Join(w.dir, "new", "1")); err == nil {
			t.Error("the file is looked at for ever")
		}
	})
}
