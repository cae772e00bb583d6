package config

import (
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"diresco/internal/platform/egress"
)

// SPID is what this service is at the providers of SPID and CIE in SAML. Without metadata of
// providers nothing of it counts.
type SPID struct {
	// SPIDMetadata and CIEMetadata are where the metadata of the providers are.
	SPIDMetadata string `env:"SPID_METADATA" want:"the path of a file that can be read, or an https URL" unset:"no SPID" desc:"metadata of the providers of SPID: a file or an https URL"`
	CIEMetadata  string `env:"CIE_METADATA" want:"the path of a file that can be read, or an https URL" unset:"no CIE by SAML" desc:"metadata of the provider of CIE in SAML: a file or an https URL"`
	// SPIDMetadataCert and CIEMetadataCert are the certificates under which they must be signed.
	SPIDMetadataCert string `env:"SPID_METADATA_CERT" want:"the path of a file that can be read" unset:"the place is trusted" desc:"path of the certificates (PEM) under which the metadata of SPID must be signed"`
	CIEMetadataCert  string `env:"CIE_METADATA_CERT" want:"the path of a file that can be read" unset:"the place is trusted" desc:"path of the certificates (PEM) under which the metadata of CIE must be signed"`
	// SPIDKeys are the files with a certificate and its key each; the first signs.
	SPIDKeys []string `env:"SPID_KEYS" want:"paths of files that can be read, separated by commas" unset:"needed by SPID and CIE" desc:"files with a certificate and its key each (PEM), separated by commas; the first signs, all are published"`
	// SPIDEntityID is the name of this service at the providers.
	SPIDEntityID string `env:"SPID_ENTITY_ID" want:"an https URL" unset:"PUBLIC_URL" desc:"name of this service at the providers of SPID and CIE; it never changes"`
	// SPIDAttributes are what SPID is asked for.
	SPIDAttributes []string `env:"SPID_ATTRIBUTES" envDefault:"name,familyName,fiscalNumber,dateOfBirth,placeOfBirth,email,mobilePhone" want:"name, familyName and fiscalNumber, and any of dateOfBirth, placeOfBirth, email, mobilePhone, separated by commas" desc:"what SPID is asked to tell of people, separated by commas"`
	// SPIDComparison is how the level is asked for.
	SPIDComparison string `env:"SPID_COMPARISON" envDefault:"minimum" want:"minimum or exact" desc:"how providers are asked for a level: minimum or exact"`
	// SPIDBinding is how requests go to the providers.
	SPIDBinding string `env:"SPID_BINDING" envDefault:"redirect" want:"redirect or post" desc:"how requests go to providers that take both: redirect or post"`
	// SPIDIPACode is the code of the institution in the national index of public bodies.
	SPIDIPACode string `env:"SPID_IPA_CODE" want:"a code of the index of public bodies (IPA), such as istsc_rm" unset:"needed by SPID and CIE" desc:"the institution's code in the national index of public bodies (IPA)"`
	// SPIDPrivate is the path of what a private body's metadata say instead.
	SPIDPrivate string `env:"SPID_PRIVATE" want:"the path of a file that can be read" unset:"the institution is a public body" desc:"path of a file (JSON) with the numbers and the billing address of a private institution, in place of SPID_IPA_CODE"`
	// CIEMunicipality is where the institution has its seat.
	CIEMunicipality string `env:"CIE_MUNICIPALITY" want:"a cadastral code of a municipality, such as H501" unset:"needed by CIE" desc:"cadastral code of the municipality in which the institution has its seat, in the metadata for CIE"`
	// SPIDEmail and SPIDTelephone are those of the office that answers for the service.
	SPIDEmail     string `env:"SPID_EMAIL" want:"an e-mail address" unset:"needed by SPID and CIE" desc:"e-mail of the office that answers for the service, in its metadata; not a person's"`
	SPIDTelephone string `env:"SPID_TELEPHONE" want:"a number such as +390612345678" desc:"telephone of that office, in the metadata"`
}

// SPIDEnabled tells whether people can log in by SPID or CIE in SAML.
func (s SPID) SPIDEnabled() bool { return s.SPIDMetadata != "" || s.CIEMetadata != "" }

var (
	ipaCode        = regexp.MustCompile(`^[A-Za-z0-9_-]{1,60}$`)
	cadastral      = regexp.MustCompile(`^[A-Z][0-9]{3}$`)
	telephone      = regexp.MustCompile(`^\+[0-9]{6,15}$`)
	spidNeeded     = []string{"name", "familyName", "fiscalNumber"}
	spidAttributes = append(slices.Clone(spidNeeded), "dateOfBirth", "placeOfBirth", "email", "mobilePhone")
)

// checkSPID looks at the variables of SPID.
func (c *Config) checkSPID() []error {
	var wrong []error
	check := func(name string, right bool) {
		if !right {
			wrong = append(wrong, mustBe(name))
		}
	}
	check("SPID_METADATA", c.SPIDMetadata == "" || isFileOrURL(c.SPIDMetadata))
	check("CIE_METADATA", c.CIEMetadata == "" || isFileOrURL(c.CIEMetadata))
	check("SPID_METADATA_CERT", c.SPIDMetadataCert == "" || isFile(c.SPIDMetadataCert))
	check("CIE_METADATA_CERT", c.CIEMetadataCert == "" || isFile(c.CIEMetadataCert))
	check("SPID_KEYS", !slices.ContainsFunc(c.SPIDKeys, func(path string) bool { return !isFile(path) }))
	check("SPID_ENTITY_ID", c.SPIDEntityID == "" || isPage(c.SPIDEntityID))
	check("SPID_ATTRIBUTES", isAttributeSet(c.SPIDAttributes))
	check("SPID_COMPARISON", c.SPIDComparison == "minimum" || c.SPIDComparison == "exact")
	check("SPID_BINDING", c.SPIDBinding == "redirect" || c.SPIDBinding == "post")
	check("SPID_IPA_CODE", c.SPIDIPACode == "" || ipaCode.MatchString(c.SPIDIPACode))
	check("SPID_PRIVATE", c.SPIDPrivate == "" || isFile(c.SPIDPrivate))
	check("CIE_MUNICIPALITY", c.CIEMunicipality == "" || cadastral.MatchString(c.CIEMunicipality))
	address, err := mail.ParseAddress(c.SPIDEmail)
	check("SPID_EMAIL", c.SPIDEmail == "" || err == nil && address.Address == c.SPIDEmail)
	check("SPID_TELEPHONE", c.SPIDTelephone == "" || telephone.MatchString(c.SPIDTelephone))
	return wrong
}

// requireSPID says what is missing for SPID, once it is wanted.
func (c *Config) requireSPID() []error {
	if !c.SPIDEnabled() {
		return nil
	}
	needed := []struct{ name, value string }{
		{"SPID_KEYS", strings.Join(c.SPIDKeys, "")},
		{"SPID_IPA_CODE", c.SPIDIPACode + c.SPIDPrivate},
		{"SPID_EMAIL", c.SPIDEmail},
		{"INSTITUTION_NAME", c.InstitutionName},
		{"INSTITUTION_PAGE", c.InstitutionPage},
	}
	if c.CIEMetadata != "" {
		needed = append(needed, struct{ name, value string }{"CIE_MUNICIPALITY", c.CIEMunicipality})
	}
	var wrong []error
	if u, err := url.Parse(c.SPIDEntity()); err == nil && u.Port() != "" && u.Scheme == "https" {
		wrong = append(wrong, wrongValue("SPID_ENTITY_ID", "must be without a port, or DIRESCO_PUBLIC_URL where it is not set"))
	}
	if c.SPIDPrivate != "" && c.SPIDIPACode != "" {
		wrong = append(wrong, wrongValue("SPID_PRIVATE", "is beside DIRESCO_SPID_IPA_CODE: set one, a body is public or private"))
	}
	for _, v := range needed {
		if v.value == "" {
			who := "SPID and CIE need it"
			switch v.name {
			case "CIE_MUNICIPALITY":
				who = "CIE needs it"
			case "SPID_IPA_CODE":
				who += ", or a private body DIRESCO_SPID_PRIVATE"
			}
			wrong = append(wrong, wrongValue(v.name, "is missing: "+who))
		}
	}
	return wrong
}

// SPIDEntity is the name of this service at the providers of SPID and CIE.
func (c *Config) SPIDEntity() string {
	if c.SPIDEntityID != "" {
		return c.SPIDEntityID
	}
	return c.PublicURL
}

func isFileOrURL(place string) bool {
	if !strings.Contains(place, "://") {
		return isFile(place)
	}
	_, err := egress.CheckURL(place)
	return err == nil
}

// isAttributeSet tells whether the names are known, there once, and those without which nobody can
// be let in are among them.
func isAttributeSet(names []string) bool {
	for i, name := range names {
		if !slices.Contains(spidAttributes, name) || slices.Contains(names[:i], name) {
			return false
		}
	}
	return !slices.ContainsFunc(spidNeeded, func(name string) bool { return !slices.Contains(names, name) })
}
