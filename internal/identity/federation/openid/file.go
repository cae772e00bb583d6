package openid

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/mail"
	"os"
	"regexp"
	"slices"
	"strings"

	"diresco/internal/identity/federation"
	"diresco/internal/identity/federation/openid/trust"
	"diresco/internal/identity/session"
	"diresco/internal/platform/egress"
	"diresco/internal/platform/secret"
)

// Profile is which rules hold with a provider.
type Profile string

// The profiles.
const (
	// Plain is OpenID Connect Core with discovery.
	Plain Profile = "plain"
	// CIE and SPID are the national profile, with OpenID Federation.
	CIE  Profile = "cie"
	SPID Profile = "spid"
)

// The ways in which a provider is told who asks.
const (
	byKey    = "private_key_jwt"
	byBasic  = "client_secret_basic"
	byPost   = "client_secret_post"
	fromID   = "id_token"
	fromInfo = "userinfo"
)

const (
	maxFile   = 1 << 20
	maxSecret = 4 << 10
	maxText   = 200
)

var providerID = regexp.MustCompile(`^[a-z0-9-]{1,64}$`)

// File is what DIRESCO_OIDC_PROVIDERS names.
type File struct {
	RelyingParty *RelyingParty `json:"relying_party"`
	Providers    []Settings    `json:"providers"`
}

// RelyingParty is what the installation says of itself in a federation.
type RelyingParty struct {
	OrganizationName string            `json:"organization_name"`
	HomepageURI      string            `json:"homepage_uri"`
	PolicyURI        string            `json:"policy_uri"`
	LogoURI          string            `json:"logo_uri"`
	Contacts         []string          `json:"contacts"`
	AuthorityHints   []string          `json:"authority_hints"`
	TrustMarks       []trust.MarkEntry `json:"trust_marks"`
}

// Settings are those of one provider.
type Settings struct {
	ProviderID     string         `json:"provider_id"`
	Kind           string         `json:"kind"`
	Profile        Profile        `json:"profile"`
	DisplayName    string         `json:"display_name"`
	LogoURI        string         `json:"logo_uri"`
	LoginMethod    string         `json:"login_method"`
	Issuer         string         `json:"issuer"`
	ClientID       string         `json:"client_id"`
	Authentication Authentication `json:"authentication"`
	Scopes         []string       `json:"scopes"`
	// Prompt is what the provider is asked to show; nil stands for "login".
	Prompt *string `json:"prompt"`
	// Levels are the acr values, by level.
	Levels map[federation.Level]string `json:"levels"`
	// Algorithms are those by which the provider may sign.
	Algorithms []string `json:"algorithms"`
	// Source is where the claims are read: userinfo or id_token.
	Source        string             `json:"source"`
	Claims        ClaimNames         `json:"claims"`
	TaxCodePrefix *string            `json:"tax_code_prefix"`
	Federation    *FederationDemands `json:"federation"`
}

// Authentication is how the provider is told who asks.
type Authentication struct {
	Method string `json:"method"`
	// SecretFile is the path of a file with the secret, for methods that have one.
	SecretFile string `json:"secret_file"`
	secret     secret.Text
}

// ClaimNames are the names of the claims, each a list of which the first that is there counts.
type ClaimNames struct {
	TaxCode    []string `json:"tax_code"`
	GivenName  []string `json:"given_name"`
	FamilyName []string `json:"family_name"`
	BirthDate  []string `json:"birth_date"`
	BirthPlace []string `json:"birth_place"`
	Email      []string `json:"email"`
	Mobile     []string `json:"mobile"`
}

// FederationDemands are what the provider's trust chain must satisfy.
type FederationDemands struct {
	TrustAnchors  []trust.Anchor `json:"trust_anchors"`
	TrustMarks    []string       `json:"trust_marks"`
	MaxPathLength *int           `json:"max_path_length"`
}

// The values of the national profile (spid-cie-oidc-docs).
const (
	namespace    = "https://attributes.eid.gov.it/"
	oldNamespace = "https://attributes.spid.gov.it/"
	levelPrefix  = "https://www.spid.gov.it/SpidL"
	nationalMark = "TINIT-"
	plainDepth   = 2
)

// Read reads the file and the secrets that it names. Its error names the place of a mistake and
// repeats no value.
func Read(path string) (File, error) {
	content, err := limited(path, maxFile)
	if err != nil {
		return File{}, fmt.Errorf("OpenID Connect providers: %w", err)
	}
	f, err := Parse(content)
	if err != nil {
		return File{}, fmt.Errorf("OpenID Connect providers in %s: %w", path, err)
	}
	return f, nil
}

func limited(path string, size int) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil || info.IsDir() || info.Size() > int64(size) {
		return nil, errors.New("no file that can be read, or a very large one")
	}
	content, err := os.ReadFile(path) //nolint:gosec // the operator's own path
	if err != nil {
		return nil, errors.New("no file that can be read")
	}
	return content, nil
}

// Parse reads what a file holds, completes it, and checks it. Every mistake is named on a line of
// its own.
func Parse(content []byte) (File, error) {
	var f File
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&f); err != nil {
		return File{}, place(err, decoder.InputOffset())
	}
	if decoder.More() {
		return File{}, errors.New("something stands behind the end")
	}
	var wrong mistakes
	f.RelyingParty.check(&wrong)
	seen := map[string]bool{}
	if len(f.Providers) == 0 || len(f.Providers) > 100 {
		wrong.add("providers", "has 1 to 100 entries")
	}
	for i := range f.Providers {
		p, at := &f.Providers[i], fmt.Sprintf("providers[%d]", i)
		p.complete()
		p.check(at, f.RelyingParty != nil, &wrong)
		if seen[p.ProviderID] {
			wrong.add(at+".provider_id", "stands twice")
		}
		seen[p.ProviderID] = true
	}
	return f, errors.Join(wrong...)
}

// place says where a file cannot be read, without the text.
func place(err error, offset int64) error {
	var typ *json.UnmarshalTypeError
	if errors.As(err, &typ) {
		return fmt.Errorf("%s is not of the type that it should have", typ.Field)
	}
	if name, found := strings.CutPrefix(err.Error(), "json: unknown field "); found {
		return fmt.Errorf("there is no member %s (before byte %d)", name, offset)
	}
	return fmt.Errorf("not JSON near byte %d", offset)
}

// mistakes are collected, so that all are seen at once.
type mistakes []error

func (m *mistakes) add(at, what string) { *m = append(*m, errors.New(at+": "+what)) }

func (m *mistakes) unless(right bool, at, what string) {
	if !right {
		m.add(at, what)
	}
}

// check looks at what the installation says of itself.
func (r *RelyingParty) check(wrong *mistakes) {
	if r == nil {
		return
	}
	const at = "relying_party."
	wrong.unless(isText(r.OrganizationName), at+"organization_name", "is a line of 1 to 200 characters")
	wrong.unless(isWeb(r.HomepageURI), at+"homepage_uri", "is an https address")
	wrong.unless(isWeb(r.PolicyURI), at+"policy_uri", "is an https address")
	wrong.unless(isWeb(r.LogoURI) && strings.HasSuffix(r.LogoURI, ".svg"), at+"logo_uri", "is the https address of an SVG file")
	wrong.unless(len(r.Contacts) > 0, at+"contacts", "has an e-mail address (PEC) at least")
	for i, contact := range r.Contacts {
		address, err := mail.ParseAddress(contact)
		wrong.unless(err == nil && address.Address == contact, fmt.Sprintf("%scontacts[%d]", at, i), "is an e-mail address")
	}
	wrong.unless(len(r.AuthorityHints) > 0, at+"authority_hints", "names an authority at least")
	for i, hint := range r.AuthorityHints {
		wrong.unless(isAddress(hint), fmt.Sprintf("%sauthority_hints[%d]", at, i), "is an https address")
	}
	for i, mark := range r.TrustMarks {
		wrong.unless(mark.Named() != "" && strings.Count(mark.Mark, ".") == 2, fmt.Sprintf("%strust_marks[%d]", at, i),
			"has trust_mark_type (or id) and trust_mark")
	}
}

// complete fills in what the profile says where nothing is given.
func (p *Settings) complete() {
	if p.Profile == "" {
		p.Profile = Plain
	}
	if p.LoginMethod == "" && p.Kind != string(federation.OIDC) {
		p.LoginMethod = p.Kind
	}
	national := p.national()
	fill(&p.Scopes, []string{"openid"})
	if p.Authentication.Method == "" && national {
		p.Authentication.Method = byKey
	}
	if p.Levels == nil && national {
		p.Levels = map[federation.Level]string{1: levelPrefix + "1", 2: levelPrefix + "2", 3: levelPrefix + "3"}
	}
	if national {
		fill(&p.Algorithms, []string{"RS256", "RS512", "ES256"})
	}
	fill(&p.Algorithms, []string{"RS256", "ES256"})
	if p.Source == "" {
		p.Source = fromInfo
	}
	if p.TaxCodePrefix == nil {
		prefix := nationalMark
		p.TaxCodePrefix = &prefix
	}
	p.Claims.complete()
	if p.Prompt == nil {
		prompt := "login"
		if national {
			prompt = "consent login"
		}
		p.Prompt = &prompt
	}
	if p.Federation != nil && p.Federation.MaxPathLength == nil {
		depth := plainDepth
		p.Federation.MaxPathLength = &depth
	}
}

func (c *ClaimNames) complete() {
	fill(&c.TaxCode, []string{namespace + "fiscal_number", oldNamespace + "fiscal_number", "fiscal_number"})
	fill(&c.GivenName, []string{"given_name", namespace + "given_name"})
	fill(&c.FamilyName, []string{"family_name", namespace + "family_name"})
	fill(&c.BirthDate, []string{"birthdate", namespace + "birthdate"})
	fill(&c.BirthPlace, []string{"place_of_birth", namespace + "place_of_birth"})
	fill(&c.Email, []string{"email", namespace + "email"})
	fill(&c.Mobile, []string{"phone_number", namespace + "phone_number"})
}

func fill(list *[]string, byDefault []string) {
	if *list == nil {
		*list = byDefault
	}
}

// national tells whether the rules of the national profile hold.
func (p *Settings) national() bool { return p.Profile == CIE || p.Profile == SPID }

// check looks at the settings of one provider, and reads its secret.
func (p *Settings) check(at string, federated bool, wrong *mistakes) {
	say := func(right bool, member, what string) { wrong.unless(right, at+"."+member, what) }
	say(providerID.MatchString(p.ProviderID), "provider_id", "is 1 to 64 characters of a-z, 0-9 and hyphens")
	say(slices.Contains([]string{"spid", "cie", "oidc"}, p.Kind), "kind", "is spid, cie or oidc")
	say(p.Profile == Plain || p.national(), "profile", "is plain, cie or spid")
	say(isText(p.DisplayName), "display_name", "is a line of 1 to 200 characters")
	say(p.LogoURI == "" || isWeb(p.LogoURI) && len(p.LogoURI) <= maxLogo, "logo_uri", "is an https address of at most 500 characters")
	methods := []session.LoginMethod{session.BySPID, session.ByCIE, session.ByCNS}
	say(slices.Contains(methods, session.LoginMethod(p.LoginMethod)), "login_method", "is spid, cie or cns: how people log in there")
	say(isAddress(p.Issuer), "issuer", "is an https address without query")
	say(slices.Contains(p.Scopes, "openid"), "scopes", "has openid among them")
	say(slices.Contains([]string{"", "login", "consent", "consent login"}, *p.Prompt), "prompt", "is empty, login, consent, or both")
	say(p.Source == fromInfo || p.Source == fromID, "source", "is userinfo or id_token")
	say(p.Levels[federation.Lowest] != "" || p.Levels[federation.Lowest+1] != "", "levels", "names an acr value of level 2 or 3")
	acrs := map[string]bool{}
	for _, level := range slices.Sorted(maps.Keys(p.Levels)) {
		acr := p.Levels[level]
		say(level >= 1 && level <= 3, "levels", "has levels from 1 to 3")
		say(isText(acr) && !strings.Contains(acr, " ") && !acrs[acr], "levels", "has another acr value for each level, without blanks")
		acrs[acr] = true
	}
	for _, name := range p.Algorithms {
		say(slices.Contains(signing, name), "algorithms", "has RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 or ES512")
	}
	for _, claim := range [][]string{p.Claims.TaxCode, p.Claims.GivenName, p.Claims.FamilyName} {
		say(len(claim) > 0, "claims", "has a name at least for tax_code, given_name and family_name, or leaves them out")
	}
	p.checkAuthentication(say)
	if p.national() {
		say(federated, "profile", "needs relying_party: what is said of this installation in the federation")
		say(p.Federation != nil, "federation", "is missing: a provider of this profile is known by a trust chain")
		say(p.ClientID == "", "client_id", "is not given: it is the public address of this installation")
	} else {
		say(isText(p.ClientID), "client_id", "is a line of 1 to 200 characters")
	}
	p.Federation.check(say)
}

// signing are the algorithms that a provider may be allowed. None works with a shared secret.
var signing = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"}

func (p *Settings) checkAuthentication(say func(right bool, member, what string)) {
	a := &p.Authentication
	switch a.Method {
	case byKey:
		say(a.SecretFile == "", "authentication.secret_file", "is not given: a key of DIRESCO_FEDERATION_KEYS proves who asks")
	case byBasic, byPost:
		say(!p.national(), "authentication.method", "is private_key_jwt in this profile")
		content, err := limited(a.SecretFile, maxSecret)
		a.secret = secret.Text(strings.TrimSpace(string(content)))
		say(err == nil && a.secret != "", "authentication.secret_file", "is the path of a file that holds the secret")
	default:
		say(false, "authentication.method", "is private_key_jwt, client_secret_basic or client_secret_post")
	}
}

func (f *FederationDemands) check(say func(right bool, member, what string)) {
	if f == nil {
		return
	}
	say(len(f.TrustAnchors) > 0, "federation.trust_anchors", "names one at least")
	for i, anchor := range f.TrustAnchors {
		at := fmt.Sprintf("federation.trust_anchors[%d]", i)
		say(isAddress(anchor.EntityID), at+".entity_id", "is an https address")
		say(len(anchor.Keys) > 0, at+".jwks", "has the anchor's public keys: they are not fetched")
	}
	say(*f.MaxPathLength >= 0 && *f.MaxPathLength <= 8, "federation.max_path_length", "is from 0 to 8")
}

func isText(text string) bool {
	return text != "" && len(text) <= maxText && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// maxLogo is how long the address of a picture may be that the contract promises.
const maxLogo = 500

// isAddress tells whether an address may be asked by this program: https, or http that leaves no
// machine.
func isAddress(raw string) bool {
	u, err := egress.CheckURL(raw)
	return err == nil && u.RawQuery == "" && len(raw) <= 1000
}

// isWeb tells whether an address may be shown to browsers.
func isWeb(raw string) bool { return isAddress(raw) && strings.HasPrefix(raw, "https://") }
