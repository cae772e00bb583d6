package client

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/oauth2"
)

// TokenStore keeps the tokens of one grant. Each renewal has another refresh token, and the one
// before is good no more: what Save was given last must be what Load returns, after a crash too.
type TokenStore interface {
	// Load returns what was saved last; nil if there is nothing.
	Load(ctx context.Context) (*oauth2.Token, error)
	Save(ctx context.Context, token *oauth2.Token) error
	// Delete forgets what was saved. It is no error that there is nothing.
	Delete(ctx context.Context) error
}

// ErrLogInAgain means that there is no grant, or none any more: the person withdrew it, it expired,
// or a right ended. Nothing but another login helps.
var ErrLogInAgain = errors.New("the person must let the application in again")

// renewalBound is how long a renewal takes at most, with its repeats. The service gives the same
// successor to who asks again within a minute; a token that comes back later ends the grant.
const renewalBound = 50 * time.Second

// Tokens are the tokens of one grant, renewed when they must be. It may be used by many goroutines,
// and several processes may share a store.
type Tokens struct {
	app     *App
	store   TokenStore
	mu      sync.Mutex
	current *oauth2.Token
	// unsaved is that current is to be saved, in the place of what has this refresh token.
	unsaved bool
	before  string
}

// Tokens returns the source of tokens for a store.
func (a *App) Tokens(store TokenStore) *Tokens { return &Tokens{app: a, store: store} }

// Begin keeps the first tokens of a grant, and returns their source.
func (a *App) Begin(ctx context.Context, store TokenStore, first *oauth2.Token) (*Tokens, error) {
	if err := store.Save(ctx, first); err != nil {
		return nil, err
	}
	return a.Tokens(store), nil
}

// AccessToken implements TokenSource. It returns ErrLogInAgain when there is no grant any more. A
// renewal that has begun goes on to its end, a minute at most, though the context ends: a successor
// that nobody kept would be lost, and the grant with it.
func (t *Tokens) AccessToken(ctx context.Context, refused string) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if t.unsaved {
		if err := t.save(ctx); err != nil {
			return "", err
		}
	}
	if t.usable(refused) {
		return t.current.AccessToken, nil
	}
	// Another process may have been quicker.
	loaded, err := t.store.Load(ctx)
	if err != nil {
		return "", err
	}
	t.current = loaded
	switch {
	case t.usable(refused):
		return t.current.AccessToken, nil
	case t.current == nil || t.current.RefreshToken == "":
		return "", ErrLogInAgain
	}
	renewed, err := t.renew(ctx)
	if err != nil {
		return "", err
	}
	t.before, t.current, t.unsaved = t.current.RefreshToken, renewed, true
	if err := t.save(context.WithoutCancel(ctx)); err != nil {
		return "", err
	}
	return t.current.AccessToken, nil
}

// renew asks for the successors of the current tokens.
func (t *Tokens) renew(ctx context.Context) (*oauth2.Token, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), renewalBound)
	defer cancel()
	renewed, err := t.app.oauth.TokenSource(t.app.context(ctx), &oauth2.Token{RefreshToken: t.current.RefreshToken}).Token()
	var no *oauth2.RetrieveError
	if errors.As(err, &no) && no.ErrorCode == "invalid_grant" {
		return nil, errors.Join(ErrLogInAgain, err)
	}
	return renewed, err
}

// usable reports whether the current token is good, as far as one can tell.
func (t *Tokens) usable(refused string) bool {
	return t.current.Valid() && t.current.AccessToken != refused
}

// save keeps the tokens that were renewed, unless another process has kept others meanwhile: those
// are newer.
func (t *Tokens) save(ctx context.Context) error {
	kept, err := t.store.Load(ctx)
	switch {
	case err != nil:
		return err
	case kept == nil: // it was ended meanwhile
		t.current, t.unsaved = nil, false
		return ErrLogInAgain
	case kept.RefreshToken != t.before:
		t.current, t.unsaved = kept, false
		return nil
	}
	err = t.store.Save(ctx, t.current)
	t.unsaved = err != nil
	return err
}

// End withdraws the grant at the service, and forgets its tokens once that is done.
func (t *Tokens) End(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	ended, err := t.store.Load(ctx)
	if err != nil {
		return err
	}
	if t.unsaved {
		ended = t.current
	}
	if ended != nil {
		token := ended.RefreshToken
		if token == "" {
			token = ended.AccessToken
		}
		if err := t.app.Revoke(ctx, token); err != nil {
			return err
		}
	}
	t.current, t.unsaved = nil, false
	return t.store.Delete(ctx)
}

// MemoryStore keeps tokens as long as the process lives. The zero value is empty.
type MemoryStore struct {
	mu    sync.Mutex
	token *oauth2.Token
}

// Load implements TokenStore.
func (s *MemoryStore) Load(context.Context) (*oauth2.Token, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.token, nil
}

// Save implements TokenStore.
func (s *MemoryStore) Save(_ context.Context, token *oauth2.Token) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token = token
	return nil
}

// Delete implements TokenStore.
func (s *MemoryStore) Delete(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token = nil
	return nil
}

// FileStore keeps tokens in the file of that name, which nobody else may read.
type FileStore string

// Load implements TokenStore.
func (s FileStore) Load(context.Context) (*oauth2.Token, error) {
	content, err := os.ReadFile(string(s))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // as TokenStore says
	}
	if err != nil {
		return nil, err
	}
	var token oauth2.Token
	return &token, json.Unmarshal(content, &token)
}

// Save implements TokenStore. The file is the one before or the new one, whatever happens.
func (s FileStore) Save(_ context.Context, token *oauth2.Token) error {
	content, err := json.Marshal(token) //nolint:gosec // what is to be kept
	if err != nil {
		return err
	}
	next, err := os.CreateTemp(filepath.Dir(string(s)), ".tokens-*") // for its owner alone
	if err != nil {
		return err
	}
	_, err = next.Write(content)
	err = errors.Join(err, next.Sync(), next.Close())
	if err == nil {
		err = os.Rename(next.Name(), string(s))
	}
	if err != nil {
		err = errors.Join(err, os.Remove(next.Name()))
	}
	return err
}

// Delete implements TokenStore.
func (s FileStore) Delete(context.Context) error {
	if err := os.Remove(string(s)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
