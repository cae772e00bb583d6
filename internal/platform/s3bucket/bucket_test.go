package s3bucket_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"diresco/internal/platform/s3bucket"
)

// service is an S3 of the test's own, with one bucket called files.
type service struct {
	url string
	// asked are the requests so far.
	asked atomic.Int64
	// header is that of the last request that wrote.
	header atomic.Pointer[http.Header]
}

func serve(t *testing.T) *service {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "word")
	kept := s3mem.New()
	if err := kept.CreateBucket("files"); err != nil {
		t.Fatal(err)
	}
	s, answering := &service{}, gofakes3.New(kept).Server()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		if r.Method == http.MethodPut {
			s.header.Store(&r.Header)
		}
		answering.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *service) open(t *testing.T, bucket, more string) *blob.Bucket {
	t.Helper()
	b, err := s3bucket.Open("s3://" + bucket + "?region=eu-south-1&use_path_style=true&endpoint=" + url.QueryEscape(s.url) + more)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func TestBucket_KeepsFiles(t *testing.T) {
	s := serve(t)
	b, ctx := s.open(t, "files", ""), t.Context()
	for name, length := range map[string]int{"empty": 0, "short": 11, "one part": 5 << 20, "more than a part": 5<<20 + 1, "three": 13 << 20} {
		content := bytes.Repeat([]byte("0123456789x"), length/11+1)[:length]
		if err := b.Upload(ctx, "a/"+name, bytes.NewReader(content), &blob.WriterOptions{ContentType: "application/pdf"}); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		read, err := b.ReadAll(ctx, "a/"+name)
		if err != nil || !bytes.Equal(read, content) {
			t.Errorf("%s: %d bytes read of %d, %v", name, len(read), length, err)
		}
		if a, err := b.Attributes(ctx, "a/"+name); err != nil || a.Size != int64(length) || a.ContentType != "application/pdf" || a.ModTime.IsZero() {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
}

func TestBucket_ReadsParts(t *testing.T) {
	b, ctx := serve(t).open(t, "files", ""), t.Context()
	if err := b.WriteAll(ctx, "k", []byte("0123456789"), nil); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		offset, length int64
		want           string
	}{{0, -1, "0123456789"}, {3, -1, "3456789"}, {3, 4, "3456"}, {0, 1, "0"}, {4, 0, ""}} {
		r, err := b.NewRangeReader(ctx, "k", c.offset, c.length, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if err != nil || string(got) != c.want || r.Size() != 10 {
			t.Errorf("%d, %d: %q of %d, %v", c.offset, c.length, got, r.Size(), err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestBucket_Lists(t *testing.T) {
	b, ctx := serve(t).open(t, "files", ""), t.Context()
	want := []string{}
	for _, key := range []string{"a/1", "a/2", "a/3/x", "a/4", "b/1"} {
		if err := b.WriteAll(ctx, key, []byte(key), nil); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(key, "a/") {
			want = append(want, key)
		}
	}
	got := []string{}
	for all := b.List(&blob.ListOptions{Prefix: "a/"}); ; {
		found, err := all.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if found.IsDir || found.Size != int64(len(found.Key)) {
			t.Errorf("%+v", found)
		}
		got = append(got, found.Key)
	}
	if !slices.Equal(got, want) {
		t.Errorf("listed %v, want %v", got, want)
	}
	// Page by page, also where the last page is full.
	for _, size := range []int{1, 2, 3, 4, 5} {
		got = got[:0]
		for token := blob.FirstPageToken; token != nil; {
			page, next, err := b.ListPage(ctx, token, size, &blob.ListOptions{Prefix: "a/"})
			if err != nil {
				t.Fatal(err)
			}
			if len(page) > size || len(page) == 0 {
				t.Fatalf("a page of %d has %d", size, len(page))
			}
			for _, found := range page {
				got = append(got, found.Key)
			}
			token = next
		}
		if !slices.Equal(got, want) {
			t.Errorf("by %d: listed %v, want %v", size, got, want)
		}
	}
	if _, _, err := b.ListPage(ctx, blob.FirstPageToken, 2, &blob.ListOptions{Delimiter: "/"}); gcerrors.Code(err) != gcerrors.Unimplemented {
		t.Errorf("folders: %v", err)
	}
}

func TestBucket_SaysWhatIsWrong(t *testing.T) {
	s := serve(t)
	b, ctx := s.open(t, "files", ""), t.Context()
	code := func(what string, err error, want gcerrors.ErrorCode) {
		t.Helper()
		if err == nil || gcerrors.Code(err) != want {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := b.ReadAll(ctx, "none")
	code("read", err, gcerrors.NotFound)
	_, err = b.Attributes(ctx, "none")
	code("look", err, gcerrors.NotFound)
	code("delete", b.Delete(ctx, "none"), gcerrors.NotFound)
	code("no bucket", s.open(t, "nowhere", "").WriteAll(ctx, "k", nil, nil), gcerrors.NotFound)
	code("copy", b.Copy(ctx, "k", "none", nil), gcerrors.Unimplemented)
	_, err = b.SignedURL(ctx, "k", nil)
	code("sign", err, gcerrors.Unimplemented)
	code("metadata", b.WriteAll(ctx, "k", nil, &blob.WriterOptions{Metadata: map[string]string{"a": "b"}}), gcerrors.Unimplemented)

	once := &blob.WriterOptions{IfNotExist: true}
	if err := b.WriteAll(ctx, "k", []byte("first"), once); err != nil {
		t.Fatal(err)
	}
	code("write again", b.WriteAll(ctx, "k", []byte("second"), once), gcerrors.FailedPrecondition)
	if read, err := b.ReadAll(ctx, "k"); err != nil || string(read) != "first" {
		t.Errorf("%q, %v", read, err)
	}
	if err := b.Delete(ctx, "k"); err != nil {
		t.Error(err)
	}
	if there, err := b.Exists(ctx, "k"); err != nil || there {
		t.Errorf("it is there: %v, %v", there, err)
	}
}

// What is broken off leaves nothing, however much of it was written.
func TestBucket_WritesAllOrNothing(t *testing.T) {
	b := serve(t).open(t, "files", "")
	for name, length := range map[string]int{"short": 100, "long": 12 << 20} {
		ctx, cancel := context.WithCancel(t.Context())
		w, err := b.NewWriter(ctx, name, &blob.WriterOptions{ContentType: "text/plain"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(make([]byte, length)); err != nil {
			t.Fatal(err)
		}
		cancel()
		if err := w.Close(); err == nil {
			t.Errorf("%s: it was broken off, and nothing was said", name)
		}
		if there, err := b.Exists(t.Context(), name); err != nil || there {
			t.Errorf("%s: it is there: %v, %v", name, there, err)
		}
	}
	wrong := &blob.WriterOptions{ContentType: "text/plain", ContentMD5: make([]byte, 16)}
	for name, length := range map[string]int{"short": 100, "long": 12 << 20} {
		if err := b.Upload(t.Context(), name, bytes.NewReader(make([]byte, length)), wrong); err == nil {
			t.Errorf("%s: its digest is wrong, and nothing was said", name)
		}
		if there, err := b.Exists(t.Context(), name); err != nil || there {
			t.Errorf("%s: it is there: %v, %v", name, there, err)
		}
	}
	// Who still writes when the bucket refuses is told.
	w, err := serve(t).open(t, "nowhere", "").NewWriter(t.Context(), "k", &blob.WriterOptions{ContentType: "text/plain"})
	if err != nil {
		t.Fatal(err)
	}
	for range 8 {
		_, err = w.Write(make([]byte, 4<<20))
	}
	if closing := w.Close(); err == nil || closing == nil {
		t.Errorf("write %v, close %v", err, closing)
	}
}

func TestBucket_EncryptsAsItIsTold(t *testing.T) {
	s := serve(t)
	for more, want := range map[string][2]string{
		"": {"", ""}, "&ssetype=AES256": {"AES256", ""}, "&ssetype=aws:kms&kmskeyid=1234": {"aws:kms", "1234"},
	} {
		if err := s.open(t, "files", more).WriteAll(t.Context(), "k", nil, nil); err != nil {
			t.Fatal(err)
		}
		h := s.header.Load()
		got := [2]string{h.Get("X-Amz-Server-Side-Encryption"), h.Get("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id")}
		if got != want {
			t.Errorf("%q: %q", more, got)
		}
		if signed := h.Get("Authorization"); !strings.Contains(signed, "Credential=key/") || !strings.Contains(signed, "/eu-south-1/s3/") {
			t.Errorf("%q: signed by %q", more, signed)
		}
	}
	if err := s.open(t, "files", "&anonymous=true").WriteAll(t.Context(), "k", nil, nil); err != nil {
		t.Fatal(err)
	}
	if signed := s.header.Load().Get("Authorization"); signed != "" {
		t.Errorf("nobody signed by %q", signed)
	}
}

func TestBucket_URLs(t *testing.T) {
	s := serve(t)
	for raw, want := range map[string]string{
		"s3://files?region=eu-south-1":                                      "",
		"s3://files?region=eu-south-1&endpoint=files.example.it":            "",
		"s3://files?region=x&endpoint=https://files.example.it/&profile=it": "",
		"s3://files": "region",
		"s3://":      "s3://BUCKET",
		"files":      "s3://BUCKET",
		"s3://files?region=x&role=arn:aws:iam::1":           `"role"`,
		"s3://files?region=x&use_path_style=perhaps":        `"use_path_style"`,
		"s3://files?region=x&ssetype=rot13":                 "ssetype",
		"s3://files?region=x&endpoint=ftp://files":          "endpoint",
		"s3://files?region=x&endpoint=https://files/folder": "endpoint",
		"s3://files?region=x&endpoint=https://me:word@host": "endpoint",
	} {
		b, err := s3bucket.Open(raw)
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", raw, err)
		case want == "":
			if err := b.Close(); err != nil {
				t.Error(err)
			}
		case err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "word"):
			t.Errorf("%s: %v", raw, err)
		}
	}
	if n := s.asked.Load(); n != 0 {
		t.Errorf("opening asked %d times", n)
	}
}
