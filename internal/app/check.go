package app

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/outbox"
	"diresco/internal/messaging/channel/mail"
	"diresco/internal/messaging/channel/senders"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/config"
	"diresco/internal/platform/installation"
	"diresco/internal/platform/keyring"
	"diresco/internal/platform/secret"
	"diresco/internal/platform/smtpurl"
)

// Grade says how a try of the configuration went.
type Grade string

// The grades. What is Noted works, or may be meant so.
const (
	Passed Grade = "ok"
	Noted  Grade = "note"
	Failed Grade = "fail"
)

// Finding is what one try of the configuration found.
type Finding struct {
	Grade Grade
	// What was tried, such as database.
	What string
	// Says is one line for the operator, without a secret.
	Says string
}

const (
	// checkTimeout bounds each try.
	checkTimeout = 30 * time.Second
	// renewWithin is how long before its end a certificate is worth a word.
	renewWithin = 14 * 24 * time.Hour
)

// errUndo ends a transaction that should leave nothing.
var errUndo = errors.New("undone on purpose")

// Check tries the configuration of serve before anybody is let in, and tells each finding. It
// leaves nothing behind and sends no message. It reports whether nothing failed.
func Check(ctx context.Context, c config.Config, tell func(Finding)) bool {
	k := &checker{config: c, clock: clock.System{}, tell: tell, fine: true}
	k.settings()
	d := k.database(ctx)
	k.keys(ctx, d)
	k.logKeys(ctx, d)
	if d != nil {
		k.say("database", d.Close(), "")
	}
	k.bucket(ctx, "bucket", k.config.BlobURL)
	k.trail(ctx)
	k.mail(ctx, outbox.Email, "smtp", c.SMTPURL)
	k.mail(ctx, outbox.PEC, "pec", c.PECSMTPURL)
	k.openID(ctx)
	k.certificates()
	k.spid(ctx)
	k.cards(ctx)
	k.applications()
	k.scanner(ctx)
	k.publicURL(ctx)
	return k.fine
}

// checker tries one part after the other.
type checker struct {
	config config.Config
	clock  clock.Clock
	tell   func(Finding)
	fine   bool
}

func (k *checker) add(grade Grade, what, format string, args ...any) {
	k.fine = k.fine && grade != Failed
	k.tell(Finding{grade, what, strings.Join(strings.Fields(fmt.Sprintf(format, args...)), " ")})
}

// say tells of an error or, where there is none, that it works. Nothing to say is said by "".
func (k *checker) say(what string, err error, works string) bool {
	switch {
	case err != nil:
		k.add(Failed, what, "%v", err)
	case works != "":
		k.add(Passed, what, "%s", works)
	}
	return err == nil
}

// settings looks at what is allowed and still worth a thought.
func (k *checker) settings() {
	c := k.config
	k.add(Passed, "settings", "complete")
	host, _, _ := net.SplitHostPort(c.Addr)
	address, err := netip.ParseAddr(host)
	if beyond := err != nil || !address.IsLoopback(); beyond && c.TLSCert == "" && len(c.TrustedProxies) == 0 {
		k.add(Noted, "settings", "DIRESCO_TRUSTED_PROXIES is not set: all who come by a proxy count as one address")
	}
	if c.SMSGatewayURL == "" {
		k.add(Noted, "sms", "not configured: what goes by SMS waits until its deadline")
	} else {
		k.add(Noted, "sms", "not tried: each request to the gateway would send a message")
	}
}

// database opens the database and tries what serve needs of it. It returns nil where there is none
// to go on with.
func (k *checker) database(ctx context.Context) *db.DB {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	address := k.config.DatabaseURL.Reveal()
	if path, lite := strings.CutPrefix(address, "sqlite:"); lite {
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			k.add(Noted, "database", "SQLite: the first start makes the file")
			return nil
		}
	}
	d, err := db.Open(ctx, address)
	if err != nil {
		k.say("database", err, "")
		return nil
	}
	if !k.opened(ctx, d) {
		k.say("database", d.Close(), "")
		return nil
	}
	return d
}

// opened tries an open database, and reports whether its tables can be asked.
func (k *checker) opened(ctx context.Context, d *db.DB) bool {
	if d.Dialect() == db.SQLite {
		k.add(Passed, "database", "SQLite: one process, on this machine")
	} else {
		var server struct{ Version, Role, Name string }
		err := d.From(ctx).Raw(
			"SELECT current_setting('server_version') AS version, current_user AS role, current_database() AS name",
		).Scan(&server).Error
		if !k.say("database", err, fmt.Sprintf("PostgreSQL %s, database %s, as %s", server.Version, server.Name, server.Role)) {
			return false
		}
	}
	if !k.schema(ctx, d) || !k.say("database", installation.Refuse(ctx, d, installation.Production), "") {
		return false
	}
	if err := d.InTx(ctx, func(ctx context.Context) error {
		if err := d.From(ctx).Exec("UPDATE installation SET clock_offset_us = clock_offset_us WHERE id = 0").Error; err != nil {
			return err
		}
		return errUndo
	}); !errors.Is(err, errUndo) {
		k.add(Failed, "database", "cannot be written: %v", err)
	} else {
		k.add(Passed, "database", "can be written")
	}
	if d.Dialect() == db.Postgres {
		k.role(ctx, d)
		k.time(ctx, d)
		k.replica(ctx, d)
	}
	return true
}

// replica looks at the standby that answers reads, without which the service works as well.
func (k *checker) replica(ctx context.Context, d *db.DB) {
	address := k.config.ReplicaURL.Reveal()
	if address == "" {
		return
	}
	if err := d.AddReplica(address); err != nil {
		k.say("replica", err, "")
		return
	}
	if err := d.LookAtReplica(ctx); err != nil {
		k.add(Noted, "replica", "is left out for now: %v", err)
		return
	}
	k.add(Passed, "replica", "follows the database, and answers reads")
}

// schema compares the schema with the one that this program works with.
func (k *checker) schema(ctx context.Context, d *db.DB) bool {
	version, err := d.Version(ctx)
	if err != nil {
		return k.say("schema", err, "")
	}
	err = d.CheckSchema(ctx)
	if target, unknown := db.TargetVersion(); d.Dialect() == db.SQLite && unknown == nil && err != nil && version < target {
		k.add(Noted, "schema", "version %d: the next start brings it to %d", version, target)
		return version > 0
	}
	return k.say("schema", err, fmt.Sprintf("version %d", version))
}

// role looks at what the role of the connection may do.
func (k *checker) role(ctx context.Context, d *db.DB) {
	var closed []string
	err := d.From(ctx).Raw(`SELECT tablename FROM pg_tables WHERE schemaname = current_schema()
		AND NOT has_table_privilege(current_user, quote_ident(schemaname) || '.' || quote_ident(tablename), 'SELECT')
		ORDER BY tablename`).Scan(&closed).Error
	if err == nil && len(closed) > 0 {
		err = fmt.Errorf("may not read %s: give it its rights again, as docs/security.md says", strings.Join(closed, ", "))
	}
	if !k.say("role", err, "") {
		return
	}
	var rewrites bool
	err = d.From(ctx).Raw("SELECT has_table_privilege(current_user, 'audit_records', 'UPDATE')").Scan(&rewrites).Error
	if err == nil && rewrites {
		k.add(Noted, "role", "may rewrite the audit trail: serve with the restricted role of docs/security.md")
		return
	}
	k.say("role", err, "restricted: cannot rewrite the audit trail")
}

// time compares this machine's clock with the database's.
func (k *checker) time(ctx context.Context, d *db.DB) {
	before := k.clock.Now()
	theirs, err := d.Now(ctx)
	if err != nil {
		k.say("clock", err, "")
		return
	}
	after := k.clock.Now()
	if drift := before.Add(after.Sub(before) / 2).Sub(theirs); drift.Abs() > driftWarn {
		k.add(Failed, "clock", "differs from the database's by %s: nothing is filed beyond %s", drift.Round(time.Millisecond), driftWarn)
		return
	}
	k.add(Passed, "clock", "agrees with the database's")
}

// keys reads the keys and compares their ids with those that the database knows, if there is one.
func (k *checker) keys(ctx context.Context, d *db.DB) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	recorded := false
	if d != nil {
		var err error
		if recorded, err = keyring.Recorded(ctx, d); err != nil {
			k.say("keys", err, "")
			return
		}
	}
	signing, data, err := loadKeys(k.config, false)
	switch {
	case errors.Is(err, os.ErrNotExist) && recorded:
		k.say("keys", keyring.Missing(ctx, d, err.Error()), "")
	case errors.Is(err, os.ErrNotExist) && k.config.DataDir != "":
		k.add(Noted, "keys", "there are no %v: the first start makes what is missing in DIRESCO_DATA_DIR", err)
	case errors.Is(err, os.ErrNotExist):
		k.add(Failed, "keys", "there are no %v", err)
	case err != nil:
		k.say("keys", err, "")
	case recorded:
		k.say("keys", keyring.Check(ctx, d, signing, data), "are those of the database")
	default:
		k.add(Passed, "keys", "can be read; no database knows any yet")
	}
}

// bucket writes a file, reads it and deletes it.
func (k *checker) bucket(ctx context.Context, what, address string) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	err := func() (err error) {
		bucket, err := openBucket(ctx, address)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, bucket.Close()) }()
		name, content := "check/"+uuid.NewString(), []byte("diresco check")
		if err := bucket.WriteAll(ctx, name, content, nil); err != nil {
			return err
		}
		read, err := bucket.ReadAll(ctx, name)
		if err == nil && !bytes.Equal(read, content) {
			err = errors.New("what was written is read otherwise")
		}
		return errors.Join(err, bucket.Delete(ctx, name))
	}()
	k.say(what, err, "a file was written, read and deleted")
}

// mail logs in at a server of e-mail or PEC.
func (k *checker) mail(ctx context.Context, by outbox.Channel, what string, raw secret.Text) {
	if raw == "" {
		k.add(Noted, what, "not configured: what goes by it waits until its deadline")
		return
	}
	server, err := smtpurl.Parse(raw)
	if err != nil {
		k.say(what, err, "")
		return
	}
	works := "lets us in"
	if server.User != "" {
		works += ", logged in"
	}
	k.say(what, mail.NewSender(mail.Config{Server: server, Channel: by}).Check(ctx), works+"; no message was sent")
}

// certificates reads the files with certificates.
func (k *checker) certificates() {
	if k.config.PECSpoolDir != "" {
		_, err := senders.Spool(k.config, nil, slog.New(slog.DiscardHandler))
		k.say("pec receipts", err, "directory and authorities can be read")
	}
	if k.config.TLSCert == "" {
		return
	}
	pair, err := tls.LoadX509KeyPair(k.config.TLSCert, k.config.TLSKey)
	if err != nil {
		k.say("certificate", err, "")
		return
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err == nil && k.config.PublicURL != "" {
		if origin, parsed := url.Parse(k.config.PublicURL); parsed == nil {
			err = leaf.VerifyHostname(origin.Hostname())
		}
	}
	if err != nil {
		k.say("certificate", err, "")
		return
	}
	k.validity(leaf)
}

// validity tells until when a certificate is good.
func (k *checker) validity(leaf *x509.Certificate) { k.validWithin("certificate", leaf, renewWithin) }

// validWithin says until when a certificate is good, and that it is time to renew it.
func (k *checker) validWithin(what string, leaf *x509.Certificate, renew time.Duration) {
	until := leaf.NotAfter.UTC().Format(time.DateOnly)
	switch left := leaf.NotAfter.Sub(k.clock.Now()); {
	case left <= 0:
		k.add(Failed, what, "ended on %s", until)
	case left < renew:
		k.add(Noted, what, "good until %s alone", until)
	default:
		k.add(Passed, what, "good until %s", until)
	}
}

// publicURL asks at the address by which users come. Whoever answers there may have nobody behind
// it yet.
func (k *checker) publicURL(ctx context.Context) {
	const what = "public url"
	origin, err := url.Parse(k.config.PublicURL)
	if err != nil || origin.Scheme != "https" {
		k.add(Noted, what, "not tried: it is on this machine alone")
		return
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, origin.String()+"/v1/status", http.NoBody)
	if err != nil {
		k.say(what, err, "")
		return
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	answer, err := client.Do(request)
	if err != nil {
		k.say(what, err, "")
		return
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode == http.StatusOK {
		k.add(Passed, what, "the service answers there")
	} else {
		k.add(Noted, what, "a server with a certificate of this name answers %d: is the service behind it?", answer.StatusCode)
	}
	if answer.TLS != nil && len(answer.TLS.PeerCertificates) > 0 && k.config.TLSCert == "" {
		k.validity(answer.TLS.PeerCertificates[0])
	}
}

// told is a log whose warnings and errors are findings: what serve would log is said now.
type told struct {
	k    *checker
	what string
}

// Enabled implements slog.Handler.
func (told) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

// Handle implements slog.Handler.
func (t told) Handle(_ context.Context, r slog.Record) error {
	text, grade := r.Message, Noted
	if r.Level >= slog.LevelError {
		grade = Failed
	}
	r.Attrs(func(a slog.Attr) bool {
		text += fmt.Sprintf("; %s: %v", a.Key, a.Value)
		return true
	})
	t.k.add(grade, t.what, "%s", text)
	return nil
}

// WithAttrs implements slog.Handler.
func (t told) WithAttrs([]slog.Attr) slog.Handler { return t }

// WithGroup implements slog.Handler.
func (t told) WithGroup(string) slog.Handler { return t }
