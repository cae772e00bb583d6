package config_test

import (
	"bytes"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"diresco/internal/platform/config"
	"diresco/internal/platform/secret"
)

func read(t *testing.T, environ ...string) config.Config {
	t.Helper()
	c, err := config.Read(environ)
	if err != nil {
		t.Fatalf("Read(%q): %v", environ, err)
	}
	return c
}

func TestConfig_NothingSetGivesTheDocumentedDefaults(t *testing.T) {
	t.Setenv("DIRESCO_RATE_PERSON", "1") // only what Read is handed counts, not the process's own environment
	c := read(t, "HOME=/nowhere", "PATH=")
	if c.Addr != "127.0.0.1:8080" || c.AdminAddr != "" || c.RatePerson != 600 || c.RateAddress != 120 ||
		c.LogLevel != slog.LevelInfo || c.LogFormat != "json" || c.DelegationLogin != "" || c.SandboxPublic || c.Traces {
		t.Errorf("defaults: %+v", c)
	}
}

// witnessKey is the public key of a witness.
const witnessKey = "witness.example.org+b742b7f5+BLCMw7PT29VTlq4XpVzxNOfpCOwdecgfBjkShOk9vk+V"

func TestConfig_TrailGoesWhereItCan(t *testing.T) {
	for _, c := range []struct{ set, want string }{
		{"DIRESCO_AUDIT_MIRROR=/srv/mirror", "DIRESCO_AUDIT_MIRROR: must be file:///PATH"},
		{"DIRESCO_AUDIT_MIRROR=s3://bucket", "DIRESCO_AUDIT_MIRROR: must be file:///PATH"},
		{"DIRESCO_AUDIT_WITNESSES=https://w.example.org/", "DIRESCO_AUDIT_WITNESSES: must be public keys"},
		{"DIRESCO_AUDIT_WITNESSES=" + witnessKey, "DIRESCO_AUDIT_WITNESSES: must be public keys"},
		{"DIRESCO_AUDIT_WITNESSES=" + witnessKey + " http://w.example.org/", "DIRESCO_AUDIT_WITNESSES: must be public keys"},
		{
			"DIRESCO_AUDIT_WITNESSES=" + witnessKey + " https://a.example.org/," + witnessKey + " https://b.example.org/",
			"DIRESCO_AUDIT_WITNESSES: names one witness twice",
		},
	} {
		if _, err := config.Read([]string{c.set}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.set, err)
		}
	}
	if _, err := config.Read([]string{"DIRESCO_AUDIT_MIRROR=file:///srv/blobs", "DIRESCO_BLOB_URL=file:///srv/blobs"}); err == nil {
		t.Error("the mirror is where files of users are")
	}
	c := read(t, "DIRESCO_DATABASE_URL=sqlite:x.db", "DIRESCO_DATA_DIR=/srv", "DIRESCO_AUDIT_MIRROR=file:///srv/blobs")
	if err := c.Serve(); err == nil || !strings.Contains(err.Error(), "DIRESCO_AUDIT_MIRROR: must be") {
		t.Errorf("the mirror is where files of users are by default: %v", err)
	}
}

func TestConfig_CardsAreShownAtAnotherHost(t *testing.T) {
	for _, public := range []string{"https://a.example.org", "https://a.example.org/"} {
		_, err := config.Read([]string{"DIRESCO_PUBLIC_URL=" + public, "DIRESCO_CNS_URL=https://a.example.org"})
		if err == nil || !strings.Contains(err.Error(), "DIRESCO_CNS_URL: must be") {
			t.Errorf("beside %s: %v", public, err)
		}
	}
}

func TestConfig_EveryVariableIsRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tls.pem")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := read(t,
		"DIRESCO_ADDR=[::1]:9000", "DIRESCO_ADMIN_ADDR=:9091", "DIRESCO_PUBLIC_URL=https://diresco.example.org/",
		"DIRESCO_TLS_CERT="+file, "DIRESCO_TLS_KEY="+file,
		"DIRESCO_CORS_ORIGINS=https://a.example.org,http://localhost:3000", "DIRESCO_TRUSTED_PROXIES=10.0.0.0/8,fd00::/8",
		"DIRESCO_DATABASE_URL=postgres://app:hunter2@db/diresco", "DIRESCO_MIGRATION_DATABASE_URL=postgresql://owner@db/diresco",
		"DIRESCO_DATABASE_REPLICA_URL=postgres://app:hunter2@b/diresco",
		"DIRESCO_DATA_DIR=/var/lib/diresco", "DIRESCO_BLOB_URL=s3://files?region=eu-south-1",
		"DIRESCO_SIGNING_KEYS=/run/keys.json", "DIRESCO_DATA_KEYS=a:AAAA", "DIRESCO_AUDIT_KEYS=/run/audit-keys",
		"DIRESCO_AUDIT_MIRROR=file:///srv/mirror", "DIRESCO_AUDIT_WITNESSES="+witnessKey+" https://w.example.org/",
		"DIRESCO_RATE_PERSON=6000", "DIRESCO_RATE_ADDRESS=1", "DIRESCO_LOG_LEVEL=debug", "DIRESCO_LOG_FORMAT=text",
		"DIRESCO_SMTP_URL=smtp://u:hunter2@relay.example.org?from=a@b.it",
		"DIRESCO_PEC_SMTP_URL=smtps://u:hunter2@pec.example.org?from=a@b.it", "DIRESCO_PEC_SPOOL_DIR="+filepath.Dir(file),
		"DIRESCO_PEC_CA="+file,
		"DIRESCO_SMS_GATEWAY_URL=https://sms.example.org/v1", "DIRESCO_SMS_GATEWAY_TOKEN=hunter2", "DIRESCO_SMS_SENDER=DiResCo",
		"DIRESCO_SMS_REPORT_SECRET=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
		"DIRESCO_INSTITUTION_NAME=Istituto", "DIRESCO_INSTITUTION_ADDRESS=Via Roma 1", "DIRESCO_INSTITUTION_TELEPHONE=06 1",
		"DIRESCO_INSTITUTION_PAGE=https://a.it", "DIRESCO_INSTITUTION_PRIVACY_PAGE=https://a.it/p",
		"DIRESCO_INSTITUTION_LOGO=https://a.it/l.png", "DIRESCO_INSTITUTION_COLOUR=#7a1020",
		"DIRESCO_SPID_METADATA="+file, "DIRESCO_CIE_METADATA="+file, "DIRESCO_SPID_METADATA_CERT="+file, "DIRESCO_CIE_METADATA_CERT="+file,
		"DIRESCO_SPID_KEYS="+file, "DIRESCO_SPID_ENTITY_ID=https://sp.example.org", "DIRESCO_SPID_IPA_CODE=istsc_rm",
		"DIRESCO_SPID_PRIVATE="+file, "DIRESCO_CIE_MUNICIPALITY=H501", "DIRESCO_SPID_EMAIL=spid@example.org", "DIRESCO_SPID_TELEPHONE=+390612345678",
		"DIRESCO_PORTAL_APPLICATIONS=portale", "DIRESCO_OIDC_PROVIDERS="+file, "DIRESCO_FEDERATION_KEYS=/run/federation.json", "DIRESCO_EGRESS_ALLOW=10.1.0.0/16", "DIRESCO_CLAMD=tcp://10.1.0.7:3310",
		"DIRESCO_DELEGATION_LOGIN=strong", "DIRESCO_SANDBOX_PUBLIC=true",
		"DIRESCO_CNS_CA="+file, "DIRESCO_CNS_TSL=https://list.example.org/TSL-IT.xml", "DIRESCO_CNS_TSL_SIGNERS="+file,
		"DIRESCO_CNS_HEADER=envoy", "DIRESCO_CNS_PROXY_ADDR=127.0.0.1:8444", "DIRESCO_CNS_ADDR=:8443", "DIRESCO_CNS_URL=https://cards.example.org", "DIRESCO_CNS_CERT="+file, "DIRESCO_CNS_KEY="+file,
		"DIRESCO_MTLS_URL=https://mtls.example.org", "DIRESCO_MTLS_ADDR=:8445", "DIRESCO_MTLS_CERT="+file, "DIRESCO_MTLS_KEY="+file, "DIRESCO_MTLS_CA="+file,
		"DIRESCO_MTLS_HEADER=envoy", "DIRESCO_MTLS_PROXY_ADDR=127.0.0.1:8446",
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://localhost:4318/v1/traces",
	)
	value := reflect.ValueOf(c)
	for _, field := range reflect.VisibleFields(value.Type()) {
		if field.IsExported() && value.FieldByIndex(field.Index).IsZero() {
			t.Errorf("%s was not read", field.Name)
		}
	}
	if got, want := c.TrustedProxies, []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8"),
	}; !reflect.DeepEqual(got, want) {
		t.Errorf("trusted proxies: %v", got)
	}
	if c.PublicURL != "https://diresco.example.org" || c.MigrationURL() != "postgresql://owner@db/diresco" ||
		c.DatabaseURL.Reveal() != "postgres://app:hunter2@db/diresco" {
		t.Errorf("read: %q %q", c.PublicURL, c.MigrationURL())
	}
}

func TestConfig_AWrongValueGivesOneLineWithItsNameAndNeverTheValue(t *testing.T) {
	const wrong = "hunter2"
	for _, tc := range []struct{ name, value string }{
		{"ADDR", wrong},
		{"ADDR", wrong + ":99999"},
		{"ADDR", wrong + ":http"},
		{"DATABASE_REPLICA_URL", "sqlite:/" + wrong},
		{"DATABASE_REPLICA_URL", "postgres://" + wrong + "@b/diresco"}, // of no PostgreSQL
		{"ADMIN_ADDR", wrong},
		{"PUBLIC_URL", wrong},
		{"PUBLIC_URL", "ftp://" + wrong},
		{"PUBLIC_URL", "https://x.example/" + wrong},
		{"PUBLIC_URL", "https://u:" + wrong + "@x.example"},
		{"CORS_ORIGINS", "*"},
		{"CORS_ORIGINS", "https://*." + wrong},
		{"CORS_ORIGINS", "https://a.example,https://b.example/" + wrong},
		{"CORS_ORIGINS", "null"},
		{"TRUSTED_PROXIES", wrong},
		{"TRUSTED_PROXIES", "10.0.0.1"},
		{"TRUSTED_PROXIES", "0.0.0.0/0"},
		{"DATABASE_URL", "mysql://u:" + wrong + "@db/x"},
		{"DATABASE_URL", "sqlite:"},
		{"MIGRATION_DATABASE_URL", "sqlite:" + wrong},
		{"BLOB_URL", wrong},
		{"BLOB_URL", "s3:///" + wrong},
		{"BLOB_URL", "s3://" + wrong},
		{"RATE_PERSON", wrong},
		{"RATE_PERSON", "0"},
		{"RATE_APPLICATION", "0"},
		{"RATE_ADDRESS", "-1"},
		{"DELEGATION_LOGIN", wrong},
		{"DELEGATION_LOGIN", "Strong " + wrong},
		{"LOG_LEVEL", wrong},
		{"LOG_FORMAT", wrong},
		{"SANDBOX_PUBLIC", wrong},
		{"TLS_CERT", "/nowhere/" + wrong},
		{"TLS_KEY", "/"},
		{"SMTP_URL", wrong},
		{"SMTP_URL", "smtp://u:" + wrong + "@relay"},
		{"SMTP_URL", "http://" + wrong + "?from=a@b.it"},
		{"PEC_SMTP_URL", "smtps://" + wrong},
		{"PEC_SPOOL_DIR", "/nowhere/" + wrong},
		{"PEC_SPOOL_DIR", os.Args[0]},
		{"PEC_CA", "/nowhere/" + wrong},
		{"CNS_CA", "/nowhere/" + wrong},
		{"CNS_TSL", "/nowhere/" + wrong},
		{"CNS_TSL", "http://" + wrong + "/TSL-IT.xml"},
		{"CNS_TSL", "ftp://" + wrong + "/TSL-IT.xml"},
		{"CNS_TSL_SIGNERS", "/nowhere/" + wrong},
		{"CNS_HEADER", wrong},
		{"CNS_ADDR", wrong},
		{"CNS_PROXY_ADDR", wrong},
		{"CNS_URL", "http://" + wrong},
		{"CNS_URL", "https://" + wrong + "/card"},
		{"CNS_CERT", "/nowhere/" + wrong},
		{"CNS_KEY", "/nowhere/" + wrong},
		{"MTLS_URL", "http://" + wrong + ".example"},
		{"MTLS_URL", "https://" + wrong + ".example/path"},
		{"MTLS_ADDR", wrong},
		{"MTLS_PROXY_ADDR", wrong},
		{"MTLS_CERT", "/nowhere/" + wrong},
		{"MTLS_KEY", "/nowhere/" + wrong},
		{"MTLS_CA", "/nowhere/" + wrong},
		{"CLAMD", wrong},
		{"CLAMD", "https://" + wrong + ":3310"},
		{"CLAMD", "tcp://10.1.0.7/" + wrong},
		{"MTLS_HEADER", wrong},
		{"INSTITUTION_NAME", wrong + "\n" + wrong},
		{"INSTITUTION_ADDRESS", wrong + "\x00" + wrong},
		{"INSTITUTION_TELEPHONE", strings.Repeat(wrong, 121)},
		{"INSTITUTION_PAGE", "http://" + wrong + ".it"},
		{"INSTITUTION_PRIVACY_PAGE", "javascript:" + wrong},
		{"INSTITUTION_LOGO", "https://a.it; script-src *" + wrong},
		{"INSTITUTION_COLOUR", "#0050a0;" + wrong},
		{"SMS_GATEWAY_URL", wrong},
		{"SMS_GATEWAY_URL", "http://sms.example.org/" + wrong},
		{"SMS_GATEWAY_URL", "https://u:" + wrong + "@sms.example.org"},
		{"SMS_GATEWAY_TOKEN", wrong + " x"},
		{"SMS_SENDER", wrong + wrong},
		{"SMS_SENDER", "+0" + wrong},
		{"SMS_REPORT_SECRET", wrong},
		{"SMS_REPORT_SECRET", "whsec_" + wrong},
		{"SMS_REPORT_SECRET", "whsec_aHVudGVyMg=="},
		{"SMS_REPORT_SECRET", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
	} {
		environ := []string{"DIRESCO_" + tc.name + "=" + tc.value}
		switch tc.name { // each needs the other
		case "TLS_CERT":
			environ = append(environ, "DIRESCO_TLS_KEY="+os.Args[0])
		case "TLS_KEY":
			environ = append(environ, "DIRESCO_TLS_CERT="+os.Args[0])
		case "CNS_CERT":
			environ = append(environ, "DIRESCO_CNS_KEY="+os.Args[0])
		case "CNS_KEY":
			environ = append(environ, "DIRESCO_CNS_CERT="+os.Args[0])
		case "CNS_TSL":
			environ = append(environ, "DIRESCO_CNS_TSL_SIGNERS="+os.Args[0])
		case "CNS_TSL_SIGNERS":
			environ = append(environ, "DIRESCO_CNS_TSL=https://list.example.org")
		case "CNS_HEADER":
			environ = append(environ, "DIRESCO_TRUSTED_PROXIES=10.0.0.0/8", "DIRESCO_CNS_PROXY_ADDR=127.0.0.1:8444")
		case "CNS_PROXY_ADDR":
			environ = append(environ, "DIRESCO_TRUSTED_PROXIES=10.0.0.0/8", "DIRESCO_CNS_HEADER=nginx")
		case "SMS_GATEWAY_URL":
			environ = append(environ, "DIRESCO_SMS_GATEWAY_TOKEN=x")
		case "SMS_GATEWAY_TOKEN":
			environ = append(environ, "DIRESCO_SMS_GATEWAY_URL=https://sms.example.org")
		}
		_, err := config.Read(environ)
		if err == nil {
			t.Errorf("%s=%s was accepted", tc.name, tc.value)
			continue
		}
		line := err.Error()
		if strings.Count(line, "\n") != 0 || !strings.HasPrefix(line, "DIRESCO_"+tc.name+": ") || strings.Contains(line, wrong) {
			t.Errorf("%s=%s: %q", tc.name, tc.value, line)
		}
	}
}

// secrets are the variables that can be given as a file, each with a right value.
var secrets = map[string]string{
	"DATABASE_URL": "postgres://app:hunter2@db/diresco", "DATABASE_REPLICA_URL": "postgres://app:hunter2@b/diresco",
	"MIGRATION_DATABASE_URL": "postgres://owner:hunter2@db/diresco",
	"DATA_KEYS":              "a:hunter2", "SMTP_URL": "smtp://u:hunter2@relay.example.org?from=a@b.it",
	"PEC_SMTP_URL": "smtps://u:hunter2@pec.example.org?from=a@b.it", "SMS_GATEWAY_TOKEN": "hunter2",
	"SMS_REPORT_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
}

func TestConfig_EverySecretIsReadFromAFileToo(t *testing.T) {
	dir := t.TempDir()
	environ := []string{"DIRESCO_SMS_GATEWAY_URL=https://sms.example.org"}
	for name, value := range secrets {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(" "+value+"\r\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		environ = append(environ, "DIRESCO_"+name+"_FILE="+path)
	}
	c := reflect.ValueOf(read(t, environ...))
	for i := range c.NumField() {
		field := c.Type().Field(i)
		if field.Type != reflect.TypeFor[secret.Text]() {
			continue
		}
		name := field.Tag.Get("env")
		if got := c.Field(i).Interface().(secret.Text).Reveal(); secrets[name] == "" || got != secrets[name] {
			t.Errorf("%s was read from a file as %q", name, got)
		}
	}
}

func TestConfig_AWrongFileOfASecretIsNamedAndNotRepeated(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, tc := range map[string]struct {
		environ []string
		begins  string
	}{
		"both": {
			[]string{"DIRESCO_DATA_KEYS=a:hunter2", "DIRESCO_DATA_KEYS_FILE=" + write("both", "a:hunter2")},
			"DIRESCO_DATA_KEYS and DIRESCO_DATA_KEYS_FILE: ",
		},
		"the secret itself": {[]string{"DIRESCO_DATA_KEYS_FILE=a:hunter2"}, "DIRESCO_DATA_KEYS_FILE: "},
		"a directory":       {[]string{"DIRESCO_DATA_KEYS_FILE=" + dir}, "DIRESCO_DATA_KEYS_FILE: "},
		"empty":             {[]string{"DIRESCO_DATA_KEYS_FILE=" + write("empty", "\n")}, "DIRESCO_DATA_KEYS_FILE: "},
		"huge": {
			[]string{"DIRESCO_DATA_KEYS_FILE=" + write("huge", strings.Repeat("hunter2", 10_000))}, "DIRESCO_DATA_KEYS_FILE: ",
		},
		"wrong content":        {[]string{"DIRESCO_SMTP_URL_FILE=" + write("wrong", "http://hunter2")}, "DIRESCO_SMTP_URL: "},
		"of what is no secret": {[]string{"DIRESCO_ADDR_FILE=" + write("address", "hunter2")}, "DIRESCO_ADDR_FILE: there is no such variable"},
	} {
		_, err := config.Read(tc.environ)
		if err == nil || !strings.HasPrefix(err.Error(), tc.begins) || strings.Contains(err.Error(), "\n") ||
			strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestConfig_AMisspeltVariableIsNamed(t *testing.T) {
	_, err := config.Read([]string{"DIRESCO_ADRESS=x:hunter2", "DIRESCO_RATE=5", "DIRESCO_LOG_LEVEL=loud"})
	if err == nil {
		t.Fatal("accepted")
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[0], "DIRESCO_ADRESS: ") || !strings.HasPrefix(lines[1], "DIRESCO_LOG_LEVEL: ") ||
		!strings.HasPrefix(lines[2], "DIRESCO_RATE: ") {
		t.Errorf("%q", lines)
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Error("the value is repeated")
	}
}

func TestConfig_CertificateNeedsItsKey(t *testing.T) {
	_, err := config.Read([]string{"DIRESCO_TLS_CERT=" + os.Args[0]})
	if err == nil || !strings.Contains(err.Error(), "DIRESCO_TLS_CERT and DIRESCO_TLS_KEY") {
		t.Errorf("%v", err)
	}
}

// TestConfig_CardsNeedAllOfIt: a way in without trust, or trust without a way in, would let nobody
// in without a word.
func TestConfig_CardsNeedAllOfIt(t *testing.T) {
	file := os.Args[0]
	served := []string{"DIRESCO_DATABASE_URL=sqlite:x", "DIRESCO_DATA_DIR=/x", "DIRESCO_PUBLIC_URL=https://a.example.org"}
	for _, tc := range []struct {
		environ []string
		want    string // "" for what is right
	}{
		{[]string{"CNS_CA=" + file}, "DIRESCO_CNS_ADDR"},
		{[]string{"CNS_ADDR=:8443", "CNS_CERT=" + file, "CNS_KEY=" + file}, "DIRESCO_CNS_CA"},
		{[]string{"CNS_CA=" + file, "CNS_ADDR=:8443"}, "DIRESCO_CNS_CERT"},
		{[]string{"CNS_CA=" + file, "CNS_ADDR=:8443", "CNS_CERT=" + file}, "set both or neither"},
		{[]string{"CNS_CA=" + file, "CNS_ADDR=127.0.0.1:8080", "TLS_CERT=" + file, "TLS_KEY=" + file}, "another address"},
		{[]string{"CNS_CA=" + file, "CNS_HEADER=nginx", "CNS_PROXY_ADDR=127.0.0.1:8444"}, "DIRESCO_TRUSTED_PROXIES"},
		{[]string{"CNS_CA=" + file, "CNS_HEADER=nginx", "TRUSTED_PROXIES=10.0.0.0/8"}, "DIRESCO_CNS_PROXY_ADDR"},
		{[]string{"CNS_CA=" + file, "CNS_PROXY_ADDR=127.0.0.1:8444"}, "DIRESCO_CNS_HEADER"},
		{[]string{"CNS_CA=" + file, "CNS_HEADER=nginx", "TRUSTED_PROXIES=10.0.0.0/8", "CNS_PROXY_ADDR=127.0.0.1:8080"}, "of its own"},
		{[]string{"CNS_TSL=" + file, "CNS_ADDR=:8443"}, "set both or neither"},
		{[]string{"CNS_URL=https://cards.example.org"}, "DIRESCO_CNS_ADDR"},
		{[]string{"CNS_CA=" + file, "CNS_ADDR=:8443", "TLS_CERT=" + file, "TLS_KEY=" + file, "CNS_URL=https://a.example.org"}, "CNS_URL"},
		{[]string{"CNS_CA=" + file, "CNS_ADDR=:8443", "TLS_CERT=" + file, "TLS_KEY=" + file}, ""},
		{[]string{"CNS_TSL=" + file, "CNS_TSL_SIGNERS=" + file, "CNS_HEADER=haproxy", "TRUSTED_PROXIES=10.0.0.0/8", "CNS_PROXY_ADDR=127.0.0.1:8444"}, ""},
	} {
		environ := served
		for _, v := range tc.environ {
			environ = append(environ, "DIRESCO_"+v)
		}
		c, err := config.Read(environ)
		if err == nil {
			err = c.Serve()
		}
		if tc.want == "" && (err != nil || !c.Taken()) || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%v: %v, want %q", tc.environ, err, tc.want)
		}
	}
	for address, fine := range map[string]bool{"": true, "127.0.0.1:8443": true, "0.0.0.0:8443": false} {
		c, err := config.Read([]string{"DIRESCO_CNS_ADDR=" + address})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Sandbox(); (err == nil) != fine || err == nil && c.CNSAddr == "" {
			t.Errorf("a sandbox at %q: %v", address, err)
		}
	}
}

func TestConfig_MutualTLSNeedsAllOfIt(t *testing.T) {
	file := os.Args[0]
	for _, tc := range []struct {
		environ []string
		want    string
	}{
		{[]string{"MTLS_URL=https://mtls.example.org"}, "DIRESCO_MTLS_ADDR"},
		{[]string{"MTLS_ADDR=:8444"}, "DIRESCO_MTLS_URL"},
		{[]string{"MTLS_CA=" + file}, "DIRESCO_MTLS_URL"},
		{[]string{"CLAMD=tcp://127.0.0.1:3310"}, "DIRESCO_EGRESS_ALLOW"},
		{[]string{"CLAMD=tcp://127.0.0.1:3310", "EGRESS_ALLOW=127.0.0.0/8"}, ""},
		{[]string{"CLAMD=unix:/run/clamav/clamd.ctl"}, ""},
		{[]string{"MTLS_HEADER=nginx", "MTLS_PROXY_ADDR=:8445", "TRUSTED_PROXIES=10.0.0.0/8"}, "DIRESCO_MTLS_URL"},
		{[]string{"MTLS_URL=https://mtls.example.org", "MTLS_HEADER=nginx", "MTLS_PROXY_ADDR=:8445"}, "DIRESCO_TRUSTED_PROXIES"},
		{[]string{"MTLS_URL=https://mtls.example.org", "MTLS_ADDR=:8444"}, "DIRESCO_MTLS_CERT"},
		{[]string{"MTLS_URL=https://mtls.example.org", "MTLS_ADDR=:8444", "MTLS_CERT=" + file}, "set both or neither"},
		{[]string{"MTLS_URL=https://mtls.example.org", "MTLS_ADDR=127.0.0.1:8080", "TLS_CERT=" + file, "TLS_KEY=" + file}, "another address"},
		{[]string{"MTLS_URL=https://mtls.example.org", "MTLS_ADDR=:8444", "TLS_CERT=" + file, "TLS_KEY=" + file}, ""},
		{[]string{"MTLS_URL=https://mtls.example.org", "MTLS_HEADER=nginx", "TRUSTED_PROXIES=10.0.0.0/8"}, "DIRESCO_MTLS_PROXY_ADDR"},
		{[]string{"MTLS_URL=https://mtls.example.org", "MTLS_HEADER=nginx", "MTLS_PROXY_ADDR=127.0.0.1:8080", "TRUSTED_PROXIES=10.0.0.0/8"}, "an address of its own"},
		{[]string{"MTLS_URL=https://mtls.example.org", "MTLS_HEADER=nginx", "MTLS_PROXY_ADDR=:8445", "TRUSTED_PROXIES=10.0.0.0/8"}, ""},
	} {
		environ := []string{"DIRESCO_DATABASE_URL=sqlite:x", "DIRESCO_DATA_DIR=/x", "DIRESCO_PUBLIC_URL=https://a.example.org"}
		for _, v := range tc.environ {
			environ = append(environ, "DIRESCO_"+v)
		}
		c, err := config.Read(environ)
		if err == nil {
			err = c.Serve()
		}
		if (tc.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%v: %v, want %q", tc.environ, err, tc.want)
		}
	}
	for address, fine := range map[string]bool{"127.0.0.1:8444": true, "0.0.0.0:8444": false} {
		c, err := config.Read([]string{"DIRESCO_MTLS_URL=https://mtls.example.org", "DIRESCO_MTLS_ADDR=" + address})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Sandbox(); (err == nil) != fine {
			t.Errorf("a sandbox at %q: %v", address, err)
		}
	}
}

func TestConfig_TheSMSGatewayNeedsItsToken(t *testing.T) {
	for _, one := range []string{"DIRESCO_SMS_GATEWAY_URL=https://sms.example.org", "DIRESCO_SMS_GATEWAY_TOKEN=hunter2"} {
		_, err := config.Read([]string{one})
		if err == nil || err.Error() != "DIRESCO_SMS_GATEWAY_URL and DIRESCO_SMS_GATEWAY_TOKEN: set both or neither" {
			t.Errorf("%s: %v", one, err)
		}
	}
}

func TestConfig_Serve(t *testing.T) {
	const database, dir = "DIRESCO_DATABASE_URL=postgres://db/diresco", "DIRESCO_DATA_DIR=/var/lib/diresco"
	for name, tc := range map[string]struct {
		environ []string
		names   []string // of the variables complained of, in order; none when all is well
	}{
		"nothing set":            {nil, []string{"DATABASE_URL"}},
		"nothing but a database": {[]string{database}, []string{"BLOB_URL", "DATA_KEYS", "SIGNING_KEYS"}},
		"database and directory": {[]string{database, dir}, nil},
		"keys and files elsewhere": {
			[]string{database, "DIRESCO_SIGNING_KEYS=/k", "DIRESCO_DATA_KEYS=a:b", "DIRESCO_BLOB_URL=file:///b"}, nil,
		},
		"no place for the signing keys": {
			[]string{database, "DIRESCO_DATA_KEYS=a:b", "DIRESCO_BLOB_URL=file:///b"}, []string{"SIGNING_KEYS"},
		},
		"beyond loopback, no origin": {[]string{database, dir, "DIRESCO_ADDR=:8080"}, []string{"PUBLIC_URL"}},
		"beyond loopback, plain http": {
			[]string{database, dir, "DIRESCO_ADDR=:8080", "DIRESCO_PUBLIC_URL=http://diresco.example.org"}, []string{"PUBLIC_URL"},
		},
		"beyond loopback, https": {
			[]string{database, dir, "DIRESCO_ADDR=:8080", "DIRESCO_PUBLIC_URL=https://diresco.example.org"}, nil,
		},
		"loopback origin, plain http": {[]string{database, dir, "DIRESCO_ADDR=:8080", "DIRESCO_PUBLIC_URL=http://localhost:8080"}, nil},
		"looks like loopback, is not": {
			[]string{database, dir, "DIRESCO_PUBLIC_URL=http://localhost.example.org"}, []string{"PUBLIC_URL"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := read(t, tc.environ...)
			err := c.Serve()
			if len(tc.names) == 0 {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if err == nil {
				t.Fatal("accepted")
			}
			lines := strings.Split(err.Error(), "\n")
			if len(lines) != len(tc.names) {
				t.Fatalf("lines: %q", lines)
			}
			for i, name := range tc.names {
				if !strings.HasPrefix(lines[i], "DIRESCO_"+name+": ") {
					t.Errorf("line %d: %q, want %s", i, lines[i], name)
				}
			}
		})
	}
}

func TestConfig_ServeKeepsInTheDataDirectoryWhatHasNoPlace(t *testing.T) {
	c := read(t, "DIRESCO_DATABASE_URL=sqlite:x.db", "DIRESCO_DATA_DIR=/var/lib/diresco")
	if err := c.Serve(); err != nil {
		t.Fatal(err)
	}
	if c.SigningKeys != "/var/lib/diresco/signing-keys.json" || c.BlobURL != "file:///var/lib/diresco/blobs" ||
		c.DataKeysPath() != "/var/lib/diresco/data-keys" {
		t.Errorf("%q %q", c.SigningKeys, c.BlobURL)
	}
	if c.AdminAddr != "127.0.0.1:9090" || c.PublicURL != "http://127.0.0.1:8080" {
		t.Errorf("%q %q", c.AdminAddr, c.PublicURL)
	}
	if off := read(t, "DIRESCO_DATABASE_URL=sqlite:x.db", "DIRESCO_DATA_DIR=d", "DIRESCO_ADMIN_ADDR="); off.Serve() != nil ||
		off.AdminAddr != "" {
		t.Errorf("an empty ADMIN_ADDR gives %q", off.AdminAddr)
	}
}

func TestConfig_SandboxNeedsNothingAndStaysOnLoopback(t *testing.T) {
	c := read(t)
	if err := c.Sandbox(); err != nil {
		t.Fatal(err)
	}
	if c.AdminAddr != "" || c.DataDir != "" || c.PublicURL != "http://127.0.0.1:8080" {
		t.Errorf("%+v", c)
	}
	if c.LogFormat != "text" {
		t.Errorf("a person reads %s", c.LogFormat)
	}
	if machine := read(t, "DIRESCO_LOG_FORMAT=json"); machine.Sandbox() != nil || machine.LogFormat != "json" {
		t.Errorf("asked for json it writes %s", machine.LogFormat)
	}
	c.Place("/tmp/sandbox")
	if c.DataDir != "/tmp/sandbox" || c.SigningKeys != "/tmp/sandbox/signing-keys.json" || c.BlobURL != "file:///tmp/sandbox/blobs" {
		t.Errorf("%+v", c)
	}

	bare := read(t, "DIRESCO_ADDR=0.0.0.0:8080")
	if err := bare.Sandbox(); err == nil || !strings.HasPrefix(err.Error(), "DIRESCO_ADDR: ") || strings.Contains(err.Error(), "\n") {
		t.Errorf("open to everybody: %v", err)
	}
	open := read(t, "DIRESCO_ADDR=0.0.0.0:8080", "DIRESCO_PUBLIC_URL=http://sandbox.example.org")
	if err := open.Sandbox(); err == nil || !strings.HasPrefix(err.Error(), "DIRESCO_ADDR: ") {
		t.Errorf("open to everybody: %v", err)
	}
	open.SandboxPublic = true
	if err := open.Sandbox(); err != nil {
		t.Error(err)
	}
}

func TestConfig_AFreePortGivesTheOriginOnceItIsKnown(t *testing.T) {
	c := read(t, "DIRESCO_ADDR=127.0.0.1:0")
	if err := c.Sandbox(); err != nil || c.PublicURL != "" {
		t.Fatalf("%v, %q", err, c.PublicURL)
	}
	c.Listening("127.0.0.1:40123")
	c.Listening("127.0.0.1:1")
	if c.PublicURL != "http://127.0.0.1:40123" {
		t.Errorf("%q", c.PublicURL)
	}
}

func TestConfig_StoreNeedsADatabase(t *testing.T) {
	c := read(t)
	if err := c.Store(); err == nil || !strings.HasPrefix(err.Error(), "DIRESCO_DATABASE_URL: ") {
		t.Errorf("%v", err)
	}
	c = read(t, "DIRESCO_DATABASE_URL=sqlite:x.db")
	if err := c.Store(); err != nil || c.MigrationURL() != "sqlite:x.db" {
		t.Errorf("%v, %q", err, c.MigrationURL())
	}
}

func TestConfig_DescribeExplainsEveryVariable(t *testing.T) {
	var out bytes.Buffer
	if err := config.Describe(&out); err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for line := range strings.Lines(out.String()) {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		rows[name] = strings.TrimSpace(rest)
	}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[config.Config]()) {
		if name := field.Tag.Get("env"); name != "" && name != "-" {
			if meaning := field.Tag.Get("desc"); meaning == "" || !strings.HasSuffix(rows["DIRESCO_"+name], meaning) {
				t.Errorf("%s is not explained: %q", name, rows["DIRESCO_"+name])
			}
		}
	}
	for name := range secrets {
		if !strings.HasSuffix(rows["DIRESCO_"+name+"_FILE"], "instead of DIRESCO_"+name) {
			t.Errorf("the file of %s is not explained: %q", name, rows["DIRESCO_"+name+"_FILE"])
		}
	}
	if rows["OTEL_EXPORTER_OTLP_ENDPOINT"] == "" {
		t.Error("the variable of the collector is not explained")
	}
}

func TestConfig_OpenIDNeedsItsFileItsKeysAndNoWholeNetwork(t *testing.T) {
	file := filepath.Join(t.TempDir(), "openid.json")
	if err := os.WriteFile(file, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ set, want string }{
		{"DIRESCO_OIDC_PROVIDERS=" + file + "x", "DIRESCO_OIDC_PROVIDERS: must be the path of a file that can be read"},
		{"DIRESCO_EGRESS_ALLOW=0.0.0.0/0", "DIRESCO_EGRESS_ALLOW: must not hold every network"},
		{"DIRESCO_EGRESS_ALLOW=10.0.0.0", "DIRESCO_EGRESS_ALLOW: must be networks such as 10.0.0.0/8"},
	} {
		if _, err := config.Read([]string{c.set}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.set, err)
		}
	}
	complete := []string{
		"DIRESCO_DATABASE_URL=sqlite:d", "DIRESCO_SIGNING_KEYS=/k", "DIRESCO_DATA_KEYS=a:b", "DIRESCO_BLOB_URL=file:///b",
		"DIRESCO_OIDC_PROVIDERS=" + file,
	}
	c := read(t, complete...)
	if err := c.Serve(); err == nil || !strings.Contains(err.Error(), "DIRESCO_FEDERATION_KEYS: is missing") {
		t.Error(err)
	}
	c = read(t, append(complete, "DIRESCO_DATA_DIR=/var/lib/diresco")...)
	if err := c.Serve(); err != nil || c.FederationKeys != "/var/lib/diresco/federation-keys.json" {
		t.Errorf("%q %v", c.FederationKeys, err)
	}
}
