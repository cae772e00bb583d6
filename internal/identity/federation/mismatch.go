package federation

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"diresco/internal/identity/person"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/operation"
	"diresco/internal/masterdata/matching"
	"diresco/internal/platform/page"
	"diresco/internal/platform/taxcode"
)

// Place is where a name stands that a provider tells otherwise.
type Place string

// The places.
const (
	InAccount  Place = "account"
	InRegister Place = "register"
)

// Mismatch is a login at which the provider told another name than is known.
type Mismatch struct {
	ID       uuid.UUID
	PersonID uuid.UUID
	At       time.Time
	// DiffersFrom is where the other name stands.
	DiffersFrom []Place
	// Method and Provider are "" in what was noted before they were kept.
	Method, Provider string
}

// mismatchDetail is what the audit trail keeps of one.
type mismatchDetail struct {
	DiffersFrom []Place `json:"name_differs_from"`
}

// Mismatches lists logins at which the provider told another name than is known, the latest first.
func (s *Service) Mismatches(ctx context.Context, request page.Request) (page.Page[Mismatch], error) {
	after, err := request.After()
	if err != nil {
		return page.Page[Mismatch]{}, err
	}
	rows, err := s.repo.mismatches(ctx, request.Size()+1, after)
	if err != nil {
		return page.Page[Mismatch]{}, err
	}
	all := make([]Mismatch, len(rows))
	for i, r := range rows {
		if all[i], err = r.mismatch(); err != nil {
			return page.Page[Mismatch]{}, err
		}
	}
	return page.Cut(all, request.Size(), func(m Mismatch) page.Key { return page.Key{At: m.At, ID: m.ID} }), nil
}

// note is a row of the audit trail about one.
type note struct {
	ID            uuid.UUID
	At            time.Time
	SubjectID     string
	LoginMethod   *string
	LoginProvider *string
	Detail        string
}

func (n note) mismatch() (Mismatch, error) {
	m := Mismatch{ID: n.ID, At: n.At}
	var detail mismatchDetail
	var err error
	if m.PersonID, err = uuid.Parse(n.SubjectID); err == nil {
		err = json.Unmarshal([]byte(n.Detail), &detail)
	}
	m.DiffersFrom = detail.DiffersFrom
	if n.LoginMethod != nil {
		m.Method = *n.LoginMethod
	}
	if n.LoginProvider != nil {
		m.Provider = *n.LoginProvider
	}
	return m, err
}

// OpMismatch is what the audit trail calls the note that a provider tells another name than we know.
// It is about the person, and not theirs.
const OpMismatch = "noteIdentityMismatch"

// compare notes for the office where a name differs from that of the account, or of the register of
// persons.
func (s *Service) compare(
	ctx context.Context, l access.Login, id uuid.UUID, code taxcode.Code, given, family string, claims Claims,
) error {
	differ := func(givenName, familyName string) bool {
		return !matching.Names(givenName, claims.GivenName) || !matching.Names(familyName, claims.FamilyName)
	}
	var where []Place
	if differ(given, family) {
		where = append(where, InAccount)
	}
	entry, found, err := s.deps.Residents.Find(ctx, code)
	if err != nil {
		return err
	}
	if found && differ(entry.GivenName, entry.FamilyName) {
		where = append(where, InRegister)
	}
	if len(where) == 0 {
		return nil
	}
	detail, err := json.Marshal(mismatchDetail{where})
	if err != nil {
		return err
	}
	trace := operation.Trace{
		Login: l, SubjectKind: person.SubjectKind, SubjectID: id.String(), Outcome: "name-differs", Detail: string(detail),
	}
	record := trace.Record(ctx, access.Actor{}, s.run.Clock)
	record.Operation = OpMismatch
	return s.run.Trail.Write(ctx, record)
}
