package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"diresco/internal/identity/federation/spid"
	"diresco/internal/platform/clock"
	"diresco/internal/sandbox/idp"
)

const (
	samlName = "SAML login"
	// samlProvider is where the provider would be, and samlEntity what the service is called there.
	samlProvider = "https://idp.example.org"
	samlEntity   = "https://diresco.example.org"
	samlFew      = 8
	// samlRate is more logins a second than are measured: so many are begun before, since beginning
	// one is not what is measured.
	samlRate = 700
)

// national measures logins by SAML beside those with a PIN, on a database and a server of its own,
// which know a provider. One login is all from the answer that the provider's page posts to the
// session.
func (b *bench) national(ctx context.Context, binary, dir string) (err error) {
	if !b.options.only.MatchString(samlName) {
		return nil
	}
	own := *b
	own.results = nil
	if own.database, err = b.database.another(ctx, "saml"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, own.database.close(ctx)) }()
	if own.world, err = seed(ctx, own.database.url); err != nil {
		return fmt.Errorf("seed: %w", err)
	}
	files := filepath.Join(dir, "saml")
	if err := os.Mkdir(files, 0o750); err != nil {
		return err
	}
	provider, err := own.addProvider(ctx, files)
	if err != nil {
		return err
	}
	if err := own.startServer(ctx, binary, files); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, own.server.stop()) }()
	byPIN := own.login(manyClients)
	byPIN.name = samlName + ": with a PIN in its place"
	results, err := own.all(ctx, own.samlLogin(provider, samlFew), own.samlLogin(provider, manyClients), byPIN)
	if err == nil {
		cost := func(r *result) float64 { return r.server.Seconds() / float64(len(r.times)) }
		for _, r := range results[:2] {
			r.compared = fmt.Sprintf("%.3f × the server's CPU of a login with a PIN", cost(r)/cost(results[2]))
		}
	}
	b.results = append(b.results, own.results...)
	return err
}

// addProvider makes a provider of SPID and the variables by which the server knows it.
func (b *bench) addProvider(ctx context.Context, dir string) (*idp.Provider, error) {
	key, err := idp.NewKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	provider, err := idp.New(idp.Deps{
		PublicURL: samlProvider, Clock: clock.System{}, Random: rand.Reader, Key: key, Name: "Bench", ServiceMetadata: b.serviceMetadata(),
	})
	if err != nil {
		return nil, err
	}
	metadata, err := provider.Metadata(ctx)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	pair, err := spid.NewCertificate(
		rand.Reader, samlEntity, spid.Organisation{Name: "Bench", IPACode: "ist_bench"}, "Roma", now.Add(-time.Hour), now.Add(time.Hour),
	)
	if err != nil {
		return nil, err
	}
	metadataFile, keyFile := filepath.Join(dir, "idp.xml"), filepath.Join(dir, "saml.pem")
	b.variables = map[string]string{
		"SPID_METADATA": metadataFile, "SPID_KEYS": keyFile, "SPID_ENTITY_ID": samlEntity, "SPID_IPA_CODE": "ist_bench",
		"SPID_EMAIL": "bench@example.org", "INSTITUTION_NAME": "Bench", "INSTITUTION_PAGE": samlEntity, "DELEGATION_LOGIN": "any",
	}
	return provider, errors.Join(os.WriteFile(metadataFile, metadata, 0o600), os.WriteFile(keyFile, pair, 0o600))
}

// serviceMetadata asks the server once who it is.
func (b *bench) serviceMetadata() func(ctx context.Context) ([]byte, error) {
	var mu sync.Mutex
	var known []byte
	return func(ctx context.Context) ([]byte, error) {
		mu.Lock()
		defer mu.Unlock()
		if known != nil {
			return known, nil
		}
		c, err := dial(ctx, b.server.address, nil)
		if err != nil {
			return nil, err
		}
		defer c.close()
		status, err := c.do(ctx, newCall(http.MethodGet, spid.MetadataPath, b.server.address, "", nil, false).next())
		if err == nil && status != http.StatusOK {
			err = refused(status, c.body)
		}
		if err == nil {
			known = c.body
		}
		return known, err
	}
}

// samlLogin logs in by answers that were signed before.
func (b *bench) samlLogin(provider *idp.Provider, clients int) work {
	w := work{name: samlName, clients: clients, wanted: http.StatusCreated, process: b.server.process}
	var answers [][]byte
	w.worker = func(ctx context.Context, i int) (worker, func(), error) {
		if i == 0 {
			var err error
			if answers, err = b.signed(ctx, provider); err != nil {
				return nil, nil, err
			}
		}
		c, err := dial(ctx, b.server.address, nil)
		if err != nil {
			return nil, nil, err
		}
		at := i
		return func(ctx context.Context) (int, error) {
			if at >= len(answers) {
				return 0, errors.New("there are no more answers")
			}
			status, err := c.do(ctx, answers[at])
			answers[at] = nil
			at += clients
			if err == nil && status != http.StatusSeeOther {
				err = refused(status, c.body)
			}
			if err != nil {
				return status, err
			}
			return b.exchange(ctx, c)
		}, c.close, nil
	}
	return w
}

// exchange opens the session of the code with which the last answer sends the browser back.
func (b *bench) exchange(ctx context.Context, c *connection) (int, error) {
	back, err := url.Parse(c.location)
	if err != nil {
		return 0, err
	}
	code := back.Query().Get("code")
	if code == "" {
		return 0, fmt.Errorf("sent back with %s", back.Query().Get("error"))
	}
	body, err := json.Marshal(map[string]string{"code": code, "code_verifier": benchProof})
	if err != nil {
		return 0, err
	}
	status, err := c.do(ctx, newCall(http.MethodPost, "/v1/sessions/federated", b.server.address, "", body, true).next())
	if err == nil && status != http.StatusCreated {
		err = refused(status, c.body)
	}
	return status, err
}

// signed begins logins and signs their answers, as requests.
func (b *bench) signed(ctx context.Context, provider *idp.Provider) ([][]byte, error) {
	all := make([][]byte, int((b.warmUp+b.duration).Seconds()*samlRate))
	id, err := b.providerID(ctx)
	if err != nil {
		return nil, err
	}
	failed := make([]error, samlFew)
	var wait sync.WaitGroup
	for first := range samlFew {
		wait.Go(func() {
			c, err := dial(ctx, b.server.address, nil)
			if err != nil {
				failed[first] = err
				return
			}
			defer c.close()
			for i := first; i < len(all) && failed[first] == nil && ctx.Err() == nil; i += samlFew {
				all[i], failed[first] = b.answer(ctx, c, provider, id, b.world.logins[i%loginPeople])
			}
		})
	}
	wait.Wait()
	return all, errors.Join(append(failed, ctx.Err(), b.database.analyse(ctx))...)
}

// providerID is what the server calls the provider.
func (b *bench) providerID(ctx context.Context) (string, error) {
	c, err := dial(ctx, b.server.address, nil)
	if err != nil {
		return "", err
	}
	defer c.close()
	status, err := c.do(ctx, newCall(http.MethodGet, "/v1/identity-providers", b.server.address, "", nil, false).next())
	var listed struct {
		Items []struct {
			ID string `json:"provider_id"`
		}
	}
	if err == nil {
		err = json.Unmarshal(c.body, &listed)
	}
	if err == nil && (status != http.StatusOK || len(listed.Items) != 1) {
		err = refused(status, c.body)
	}
	if err != nil {
		return "", err
	}
	return listed.Items[0].ID, nil
}

// answer begins a login and returns what the provider's page posts when somebody has logged in.
func (b *bench) answer(ctx context.Context, c *connection, provider *idp.Provider, id string, who *user) ([]byte, error) {
	sum := sha256.Sum256([]byte(benchProof))
	body, err := json.Marshal(map[string]any{
		"provider_id": id, "level": 2, "return_url": "http://" + b.server.address + "/",
		"code_challenge": base64.RawURLEncoding.EncodeToString(sum[:]),
	})
	if err != nil {
		return nil, err
	}
	status, err := c.do(ctx, newCall(http.MethodPost, "/v1/federated-logins", b.server.address, "", body, true).next())
	if err == nil && status != http.StatusCreated {
		err = refused(status, c.body)
	}
	if err != nil {
		return nil, err
	}
	var begun struct{ URL string }
	if err := json.Unmarshal(c.body, &begun); err != nil {
		return nil, err
	}
	read, err := provider.ReadSAML(httptest.NewRequestWithContext(ctx, http.MethodGet, begun.URL, http.NoBody))
	if err != nil {
		return nil, err
	}
	signed, err := provider.Answer(read, idp.Choice{Level: 2, Outcome: idp.Granted, Person: idp.Person{
		TaxCode: who.taxCode, GivenName: "Maria", FamilyName: "Bianchi", Sex: "F", BirthDate: "1930-01-01", BirthPlace: "H501",
		Province: "RM", Email: "p@example.org", Mobile: "3331234567",
	}})
	if err != nil {
		return nil, err
	}
	form := url.Values{}
	for _, field := range signed.Form {
		form.Set(field.Name, field.Value)
	}
	return formCall(spid.AnswerPath, b.server.address, form), nil
}
