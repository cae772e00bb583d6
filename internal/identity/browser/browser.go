// Package browser keeps which session a browser is in that shows the pages. The browser has a
// secret in a cookie, and no token: whoever reads a page finds nothing there to call the API with.
package browser

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/secret"
)

// secretBytes is how many random bytes a secret has.
const secretBytes = 32

// Deps are what the service works with.
type Deps struct {
	DB    *db.DB
	Clock clock.Clock
	// Random is where secrets come from.
	Random io.Reader
}

// Service keeps the sessions of browsers. Whether a session lives is the session's business.
type Service struct {
	clock  clock.Clock
	random io.Reader
	repo   repository
}

// NewService returns the service.
func NewService(d Deps) *Service {
	return &Service{clock: d.Clock, random: d.Random, repo: repository{d.DB}}
}

// Draw returns a new secret for a browser.
func (s *Service) Draw() (secret.Text, error) {
	b := make([]byte, secretBytes)
	if _, err := io.ReadFull(s.random, b); err != nil {
		return "", err
	}
	return secret.Text(base64.RawURLEncoding.EncodeToString(b)), nil
}

// Open returns a new secret that stands for the session. One that stood in the browser before is
// good no more: no secret outlives a login or a renewed one.
func (s *Service) Open(ctx context.Context, sessionID uuid.UUID, before secret.Text) (secret.Text, error) {
	fresh, err := s.Draw()
	if err != nil {
		return "", err
	}
	return fresh, s.repo.replace(ctx, hash(before), row{SecretHash: hash(fresh), SessionID: sessionID, CreatedAt: s.clock.Now()})
}

// Session returns the session that a secret stands for, and false where there is none.
func (s *Service) Session(ctx context.Context, known secret.Text) (uuid.UUID, bool, error) {
	if known == "" {
		return uuid.Nil, false, nil
	}
	return s.repo.find(ctx, hash(known))
}

// Close makes a secret good no more.
func (s *Service) Close(ctx context.Context, known secret.Text) error {
	return s.repo.drop(ctx, hash(known))
}

// hash is what is kept of a secret. It was drawn by chance, so nobody finds it by trying.
func hash(t secret.Text) string {
	sum := sha256.Sum256([]byte(t.Reveal()))
	return hex.EncodeToString(sum[:])
}

// row is the session of a browser as it is kept. It is forgotten with the session.
type row struct {
	SecretHash string
	SessionID  uuid.UUID
	CreatedAt  time.Time
}

// TableName tells GORM the table.
func (row) TableName() string { return "page_sessions" }
