package edge

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"diresco/api"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/platform/fault"
)

// DraftDelegationBatch stands for every operation that takes a file or JSON.
func (h *handlers) DraftDelegationBatch(
	ctx context.Context, r api.DraftDelegationBatchRequestObject,
) (api.DraftDelegationBatchResponseObject, error) {
	if h.raw != nil {
		h.raw(ctx, reqctx.RawOf(ctx), r)
	}
	return api.DraftDelegationBatch202JSONResponse{
		Body:    api.DelegationBatch{BatchId: aDeclaration},
		Headers: api.DraftDelegationBatch202ResponseHeaders{Location: "/v1/delegation-batches/" + aDeclaration.String()},
	}, nil
}

func rawAsk(mediaType, body string) ask {
	return ask{
		method: http.MethodPost, path: "/v1/delegation-batches", body: body, token: "live",
		header: map[string]string{"Idempotency-Key": "key-00000001", "Content-Type": mediaType},
	}
}

const aList = "position_number;scope\n0123456789;total\n"

func TestRawBody_AFileArrivesAsItWasSent(t *testing.T) {
	dir := t.TempDir()
	w := newWorld(t, func(c *Config) { c.SpoolDir = dir })
	for name, c := range map[string]struct {
		mediaType, body string
		chunked         bool
	}{
		"short":                {"text/csv", aList, false},
		"with a character set": {"Text/CSV; charset=UTF-8", aList, false},
		"of unknown length":    {"text/csv", aList, true},
		"long":                 {"text/csv", strings.Repeat("0123456789;total\n", 200_000), true},
		"no text at all":       {"text/csv", "\x00\xff{", false},
	} {
		t.Run(name, func(t *testing.T) {
			var kept *reqctx.Raw
			w.handlers.raw = func(_ context.Context, raw *reqctx.Raw, r api.DraftDelegationBatchRequestObject) {
				kept = raw
				first, err := io.ReadAll(raw.Open())
				if err != nil || string(first) != c.body || raw.MediaType != "text/csv" || raw.Size() != int64(len(c.body)) ||
					r.JSONBody != nil {
					t.Errorf("got %d bytes of %q, %v", len(first), raw.MediaType, err)
				}
				if again, err := io.ReadAll(r.Body); err != nil || !bytes.Equal(again, first) {
					t.Errorf("the request's body has %d bytes, %v", len(again), err)
				}
			}
			a := rawAsk(c.mediaType, c.body)
			a.chunked = c.chunked
			if answer := w.on(t).do(a); answer.Code != http.StatusAccepted || kept == nil {
				t.Fatalf("got %d %s", answer.Code, answer.Body)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
				t.Errorf("%d files are left, %v", len(left), err)
			}
		})
	}
}

func TestRawBody_WhereAFileMayComeJSONIsStillChecked(t *testing.T) {
	w := newWorld(t)
	var got *api.DelegationBatchInput
	w.handlers.raw = func(_ context.Context, raw *reqctx.Raw, r api.DraftDelegationBatchRequestObject) {
		if raw != nil {
			t.Error("JSON came as a file")
		}
		got = r.JSONBody
	}
	if answer := w.do(rawAsk(
		"Application/JSON", `{"items":[{"position_number":"0123456789"}],"scope":"total"}`,
	)); answer.Code != http.StatusAccepted || got == nil || len(got.Items) != 1 {
		t.Errorf("got %d %s", answer.Code, answer.Body)
	}
	w.problem(w.do(rawAsk("application/json", `{"items":[],"scope":"total"}`)), http.StatusUnprocessableEntity, fault.Invalid)
	w.problem(w.do(rawAsk("application/json", aList)), http.StatusBadRequest, fault.Malformed)
	// Longer than other JSON may be, and refused for what it says.
	w.problem(
		w.do(rawAsk(
			"application/json",
			`{"items":[`+strings.Repeat(`{"position_number":"0123456789"},`, 40_000)+`{"position_number":"0123456789"}],"scope":"total"}`,
		)),
		http.StatusUnprocessableEntity, fault.Invalid,
	)
}

func TestRawBody_AFileThatCannotBeTaken(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.SpoolDir = t.TempDir() })
	w.handlers.raw = func(context.Context, *reqctx.Raw, api.DraftDelegationBatchRequestObject) {
		t.Error("the handler was called")
	}
	tooLong := strings.Repeat("x", 16<<20+1)
	w.problem(w.do(rawAsk("text/csv", tooLong)), http.StatusRequestEntityTooLarge, fault.TooLarge)
	chunked := rawAsk("text/csv", tooLong)
	chunked.chunked = true
	w.problem(w.do(chunked), http.StatusRequestEntityTooLarge, fault.TooLarge)
	w.problem(w.do(rawAsk("text/csv", "")), http.StatusBadRequest, fault.Malformed)
	w.problem(w.do(rawAsk("text/plain", aList)), http.StatusUnsupportedMediaType, fault.UnsupportedMediaType)
	w.problem(w.do(rawAsk("text/csv; charset=koi8-r", aList)), http.StatusUnsupportedMediaType, fault.UnsupportedMediaType)
	w.problem(w.do(rawAsk("multipart/form-data; boundary=xYz", aList)), http.StatusUnsupportedMediaType, fault.UnsupportedMediaType)
	cut := w.request(rawAsk("text/csv", aList))
	cut.Body = io.NopCloser(io.MultiReader(strings.NewReader("position"), brokenReader{}))
	w.problem(w.serve(cut), http.StatusBadRequest, fault.Malformed)

	full := newWorld(t, func(c *Config) { c.SpoolDir = t.TempDir() + "/none" })
	full.problem(full.do(rawAsk("text/csv", strings.Repeat(aList, 2000))), http.StatusServiceUnavailable, fault.Unavailable)
}

type brokenReader struct{}

// Read implements io.Reader.
func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestRawBody_AFileIsToldFromAnotherByItsContent(t *testing.T) {
	w := newWorld(t)
	mac := func(a ask) string {
		var got string
		w.handlers.raw = func(ctx context.Context, _ *reqctx.Raw, _ api.DraftDelegationBatchRequestObject) {
			got = idempotency.ClaimOf(ctx).RequestMAC
		}
		if answer := w.do(a); answer.Code != http.StatusAccepted {
			t.Fatalf("got %d %s", answer.Code, answer.Body)
		}
		return got
	}
	first := mac(rawAsk("text/csv", aList))
	if mac(rawAsk("text/csv; charset=windows-1252", aList)) == first {
		t.Error("another charset is the same request")
	}
	if mac(rawAsk("text/csv; charset=utf-8", aList)) != first {
		t.Error("the same list is another request")
	}
	other := rawAsk("text/csv", aList)
	other.path += "?delegate_id=" + aDeclaration.String()
	if mac(rawAsk("text/csv", aList+"\n")) == first || mac(other) == first {
		t.Error("another list is the same request")
	}
}

func TestRawBody_AFileThatWouldGoUncheckedStopsTheStart(t *testing.T) {
	binary := func() *openapi3.Schema { return openapi3.NewStringSchema().WithFormat("binary") }
	for name, s := range map[string]*openapi3.Schema{
		"no length": binary(), "a pattern": binary().WithMaxLength(10).WithPattern("^a"),
		"text":      openapi3.NewStringSchema().WithMaxLength(10),
		"an object": openapi3.NewObjectSchema(),
	} {
		if _, err := newRawRule(s); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if limit, err := newRawRule(binary().WithMaxLength(1 << 30)); err != nil || limit != 1<<30 {
		t.Errorf("got %d, %v", limit, err)
	}
}
