package timeline_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"testing"
	"time"

	"diresco/db"
	"diresco/internal/dossier/timeline"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// written calls do once, before what an export writes is taken.
type written func()

func (do written) Write(p []byte) (int, error) {
	do()
	return len(p), nil
}

// Four who do not read keep nobody out.
func TestTimelineExport_WhoDoesNotReadGivesWay(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		s := withFiles(a)
		_, latest := a.Employer(t)
		began := a.Clock.Now()
		begin := func() (*timeline.Export, error) {
			_, by := a.Employer(t)
			return s.Export(by, began.Add(-time.Hour), began)
		}
		var all []*timeline.Export
		for range 4 {
			x, err := begin()
			if err != nil {
				t.Fatal(err)
			}
			defer x.Close()
			all = append(all, x)
		}
		if _, err := begin(); !fault.Is(err, fault.Busy) {
			t.Errorf("a fifth: %v", err)
		}
		a.Clock.Advance(2 * time.Minute)
		next, err := s.Export(latest, began.Add(-time.Hour), began)
		if err != nil {
			t.Fatalf("beside four who do not read: %v", err)
		}
		// The one that gave way is over; giving back its place later takes nothing from the next.
		over := 0
		for _, x := range all {
			if err := x.Write(ctx, io.Discard); fault.Is(err, fault.Busy) {
				over++
			} else if err != nil {
				t.Error(err)
			}
			x.Close()
		}
		if over != 1 {
			t.Errorf("%d gave way", over)
		}
		if _, err := s.Export(latest, began.Add(-time.Hour), began); !fault.Is(err, fault.Busy) {
			t.Errorf("a second one of the person: %v", err)
		}
		if err := next.Write(ctx, io.Discard); err != nil {
			t.Error(err)
		}
		next.Close()
	})
}

// Whoever takes a little every now and then does so no longer than others let them.
func TestTimelineExport_WhoHardlyReadsGivesWay(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		large := func(context.Context, access.Actor) (io.ReadCloser, error) {
			return io.NopCloser(io.LimitReader(rand.Reader, 1<<20)), nil
		}
		s := timeline.NewService(timeline.Deps{Runner: a.Runner, CatchUp: a.Funds.CatchUp, Files: map[timeline.Happening]timeline.Source{
			timeline.DeclarationSubmitted: func(context.Context, access.Actor, timeline.Entry) ([]timeline.File, error) {
				return []timeline.File{{Name: ".bin", Open: large}}, nil
			},
		}})
		began := a.Clock.Now()
		a.Submit(t, by, c)
		a.Clock.Advance(time.Second)
		for _, pause := range []time.Duration{31 * time.Second, time.Millisecond} {
			first, err := s.Export(by, began, a.Clock.Now())
			if err != nil {
				t.Fatal(err)
			}
			pieces, next := 0, error(nil)
			err = first.Write(ctx, written(func() {
				if pieces++; pieces > 3 {
					return
				}
				a.Clock.Advance(pause)
				if pieces == 3 {
					var second *timeline.Export
					if second, next = s.Export(by, began, a.Clock.Now()); next == nil {
						second.Close()
					}
				}
			}))
			first.Close()
			if slow := pause > time.Second; slow && (!fault.Is(err, fault.Busy) || next != nil) || !slow && (err != nil || !fault.Is(next, fault.Busy)) {
				t.Errorf("with pauses of %s: %v, and the next one %v", pause, err, next)
			}
		}
	})
}

func TestTimelineExport_OfWhatIsToComeIsRefused(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		_, by := a.Employer(t)
		tomorrow := a.Clock.Now().AddDate(0, 0, 1)
		_, err := withFiles(a).Export(by, tomorrow, tomorrow.AddDate(0, 0, 1))
		var f *fault.Fault
		if !errors.As(err, &f) || f.Code != fault.Invalid || f.Fields[0].In != fault.InParameter || f.Fields[0].Pointer != "from" ||
			f.Fields[0].Code != fault.FieldInFuture {
			t.Errorf("%v", err)
		}
	})
}

// Files are dated when they came about, the same for every reader and on every day.
func TestTimelineExport_DatesAreThoseOfWhatHappened(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		s := withFiles(a)
		c, by := a.Employer(t)
		began := a.Clock.Now()
		filed := a.Submit(t, by, c)
		a.Clock.Advance(time.Minute)
		to := a.Clock.Now()
		first := exported(t, s, by, began, to)
		a.Clock.Advance(time.Minute)
		if !bytes.Equal(first, exported(t, s, by, began, to)) {
			t.Error("other bytes a minute later")
		}
		archive, err := zip.NewReader(bytes.NewReader(first), int64(len(first)))
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []time.Time{to, to, *filed.SubmittedAt} {
			f := archive.File[i]
			// What old readers see has two seconds, and no place.
			want, old := want.UTC().Truncate(time.Second), f.ModTime().Truncate(2*time.Second)
			if !f.Modified.Equal(want) || !old.Equal(want.Truncate(2*time.Second)) {
				t.Errorf("%s is dated %s, want %s", f.Name, f.Modified, want)
			}
		}
	})
}
