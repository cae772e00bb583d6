package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"diresco/internal/identity/oauth"
)

const (
	publicClient = "bench-public"
	serverClient = "bench-server"
	benchKey     = "k1"
	benchReturn  = "http://127.0.0.1/callback"
	benchProof   = "0123456789-0123456789-0123456789-0123456789"
	// codesMade are more than can be redeemed while that is measured.
	codesMade = 60_000
)

// programs are the applications that act for the filers.
type programs struct {
	key *ecdsa.PrivateKey
	// issuer is what assertions are for.
	issuer string
}

// applications measures token requests, and what an application does beside what its person does.
func (b *bench) applications(ctx context.Context) error {
	names := []string{
		"code exchange, public client", "refresh, public client", "refresh, private_key_jwt", "read, the person", "read, an application",
		"submit, the person", "submit, an application",
	}
	if !slices.ContainsFunc(names, b.options.only.MatchString) {
		return nil
	}
	p, err := b.registerPrograms(ctx)
	if err != nil {
		return fmt.Errorf("applications: %w", err)
	}
	if _, err := b.all(ctx, b.redeem(names[0]), b.renew(names[1], publicClient, p), b.renew(names[2], serverClient, p)); err != nil {
		return err
	}
	read, submit := b.read(), b.submit(true)
	read.name, submit.name = names[3], names[5]
	r, err := b.all(ctx, read, b.asProgram(names[4], read, p), submit, b.asProgram(names[6], submit, p))
	if err != nil {
		return err
	}
	compare(r[1], r[0], "the person")
	compare(r[3], r[2], "the person")
	return nil
}

// registerPrograms puts both applications into the database.
func (b *bench) registerPrograms(ctx context.Context) (*programs, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: benchKey, Use: "sig"}}})
	if err != nil {
		return nil, err
	}
	const insert = `INSERT INTO applications (id, client_id, display_name, kind, token_endpoint_auth_method, redirect_uris, jwks, jwks_uri,
		scopes, logo_uri, contact_email, state, person_id, created_at, updated_at, submitted_at)
		SELECT gen_random_uuid(), $1, 'Bench', $2, $3, '["` + benchReturn + `"]', $4, '', '["declarations","offline_access"]', '',
		'bench@example.org', 'approved', id, now(), now(), now() FROM people WHERE tax_code = $5`
	owner := b.world.filers[0].taxCode
	if _, err := b.database.conn.Exec(ctx, insert, publicClient, "public", "none", nil, owner); err != nil {
		return nil, err
	}
	if _, err := b.database.conn.Exec(ctx, insert, serverClient, "confidential", "private_key_jwt", string(set), owner); err != nil {
		return nil, err
	}
	c, err := dial(ctx, b.server.address, nil)
	if err != nil {
		return nil, err
	}
	defer c.close()
	status, err := c.do(ctx, newCall(http.MethodGet, oauth.MetadataPath, b.server.address, "", nil, false).next())
	var metadata struct{ Issuer string }
	if err == nil && status == http.StatusOK {
		err = json.Unmarshal(c.body, &metadata)
	}
	return &programs{key: key, issuer: metadata.Issuer}, err
}

// approve lets an application in for a person n times, as the pages would: it returns the codes, of
// which the i-th is the name and i.
func (d *database) approve(ctx context.Context, clientID, taxCode, name string, n int) error {
	sum := sha256.Sum256([]byte(benchProof))
	_, err := d.conn.Exec(ctx, `WITH who AS (
			SELECT p.id AS person, a.id AS application FROM people p, applications a WHERE p.tax_code = $1 AND a.client_id = $2
		), consent AS (
			INSERT INTO consents (id, person_id, application_id, scopes, services, every_contributor, given_at, expires_at)
			SELECT md5($3 || ' consent ' || n)::uuid, who.person, who.application, '["declarations","offline_access"]', '["*"]', true,
			now(), now() + interval '90 days' FROM who, generate_series(1, $4::integer) n
		)
		INSERT INTO oauth_flows (id, application_id, kind, state, redirect_uri, code_challenge, scopes, details, language, code_hash,
			code_expires_at, person_id, consent_id, created_at, expires_at)
		SELECT md5($3 || ' flow ' || n)::uuid, who.application, 'browser', 'approved', $5, $6, '["declarations","offline_access"]', '[]',
			'', encode(sha256(convert_to($3 || n, 'UTF8')), 'hex'), now() + interval '1 day', who.person,
			md5($3 || ' consent ' || n)::uuid, now(), now() + interval '1 day' FROM who, generate_series(1, $4::integer) n`,
		taxCode, clientID, name, n, benchReturn, base64.RawURLEncoding.EncodeToString(sum[:]))
	return err
}

// form renders a request for tokens.
func (b *bench) form(values url.Values) []byte {
	return formCall(oauth.TokenPath, b.server.address, values)
}

// formCall renders a request with a form.
func formCall(path, host string, values url.Values) []byte {
	body := values.Encode()
	const request = "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s"
	return fmt.Appendf(nil, request, path, host, len(body), body)
}

// says is how an application says who it is.
func (p *programs) says(clientID string, values url.Values) (url.Values, error) {
	values.Set("client_id", clientID)
	if clientID != serverClient {
		return values, nil
	}
	now := time.Now()
	token := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{
		"iss": clientID, "sub": clientID, "aud": p.issuer, "jti": uuid.NewString(), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
	})
	token.Header["kid"] = benchKey
	assertion, err := token.SignedString(p.key)
	values.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
	values.Set("client_assertion", assertion)
	return values, err
}

// redeemed are the parameters of an exchange.
func redeemed(code string) url.Values {
	return url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {benchReturn}, "code_verifier": {benchProof}}
}

// issued are the tokens of an answer.
type issued struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
}

// ask asks for tokens.
func (b *bench) ask(ctx context.Context, c *connection, p *programs, clientID string, values url.Values) (int, issued, error) {
	var tokens issued
	form, err := p.says(clientID, values)
	if err != nil {
		return 0, tokens, err
	}
	status, err := c.do(ctx, b.form(form))
	if err == nil && status != http.StatusOK {
		err = refused(status, c.body)
	}
	if err == nil {
		err = json.Unmarshal(c.body, &tokens)
	}
	return status, tokens, err
}

// letIn lets an application in for a filer, and returns its tokens.
func (b *bench) letIn(ctx context.Context, c *connection, p *programs, clientID string, f *filer) (issued, error) {
	name := uuid.NewString()
	if err := b.database.approve(ctx, clientID, f.taxCode, name, 1); err != nil {
		return issued{}, err
	}
	_, tokens, err := b.ask(ctx, c, p, clientID, redeemed(name+"1"))
	return tokens, err
}

// redeem exchanges codes, each for a grant of its own.
func (b *bench) redeem(name string) work {
	w := work{name: name, clients: manyClients, wanted: http.StatusOK, process: b.server.process}
	var prefix string
	w.worker = func(ctx context.Context, i int) (worker, func(), error) {
		if i == 0 {
			prefix = hex.EncodeToString([]byte(uuid.NewString()))
			if err := b.database.approve(ctx, publicClient, b.world.filers[0].taxCode, prefix, codesMade); err != nil {
				return nil, nil, err
			}
			if err := b.database.analyse(ctx); err != nil {
				return nil, nil, err
			}
		}
		c, err := dial(ctx, b.server.address, nil)
		if err != nil {
			return nil, nil, err
		}
		at := i + 1
		return func(ctx context.Context) (int, error) {
			if at > codesMade {
				return 0, errors.New("there are no more codes")
			}
			status, _, err := b.ask(ctx, c, nil, publicClient, redeemed(prefix+fmt.Sprint(at)))
			at += manyClients
			return status, err
		}, c.close, nil
	}
	return w
}

// renew renews grants, each client its own again and again.
func (b *bench) renew(name, clientID string, p *programs) work {
	w := work{name: name, clients: manyClients, wanted: http.StatusOK, process: b.server.process}
	w.worker = func(ctx context.Context, i int) (worker, func(), error) {
		c, err := dial(ctx, b.server.address, nil)
		if err != nil {
			return nil, nil, err
		}
		tokens, err := b.letIn(ctx, c, p, clientID, b.world.filers[i%filers])
		if err != nil {
			c.close()
			return nil, nil, err
		}
		return func(ctx context.Context) (int, error) {
			status, next, err := b.ask(ctx, c, p, clientID, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tokens.Refresh}})
			if err == nil {
				tokens = next
			}
			return status, err
		}, c.close, nil
	}
	return w
}

// asProgram is a work with the tokens of an application in the place of those of its filers.
func (b *bench) asProgram(name string, w work, p *programs) work {
	w.name = name
	w.before = func(ctx context.Context) error {
		c, err := dial(ctx, b.server.address, nil)
		if err != nil {
			return err
		}
		defer c.close()
		for _, f := range b.world.filers {
			tokens, err := b.letIn(ctx, c, p, publicClient, f)
			if err != nil {
				return err
			}
			f.token = tokens.Access
		}
		return nil
	}
	return w
}
