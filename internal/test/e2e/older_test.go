package e2e

import (
	"bytes"
	"compress/gzip"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	_ "modernc.org/sqlite" // registers the driver "sqlite"

	"diresco/internal/filing/declaration/catalogue"
	"diresco/internal/platform/config"
	"diresco/internal/test/dbtest"
)

// olderDatabase is what an earlier release (schema 20 of the migrations) left behind. It has a
// sandbox's dump, its keys, and what its people were told.
type olderDatabase struct {
	DataKeys    string `json:"data_keys"`
	SigningKeys string `json:"signing_keys"`

	IntermediaryRefreshToken string `json:"consulente_refresh_token"`
	DelegationPath           string `json:"delegation_path"`
	DelegationOTP            string `json:"delegation_otp"`

	RefreshToken     string          `json:"refresh_token"`
	DeclarationsPath string          `json:"declarations_path"`
	IdempotencyKey   string          `json:"idempotency_key"`
	Filing           json.RawMessage `json:"filing"`
	Answer           json.RawMessage `json:"answer"`
	Location         string          `json:"location"`

	Recovery, Revocation struct {
		TaxCode string `json:"tax_code"`
		Code    string `json:"code"`
	}
	Contact struct {
		RefreshToken string `json:"refresh_token"`
		Path         string `json:"path"`
		Code         string `json:"code"`
	}
	// PINRequest is of somebody whose halves of a PIN were promised and not sent yet.
	PINRequest struct {
		TaxCode string `json:"tax_code"`
	} `json:"pin_request"`
}

// startOlder opens the sandbox that an earlier release left behind.
func startOlder(t *testing.T, rawURL string) (*fixture, olderDatabase) {
	t.Helper()
	kind, driver, source := "postgres", "pgx", rawURL
	if path, found := strings.CutPrefix(rawURL, "sqlite:"); found {
		kind, driver = "sqlite", "sqlite"
		if err := os.Remove(path); err != nil { // what dbtest has migrated already
			t.Fatal(err)
		}
		source = path
	}
	packed, err := os.Open(filepath.Join("testdata", "older", kind+".sql.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = packed.Close() }()
	unpacked, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	dump, err := io.ReadAll(unpacked)
	if err != nil {
		t.Fatal(err)
	}
	pool, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	if kind == "postgres" {
		dump = append([]byte("DROP SCHEMA public CASCADE; CREATE SCHEMA public;\n"), dump...)
	}
	if _, err := pool.ExecContext(t.Context(), string(dump)); err != nil {
		t.Fatal(err)
	}
	if err := pool.Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join("testdata", "older", kind+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var left olderDatabase
	if err := json.Unmarshal(content, &left); err != nil {
		t.Fatal(err)
	}
	w := startWith(t, rawURL, cheapPINs, func(c *config.Config) {
		c.PublicURL = "http://sandbox.example"
		for name, keys := range map[string]string{"data-keys": left.DataKeys, "signing-keys.json": left.SigningKeys} {
			if err := os.WriteFile(filepath.Join(c.DataDir, name), []byte(keys), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	})
	return w, left
}

// What was given out before an upgrade is still good after it. Names that are stored, or that go
// into keys, never change.
func TestOlderDatabase_KeepsWhatWasGivenOut(t *testing.T) {
	dbtest.EachURL(t, func(t *testing.T, rawURL string) {
		w, left := startOlder(t, rawURL)
		renewed := func(refreshToken string) string {
			t.Helper()
			a := w.do(
				http.MethodPost, "/v1/sessions/current/tokens", "", map[string]any{"refresh_token": refreshToken},
			).want(t, http.StatusOK, "")
			token, _ := a.field("access_token").(string)
			return token
		}
		token := renewed(left.RefreshToken)
		w.witness.before = []string{left.IdempotencyKey}

		again := w.do(http.MethodPost, left.DeclarationsPath, token, string(left.Filing), header{
			"Idempotency-Key", left.IdempotencyKey,
		}).want(t, http.StatusCreated, "")
		// A newer program links to what it has more.
		var answered map[string]any
		if err := json.Unmarshal(again.body, &answered); err != nil {
			t.Fatal(err)
		}
		delete(answered["_links"].(map[string]any), "history")
		known, err := json.Marshal(answered)
		if err != nil {
			t.Fatal(err)
		}
		if !sameJSON(t, known, left.Answer) || again.header.Get("Location") != left.Location {
			t.Errorf("the repeat of a filing answered %s at %s", again.body, again.header.Get("Location"))
		}
		verified := w.do(
			http.MethodPost, "/v1/receipt-verifications", "", map[string]any{"jws": again.field("receipt", "jws")},
		).want(t, http.StatusOK, "")
		if verified.field("valid") != true || verified.field("protocol_number") != again.field("protocol_number") {
			t.Errorf("its receipt is %s", verified.body)
		}

		activation := map[string]any{"otp": left.DelegationOTP, "signature_declared": true}
		active := w.do(
			http.MethodPost, left.DelegationPath+"/activation", renewed(left.IntermediaryRefreshToken), activation, key(),
		).want(t, http.StatusOK, "")
		if active.field("state") != "active" {
			t.Errorf("the delegation is %s", active.body)
		}

		w.verifyContact(renewed(left.Contact.RefreshToken), left.Contact.Path, left.Contact.Code).want(t, http.StatusOK, "")
		w.do(http.MethodPost, "/v1/pin-recoveries/confirmation", "", map[string]any{
			"tax_code": left.Recovery.TaxCode, "recovery_code": left.Recovery.Code,
		}).want(t, http.StatusOK, "")
		w.do(http.MethodPost, "/v1/pin-revocations/confirmation", "", map[string]any{
			"tax_code": left.Revocation.TaxCode, "code": left.Revocation.Code,
		}).want(t, http.StatusOK, "")

		first, second := w.secretTo(elenaMobile, ""), codeInText.FindString(w.letters()[0].Text)
		w.firstAccess(left.PINRequest.TaxCode, first+second)
	})
}

// A receipt of what was filed before prints words that came later.
func TestOlderDatabase_HasTheTypesThatComeWithTheProgram(t *testing.T) {
	shipped, err := catalogue.All()
	if err != nil {
		t.Fatal(err)
	}
	dbtest.EachURL(t, func(t *testing.T, rawURL string) {
		w, _ := startOlder(t, rawURL)
		for _, want := range shipped {
			var got struct {
				ContentSchema json.RawMessage `json:"content_schema"`
			}
			at := fmt.Sprintf("/v1/declaration-types/%s/versions/%d", want.Code, want.Version)
			answer := w.do(http.MethodGet, at, "", nil).want(t, http.StatusOK, "")
			if err := json.Unmarshal(answer.body, &got); err != nil {
				t.Fatal(err)
			}
			inItalian, err := catalogue.Localised(want.ContentSchema, false)
			if err != nil {
				t.Fatal(err)
			}
			var left, right any
			if err := errors.Join(json.Unmarshal(got.ContentSchema, &left), json.Unmarshal(inItalian, &right)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(right, left); diff != "" {
				t.Errorf("%s: %s", want.Code, diff)
			}
			english := w.do(http.MethodGet, at, "", nil, header{"Accept-Language", "en"}).want(t, http.StatusOK, "")
			if english.field("title") != want.Title.EN || !strings.Contains(string(english.body), "Worker's tax code") {
				t.Errorf("%s in English: %s", want.Code, english.body)
			}
		}
	})
}

// sameJSON reports whether two texts are the same but for white space.
func sameJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	var left, right bytes.Buffer
	if err := json.Compact(&left, a); err != nil {
		t.Fatal(err)
	}
	if err := json.Compact(&right, b); err != nil {
		t.Fatal(err)
	}
	return bytes.Equal(left.Bytes(), right.Bytes())
}
