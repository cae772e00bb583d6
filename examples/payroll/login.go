package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/oauth2"
)

// scopes are what the program asks for. The last one lets it come back next month without asking.
var scopes = []string{"declarations", "offline_access"}

// logIn returns a client that acts for the user. The first time, and whenever the consent has ended,
// the user lets the program in with a browser, on whatever device it runs.
func logIn(ctx context.Context, s settings, out io.Writer) (*http.Client, error) {
	config, err := discover(ctx, s)
	if err != nil {
		return nil, err
	}
	ctx = context.WithValue(ctx, oauth2.HTTPClient, &http.Client{Transport: repeating{http.DefaultTransport}})
	file := tokenFile{path: s.tokenFile}
	token, err := file.read()
	if err != nil {
		return nil, err
	}
	if token != nil {
		file.source = config.TokenSource(ctx, token)
		_, err := file.Token()
		if err == nil {
			return oauth2.NewClient(ctx, &file), nil
		}
		var refused *oauth2.RetrieveError
		if !errors.As(err, &refused) || refused.ErrorCode != "invalid_grant" {
			return nil, fmt.Errorf("the login could not be renewed: %w", err)
		}
	}
	device, err := config.DeviceAuth(ctx)
	if err != nil {
		return nil, fmt.Errorf("nobody can log in: %w", err)
	}
	fmt.Fprintf(out, "Open   %s\nType   %s\n\nWaiting for you to let this program in ...\n", device.VerificationURI, device.UserCode)
	token, err = config.DeviceAccessToken(ctx, device)
	if err != nil {
		return nil, fmt.Errorf("this program was not let in: %w", err)
	}
	fmt.Fprintln(out, "Let in.")
	file.source = config.TokenSource(ctx, token)
	if _, err := file.Token(); err != nil {
		return nil, err
	}
	return oauth2.NewClient(ctx, &file), nil
}

// discover asks the service where its endpoints are (RFC 8414).
func discover(ctx context.Context, s settings) (*oauth2.Config, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.service+"/.well-known/oauth-authorization-server", nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	var found struct {
		Issuer string `json:"issuer"`
		Token  string `json:"token_endpoint"`
		Device string `json:"device_authorization_endpoint"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&found); err != nil || answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s is not the service: it answers %s", s.service, answer.Status)
	}
	if found.Issuer != s.service {
		return nil, fmt.Errorf("the service calls itself %s, not %s", found.Issuer, s.service)
	}
	return &oauth2.Config{
		ClientID: s.clientID, Scopes: scopes,
		Endpoint: oauth2.Endpoint{TokenURL: found.Token, DeviceAuthURL: found.Device, AuthStyle: oauth2.AuthStyleInParams},
	}, nil
}

// ownTokenFile is where the tokens for a service are kept, for this user of the machine alone.
func ownTokenFile(service string) (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", err
	}
	u, err := url.Parse(service)
	if err != nil || u.Host == "" {
		return "", fmt.Errorf("%q is no address", service)
	}
	return filepath.Join(dir, "diresco-payroll", strings.ReplaceAll(u.Host, ":", "-")+".json"), nil
}

// tokenFile hands out tokens and keeps each new one before it is used. A refresh token works once:
// whoever loses the next one has to be let in again.
type tokenFile struct {
	path   string
	source oauth2.TokenSource
	kept   string
}

// Token implements oauth2.TokenSource.
func (f *tokenFile) Token() (*oauth2.Token, error) {
	token, err := f.source.Token()
	if err != nil || token.AccessToken == f.kept {
		return token, err
	}
	text, err := json.Marshal(token)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(f.path), 0o700); err != nil {
		return nil, err
	}
	next := f.path + ".new"
	if err := os.WriteFile(next, text, 0o600); err != nil {
		return nil, err
	}
	if err := os.Rename(next, f.path); err != nil {
		return nil, err
	}
	f.kept = token.AccessToken
	return token, nil
}

// read returns what is kept, if anything is.
func (f *tokenFile) read() (*oauth2.Token, error) {
	text, err := os.ReadFile(f.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var token oauth2.Token
	if err := json.Unmarshal(text, &token); err != nil {
		return nil, fmt.Errorf("%s: %w; remove it to log in again", f.path, err)
	}
	f.kept = token.AccessToken
	return &token, nil
}

// refreshKey is the same for each try to use a refresh token. With it the service answers again with
// what it has answered already, should that have been lost on the way.
func refreshKey(form url.Values) string {
	sum := sha256.Sum256([]byte(form.Get("refresh_token")))
	return hex.EncodeToString(sum[:16])
}
