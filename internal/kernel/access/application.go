package access

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/google/uuid"

	"diresco/internal/platform/fault"
)

// The scopes that an application may ask for. An operation names those that let one in.
const (
	ScopeDeclarations     = "declarations"
	ScopeDeclarationsRead = "declarations.read"
	ScopeDossier          = "dossier"
	ScopeDossierRead      = "dossier.read"
	ScopeDelegationsRead  = "delegations.read"
	ScopeEvents           = "events"
	ScopeOfflineAccess    = "offline_access"
)

// Scopes lists every scope that lets applications in somewhere.
func Scopes() []string {
	return []string{
		ScopeDeclarations, ScopeDeclarationsRead, ScopeDossier, ScopeDossierRead, ScopeDelegationsRead, ScopeEvents, ScopeOfflineAccess,
	}
}

// The reasons why an application is refused.
const (
	// ReasonPersonOnly is that an operation needs the person.
	ReasonPersonOnly = "person-only"
	// ReasonScope is that no scope of the token lets in; the fault names those that would.
	ReasonScope = "insufficient-scope"
)

// Caller is what an access token says. The guard holds it against the row of its session.
type Caller struct {
	SessionID uuid.UUID
	// PersonID is zero where nobody said it.
	PersonID uuid.UUID
	// ClientID names the application, and is "" for a person's own session.
	ClientID string
	// Scopes are those that the token was made for, of an application.
	Scopes []string
	// Binding is what the sender must prove to hold.
	Binding Binding
}

// Binding is what a token is bound to. Without a proof that its sender holds that, such a token is
// good for nothing; the zero value is that of a token which is good by itself.
type Binding struct {
	// Key is the thumbprint of a public key (RFC 7638, RFC 9449 section 6).
	Key string
	// Certificate is the SHA-256 of a client certificate (RFC 8705 section 3).
	Certificate string
}

// Grant is the consent by which an application acts for the actor.
type Grant struct {
	ConsentID     uuid.UUID
	ApplicationID uuid.UUID
	ClientID      string
	// Scopes are those of the consent for which the token was made.
	Scopes   []string
	Services ServiceSet
	// Contributors are those that the consent is about; nil stands for all.
	Contributors []uuid.UUID
	// Excluded is the contributor at hand if it took itself out of the consent. Of the others that
	// did, which may be many, statements know.
	Excluded []uuid.UUID
}

// IsAbout reports whether the consent is about the contributor.
func (g *Grant) IsAbout(contributorID uuid.UUID) bool {
	return (g.Contributors == nil || slices.Contains(g.Contributors, contributorID)) && !slices.Contains(g.Excluded, contributorID)
}

// Has reports whether the application came with the scope.
func (g *Grant) Has(scope string) bool { return slices.Contains(g.Scopes, scope) }

// ApplicationID is that of the application by which the actor acts, or nil.
func (a Actor) ApplicationID() *uuid.UUID {
	if a.Grant == nil {
		return nil
	}
	return &a.Grant.ApplicationID
}

// ConsentID is that of the consent by which an application acts for the actor, or zero.
func (a Actor) ConsentID() uuid.UUID {
	if a.Grant == nil {
		return uuid.Nil
	}
	return a.Grant.ConsentID
}

// ClientID names the application by which the actor acts; it is empty for the person.
func (a Actor) ClientID() string {
	if a.Grant == nil {
		return ""
	}
	return a.Grant.ClientID
}

// KeyScope is whose the actor's idempotency keys are. Each application has its own.
func (a Actor) KeyScope() string {
	scope := "person:" + a.PersonID.String()
	if a.Grant != nil {
		scope += " application:" + a.Grant.ApplicationID.String()
	}
	return scope
}

// limited returns what an application may do by a right of its person, and false where that is
// nothing. For the person it is the whole right.
func (a Actor) limited(r Right) (Right, bool) {
	if a.Grant == nil {
		return r, true
	}
	if !a.Grant.IsAbout(r.ContributorID) {
		return Right{}, false
	}
	r.Services = r.Services.Intersect(a.Grant.Services)
	return r, len(r.Services) > 0
}

// limitedAtIntermediary returns what an application may do by a membership of its person. It reads
// delegations where it came with the scope for that, and does nothing else.
func (a Actor) limitedAtIntermediary(s ServiceSet) (ServiceSet, bool) {
	if a.Grant == nil {
		return s, true
	}
	if !a.Grant.Has(ScopeDelegationsRead) {
		return nil, false
	}
	s = s.Intersect(a.Grant.Services).Intersect(ServiceSet{Delegations})
	return s, len(s) > 0
}

// Consented is the condition in SQL that a consent is about the contributor in the column; the ? is
// the consent's id. It says what Grant.IsAbout does.
func Consented(column string) string {
	return fmt.Sprintf(`EXISTS (SELECT 1 FROM consents kk WHERE kk.id = ?
		AND (kk.every_contributor
			OR EXISTS (SELECT 1 FROM consent_contributors kc WHERE kc.consent_id = kk.id AND kc.contributor_id = %[1]s))
		AND NOT EXISTS (SELECT 1 FROM consent_exclusions ke WHERE ke.consent_id = kk.id AND ke.contributor_id = %[1]s))`, column)
}

// selectGrant is the live consent of a session s, as lines of text; NULL for none. A consent that
// ends before its session was changed by nobody who may, and is none. %s makes a list of ids. PostgreSQL
// takes three times as long to make JSON of it.
var selectGrant = `(SELECT CAST(k.id AS text) || '
' || CAST(y.id AS text) || '
' || y.client_id || '
' || k.scopes || '
' || y.scopes || '
' || k.services || '
' || CASE WHEN k.every_contributor THEN '` + everyContributor + `'
		ELSE COALESCE((SELECT %s FROM consent_contributors z WHERE z.consent_id = k.id), '') END
	FROM consents k JOIN applications y ON y.id = k.application_id AND ` + LiveApplication("y") + `
	WHERE k.id = s.consent_id AND k.person_id = s.person_id AND k.ended_at IS NULL AND k.expires_at >= s.expires_at)`

// everyContributor stands in place of the list of a consent about all.
const everyContributor = "*"

// grants remembers what the texts say that selectGrant selects. Each question selects the text anew,
// so what is remembered is how to read it, never what holds.
type grants struct {
	mu    sync.RWMutex
	known map[string]*Grant
}

// mostGrants is how many texts are remembered, of about 500 bytes each.
const mostGrants = 2048

// read returns a grant that the caller may change.
func (g *grants) read(text string) (*Grant, error) {
	g.mu.RLock()
	known := g.known[text]
	g.mu.RUnlock()
	if known == nil {
		var err error
		if known, err = readGrant(text); err != nil {
			return nil, err
		}
		g.mu.Lock()
		if g.known == nil || len(g.known) >= mostGrants {
			g.known = map[string]*Grant{}
		}
		g.known[text] = known
		g.mu.Unlock()
	}
	grant := *known
	return &grant, nil
}

// readGrant reads what selectGrant selects.
func readGrant(text string) (*Grant, error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 7 {
		return nil, fmt.Errorf("a consent has %d lines in place of 7", len(lines))
	}
	g := &Grant{ClientID: lines[2]}
	var registered []string
	err := errors.Join(
		g.ConsentID.UnmarshalText([]byte(lines[0])), g.ApplicationID.UnmarshalText([]byte(lines[1])),
		json.Unmarshal([]byte(lines[3]), &g.Scopes), json.Unmarshal([]byte(lines[4]), &registered), g.Services.Scan(lines[5]))
	if err == nil && lines[6] != everyContributor {
		g.Contributors, err = listed(lines[6])
	}
	if err != nil {
		return nil, fmt.Errorf("consent %s is stored wrongly: %w", lines[0], err)
	}
	// What was taken away from the application is gone for all who had let it in.
	g.Scopes = common(g.Scopes, registered)
	return g, nil
}

// excluded is, in SQL, whether a contributor took itself out of a consent. Both are columns, or the
// ? of an argument.
func excluded(consent, contributor string) string {
	return "CASE WHEN EXISTS (SELECT 1 FROM consent_exclusions z WHERE z.consent_id = " + consent +
		" AND z.contributor_id = " + contributor + ") THEN 1 ELSE 0 END"
}

// listed reads ids with commas between them. It never returns nil, which stands for all.
func listed(text string) ([]uuid.UUID, error) {
	ids := []uuid.UUID{}
	if text == "" {
		return ids, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		id, err := uuid.Parse(part)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// is reports whether the findings are about whom the token names. A token of one application is
// good for no session of another's, nor for a person's.
func (f *findings) is(c Caller) bool {
	if c.PersonID != uuid.Nil && c.PersonID != f.actor.PersonID {
		return false
	}
	if f.actor.Grant == nil {
		return c.ClientID == ""
	}
	return c.ClientID != "" && c.ClientID == f.actor.Grant.ClientID
}

// letProgram decides whether an application may use an operation at all: only where the contract
// names a scope that the consent and the token have. Whatever needs the person, or works here, is
// closed to it.
func (a Actor) letProgram(rule Rule) error {
	if len(rule.Scopes) == 0 || rule.Fresh || rule.Strong || rule.Forced || rule.Dispositive || rule.To == ToOffice || a.Staff() {
		return fault.Because(fault.Forbidden, ReasonPersonOnly)
	}
	if !slices.ContainsFunc(rule.Scopes, a.Grant.Has) {
		return &fault.Fault{Code: fault.Forbidden, Reason: ReasonScope, Allowed: rule.Scopes}
	}
	return nil
}

// common are the texts that both lists have, in the order of the first.
func common(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(text string) bool { return !slices.Contains(b, text) })
}
