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
	"strings"
)

// keys are what the service signs with, and where it has this receiver.
type keys struct {
	ApplicationID string   `json:"application_id,omitempty"`
	WebhookID     string   `json:"webhook_id,omitempty"`
	URL           string   `json:"url,omitempty"`
	Secrets       []string `json:"secrets"`
	PublicKey     string   `json:"public_key"`
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

// register adds the receiver to the application, unless it is there. To rotate is to have a new secret
// and to go on with both.
func (s sandbox) register(ctx context.Context, file keyFile, receiver string, rotate bool) error {
	k, err := file.read()
	if err != nil {
		return err
	}
	var session struct {
		Token string `json:"access_token"`
	}
	if _, err := s.ask(ctx, http.MethodPost, "/sandbox/people/"+s.owner+"/sessions", nil, &session); err != nil {
		return err
	}
	s.token = session.Token
	if k.WebhookID != "" && k.URL == receiver {
		var there struct {
			State string `json:"state"`
		}
		status, err := s.ask(ctx, http.MethodGet, "/applications/"+k.ApplicationID+"/webhooks/"+k.WebhookID, nil, &there)
		if status != http.StatusNotFound && err != nil {
			return err
		}
		if err == nil && there.State == "enabled" {
			if !rotate {
				return nil
			}
			return s.rotate(ctx, file, k)
		}
	}
	k = keys{URL: receiver}
	if k.ApplicationID, err = s.application(ctx); err != nil {
		return err
	}
	var made webhook
	to := "/applications/" + k.ApplicationID + "/webhooks"
	if _, err := s.ask(ctx, http.MethodPost, to, map[string]any{"url": receiver}, &made); err != nil {
		return err
	}
	k.WebhookID, k.Secrets, k.PublicKey = made.ID, []string{made.Secret}, made.PublicKey
	return file.write(k)
}

// webhook is what the service shows of a receiver. The secret is shown when it is made, and never
// again.
type webhook struct {
	ID        string `json:"webhook_id"`
	Secret    string `json:"secret"`
	PublicKey string `json:"public_key"`
}

func (s sandbox) rotate(ctx context.Context, file keyFile, k keys) error {
	var made webhook
	if _, err := s.ask(ctx, http.MethodPost, "/applications/"+k.ApplicationID+"/webhooks/"+k.WebhookID+"/secrets", nil, &made); err != nil {
		return err
	}
	// The newest and the one before it: older ones sign nothing any more.
	k.Secrets = append([]string{made.Secret}, k.Secrets...)
	k.Secrets = k.Secrets[:min(2, len(k.Secrets))]
	return file.write(k)
}

// application returns the id of the application.
func (s sandbox) application(ctx context.Context) (string, error) {
	var found struct {
		Items []struct {
			ID       string `json:"application_id"`
			ClientID string `json:"client_id"`
		} `json:"items"`
	}
	if _, err := s.ask(ctx, http.MethodGet, "/applications?limit=100", nil, &found); err != nil {
		return "", err
	}
	for _, a := range found.Items {
		if a.ClientID == s.clientID {
			return a.ID, nil
		}
	}
	return "", fmt.Errorf("%s manages no application %s", s.owner, s.clientID)
}

// ask asks the service, and reads its answer.
func (s sandbox) ask(ctx context.Context, method, path string, send, into any) (status int, err error) {
	var body io.Reader
	if send != nil {
		text, err := json.Marshal(send)
		if err != nil {
			return 0, err
		}
		body = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, s.url+"/v1"+path, body)
	if err != nil {
		return 0, err
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
		return 0, err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return answer.StatusCode, err
	}
	if answer.StatusCode >= http.StatusBadRequest {
		return answer.StatusCode, fmt.Errorf("%s %s answers %s: %s", method, path, answer.Status, text)
	}
	return answer.StatusCode, json.Unmarshal(text, into)
}
