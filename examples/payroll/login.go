package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"diresco/api/client"
)

// scopes are what the program asks for. The last one lets it come back next month without asking.
var scopes = []string{"declarations", "offline_access"}

// logIn returns the tokens with which the program acts for its user. The first time, and whenever the
// consent has ended, the user lets it in with a browser, on whatever device that runs.
func logIn(ctx context.Context, s settings, out io.Writer) (*client.Tokens, error) {
	if err := os.MkdirAll(filepath.Dir(s.tokenFile), 0o700); err != nil {
		return nil, err
	}
	app, err := client.Discover(ctx, client.AppConfig{Issuer: s.service, ClientID: s.clientID, Scopes: scopes})
	if err != nil {
		return nil, err
	}
	kept := client.FileStore(s.tokenFile) // for this user of the machine alone
	tokens := app.Tokens(kept)
	// What was kept is renewed even if it looks good: a consent that was withdrawn is noticed now.
	if _, err := tokens.AccessToken(ctx, keptToken(ctx, kept)); !errors.Is(err, client.ErrLogInAgain) {
		return tokens, err
	}
	device, err := app.StartDevice(ctx)
	if err != nil {
		return nil, fmt.Errorf("nobody can log in: %w", err)
	}
	fmt.Fprintf(out, "Open   %s\nType   %s\n\nWaiting for you to let this program in ...\n", device.VerificationURI, device.UserCode)
	first, err := app.WaitForDevice(ctx, device)
	if err != nil {
		return nil, fmt.Errorf("this program was not let in: %w", err)
	}
	fmt.Fprintln(out, "Let in.")
	return app.Begin(ctx, kept, first)
}

// keptToken is the access token that was kept, if any.
func keptToken(ctx context.Context, kept client.FileStore) string {
	token, err := kept.Load(ctx)
	if err != nil || token == nil {
		return ""
	}
	return token.AccessToken
}

// ownTokenFile is where the tokens for a service are kept.
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
