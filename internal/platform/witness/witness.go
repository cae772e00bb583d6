// Package witness asks witnesses of transparency logs to cosign checkpoints (c2sp.org/tlog-witness). A
// witness cosigns nothing that contradicts what it has cosigned before, so who trusts it need not
// trust the log.
package witness

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	formats "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"diresco/internal/platform/egress"
)

const (
	// patience is how long a witness may take to answer.
	patience = 10 * time.Second
	// maxAnswer is more than any cosignature has.
	maxAnswer = 16 << 10
	// sizeType is the type of an answer that says how far the witness has come.
	sizeType = "text/x.tlog.size"
)

// Address is where a witness is, and by which key its cosignatures are checked.
type Address struct {
	verifier note.Verifier
	url      *url.URL
}

// Parse reads an address: the public key as programs for signed notes write it, a blank, and the
// URL.
func Parse(raw string) (Address, error) {
	fields := strings.Fields(raw)
	if len(fields) != 2 {
		return Address{}, errors.New("a witness is its public key, a blank and its URL")
	}
	verifier, err := formats.NewVerifierForCosignatureV1(fields[0])
	if err != nil {
		return Address{}, errors.New("not the public key of a witness")
	}
	at, err := egress.CheckURL(fields[1])
	if err != nil {
		return Address{}, err
	}
	return Address{verifier, at.JoinPath("add-checkpoint")}, nil
}

// Name is that of the witness's key.
func (a Address) Name() string { return a.verifier.Name() }

// Witness cosigns checkpoints.
type Witness struct {
	Address
	client *http.Client
}

// New returns the witness at an address, which may lie in the networks that are allowed.
func New(a Address, allow []netip.Prefix) *Witness {
	return &Witness{a, egress.Client(a.url, egress.Options{Timeout: patience, Allow: allow})}
}

// Conflict says that the witness has seen another size than it was told.
type Conflict struct{ Size int64 }

// Error implements error.
func (c *Conflict) Error() string {
	return fmt.Sprintf("the witness has seen a log of size %d", c.Size)
}

// Cosign returns the line by which the witness cosigns a checkpoint. The proof says that the log
// begins with the tree of the size that the witness has seen, 0 for none. It returns these errors:
//   - Conflict, where it has seen another size;
//   - any other where it cannot be asked, refuses, or answers with what is no cosignature of its.
func (w *Witness) Cosign(ctx context.Context, checkpoint string, seen int64, proof tlog.TreeProof) (line string, err error) {
	var text bytes.Buffer
	fmt.Fprintf(&text, "old %d\n", seen)
	for _, hash := range proof {
		fmt.Fprintf(&text, "%s\n", base64.StdEncoding.EncodeToString(hash[:]))
	}
	fmt.Fprintf(&text, "\n%s", checkpoint)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url.String(), &text)
	if err != nil {
		return "", err
	}
	request.Header.Set("Content-Type", "text/plain; charset=utf-8")
	answer, err := w.client.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = answer.Body.Close() }()
	said, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	if err != nil {
		return "", err
	}
	switch {
	case len(said) > maxAnswer:
		return "", errors.New("the witness's answer is too long")
	case answer.StatusCode == http.StatusConflict && answer.Header.Get("Content-Type") == sizeType:
		size, err := strconv.ParseInt(strings.TrimSuffix(string(said), "\n"), 10, 64)
		if err != nil || size < 0 {
			return "", errors.New("the witness's answer is no size")
		}
		return "", &Conflict{size}
	case answer.StatusCode == http.StatusUnprocessableEntity:
		return "", errors.New("the witness has cosigned other leaves than the log begins with")
	case answer.StatusCode != http.StatusOK:
		return "", fmt.Errorf("the witness answers %d", answer.StatusCode)
	}
	return w.lineIn(checkpoint, string(said))
}

// lineIn returns the witness's line of an answer, once it is checked.
func (w *Witness) lineIn(checkpoint, said string) (string, error) {
	if !strings.HasSuffix(said, "\n") {
		said += "\n"
	}
	signed, err := note.Open([]byte(checkpoint+said), note.VerifierList(w.verifier))
	if err != nil || len(signed.Sigs) != 1 {
		return "", errors.New("the witness's answer is no cosignature of its")
	}
	return fmt.Sprintf("— %s %s\n", signed.Sigs[0].Name, signed.Sigs[0].Base64), nil
}
