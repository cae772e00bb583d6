// Package config reads the DIRESCO_* environment variables into one struct and checks them before
// anything starts.
package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"

	"diresco/internal/platform/secret"
)

const prefix = "DIRESCO_"

// Config is the configuration of one process. Read fills it; Serve, Sandbox or Store completes and
// checks it for one command.
//
// The tags are its documentation too: desc says what a variable is for, want what a right value
// looks like, unset what happens without one where that is no fixed default.
type Config struct {
	// Addr is where the API listens, host:port.
	Addr string `env:"ADDR" envDefault:"127.0.0.1:8080" want:"host:port, such as 127.0.0.1:8080" desc:"where the API listens, host:port"`
	// AdminAddr is where metrics and the liveness check are served, host:port; empty means nowhere.
	AdminAddr string `env:"ADMIN_ADDR" want:"host:port, such as 127.0.0.1:9090" unset:"127.0.0.1:9090; sandbox: off" desc:"where /metrics and /healthz are served; empty: nowhere"`
	// PublicURL is the origin by which users reach the API, without a final slash.
	PublicURL string `env:"PUBLIC_URL" want:"an origin, such as https://diresco.example.org" unset:"from ADDR if that is loopback" desc:"the origin by which users reach the API; https unless it is loopback"`
	// TLSCert is the path of the certificate chain in PEM; empty when a proxy ends TLS.
	TLSCert string `env:"TLS_CERT" desc:"path of the certificate chain (PEM), when no proxy ends TLS"`
	// TLSKey is the path of the certificate's key in PEM.
	TLSKey string `env:"TLS_KEY" desc:"path of the certificate's private key (PEM)"`
	// CORSOrigins are the origins whose pages may call the API.
	CORSOrigins []string `env:"CORS_ORIGINS" want:"exact origins, such as https://app.example.org, separated by commas" desc:"origins whose pages may call the API, separated by commas"`
	// TrustedProxies are the networks whose X-Forwarded-For is believed.
	TrustedProxies []netip.Prefix `env:"TRUSTED_PROXIES" want:"networks such as 10.0.0.0/8, separated by commas" desc:"networks (CIDR) whose X-Forwarded-For is believed, separated by commas"`

	// DatabaseURL is postgres://… or sqlite:PATH; it may hold a password.
	DatabaseURL secret.Text `env:"DATABASE_URL" want:"postgres://… or sqlite:PATH" unset:"needed by serve" desc:"postgres://… or sqlite:PATH"`
	// MigrationDatabaseURL is the database as its owner, for migrate; it may hold a password.
	MigrationDatabaseURL secret.Text `env:"MIGRATION_DATABASE_URL" want:"postgres://…" unset:"DATABASE_URL" desc:"the same database as its owner, for migrate"`
	// ReplicaURL is a standby of the database that answers reads; it may hold a password.
	ReplicaURL secret.Text `env:"DATABASE_REPLICA_URL" want:"postgres://…, beside such a DATABASE_URL" unset:"all is read from DATABASE_URL" desc:"a standby of the database, from which lists, exports and the public catalogue are read while it follows closely"`
	// DataDir is the directory for keys and files that have no place of their own.
	DataDir string `env:"DATA_DIR" unset:"sandbox: a temporary one" desc:"directory of the keys and files that have no place of their own"`
	// BlobURL is where files are kept, a Go CDK bucket URL.
	BlobURL string `env:"BLOB_URL" want:"file:///PATH or s3://BUCKET?region=…" unset:"DATA_DIR/blobs" desc:"where files are kept: file:///PATH or s3://BUCKET?region=…"`
	// SigningKeys is the path of the private JWK set that signs sessions and receipts.
	SigningKeys string `env:"SIGNING_KEYS" unset:"DATA_DIR/signing-keys.json" desc:"path of the private JWK set that signs sessions and receipts"`
	// AuditKeys is the path of the private keys that sign the trail's log.
	AuditKeys string `env:"AUDIT_KEYS" unset:"DATA_DIR/audit-keys" desc:"path of the private keys that sign the log of the trail; made where the log has none yet"`
	Trail
	// DataKeys are the keys for encryption at rest and request digests, the current one first. It
	// is empty when they are kept in DataDir.
	DataKeys secret.Text `env:"DATA_KEYS" want:"id:base64 of 32 bytes, separated by commas" unset:"kept in DATA_DIR" desc:"keys for data at rest, id:base64 of 32 bytes, the current one first, separated by commas"`

	// RatePerson is how many requests a minute one person may make, over all sessions.
	RatePerson int `env:"RATE_PERSON" envDefault:"600" want:"a whole number from 1 to 1000000" desc:"requests a minute that one person may make, over all sessions"`
	// RateApplication is how many requests a minute an application may make by one consent.
	RateApplication int `env:"RATE_APPLICATION" envDefault:"600" want:"a whole number from 1 to 1000000" desc:"requests a minute that an application may make by one consent"`
	// RateAddress is how many requests a minute one address may make without a session.
	RateAddress int `env:"RATE_ADDRESS" envDefault:"120" want:"a whole number from 1 to 1000000" desc:"requests a minute that one address may make without a session"`

	// DelegationLogin says which logins may manage delegations: AnyLogin or StrongLogin.
	DelegationLogin string `env:"DELEGATION_LOGIN" want:"any or strong" unset:"strong once a national identity is configured, else any; sandbox: any" desc:"logins that manage delegations: any, or strong (SPID, CIE and CNS)"`

	Cards
	MutualTLS

	// SMTPURL is the server by which e-mail leaves, and its sender; it may hold a password.
	SMTPURL secret.Text `env:"SMTP_URL" want:"smtp://USER:PASSWORD@HOST:587?from=ADDRESS or smtps://…" unset:"no e-mail" desc:"server by which e-mail leaves, and its sender: smtp://USER:PASSWORD@HOST:587?from=ADDRESS, or smtps://"`
	// PECSMTPURL is the server by which PEC leaves, and its sender; it may hold a password.
	PECSMTPURL secret.Text `env:"PEC_SMTP_URL" want:"smtps://USER:PASSWORD@HOST:465?from=ADDRESS or smtp://…" unset:"no PEC" desc:"the same for PEC (certified e-mail)"`
	// PECSpoolDir is the directory in which the receipts of the PEC provider arrive.
	PECSpoolDir string `env:"PEC_SPOOL_DIR" want:"a directory that can be read" unset:"receipts are not read" desc:"directory in which the PEC provider's receipts arrive, one file each"`
	// PECCA is the path of the certificates of the authorities that sign for the providers of PEC.
	PECCA string `env:"PEC_CA" want:"the path of a file that can be read" unset:"signatures are not verified" desc:"path of the authorities (PEM) under which PEC providers sign their receipts"`
	// InstitutionName and what follows say in whose name the service writes; see Institution.
	InstitutionName        string `env:"INSTITUTION_NAME" want:"one line of at most 120 characters" desc:"name of the institution, on letters, e-mails, receipts and pages"`
	InstitutionAddress     string `env:"INSTITUTION_ADDRESS" want:"one line of at most 120 characters" desc:"postal address of the institution"`
	InstitutionTelephone   string `env:"INSTITUTION_TELEPHONE" want:"one line of at most 120 characters" desc:"telephone by which people reach the institution"`
	InstitutionPage        string `env:"INSTITUTION_PAGE" want:"an https address" desc:"page on which people find their services"`
	InstitutionPrivacyPage string `env:"INSTITUTION_PRIVACY_PAGE" want:"an https address" desc:"page on what is done with people's data"`
	InstitutionLogo        string `env:"INSTITUTION_LOGO" want:"an https address" desc:"picture of the institution, on e-mails and pages"`
	InstitutionColour      string `env:"INSTITUTION_COLOUR" want:"a colour, such as #0050a0" unset:"#0050a0" desc:"colour of the institution, on pages"`
	// SMSGatewayURL is where SMS are posted.
	SMSGatewayURL string `env:"SMS_GATEWAY_URL" want:"an https URL without a user, such as https://sms.example.org/v1/messages" unset:"no SMS" desc:"where SMS are posted; https unless it is loopback"`
	// SMSGatewayToken is the bearer token for the gateway.
	SMSGatewayToken secret.Text `env:"SMS_GATEWAY_TOKEN" want:"visible ASCII characters" unset:"needed by SMS_GATEWAY_URL" desc:"bearer token for the SMS gateway"`
	// SMSSender is what recipients see as the sender of an SMS.
	SMSSender string `env:"SMS_SENDER" want:"up to 11 letters and digits, or a number such as +393331234567" unset:"the gateway's own" desc:"what recipients see as the sender of an SMS"`
	// SMSReportSecret is the key by which the gateway signs its reports.
	SMSReportSecret secret.Text `env:"SMS_REPORT_SECRET" want:"whsec_ and the base64 of 24 to 64 bytes" unset:"reports are refused" desc:"key by which the SMS gateway signs its reports: whsec_ and the base64 of 24 to 64 bytes"`

	// OIDCProviders is the path of the JSON file that names the OpenID Connect providers.
	OIDCProviders string `env:"OIDC_PROVIDERS" want:"the path of a file that can be read" unset:"no OpenID Connect" desc:"path of the JSON file that names the OpenID Connect providers and brokers"`
	// FederationKeys is the path of the private JWK set for logins by OpenID Connect.
	FederationKeys string `env:"FEDERATION_KEYS" unset:"DATA_DIR/federation-keys.json" desc:"path of the private JWK set for logins by OpenID Connect"`
	// PortalApplications are the client ids of the body's own applications.
	PortalApplications []string `env:"PORTAL_APPLICATIONS" want:"client ids, separated by commas" desc:"client ids of the body's own applications: national logins may come back to their redirect URIs with a whole session"`
	// EgressAllow are private networks in which addresses may lie that are configured.
	EgressAllow []netip.Prefix `env:"EGRESS_ALLOW" want:"networks such as 10.0.0.0/8, separated by commas" desc:"private networks (CIDR) in which identity providers, their metadata, the trusted list and the scanner of files may lie, separated by commas"`
	// Clamd is where ClamAV's daemon scans what users send.
	Clamd string `env:"CLAMD" want:"tcp://host:port or unix:/path" unset:"files are not scanned" desc:"where ClamAV's daemon (clamd) scans the files that users send, tcp://host:port in a network of EGRESS_ALLOW, or unix:/path; until it has, nobody gets them"`
	SPID

	// LogLevel is the lowest level that is logged.
	LogLevel slog.Level `env:"LOG_LEVEL" envDefault:"info" want:"debug, info, warn or error" desc:"lowest level that is logged: debug, info, warn or error"`
	// LogFormat is json or text.
	LogFormat string `env:"LOG_FORMAT" envDefault:"json" want:"json or text" desc:"form of the log on standard error: json or text"`

	// SandboxPublic lets the sandbox listen on other addresses than loopback, with its clock and
	// reset switched off.
	SandboxPublic bool `env:"SANDBOX_PUBLIC" envDefault:"false" want:"true or false" desc:"sandbox: listen beyond loopback, with clock and reset switched off"`

	// Traces tells whether the standard OpenTelemetry variables name a collector.
	Traces bool `env:"-"`

	given map[string]bool
	// dataKeysFile is the file that held DataKeys, if one did.
	dataKeysFile string
	// placed tells that DataDir is a directory which ends with the process.
	placed bool
}

// The values of DelegationLogin.
const (
	// AnyLogin lets a dispositive PIN manage delegations too.
	AnyLogin = "any"
	// StrongLogin asks for SPID, CIE or CNS.
	StrongLogin = "strong"
)

// Read reads the configuration from an environment as os.Environ gives it. Its error has one line
// for each variable that is wrong or unknown, and never repeats a value: values can be secrets.
func Read(environ []string) (Config, error) {
	values, c := map[string]string{}, Config{given: map[string]bool{}}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		switch {
		case strings.HasPrefix(name, prefix):
			values[name] = strings.TrimSpace(value)
			c.given[strings.TrimPrefix(name, prefix)] = true
		case name == "OTEL_EXPORTER_OTLP_ENDPOINT", name == "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT":
			c.Traces = c.Traces || value != ""
		}
	}
	wrong := unknown(c.given)
	c.dataKeysFile = values[prefix+"DATA_KEYS"+fileSuffix]
	wrong = append(wrong, readFiles(values)...)
	wrong = append(wrong, parse(&c, values)...)
	if len(wrong) == 0 {
		wrong = append(wrong, c.checkValues()...)
	}
	return c, inOrder(wrong)
}

// parse fills the struct and translates the library's errors, which repeat the value and name the
// field of the struct.
func parse(c *Config, values map[string]string) []error {
	err := env.ParseWithOptions(c, env.Options{Prefix: prefix, Environment: values})
	if err == nil {
		return nil
	}
	var all env.AggregateError
	if !errors.As(err, &all) {
		return []error{errors.New("the configuration cannot be read")}
	}
	var wrong []error
	for _, one := range all.Errors {
		var field env.ParseError
		if !errors.As(one, &field) {
			return []error{errors.New("the configuration cannot be read")}
		}
		described, _ := reflect.TypeFor[Config]().FieldByName(field.Name)
		wrong = append(wrong, mustBe(described.Tag.Get("env")))
	}
	return wrong
}

// unknown names the variables that mean nothing here: a slip of the pen would otherwise leave a
// default in force.
func unknown(given map[string]bool) []error {
	known := map[string]bool{}
	for _, v := range variables() {
		known[v.name] = true
		if v.secret {
			known[v.name+fileSuffix] = true
		}
	}
	var wrong []error
	for name := range given {
		if !known[name] {
			wrong = append(wrong, fmt.Errorf("%s%s: there is no such variable; `diresco serve --help` lists them", prefix, name))
		}
	}
	return wrong
}

// mustBe is the error of a variable whose value does not have the form that its want tag describes.
func mustBe(name string) error {
	for _, v := range variables() {
		if v.name == name {
			return wrongValue(name, "must be "+v.want)
		}
	}
	return wrongValue(name, "is wrong")
}

func wrongValue(name, what string) error { return errors.New(prefix + name + ": " + what) }

// inOrder joins errors, one line each, in an order that does not change from start to start.
func inOrder(wrong []error) error {
	slices.SortFunc(wrong, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(wrong...)
}
