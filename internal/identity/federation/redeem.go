package federation

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"

	"github.com/google/uuid"

	"diresco/internal/identity/person"
	"diresco/internal/identity/session"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/operation"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/naming"
	"diresco/internal/platform/secret"
	"diresco/internal/platform/taxcode"
)

// maxName is how long a name may be that a provider tells.
const maxName = 100

// check returns a *Refusal for claims that no account can be found or made by, or that are below
// what was asked for.
func (c Claims) check(asked Level) error {
	code, err := taxcode.Parse(c.TaxCode)
	switch {
	case err != nil || !code.IsPerson() || code.Clear() != c.TaxCode:
		return &Refusal{Outcome: Invalid, Rule: "tax code"}
	case c.Level < max(asked, Lowest) || c.Level > highest:
		return &Refusal{Outcome: Invalid, Rule: "level"}
	}
	for _, name := range []string{c.GivenName, c.FamilyName} {
		if _, wrong := naming.Person(name, maxName); wrong != "" {
			return &Refusal{Outcome: Invalid, Rule: "name"}
		}
	}
	return nil
}

// login is how somebody logged in at a provider.
func login(method session.LoginMethod, level Level, providerID string) access.Login {
	reached := int(level)
	return access.Login{Method: string(method), Level: &reached, Provider: &providerID}
}

// Redeem opens the session of a login that succeeded. A code that is wrong, too old or used, a
// verifier that does not fit, and a person who is suspended are fault.InvalidCredentials alike.
func (s *Service) Redeem(ctx context.Context, code, verifier secret.Text) (session.Session, error) {
	r, claims, err := s.redeemable(ctx, code, verifier)
	if err != nil {
		return session.Session{}, err
	}
	l := r.login()
	proof := session.Proof{Login: l, Hold: s.admit, Find: func(ctx context.Context) (uuid.UUID, error) {
		if err := s.redeem(ctx, r); err != nil {
			return uuid.Nil, err
		}
		id, err := s.holder(ctx, claims, l)
		if err != nil {
			return uuid.Nil, err
		}
		return id, s.repo.redeemedBy(ctx, r.ID, id)
	}}
	return s.deps.Sessions.StartBy(ctx, proof)
}

// StartSession opens a session by claims that were verified just now: there is no browser to come
// back. Claims that are not in order, or were used before, are a *Refusal, and a person who is
// suspended fault.InvalidCredentials.
func (s *Service) StartSession(ctx context.Context, about About, claims Claims) (session.Session, error) {
	if err := claims.check(Lowest); err != nil {
		return session.Session{}, err
	}
	l := login(about.Method, claims.Level, about.ID)
	proof := session.Proof{Login: l, Hold: s.admit, Find: func(ctx context.Context) (uuid.UUID, error) {
		if err := s.useUp(ctx, about.ID, claims.Once); err != nil {
			return uuid.Nil, err
		}
		return s.holder(ctx, claims, l)
	}}
	return s.deps.Sessions.StartBy(ctx, proof)
}

// Reauthenticate proves by a login of the same person that the holder of a session is still there.
// Its faults are those of Redeem; the login of another person is fault.InvalidCredentials, too.
func (s *Service) Reauthenticate(ctx context.Context, by access.Actor, code, verifier secret.Text) (session.Session, error) {
	r, claims, err := s.redeemable(ctx, code, verifier)
	if err != nil {
		return session.Session{}, err
	}
	proof := session.Proof{Login: r.login(), Hold: s.admit, Find: func(ctx context.Context) (uuid.UUID, error) {
		if claims.TaxCode != by.TaxCode.Clear() {
			return uuid.Nil, fault.New(fault.InvalidCredentials)
		}
		if err := s.redeem(ctx, r); err != nil {
			return uuid.Nil, err
		}
		return by.PersonID, s.repo.redeemedBy(ctx, r.ID, by.PersonID)
	}}
	return s.deps.Sessions.ReauthenticateBy(ctx, by, proof)
}

// admit lets a person in, inside the transaction of the login, and completes what they filed with an
// ordinary PIN.
func (s *Service) admit(ctx context.Context, id uuid.UUID) error {
	err := s.deps.People.Admit(ctx, id)
	if err == nil && s.complete != nil {
		err = s.complete(ctx, id)
	}
	return err
}

// redeemable returns the login of a code that fits its verifier, and what its provider said.
func (s *Service) redeemable(ctx context.Context, code, verifier secret.Text) (row, Claims, error) {
	wrong := fault.New(fault.InvalidCredentials)
	if len(code) > maxSecret {
		return row{}, Claims{}, wrong
	}
	r, found, err := s.repo.byCode(ctx, digest(code))
	if err != nil {
		return row{}, Claims{}, err
	}
	sum := sha256.Sum256([]byte(verifier.Reveal()))
	challenge := base64.RawURLEncoding.EncodeToString(sum[:])
	if !found || subtle.ConstantTimeCompare([]byte(challenge), []byte(r.CodeChallenge)) != 1 || r.SealedClaims == nil {
		return row{}, Claims{}, wrong
	}
	var claims Claims
	plain, err := s.deps.Keys.Open(claimsPurpose, *r.SealedClaims, r.ID[:])
	if err == nil {
		err = json.Unmarshal(plain, &claims)
	}
	return r, claims, err
}

// redeem uses the code of a login up, in the context's transaction.
func (s *Service) redeem(ctx context.Context, r row) error {
	redeemed, err := s.repo.redeem(ctx, r.ID, s.run.Clock.Now())
	if err == nil && !redeemed {
		err = fault.New(fault.InvalidCredentials)
	}
	return err
}

// holder returns whom claims are about, in the context's transaction. Who is not known gets an
// account. What the office should know of another name is written down.
func (s *Service) holder(ctx context.Context, claims Claims, l access.Login) (uuid.UUID, error) {
	code, err := taxcode.Parse(claims.TaxCode)
	if err != nil {
		return uuid.Nil, err
	}
	known, err := s.deps.People.ByTaxCode(ctx, code)
	if fault.Is(err, fault.NotFound) {
		added, err := s.welcome(ctx, code, claims, l)
		if !fault.Is(err, fault.Conflict) {
			return added, err
		}
		// Another login of the same person was quicker.
		known, err = s.deps.People.ByTaxCode(ctx, code)
		if err != nil {
			return uuid.Nil, err
		}
	} else if err != nil {
		return uuid.Nil, err
	}
	return known.ID, s.compare(ctx, l, known.ID, code, known.GivenName, known.FamilyName, claims)
}

// welcome makes an account for somebody who has none.
func (s *Service) welcome(ctx context.Context, code taxcode.Code, claims Claims, l access.Login) (uuid.UUID, error) {
	p, err := s.deps.People.Add(ctx, person.New{
		TaxCode: code, GivenName: claims.GivenName, FamilyName: claims.FamilyName, UserClass: access.Citizen,
		CredentialLevel: access.Ordinary,
	})
	if err != nil {
		return uuid.Nil, err
	}
	trace := operation.Trace{PersonID: p.ID, Login: l, SubjectKind: person.SubjectKind, SubjectID: p.ID.String()}
	if err := s.run.Trail.Write(ctx, trace.Record(ctx, access.Actor{}, s.run.Clock)); err != nil {
		return uuid.Nil, err
	}
	if err := s.compare(ctx, l, p.ID, code, p.GivenName, p.FamilyName, claims); err != nil {
		return uuid.Nil, err
	}
	var contacts []person.NewContact
	if claims.Email != "" {
		contacts = append(contacts, person.NewContact{Kind: person.Email, Value: claims.Email})
	}
	if claims.Mobile != "" {
		contacts = append(contacts, person.NewContact{Kind: person.Mobile, Value: claims.Mobile})
	}
	return p.ID, s.deps.Contacts.Welcome(ctx, p.ID, contacts...)
}
