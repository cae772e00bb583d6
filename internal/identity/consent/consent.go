// Package consent keeps what people let applications do in their name: to what extent, for which
// contributors, until when.
//
// A consent gives no right. What an application may do is what its giver may do, as far as the
// consent goes: it lasts no longer than the giver's rights do.
package consent

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/platform/calendar"
	"diresco/internal/platform/fault"
)

const (
	// MostMonths is how long a consent is good for at most.
	MostMonths = 12
	// MostAtOnce is how many consents of one person for one application live at the same time.
	MostAtOnce = 10
	// MostContributors is how many contributors a consent names at most; it may be about all.
	MostContributors = 100
)

// The reasons for which a consent ends. Where it ends with what ends everything of a person they are
// those of sessions, such as session.EndedPINRevoked; with its application, those of application.
const (
	EndedByHolder      = "withdrawn"
	EndedByContributor = "withdrawn-by-contributor"
	EndedDisplaced     = "displaced"
	EndedExpired       = "expired"
	EndedRightEnded    = "right-ended"
	EndedPostGiven     = "post-given"
	EndedRefreshReused = "refresh-reuse"
	EndedCodeReused    = "code-reuse"
	EndedTokenRevoked  = "token-revoked"
	// EndedNotTakenUp is that the application never came for its tokens.
	EndedNotTakenUp = "not-taken-up"
)

// subjectKind is how the audit trail names a consent.
const subjectKind = "consent"

// The operations in the trail that are none of the contract's.
const (
	operationGive = "giveConsent"
	operationEnd  = "endConsent"
)

// Consent is what a person gave to one application.
type Consent struct {
	ID            uuid.UUID
	PersonID      uuid.UUID
	ApplicationID uuid.UUID
	Scopes        Scopes
	Services      access.ServiceSet
	// EveryContributor says that it is about all contributors over which the person has a right.
	EveryContributor bool
	GivenAt          time.Time
	ExpiresAt        time.Time
	EndedAt          *time.Time
	EndReason        *string
	// Login is how the person had logged in who gave it: what is done by it is as good as that.
	Login access.Login `gorm:"embedded"`
}

// Scopes are what an application may ask for. They are stored as a JSON array.
type Scopes []string

// Scan implements sql.Scanner.
func (s *Scopes) Scan(stored any) error {
	*s = nil
	switch text := stored.(type) {
	case string:
		return json.Unmarshal([]byte(text), (*[]string)(s))
	case []byte:
		return json.Unmarshal(text, (*[]string)(s))
	}
	return fmt.Errorf("scopes stored as %T", stored)
}

// Value implements driver.Valuer.
func (s Scopes) Value() (driver.Value, error) {
	encoded, err := json.Marshal([]string(s))
	return string(encoded), err
}

// Contributor is one that a consent names.
type Contributor struct {
	ID        uuid.UUID
	LegalName string
}

// View is a consent with what there is to know about it.
type View struct {
	Consent
	ClientID    string
	DisplayName string
	// GivenName and FamilyName are the giver's.
	GivenName  string
	FamilyName string
	// Contributors are those that it names, without those that took themselves out of it.
	Contributors []Contributor `gorm:"-"`
	// Excluded are those that took themselves out of one that is about all.
	Excluded []Contributor `gorm:"-"`
	// LastUsedAt is when the application last did something by it; nil for never.
	LastUsedAt *time.Time
}

// New is what a person gives.
type New struct {
	PersonID      uuid.UUID
	ApplicationID uuid.UUID
	Scopes        []string
	Services      access.ServiceSet
	// Contributors are those that it is about; nil stands for all over which the person has a
	// right, those to come included.
	Contributors []uuid.UUID
	ExpiresAt    time.Time
}

// checkGiver returns why the actor gives nobody a consent now. Whoever works here never does, nor
// does an application. It returns fault.Forbidden, fault.PINChangeRequired, and
// fault.Reauthenticate where the last login is more than five minutes ago.
func checkGiver(by access.Actor, now time.Time) error {
	switch {
	case by.Grant != nil:
		return fault.Because(fault.Forbidden, access.ReasonPersonOnly)
	case by.Staff():
		return fault.Because(fault.Forbidden, "consent-of-staff")
	case by.PINChangeRequired:
		return fault.New(fault.PINChangeRequired)
	case now.Sub(by.AuthenticatedAt) > access.FreshFor:
		return fault.New(fault.Reauthenticate)
	}
	return nil
}

// check returns what is wrong with a consent in itself, as fault.Invalid.
func (n New) check(now time.Time) error {
	var wrong []fault.Field
	if len(n.Scopes) == 0 {
		wrong = append(wrong, fault.Field{Pointer: "/scopes", Code: fault.EmptyList(n.Scopes)})
	}
	if n.Services == nil {
		wrong = append(wrong, fault.Field{Pointer: "/services", Code: fault.FieldRequired})
	}
	if !slices.Equal(n.Services, access.ServiceSet{access.AllServices}) {
		wrong = append(wrong, n.Services.Check("/services")...)
	}
	switch count := len(n.Contributors); {
	case n.Contributors != nil && count == 0:
		wrong = append(wrong, fault.Field{Pointer: "/contributors", Code: fault.FieldTooFew})
	case count > MostContributors:
		wrong = append(wrong, fault.Field{Pointer: "/contributors", Code: fault.FieldTooMany})
	}
	switch {
	case !n.ExpiresAt.After(now):
		wrong = append(wrong, fault.Field{Pointer: "/expires_at", Code: fault.FieldPast})
	case n.ExpiresAt.After(calendar.AddMonths(now, MostMonths)):
		wrong = append(wrong, fault.Field{Pointer: "/expires_at", Code: fault.FieldTooFar})
	}
	if len(wrong) > 0 {
		return fault.InvalidFields(wrong...)
	}
	return nil
}

// checkRights returns fault.Invalid for contributors over which the giver has no right and for
// services that none of the rights covers. Of a consent about all, reach is what all rights cover;
// where that is nothing it returns fault.Forbidden.
func (n New) checkRights(rights map[uuid.UUID][]access.Right, reach access.ServiceSet) error {
	if n.Contributors == nil && len(reach) == 0 {
		return fault.Because(fault.Forbidden, "consent-reaches-nothing")
	}
	var wrong []fault.Field
	for i, id := range n.Contributors {
		if len(rights[id]) == 0 {
			wrong = append(wrong, fault.Field{Pointer: "/contributors/" + strconv.Itoa(i), Code: fault.FieldUnknownContributor})
		}
		for _, r := range rights[id] {
			reach = reach.Union(r.Services)
		}
	}
	for i, s := range n.Services {
		if s != access.AllServices && !reach.Covers(s) {
			wrong = append(wrong, fault.Field{Pointer: "/services/" + strconv.Itoa(i), Code: fault.FieldWiderThanOwn})
		}
	}
	if len(wrong) > 0 {
		return fault.InvalidFields(wrong...)
	}
	return nil
}

// manages reports whether the right lets its holder decide what software may do with its
// contributor.
func manages(r access.Right) bool {
	return r.Positions == nil && slices.Contains(
		[]access.ActingAs{access.LegalRepresentative, access.Employer, access.UserAdministrator}, r.ActingAs)
}

// managingRight returns the right by which the actor does so. It returns fault.NotFound for who has
// no right over the contributor and fault.Forbidden for who has another.
func managingRight(by access.Actor, contributorID uuid.UUID) (access.Right, error) {
	if by.ContributorID != contributorID || len(by.Rights) == 0 {
		return access.Right{}, fault.New(fault.NotFound)
	}
	if i := slices.IndexFunc(by.Rights, manages); i >= 0 {
		return by.Rights[i], nil
	}
	return access.Right{}, fault.New(fault.Forbidden)
}
