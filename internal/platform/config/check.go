package config

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"diresco/internal/platform/egress"
)

const maxRate = 1_000_000

// checkValues looks at each value by itself, whatever the command.
func (c *Config) checkValues() []error {
	var wrong []error
	check := func(name string, right bool) {
		if !right {
			wrong = append(wrong, mustBe(name))
		}
	}
	check("ADDR", isHostPort(c.Addr))
	check("ADMIN_ADDR", c.AdminAddr == "" || isHostPort(c.AdminAddr))
	check("DATABASE_URL", c.DatabaseURL == "" || isPostgres(c.DatabaseURL.Reveal()) || isSQLite(c.DatabaseURL.Reveal()))
	check("MIGRATION_DATABASE_URL", c.MigrationDatabaseURL == "" || isPostgres(c.MigrationDatabaseURL.Reveal()))
	check("DATABASE_REPLICA_URL", c.ReplicaURL == "" || isPostgres(c.ReplicaURL.Reveal()) && isPostgres(c.DatabaseURL.Reveal()))
	check("BLOB_URL", c.BlobURL == "" || isBucket(c.BlobURL))
	check("RATE_PERSON", c.RatePerson >= 1 && c.RatePerson <= maxRate)
	check("RATE_APPLICATION", c.RateApplication >= 1 && c.RateApplication <= maxRate)
	check("RATE_ADDRESS", c.RateAddress >= 1 && c.RateAddress <= maxRate)
	check("DELEGATION_LOGIN", c.DelegationLogin == "" || c.DelegationLogin == AnyLogin || c.DelegationLogin == StrongLogin)
	check("LOG_FORMAT", c.LogFormat == "json" || c.LogFormat == "text")
	if c.PublicURL != "" { // others are compared with it
		c.PublicURL = strings.TrimSuffix(c.PublicURL, "/")
		check("PUBLIC_URL", isOrigin(c.PublicURL))
	}
	wrong = append(wrong, c.checkChannels()...)
	wrong = append(wrong, c.checkInstitution()...)
	wrong = append(wrong, c.checkOpenID()...)
	wrong = append(wrong, c.checkCards()...)
	wrong = append(wrong, c.checkMutual()...)
	wrong = append(wrong, c.checkSPID()...)
	wrong = append(wrong, c.checkScanner()...)
	wrong = append(wrong, c.checkTrail()...)

	check("CORS_ORIGINS", !slices.ContainsFunc(c.CORSOrigins, func(origin string) bool { return !isOrigin(origin) }))
	if slices.ContainsFunc(c.TrustedProxies, func(network netip.Prefix) bool { return network.Bits() == 0 }) {
		wrong = append(
			wrong, wrongValue("TRUSTED_PROXIES", "must not hold the whole Internet: anybody could then choose their own address"),
		)
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		wrong = append(wrong, errors.New("DIRESCO_TLS_CERT and DIRESCO_TLS_KEY: set both or neither"))
	}
	for name, path := range map[string]string{"TLS_CERT": c.TLSCert, "TLS_KEY": c.TLSKey} {
		if path != "" && !isFile(path) {
			wrong = append(wrong, wrongValue(name, "must be the path of a file that can be read"))
		}
	}
	return wrong
}

// Serve completes the configuration for the real service and says, one line each, which variables
// are missing or unsafe.
func (c *Config) Serve() error {
	if c.DatabaseURL == "" {
		// The first thing to know, alone: who has no database has set nothing yet.
		return wrongValue("DATABASE_URL", "is missing: set it to postgres://… or sqlite:PATH (or try `diresco sandbox`, which needs none)")
	}
	var wrong []error
	if c.DelegationLogin == "" {
		c.DelegationLogin = AnyLogin
		if c.NationalLogins() {
			c.DelegationLogin = StrongLogin
		}
	}
	if !c.given["ADMIN_ADDR"] {
		c.AdminAddr = "127.0.0.1:9090"
	}
	if c.DataDir == "" {
		for name, value := range map[string]string{"BLOB_URL": c.BlobURL, "SIGNING_KEYS": c.SigningKeys, "DATA_KEYS": c.DataKeys.Reveal()} {
			if value == "" {
				wrong = append(wrong, wrongValue(name, "is missing: set it, or set DIRESCO_DATA_DIR and it is kept there"))
			}
		}
	}
	if err := c.completePublicURL(); err != nil {
		wrong = append(wrong, err)
	} else if !isSafe(c.PublicURL) {
		wrong = append(wrong, wrongValue("PUBLIC_URL", "must be https: PINs and tokens travel over it"))
	}
	if c.DataDir == "" && c.OIDCProviders != "" && c.FederationKeys == "" {
		wrong = append(wrong, wrongValue("FEDERATION_KEYS", "is missing: set it, or set DIRESCO_DATA_DIR and it is kept there"))
	}
	wrong = append(wrong, c.serveCards()...)
	wrong = append(wrong, c.serveMutual()...)
	wrong = append(wrong, c.requireSPID()...)
	c.placeIn(c.DataDir)
	if c.AuditMirror != "" && c.AuditMirror == c.BlobURL {
		wrong = append(wrong, mustBe("AUDIT_MIRROR"))
	}
	return inOrder(wrong)
}

// nationalLogins are the variables of which any brings national identities.
var nationalLogins = []string{"SPID_METADATA", "OIDC_PROVIDERS", "CNS_ADDR", "CNS_HEADER"}

// NationalLogins reports whether people log in with national identities, beside the PIN.
func (c *Config) NationalLogins() bool {
	return slices.ContainsFunc(nationalLogins, func(name string) bool { return c.given[name] })
}

// Sandbox completes the configuration for a sandbox, which needs no variable. Where DataDir is
// empty the caller makes a temporary directory and hands it to Place.
func (c *Config) Sandbox() error {
	var wrong []error
	if !c.SandboxPublic && !isLoopback(c.Addr) {
		wrong = append(
			wrong,
			wrongValue(
				"ADDR",
				"must be a loopback address: a sandbox shows its PINs to whoever asks. DIRESCO_SANDBOX_PUBLIC=true opens it all the same",
			),
		)
	} else if err := c.completePublicURL(); err != nil {
		wrong = append(wrong, err)
	}
	if c.CNSAddr == "" {
		c.CNSAddr = "127.0.0.1:0"
	} else if !c.SandboxPublic && !isLoopback(c.CNSAddr) {
		wrong = append(wrong, wrongValue("CNS_ADDR", "must be a loopback address in a sandbox that is not public"))
	}
	if c.MTLSAddr != "" && !c.SandboxPublic && !isLoopback(c.MTLSAddr) {
		wrong = append(wrong, wrongValue("MTLS_ADDR", "must be a loopback address in a sandbox that is not public"))
	}
	if c.DelegationLogin == "" {
		c.DelegationLogin = AnyLogin
	}
	// A test suite is one session from one address, and quick; a sandbox for everybody keeps the
	// real limits.
	usual := c.RatePerson == defaultRatePerson && c.RateApplication == defaultRateApplication && c.RateAddress == defaultRateAddress
	if !c.SandboxPublic && usual {
		c.RatePerson, c.RateApplication, c.RateAddress = sandboxRate, sandboxRate, sandboxRate
	}
	if !c.given["LOG_FORMAT"] {
		c.LogFormat = "text" // somebody reads it, below the table of test people
	}
	c.placeIn(c.DataDir)
	return inOrder(wrong)
}

// The rates that stand in the tags of Config, and that of a sandbox: requests a minute.
const (
	defaultRatePerson      = 600
	defaultRateApplication = 600
	defaultRateAddress     = 120
	sandboxRate            = 1_000_000
)

// Store checks that there is a database, for the commands that work on it without serving (migrate,
// audit, admin).
func (c *Config) Store() error {
	if c.DatabaseURL == "" && c.MigrationDatabaseURL == "" {
		return wrongValue("DATABASE_URL", "is missing: set it to postgres://… or sqlite:PATH")
	}
	c.placeIn(c.DataDir)
	return nil
}

// MigrationURL returns the database as its owner: MigrationDatabaseURL, else DatabaseURL.
func (c *Config) MigrationURL() string {
	if c.MigrationDatabaseURL != "" {
		return c.MigrationDatabaseURL.Reveal()
	}
	return c.DatabaseURL.Reveal()
}

// DataKeysPath returns where the keys for data at rest are kept when DataKeys is empty.
func (c *Config) DataKeysPath() string { return filepath.Join(c.DataDir, "data-keys") }

// AuditKeysPath returns where the keys of the log are; it is empty where no place is known.
func (c *Config) AuditKeysPath() string {
	if c.AuditKeys != "" || c.DataDir == "" {
		return c.AuditKeys
	}
	return filepath.Join(c.DataDir, "audit-keys")
}

// Place makes dir, which ends with the process, the data directory where none was configured.
func (c *Config) Place(dir string) {
	if c.DataDir == "" {
		c.DataDir, c.placed = dir, true
	}
	c.placeIn(c.DataDir)
}

// Temporary tells whether keys would end with the process though the database does not.
func (c *Config) Temporary() bool {
	return c.placed && c.DatabaseURL != "" && !c.given["SIGNING_KEYS"] && c.DataKeys == ""
}

func (c *Config) placeIn(dir string) {
	if dir == "" {
		return
	}
	if c.SigningKeys == "" {
		c.SigningKeys = filepath.Join(dir, "signing-keys.json")
	}
	if c.FederationKeys == "" {
		c.FederationKeys = filepath.Join(dir, "federation-keys.json")
	}
	if c.BlobURL == "" {
		if absolute, err := filepath.Abs(dir); err == nil {
			dir = absolute
		}
		c.BlobURL = (&url.URL{Scheme: "file", Path: filepath.ToSlash(filepath.Join(dir, "blobs"))}).String()
	}
}

// completePublicURL derives the public origin from a loopback address. With port 0 it stays empty
// until Listening.
func (c *Config) completePublicURL() error {
	switch _, port, _ := net.SplitHostPort(c.Addr); {
	case c.PublicURL != "":
	case !isLoopback(c.Addr):
		return wrongValue("PUBLIC_URL", "is missing: set it to the https origin by which users reach the API")
	case port != "0":
		c.Listening(c.Addr)
	}
	return nil
}

// Listening makes the address that the listener got the public origin, where none was configured.
func (c *Config) Listening(address string) {
	if c.PublicURL != "" {
		return
	}
	scheme := "http://"
	if c.TLSCert != "" {
		scheme = "https://"
	}
	c.PublicURL = scheme + address
}

// isSafe tells whether what is sent to the origin stays unread on the way. It does over https, and
// over http that leaves no machine.
func isSafe(raw string) bool {
	origin, err := url.Parse(raw)
	return raw == "" || (err == nil && (origin.Scheme == "https" || egress.IsLoopback(origin.Hostname())))
}

func isHostPort(address string) bool {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	number, err := strconv.ParseUint(port, 10, 16)
	return err == nil && strconv.FormatUint(number, 10) == port
}

func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && egress.IsLoopback(host)
}

func isPostgres(raw string) bool {
	return strings.HasPrefix(raw, "postgres://") || strings.HasPrefix(raw, "postgresql://")
}

func isSQLite(raw string) bool { return strings.HasPrefix(raw, "sqlite:") && raw != "sqlite:" }

func isBucket(raw string) bool {
	bucket, err := url.Parse(raw)
	if err != nil {
		return false
	}
	// Without a region every request would fail, and the first is made long after the start.
	return (bucket.Scheme == "file" && bucket.Path != "") ||
		(bucket.Scheme == "s3" && bucket.Host != "" && bucket.Query().Get("region") != "")
}

// isOrigin tells whether raw is exactly scheme://host[:port], as a browser's Origin header writes
// it.
func isOrigin(raw string) bool {
	origin, err := url.Parse(raw)
	if err != nil || (origin.Scheme != "https" && origin.Scheme != "http") ||
		origin.Hostname() == "" || strings.Contains(origin.Host, "*") {
		return false
	}
	return raw == origin.Scheme+"://"+strings.ToLower(origin.Host)
}

func isFile(path string) bool {
	file, err := os.Open(path) //nolint:gosec // the administrator's own path
	if err != nil {
		return false
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	return err == nil && !info.IsDir()
}
