package attachment_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"gocloud.dev/blob/memblob"

	"diresco/internal/platform/attachment"
	"diresco/internal/platform/fault"
)

// The beginnings of files of each type.
const (
	pdf  = "%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n"
	png  = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00"
	jpeg = "\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01"
	tiff = "II*\x00\x08\x00\x00\x00"
)

// withoutHints compares which fields are wrong, and not what would have been right.
var withoutHints = cmpopts.IgnoreFields(fault.Field{}, "Right")

func spool(t *testing.T, name, content string) *attachment.Upload {
	t.Helper()
	u, err := attachment.Spool(strings.NewReader(content), name, t.TempDir(), attachment.MaxSize)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := u.Close(); err != nil {
			t.Error(err)
		}
	})
	return u
}

func TestAttachment_Spooling(t *testing.T) {
	const limit = 100_000
	for _, size := range []int{0, 1, 32 << 10, 32<<10 + 1, limit - 1, limit} {
		dir := t.TempDir()
		content := bytes.Repeat([]byte("0123456789"), size/10+1)[:size]
		u, err := attachment.Spool(iotest.HalfReader(bytes.NewReader(content)), "x", dir, limit)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(content)
		if u.Size() != int64(size) || u.Digest() != "sha-256:"+hex.EncodeToString(sum[:]) || u.Name() != "x" {
			t.Errorf("%d bytes: size %d, digest %s", size, u.Size(), u.Digest())
		}
		for range 2 {
			if read, err := io.ReadAll(u.Open()); err != nil || !bytes.Equal(read, content) {
				t.Errorf("%d bytes came back as %d, %v", size, len(read), err)
			}
		}
		empty(t, dir)
		if err := u.Close(); err != nil {
			t.Error(err)
		}
	}
}

// empty checks that nothing lies in a directory.
func empty(t *testing.T, dir string) {
	t.Helper()
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%d files left, %v", len(left), err)
	}
}

func TestAttachment_WhatCannotBeSpooled(t *testing.T) {
	dir := t.TempDir()
	for _, limit := range []int64{10, 100_000} {
		sent := &counter{r: io.LimitReader(zeros{}, 10*limit)}
		if _, err := attachment.Spool(sent, "x", dir, limit); !errors.Is(err, attachment.ErrTooLarge) || sent.n > limit+1 {
			t.Errorf("more than %d bytes: %v after %d", limit, err, sent.n)
		}
	}
	broken := errors.New("broken")
	for _, before := range []int64{0, 10, 90_000} {
		if _, err := attachment.Spool(
			io.MultiReader(io.LimitReader(zeros{}, before), iotest.ErrReader(broken)), "x", dir, 100_000,
		); !errors.Is(err, broken) {
			t.Errorf("a body that breaks off after %d: %v", before, err)
		}
	}
	empty(t, dir)
	if _, err := attachment.Spool(io.LimitReader(zeros{}, 90_000), "x", filepath.Join(dir, "missing"), 100_000); err == nil {
		t.Error("spooled into a directory that is not there")
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

func TestAttachment_WhatAFileIs(t *testing.T) {
	allowed := attachment.Documents()
	for name, c := range map[string]struct {
		content string
		want    attachment.MediaType
		code    string
	}{
		"PDF": {pdf, attachment.PDF, ""}, "PNG": {png, attachment.PNG, ""}, "JPEG": {jpeg, attachment.JPEG, ""},
		"TIFF":                      {tiff, attachment.TIFF, ""},
		"TIFF, the other way round": {"MM\x00*\x00\x00\x00\x08", attachment.TIFF, ""},
		"PDF after a mark":          {"\xef\xbb\xbf" + pdf, attachment.PDF, ""},
		"PDF of the longest":        {pdf + strings.Repeat("x", attachment.MaxSize-len(pdf)), attachment.PDF, ""},
		"nothing":                   {"", "", fault.FieldFileEmpty},
		"text":                      {"I am a picture.png", "", fault.FieldFileType},
		"HTML":                      {"<!doctype html><script>alert(1)</script>", "", fault.FieldFileType},
		"HTML that names PDF":       {"<!-- %PDF-1.7 --><script>alert(1)</script>", "", fault.FieldFileType},
		"SVG":                       {`<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`, "", fault.FieldFileType},
		"a program":                 {"MZ\x90\x00\x03\x00\x00\x00", "", fault.FieldFileType},
		"ELF":                       {"\x7fELF\x02\x01\x01\x00", "", fault.FieldFileType},
		"GIF":                       {"GIF89a\x01\x00\x01\x00", "", fault.FieldFileType},
		"ZIP":                       {"PK\x03\x04\x14\x00", "", fault.FieldFileType},
		"half a signature":          {"\x89PN", "", fault.FieldFileType},
		"one byte":                  {"%", "", fault.FieldFileType},
	} {
		t.Run(name, func(t *testing.T) {
			u := spool(t, "a.pdf", c.content)
			files, err := attachment.Check([]*attachment.Upload{u}, "/files", allowed...)
			if c.code != "" {
				var f *fault.Fault
				if !errors.As(err, &f) || f.Code != fault.Invalid ||
					!cmp.Equal(f.Fields, []fault.Field{{Pointer: "/files/0", Code: c.code}}, withoutHints) {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil || len(files) != 1 || files[0].MediaType != c.want || files[0].Number != 1 ||
				files[0].Size != int64(len(c.content)) || files[0].Digest != u.Digest() {
				t.Errorf("got %+v, %v", files, err)
			}
		})
	}
	long, err := attachment.Spool(strings.NewReader(pdf+strings.Repeat("x", attachment.MaxSize)), "a", t.TempDir(), 2*attachment.MaxSize)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = long.Close() }()
	_, err = attachment.Check([]*attachment.Upload{spool(t, "a", png), long, spool(t, "b", "")}, "/attachments", attachment.PDF)
	var f *fault.Fault
	if !errors.As(err, &f) || !cmp.Equal(f.Fields, []fault.Field{
		{Pointer: "/attachments/0", Code: fault.FieldFileType},
		{Pointer: "/attachments/1", Code: fault.FieldFileTooLarge},
		{Pointer: "/attachments/2", Code: fault.FieldFileEmpty},
	}, withoutHints) {
		t.Errorf("got %v", err)
	}
}

func TestAttachment_Storing(t *testing.T) {
	ctx := context.Background()
	bucket := memblob.OpenBucket(nil)
	defer func() { _ = bucket.Close() }()
	store := attachment.NewStore(bucket)
	uploads := []*attachment.Upload{spool(t, "../../one.pdf", pdf), spool(t, "two.png", png+strings.Repeat("x", 100_000))}
	files, err := attachment.Check(uploads, "/files", attachment.Documents()...)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Put(ctx, "upgrades/1", files, uploads); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{pdf, png + strings.Repeat("x", 100_000)} {
		r, err := store.Open(ctx, "upgrades/1", i+1)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || string(got) != want {
			t.Errorf("file %d came back as %d bytes, %v", i+1, len(got), err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := store.Open(ctx, "upgrades/1", 3); !fault.Is(err, fault.NotFound) {
		t.Errorf("a third file: %v", err)
	}
	// What is there is not written over, and what was stored before the failure goes.
	if err := store.Remove(ctx, "upgrades/1", files[:1]); err != nil {
		t.Fatal(err)
	}
	if err := store.Put(ctx, "upgrades/1", files, uploads); err == nil {
		t.Error("stored over another file")
	}
	if _, err := store.Open(ctx, "upgrades/1", 1); !fault.Is(err, fault.NotFound) {
		t.Errorf("half a set was left: %v", err)
	}
	if err := store.Remove(ctx, "upgrades/1", files); err != nil {
		t.Error(err)
	}
	if err := store.Remove(ctx, "upgrades/1", files); err != nil {
		t.Error(err)
	}
}
