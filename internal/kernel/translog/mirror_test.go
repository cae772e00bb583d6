package translog_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"gocloud.dev/blob"
	"gocloud.dev/blob/memblob"

	"diresco/db"
	"diresco/internal/kernel/translog"
	"diresco/internal/test/dbtest"
)

func openMirror(t *testing.T) *blob.Bucket {
	t.Helper()
	bucket := memblob.OpenBucket(nil)
	t.Cleanup(func() { _ = bucket.Close() })
	return bucket
}

func names(t *testing.T, bucket *blob.Bucket) []string {
	t.Helper()
	var all []string
	for found := bucket.List(nil); ; {
		object, err := found.Next(context.Background())
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, object.Key)
	}
}

func read(t *testing.T, bucket *blob.Bucket, name string) string {
	t.Helper()
	content, err := bucket.ReadAll(context.Background(), name)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func write(t *testing.T, bucket *blob.Bucket, name, content string) {
	t.Helper()
	if err := bucket.WriteAll(context.Background(), name, []byte(content), nil); err != nil {
		t.Fatal(err)
	}
}

func TestMirror_FollowsTheLog(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := context.Background()
		h, bucket := newHouse(t, d), openMirror(t)
		m := translog.NewMirror(h.log, bucket)
		if err := m.Copy(ctx); err != nil || len(names(t, bucket)) > 0 {
			t.Fatalf("a log without leaves is copied: %v, %v", names(t, bucket), err)
		}
		var c translog.Checkpoint
		for _, n := range []int{20, 2, 400, 94, 2} {
			h.write(n)
			c = h.seal()
			if err := m.Copy(ctx); err != nil {
				t.Fatal(err)
			}
			if read(t, bucket, "checkpoint") != c.Text {
				t.Error("the mirror has another checkpoint")
			}
			if report := h.verifyWith(c.Text, bucket); report.Found > 0 || report.Mirrored != c.Size {
				t.Errorf("the report is %+v", report)
			}
		}
		// What was not whole at an older checkpoint is gone once it is.
		all := names(t, bucket)
		for _, name := range all {
			if whole, _, part := strings.Cut(name, ".p/"); part && slices.Contains(all, whole) {
				t.Errorf("at %d leaves the mirror has %s", c.Size, name)
			}
		}
		// Another process goes on where this one was.
		h.write(300)
		c = h.seal()
		if err := translog.NewMirror(h.another(h.keys), bucket).Copy(ctx); err != nil {
			t.Fatal(err)
		}
		if report := h.verifyWith("", bucket); report.Found > 0 || report.Mirrored != c.Size {
			t.Errorf("the report is %+v", report)
		}
	})
}

// Who took a checkpoint from a mirror finds all that is under it, however far the mirror came since.
func TestMirror_ServesOlderCheckpoints(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h, bucket := newHouse(t, d), openMirror(t)
		m := translog.NewMirror(h.log, bucket)
		var older []translog.Checkpoint
		for _, n := range []int{20, 2, 400, 94, 2} {
			h.write(n)
			older = append(older, h.seal())
			if err := m.Copy(context.Background()); err != nil {
				t.Fatal(err)
			}
			for _, c := range older {
				write(t, bucket, "checkpoint", c.Text)
				if report := h.verifyWith("", bucket); report.Found > 0 || report.Mirrored != c.Size {
					t.Errorf("of %d leaves the report is %+v", c.Size, report)
				}
			}
		}
	})
}

// A copy that was interrupted is gone on with. Until it is done, the mirror has its old checkpoint.
func TestMirror_GoesOnWhereItWasInterrupted(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := context.Background()
		h, bucket, whole := newHouse(t, d), openMirror(t), openMirror(t)
		h.write(500)
		c := h.seal()
		if err := translog.NewMirror(h.log, whole).Copy(ctx); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"tile/0/000", "tile/entries/001"} {
			write(t, bucket, name, read(t, whole, name))
		}
		if err := translog.NewMirror(h.log, bucket).Copy(ctx); err != nil {
			t.Fatal(err)
		}
		if report := h.verifyWith(c.Text, bucket); report.Found > 0 || report.Mirrored != c.Size {
			t.Errorf("the report is %+v", report)
		}
	})
}

// A mirror of another log, or of what the database has no more, is not written over.
func TestMirror_KeepsWhatTheDatabaseHasNoMore(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := context.Background()
		h, bucket := newHouse(t, d), openMirror(t)
		h.write(300)
		old := h.seal()
		h.write(2)
		h.seal()
		if err := translog.NewMirror(h.log, bucket).Copy(ctx); err != nil {
			t.Fatal(err)
		}
		v := &vandal{house: h}
		v.unlock()
		h.exec("DELETE FROM log_entries WHERE position >= ?", old.Size)
		h.exec("UPDATE log_state SET size = ?, checkpoint = ?", old.Size, old.Text)
		before := read(t, bucket, "checkpoint")
		if err := translog.NewMirror(h.log, bucket).Copy(ctx); !errors.Is(err, translog.ErrOther) {
			t.Errorf("an older state is copied: %v", err)
		}
		if read(t, bucket, "checkpoint") != before {
			t.Error("the mirror was written over")
		}
		other := newHouse(t, dbtest.Open(t, dbtest.SQLite(t)))
		other.write(900)
		other.seal()
		if err := translog.NewMirror(other.log, bucket).Copy(ctx); !errors.Is(err, translog.ErrOther) {
			t.Errorf("another log is copied over: %v", err)
		}
	})
}

func TestVerify_FindsWhatWasChangedInAMirror(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := context.Background()
		h, bucket := newHouse(t, d), openMirror(t)
		h.write(400)
		h.seal()
		if err := translog.NewMirror(h.log, bucket).Copy(ctx); err != nil {
			t.Fatal(err)
		}
		for _, name := range names(t, bucket) {
			if name == "checkpoint" {
				continue
			}
			content := read(t, bucket, name)
			for what, changed := range map[string]string{
				"one letter": strings.Replace(content, content[40:41], string(content[40]^1), 1), "its end": content[:len(content)-1], "all": "",
			} {
				write(t, bucket, name, changed)
				if report := h.verifyWith("", bucket); report.Found == 0 {
					t.Errorf("%s of %s was changed, and nobody noticed", what, name)
				}
			}
			if err := bucket.Delete(ctx, name); err != nil {
				t.Fatal(err)
			}
			if report := h.verifyWith("", bucket); report.Found == 0 {
				t.Errorf("%s is gone, and nobody noticed", name)
			}
			write(t, bucket, name, content)
		}
		if report := h.verifyWith("", bucket); report.Found > 0 {
			t.Errorf("all was put back, and the report is %+v", report)
		}
	})
}
