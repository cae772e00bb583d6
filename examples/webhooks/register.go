package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"
)

// keys are what the service signs with, and where it has this receiver.
type keys struct {
	ApplicationID string   `json:"application_id,omitempty"`
	WebhookID     string   `json:"webhook_id,omitempty"`
	URL           string   `json:"url,omitempty"`
	Secrets       []string `json:"secrets"`
	PublicKey     string   `json:"public_key"`
	// RotatedAt is since when the first of two secrets is in the other's place; nil where nobody knows.
	RotatedAt *time.Time `json:"rotated_at,omitempty"`
	// Rotating tells that a new secret was asked for, and may have been made and lost.
	Rotating bool `json:"rotating,omitempty"`
}

// keyFile keeps them, for this user alone.
type keyFile struct{ path string }

// read returns what is kept, or what the environment has: WEBHOOK_SECRET, with blanks between two,
// and WEBHOOK_PUBLIC_KEY.
func (f keyFile) read() (keys, error) {
	if secrets := os.Getenv("WEBHOOK_SECRET"); secrets != "" {
		return keys{Secrets: strings.Fields(secrets), PublicKey: os.Getenv("WEBHOOK_PUBLIC_KEY")}, nil
	}
	var k keys
	text, err := os.ReadFile(f.path)
	if errors.Is(err, os.ErrNotExist) {
		return k, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &k)
	}
	return k, err
}

func (f keyFile) write(k keys) error {
	text, err := json.MarshalIndent(k, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(f.path+".new", append(text, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(f.path+".new", f.path)
}

// sandbox is where the receiver adds itself. Elsewhere whoever manages the application does that.
type sandbox struct{ url, owner, clientID, token string }

// register adds the receiver to the application, unless it is there and its secret is known. Whatever
// else the application has for it is removed first: a secret is shown once, so an endpoint whose secret
// was lost is good for nothing. To rotate is to have a new secret and to go on with both for a day.
func (s sandbox) register(ctx context.Context, file keyFile, receiver string, rotate bool) error {
	k, err := file.read()
	if err != nil {
		return err
	}
	if s, err = s.logIn(ctx); err != nil {
		return err
	}
	application, err := s.application(ctx)
	if err != nil {
		return err
	}
	there, err := s.webhooks(ctx, application)
	if err != nil {
		return err
	}
	if i := slices.IndexFunc(there, func(w webhook) bool { return w.ID == k.WebhookID }); i >= 0 &&
		there[i].URL == receiver && there[i].State == "enabled" && len(k.Secrets) > 0 {
		if !rotate && !k.Rotating {
			return nil
		}
		if err := s.rotate(ctx, file, k); !errors.Is(err, errConflict) {
			return err
		}
		return nil // so many were made today that no more is: it goes on with those that it knows
	}
	to := "/applications/" + application + "/webhooks"
	for _, old := range there {
		if old.ID != k.WebhookID && old.URL != receiver {
			continue // another program's
		}
		if err := s.ask(ctx, http.MethodDelete, to+"/"+old.ID, nil, nil); err != nil {
			return err
		}
	}
	var made webhook
	if err := s.ask(ctx, http.MethodPost, to, map[string]any{"url": receiver}, &made); err != nil {
		return err
	}
	return file.write(keys{
		ApplicationID: application, WebhookID: made.ID, URL: receiver, Secrets: []string{made.Secret}, PublicKey: made.PublicKey,
	})
}

// webhook is what the service shows of a receiver. The secret is shown when it is made, and never
// again.
type webhook struct {
	ID        string `json:"webhook_id"`
	URL       string `json:"url"`
	State     string `json:"state"`
	Secret    string `json:"secret"`
	PublicKey string `json:"public_key"`
}

// rotate has a new secret made. That it does so is kept first: a new secret that is lost on the way
// signs in the old one's place tomorrow, so another is made at the next start.
func (s sandbox) rotate(ctx context.Context, file keyFile, k keys) error {
	k.Rotating = true
	if err := file.write(k); err != nil {
		return err
	}
	var made webhook
	if err := s.ask(ctx, http.MethodPost, "/applications/"+k.ApplicationID+"/webhooks/"+k.WebhookID+"/secrets", nil, &made); err != nil {
		return err
	}
	now := time.Now().UTC()
	k.Secrets, k.RotatedAt, k.Rotating = []string{made.Secret, k.Secrets[0]}, &now, false
	return file.write(k)
}

// logIn returns the sandbox as who manages the application sees it.
func (s sandbox) logIn(ctx context.Context) (sandbox, error) {
	var session struct {
		Token string `json:"access_token"`
	}
	err := s.ask(ctx, http.MethodPost, "/sandbox/people/"+s.owner+"/sessions", nil, &session)
	s.token = session.Token
	return s, err
}

// webhooks returns what the application has. It has ten at most.
func (s sandbox) webhooks(ctx context.Context, application string) ([]webhook, error) {
	var found struct {
		Items []webhook `json:"items"`
	}
	err := s.ask(ctx, http.MethodGet, "/applications/"+application+"/webhooks?limit=100", nil, &found)
	return found.Items, err
}

// application returns the id of the application.
func (s sandbox) application(ctx context.Context) (string, error) {
	var found struct {
		Items []struct {
			ID       string `json:"application_id"`
			ClientID string `json:"client_id"`
		} `json:"items"`
	}
	if err := s.ask(ctx, http.MethodGet, "/applications?limit=100", nil, &found); err != nil {
		return "", err
	}
	for _, a := range found.Items {
		if a.ClientID == s.clientID {
			return a.ID, nil
		}
	}
	return "", fmt.Errorf("%s manages no application %s", s.owner, s.clientID)
}

// errConflict is that the service cannot do it as things are.
var errConflict = errors.New("not now")

// ask asks the service, and reads its answer.
func (s sandbox) ask(ctx context.Context, method, path string, send, into any) error {
	var body io.Reader
	if send != nil {
		text, err := json.Marshal(send)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, s.url+"/v1"+path, body)
	if err != nil {
		return err
	}
	r.Header.Set("Accept-Language", "en")
	if send != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if method == http.MethodPost {
		r.Header.Set("Idempotency-Key", rand.Text())
	}
	if s.token != "" {
		r.Header.Set("Authorization", "Bearer "+s.token)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode == http.StatusConflict {
		return fmt.Errorf("%s %s: %w: %s", method, path, errConflict, text)
	}
	if answer.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("%s %s answers %s: %s", method, path, answer.Status, text)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(text, into)
}
