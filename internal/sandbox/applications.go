package sandbox

import (
	"context"
	_ "embed" // the key of an application
	"encoding/json"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"

	"diresco/internal/identity/application"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/taxcode"
)

// The client ids of the applications of a new sandbox.
const (
	// PayrollClientID is that of a program that runs on its user's machine.
	PayrollClientID = "sandbox-payroll"
	// BureauClientID is that of the server of an intermediary.
	BureauClientID = "sandbox-bureau"
)

// bureauKey is the private key of the server, for whoever tries it out. It opens sandboxes alone.
//
//go:embed bureau.jwk.json
var bureauKey []byte

// BureauKey returns the private key with which the application BureauClientID proves who it is.
func BureauKey() (jose.JSONWebKey, error) {
	var key jose.JSONWebKey
	err := key.UnmarshalJSON(bureauKey)
	return key, err
}

// plantApplications registers the first applications, in the context's transaction. One is a
// consulente's, the other the CAF's.
func (s *Service) plantApplications(ctx context.Context) error {
	key, err := BureauKey()
	if err != nil {
		return err
	}
	keys, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key.Public()}})
	if err != nil {
		return err
	}
	now := s.clock.Now()
	a := application.Application{
		RedirectURIs: []string{"http://127.0.0.1/callback", "http://[::1]/callback"}, Scopes: access.Scopes(),
		ContactEmail: "sviluppo@paghe.example", State: application.Approved, CreatedAt: now, UpdatedAt: now, SubmittedAt: now, Version: 1,
	}
	payroll, bureau := a, a
	payroll.ClientID, payroll.DisplayName = PayrollClientID, "Paghe Facili"
	payroll.Kind, payroll.AuthMethod = application.Public, application.NoAuth
	bureau.ClientID, bureau.DisplayName = BureauClientID, "Studio Paghe Notturno"
	bureau.Kind, bureau.AuthMethod, bureau.JWKS = application.Confidential, application.PrivateKeyJWT, keys
	if payroll.PersonID, err = s.planted(ctx, andrea); err != nil {
		return err
	}
	if bureau.PersonID, err = s.planted(ctx, antonio); err != nil {
		return err
	}
	if bureau.DelegateID, err = s.repo.delegateOf(ctx, bureau.PersonID); err != nil {
		return err
	}
	for _, one := range []*application.Application{&payroll, &bureau} {
		one.ID = uuid.Must(uuid.NewV7())
		if err := s.db.From(ctx).Create(one).Error; err != nil {
			return err
		}
	}
	return nil
}

// planted returns the id of one of the first people.
func (s *Service) planted(ctx context.Context, birth taxcode.Birth) (uuid.UUID, error) {
	code, err := taxcode.Compose(birth)
	if err != nil {
		return uuid.Nil, err
	}
	p, err := s.persons.ByTaxCode(ctx, code)
	return p.ID, err
}

// delegateOf returns the intermediary of which a person is the legal representative.
func (r repository) delegateOf(ctx context.Context, personID uuid.UUID) (*uuid.UUID, error) {
	var id uuid.UUID
	err := r.db.From(ctx).Raw("SELECT delegate_id FROM delegate_roles WHERE person_id = ? AND role = ?",
		personID, access.LegalRepresentative).Row().Scan(&id)
	return &id, err
}
