// Package application keeps the register of applications: software of others that people may let
// act for them (OAuth 2.0 clients). It keeps who registered one, what it may ask for, and whether
// it may ask at all. What people then give to an application is kept elsewhere.
package application

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"diresco/internal/identity/person"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/outbox"
	"diresco/internal/platform/certname"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/naming"
)

// SubjectKind is how the audit trail names an application.
const SubjectKind = "application"

// Kind tells whether an application can keep a key of its own.
type Kind string

// The kinds of application.
const (
	// Public applications run with their user: in a browser, on a telephone or a desktop.
	Public Kind = "public"
	// Confidential applications run on a server and prove who they are by a key.
	Confidential Kind = "confidential"
)

// AuthMethod is how an application proves at the token endpoint which one it is.
type AuthMethod string

// The methods, as RFC 7591 and OpenID Connect name them.
const (
	NoAuth        AuthMethod = "none"
	PrivateKeyJWT AuthMethod = "private_key_jwt"
	// SelfSignedTLS is by a certificate that stands beside its key in the key set (RFC 8705).
	SelfSignedTLS AuthMethod = "self_signed_tls_client_auth"
	// TLS is by a certificate of a trusted authority that has a registered name (RFC 8705).
	TLS AuthMethod = "tls_client_auth"
)

// State is where an application stands.
type State string

// The states of an application.
const (
	Submitted State = "submitted"
	Approved  State = "approved"
	Refused   State = "refused"
	Suspended State = "suspended"
)

// Kinds of the messages to who manages an application.
var (
	// DecidedKind tells the outcome of a decision: {display_name, subject, outcome, reason}. The
	// subject is "application" or "change".
	DecidedKind = outbox.Declare(outbox.Kind{Name: "application.decided"})
	// SuspendedKind tells that an application was suspended: {display_name, reason, at}.
	SuspendedKind = outbox.Declare(outbox.Kind{Name: "application.suspended"})
	// KeysReplacedKind tells that its owner put other keys in the place of those that were reviewed:
	// {display_name, at}.
	KeysReplacedKind = outbox.Declare(outbox.Kind{Name: "application.keys_replaced"})
	// ReadmittedKind tells that a suspended one was readmitted: {display_name, at}.
	ReadmittedKind = outbox.Declare(outbox.Kind{Name: "application.readmitted"})
)

// Application is software that may ask people to let it act for them.
type Application struct {
	ID           uuid.UUID
	ClientID     string
	DisplayName  string
	Kind         Kind
	AuthMethod   AuthMethod `gorm:"column:token_endpoint_auth_method"`
	RedirectURIs []string   `gorm:"column:redirect_uris;serializer:json"`
	// JWKS is the key set of a confidential application; nil where JWKSURI names one.
	JWKS json.RawMessage `gorm:"column:jwks;serializer:json"`
	// JWKSURI is where the key set is fetched; "" where there is JWKS.
	JWKSURI      string   `gorm:"column:jwks_uri"`
	Scopes       []string `gorm:"serializer:json"`
	ContactEmail string
	// LogoURI is "" where there is no logo.
	LogoURI string `gorm:"column:logo_uri"`
	// DPoPBound applications get tokens that are bound to a key, and no others (RFC 9449 section 5.2).
	DPoPBound bool `gorm:"column:dpop_bound_access_tokens"`
	// CertificateBound applications get tokens that are bound to their client certificate, and no
	// others (RFC 8705 section 3).
	CertificateBound bool `gorm:"column:tls_client_certificate_bound_access_tokens"`
	// CertificateName is the name that its certificate has, with the method TLS; else nil.
	CertificateName *certname.Name `gorm:"serializer:json"`
	State           State
	// Pending is what is to replace the above once it is approved; nil where nothing waits.
	Pending *Profile `gorm:"serializer:json"`
	// PersonID is who registered it.
	PersonID uuid.UUID
	// ContributorID or DelegateID is the organisation that it belongs to. Without either it is the
	// person's own.
	ContributorID *uuid.UUID
	DelegateID    *uuid.UUID
	CreatedAt     time.Time
	UpdatedAt     time.Time
	// SubmittedAt is since when it, or what is Pending, waits for a decision.
	SubmittedAt time.Time
	Version     int
	// DecidedBy, DecidedAt and DecisionReason are of the last decision or suspension.
	DecidedBy      *uuid.UUID
	DecidedAt      *time.Time
	DecisionReason *string
	RemovedAt      *time.Time
}

// TableName tells GORM the table.
func (Application) TableName() string { return "applications" }

// Profile is what people see of an application and what it may do: what is reviewed.
type Profile struct {
	DisplayName  string          `json:"display_name"`
	RedirectURIs []string        `json:"redirect_uris"`
	JWKS         json.RawMessage `json:"jwks,omitempty"`
	JWKSURI      string          `json:"jwks_uri,omitempty"`
	Scopes       []string        `json:"scopes"`
	LogoURI      string          `json:"logo_uri,omitempty"`
	DPoPBound    bool            `json:"dpop_bound_access_tokens,omitempty"`

	CertificateBound bool           `json:"tls_client_certificate_bound_access_tokens,omitempty"`
	CertificateName  *certname.Name `json:"certificate_name,omitempty"`
}

// Details is an application with who registered it, for administrators.
type Details struct {
	Application
	GivenName  string
	FamilyName string
	// LegalName is that of the organisation that it belongs to, or "".
	LegalName string
}

// Live reports whether people may let the application act for them.
func (a Application) Live() bool { return a.State == Approved && a.RemovedAt == nil }

// AllowsRedirect reports whether the application may be answered at an address. It must be one that
// was registered, to the letter; of a loopback address the port is free (RFC 8252).
func (a Application) AllowsRedirect(uri string) bool {
	if slices.Contains(a.RedirectURIs, uri) {
		return true
	}
	host, rest, ok := loopback(uri)
	return ok && slices.ContainsFunc(a.RedirectURIs, func(registered string) bool {
		registeredHost, registeredRest, ok := loopback(registered)
		return ok && registeredHost == host && registeredRest == rest
	})
}

// profile is what is reviewed of the application as it is in force.
func (a Application) profile() Profile {
	return Profile{
		a.DisplayName, a.RedirectURIs, a.JWKS, a.JWKSURI, a.Scopes, a.LogoURI, a.DPoPBound, a.CertificateBound, a.CertificateName,
	}
}

// with returns the application with another profile in force.
func (a Application) with(p Profile) Application {
	a.DisplayName, a.RedirectURIs, a.JWKS, a.JWKSURI, a.Scopes, a.LogoURI, a.DPoPBound, a.CertificateBound, a.CertificateName =
		p.DisplayName, p.RedirectURIs, p.JWKS, p.JWKSURI, p.Scopes, p.LogoURI, p.DPoPBound, p.CertificateBound, p.CertificateName
	return a
}

func (p Profile) equal(other Profile) bool {
	return p.DisplayName == other.DisplayName && slices.Equal(p.RedirectURIs, other.RedirectURIs) && bytes.Equal(p.JWKS, other.JWKS) &&
		p.JWKSURI == other.JWKSURI && slices.Equal(p.Scopes, other.Scopes) && p.LogoURI == other.LogoURI &&
		p.DPoPBound == other.DPoPBound && p.CertificateBound == other.CertificateBound && p.sameName(other)
}

// within reports whether the profile only takes something away from another one.
func (p Profile) within(other Profile) bool {
	outside := func(list, of []string) bool {
		return slices.ContainsFunc(list, func(one string) bool { return !slices.Contains(of, one) })
	}
	return p.DisplayName == other.DisplayName && (p.LogoURI == other.LogoURI || p.LogoURI == "") && p.JWKSURI == other.JWKSURI &&
		(p.DPoPBound || !other.DPoPBound) && (p.CertificateBound || !other.CertificateBound) && p.sameName(other) &&
		!outside(p.RedirectURIs, other.RedirectURIs) && !outside(p.Scopes, other.Scopes) && !outside(keysIn(p.JWKS), keysIn(other.JWKS))
}

// Input is what somebody registers.
type Input struct {
	Profile
	Kind         Kind
	AuthMethod   AuthMethod
	ContactEmail string
	// CertificateNames has the name that the certificate must have, with the method TLS.
	CertificateNames []certname.Name
	// ContributorID or DelegateID is the organisation that it is to belong to, at most one of them.
	ContributorID *uuid.UUID
	DelegateID    *uuid.UUID
}

// Change is what somebody changes; what is nil stays.
type Change struct {
	DisplayName  *string
	RedirectURIs []string
	// JWKS takes the place of JWKSURI, and the other way round.
	JWKS         json.RawMessage
	JWKSURI      *string
	Scopes       []string
	ContactEmail *string
	// LogoURI is "" for none.
	LogoURI   *string
	DPoPBound *bool

	CertificateBound *bool
	// CertificateNames has the name that takes the place of the one that was.
	CertificateNames []certname.Name
}

// on returns a profile with the change made.
func (c Change) on(p Profile) Profile {
	if c.DisplayName != nil {
		p.DisplayName = *c.DisplayName
	}
	if c.RedirectURIs != nil {
		p.RedirectURIs = c.RedirectURIs
	}
	if c.JWKS != nil || c.JWKSURI != nil {
		p.JWKS, p.JWKSURI = c.JWKS, ""
		if c.JWKSURI != nil {
			p.JWKSURI = *c.JWKSURI
		}
	}
	if c.Scopes != nil {
		p.Scopes = c.Scopes
	}
	if c.LogoURI != nil {
		p.LogoURI = *c.LogoURI
	}
	if c.DPoPBound != nil {
		p.DPoPBound = *c.DPoPBound
	}
	if c.CertificateBound != nil {
		p.CertificateBound = *c.CertificateBound
	}
	if name := nameOf(c.CertificateNames); name != nil {
		p.CertificateName = name
	}
	return p
}

// change returns the application with a profile that its owner changed. instant is that changes
// need no approval.
func (a Application) change(p Profile, instant bool, now time.Time) Application {
	switch {
	case p.equal(a.profile()):
		a.Pending = nil
	case a.State != Refused && p.within(a.profile()):
		// A key that got out, or an address that was lost, is taken away at once.
		a = a.with(p)
		a.Pending = nil
	case instant, a.State == Submitted, a.State == Refused:
		a = a.with(p)
		a.Pending = nil
		if a.State == Refused {
			a.State, a.DecidedBy, a.DecidedAt, a.DecisionReason = Submitted, nil, nil, nil
		}
		if instant && a.State == Submitted {
			a.State = Approved
		}
		a.SubmittedAt = now
	case a.Pending == nil || !p.equal(*a.Pending):
		a.Pending, a.SubmittedAt = &p, now
	}
	return a
}

// replacesKeys reports whether a profile only puts other keys in the place of some that the
// application has: no more than it takes away. What may be done with them, and where it is answered,
// stays as it was reviewed.
func (a Application) replacesKeys(p Profile) bool {
	if a.State != Approved || a.Kind != Confidential || a.JWKS == nil || p.JWKS == nil {
		return false
	}
	before, after := keysIn(a.JWKS), keysIn(p.JWKS)
	added := slices.DeleteFunc(slices.Clone(after), func(key string) bool { return slices.Contains(before, key) })
	as := a.profile()
	as.JWKS = p.JWKS
	return p.equal(as) && len(added) > 0 && len(after) <= len(before)
}

// Decision is what is decided about an application or its pending change.
type Decision struct {
	Outcome State
	Reason  string
}

// maxReason is how many characters a reason has.
const maxReason = 1000

// checkReason returns what is wrong with a reason, naming the field.
func checkReason(reason string) []fault.Field {
	if code := naming.Display(reason, maxReason); code != "" {
		return []fault.Field{{Pointer: "/reason", Code: code}}
	}
	return nil
}

func (d Decision) check() error {
	wrong := checkReason(d.Reason)
	if d.Outcome != Approved && d.Outcome != Refused {
		wrong = append(wrong, fault.Field{Pointer: "/outcome", Code: fault.FieldEnum})
	}
	if len(wrong) > 0 {
		return fault.InvalidFields(wrong...)
	}
	return nil
}

// decide is the application as an administrator decided. It returns fault.Conflict where nothing
// waits for a decision.
func (a Application) decide(d Decision, administrator uuid.UUID, now time.Time) (Application, error) {
	switch {
	case a.State == Submitted:
		a.State = d.Outcome
	case a.Pending == nil:
		return a, fault.Because(fault.Conflict, "application-decided")
	case d.Outcome == Approved:
		a = a.with(*a.Pending)
		a.Pending = nil
	default:
		a.Pending = nil
	}
	return a.decided(d.Reason, administrator, now), nil
}

// suspend is the application as an administrator suspended it, or fault.Conflict for one that is
// not approved.
func (a Application) suspend(reason string, administrator uuid.UUID, now time.Time) (Application, error) {
	if a.State != Approved {
		return a, fault.Because(fault.Conflict, "application-not-approved")
	}
	a.State = Suspended
	return a.decided(reason, administrator, now), nil
}

// readmit is the application as an administrator readmitted it, or fault.Conflict for one that is
// not suspended.
func (a Application) readmit(administrator uuid.UUID, now time.Time) (Application, error) {
	if a.State != Suspended {
		return a, fault.Because(fault.Conflict, "application-not-suspended")
	}
	a.State = Approved
	a = a.decided("", administrator, now)
	a.DecisionReason = nil
	return a, nil
}

func (a Application) decided(reason string, administrator uuid.UUID, now time.Time) Application {
	a.DecidedBy, a.DecidedAt, a.DecisionReason = &administrator, &now, &reason
	return a
}

// The bounds of what is registered.
const (
	// AtMost is how many applications a person or an organisation has.
	AtMost           = 20
	maxDisplayName   = 100
	maxRedirects     = 10
	maxKeys          = 10
	maxKeyBytes      = 16 << 10
	maxKeyID         = 100
	minModulusBits   = 2048
	maxContactLength = 254
)

// normal returns the input as it is kept, or fault.Invalid naming each field that is wrong.
func (in Input) normal() (Input, error) {
	var wrong []fault.Field
	refuse := func(refused bool, pointer, code string) {
		if refused {
			wrong = append(wrong, fault.Field{Pointer: pointer, Code: code})
		}
	}
	refuse(in.Kind != Public && in.Kind != Confidential, "/kind", fault.FieldEnum)
	methods := []string{string(NoAuth)}
	if in.Kind == Confidential {
		methods = []string{string(PrivateKeyJWT), string(SelfSignedTLS), string(TLS)}
	}
	if !slices.Contains(methods, string(in.AuthMethod)) {
		wrong = append(wrong, fault.Field{
			Pointer: "/token_endpoint_auth_method", Code: fault.FieldEnum, Right: &fault.Right{Allowed: methods},
		})
	}
	refuse(in.ContributorID != nil && in.DelegateID != nil, "/delegate_id", fault.FieldNotApplicable)
	wrong = append(wrong, tooManyNames(in.CertificateNames)...)
	in.CertificateName = nameOf(in.CertificateNames)
	var more []fault.Field
	if in.ContactEmail, more = normalEmail(in.ContactEmail); len(more) > 0 {
		wrong = append(wrong, more...)
	}
	in.Profile, more = in.Profile.normal(in.Kind, in.AuthMethod)
	if wrong = append(wrong, more...); len(wrong) > 0 {
		return in, fault.InvalidFields(wrong...)
	}
	return in, nil
}

// normalEmail returns the address of a contact as it is kept, and what is wrong with it.
func normalEmail(typed string) (string, []fault.Field) {
	contact, ok := person.NewContact{Kind: person.Email, Value: typed}.Normalise()
	if !ok || len(contact.Value) > maxContactLength {
		return typed, []fault.Field{{Pointer: "/contact_email", Code: fault.FieldFormat}}
	}
	return contact.Value, nil
}

// normal returns the profile as it is kept, and each field of it that is wrong.
func (p Profile) normal(kind Kind, method AuthMethod) (Profile, []fault.Field) {
	var wrong []fault.Field
	note := func(code, pointer string) {
		if code != "" {
			wrong = append(wrong, fault.Field{Pointer: pointer, Code: code})
		}
	}
	note(naming.Display(p.DisplayName, maxDisplayName), "/display_name")
	note(checkLength(p.RedirectURIs, maxRedirects), "/redirect_uris")
	for i, uri := range p.RedirectURIs {
		code := checkRedirect(uri, kind)
		if code == "" && slices.Contains(p.RedirectURIs[:i], uri) {
			code = fault.FieldDuplicate
		}
		note(code, "/redirect_uris/"+strconv.Itoa(i))
	}
	note(checkLength(p.Scopes, len(access.Scopes())), "/scopes")
	for i, scope := range p.Scopes {
		switch at := "/scopes/" + strconv.Itoa(i); {
		case !slices.Contains(access.Scopes(), scope):
			note(fault.FieldEnum, at)
		case slices.Contains(p.Scopes[:i], scope):
			note(fault.FieldDuplicate, at)
		}
	}
	if p.LogoURI != "" {
		note(checkHTTPS(p.LogoURI), "/logo_uri")
	}
	wrong = append(wrong, p.checkName(method)...)
	switch {
	case kind == Public, method == TLS:
		if p.JWKS != nil {
			note(fault.FieldNotApplicable, "/jwks")
		}
		if p.JWKSURI != "" {
			note(fault.FieldNotApplicable, "/jwks_uri")
		}
	case p.JWKS != nil && p.JWKSURI != "":
		note(fault.FieldNotApplicable, "/jwks_uri")
	case p.JWKSURI != "":
		note(checkHTTPS(p.JWKSURI), "/jwks_uri")
	case p.JWKS == nil:
		note(fault.FieldRequired, "/jwks")
	default:
		keys, refused := normalKeys(p.JWKS, method == SelfSignedTLS)
		p.JWKS, wrong = keys, append(wrong, refused...)
	}
	return p, wrong
}

// checkLength returns what is wrong with the length of a list, or "".
func checkLength(list []string, most int) string {
	switch {
	case len(list) == 0:
		return fault.EmptyList(list)
	case len(list) > most:
		return fault.FieldTooMany
	}
	return ""
}
