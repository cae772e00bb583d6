package sms_test

import (
	"context"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/outbox"
	"diresco/internal/messaging/channel/channeltest"
	"diresco/internal/messaging/channel/sms"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/secret"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

const key = secret.Text("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")

// reporter notes what it is told.
type reporter struct {
	reports []outbox.Report
	fail    error
}

// Report implements channel.Reporter.
func (r *reporter) Report(_ context.Context, report outbox.Report) error {
	if r.fail != nil {
		return r.fail
	}
	r.reports = append(r.reports, report)
	return nil
}

type desk struct {
	app      *world.App
	reporter *reporter
	reports  *sms.Reports
}

func open(t *testing.T, d *db.DB) *desk {
	t.Helper()
	w := &desk{app: world.New(t, d), reporter: &reporter{}}
	var err error
	if w.reports, err = sms.NewReports(w.app.Runner, w.reporter, key); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *desk) receive(s sms.Signed, r sms.Report) error {
	ctx := audit.WithOrigin(context.Background(), audit.Origin{Operation: "receiveSmsReport", RequestID: "request-1", Address: "192.0.2.1"})
	return w.reports.Receive(ctx, s, r)
}

// signed signs a body as a gateway does.
func signed(at time.Time, body string) sms.Signed {
	stamp := strconv.FormatInt(at.Unix(), 10)
	return sms.Signed{ID: "msg_1", Timestamp: stamp, Signature: channeltest.Sign(key, "msg_1", stamp, body), Body: []byte(body)}
}

var delivery = uuid.MustParse("018f3b33-4d5e-7f60-9172-8a9b0c1d2e3f")

func TestSMSReport_ASignedReportIsTaken(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		now := w.app.Clock.Now()
		for _, at := range []time.Time{now, now.Add(-5 * time.Minute).Add(time.Second), now.Add(5 * time.Minute)} {
			if err := w.receive(signed(at, `{"any": "bytes"}`), sms.Report{DeliveryID: delivery, Delivered: true}); err != nil {
				t.Error(err)
			}
		}
		if err := w.receive(signed(now, `{}`), sms.Report{DeliveryID: delivery, Reason: "Unknown subscriber"}); err != nil {
			t.Error(err)
		}
		arrived := outbox.Report{Channel: outbox.SMS, DeliveryID: delivery, Delivered: true}
		if diff := cmp.Diff([]outbox.Report{
			arrived, arrived, arrived, {Channel: outbox.SMS, DeliveryID: delivery, Reason: "Unknown subscriber"},
		}, w.reporter.reports); diff != "" {
			t.Error(diff)
		}
		if n := w.app.Count(
			t,
			"audit_records WHERE operation = 'receiveSmsReport' AND subject_kind = 'delivery' AND subject_id = ? AND outcome = 'done' "+
				"AND person_id IS NULL",
			delivery.String(),
		); n != 4 {
			t.Errorf("%d audit records", n)
		}
		// While the key is being changed a report has several signatures.
		several := signed(now, `{}`)
		several.Signature = "v1,AAAA v2,BBBB nonsense " + several.Signature
		if err := w.receive(several, sms.Report{DeliveryID: delivery}); err != nil {
			t.Error(err)
		}
	})
}

func TestSMSReport_WhatIsNotSignedNowIsRefused(t *testing.T) {
	d := dbtest.Open(t, dbtest.SQLite(t))
	w := open(t, d)
	now := w.app.Clock.Now()
	good := signed(now, `{"state":"delivered"}`)
	change := func(fn func(*sms.Signed)) sms.Signed {
		s := good
		fn(&s)
		return s
	}
	for name, s := range map[string]sms.Signed{
		"nothing":             {},
		"no id":               change(func(s *sms.Signed) { s.ID = "" }),
		"no time":             change(func(s *sms.Signed) { s.Timestamp = "" }),
		"no signature":        change(func(s *sms.Signed) { s.Signature = "" }),
		"no body":             change(func(s *sms.Signed) { s.Body = nil }),
		"another id":          change(func(s *sms.Signed) { s.ID = "msg_2" }),
		"another time":        change(func(s *sms.Signed) { s.Timestamp = strconv.FormatInt(now.Unix()+1, 10) }),
		"another body":        change(func(s *sms.Signed) { s.Body = []byte(`{"state": "delivered"}`) }),
		"another version":     change(func(s *sms.Signed) { s.Signature = strings.Replace(s.Signature, "v1,", "v1a,", 1) }),
		"no version":          change(func(s *sms.Signed) { s.Signature = strings.TrimPrefix(s.Signature, "v1,") }),
		"an empty signature":  change(func(s *sms.Signed) { s.Signature = "v1," }),
		"a time that is none": change(func(s *sms.Signed) { s.Timestamp = "now" }),
		"a fraction":          change(func(s *sms.Signed) { s.Timestamp += ".0" }),
		"too large a time":    change(func(s *sms.Signed) { s.Timestamp = "99999999999999999999" }),
		"the largest time":    signed(time.Unix(1<<62, 0), `{}`),
		"stale":               signed(now.Add(-5*time.Minute-time.Second), `{}`),
		"from the future":     signed(now.Add(5*time.Minute+time.Second), `{}`),
		"before 1970":         signed(time.Unix(-1, 0), `{}`),
		"another key": func() sms.Signed {
			s := good
			other := secret.Text("whsec_" + base64.StdEncoding.EncodeToString([]byte("another key of 24 bytes!")))
			s.Signature = channeltest.Sign(other, s.ID, s.Timestamp, string(s.Body))
			return s
		}(),
	} {
		if err := w.receive(s, sms.Report{DeliveryID: delivery, Delivered: true}); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("%s: %v", name, err)
		}
	}
	keyless, err := sms.NewReports(w.app.Runner, w.reporter, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := keyless.Receive(context.Background(), good, sms.Report{DeliveryID: delivery}); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("no key: %v", err)
	}
	w.app.Clock.Advance(5*time.Minute + time.Second)
	if err := w.receive(good, sms.Report{DeliveryID: delivery}); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("later: %v", err)
	}
	if len(w.reporter.reports) != 0 || w.app.Count(t, "audit_records WHERE operation = 'receiveSmsReport'") != 0 {
		t.Errorf("%+v", w.reporter.reports)
	}
	if _, err := sms.NewReports(w.app.Runner, w.reporter, "whsec_*"); err == nil {
		t.Error("a key that is none")
	}
}

func TestSMSReport_WhatTheReporterSaysCounts(t *testing.T) {
	w := open(t, dbtest.Open(t, dbtest.SQLite(t)))
	for _, fail := range []error{fault.New(fault.NotFound), errors.New("the database is away")} {
		w.reporter.fail = fail
		if err := w.receive(signed(w.app.Clock.Now(), `{}`), sms.Report{DeliveryID: delivery}); !errors.Is(err, fail) {
			t.Error(err)
		}
	}
	if n := w.app.Count(t, "audit_records WHERE operation = 'receiveSmsReport'"); n != 0 {
		t.Errorf("%d audit records", n)
	}
}

func TestSMSReport_ReasonsAreShortAndHoldNobody(t *testing.T) {
	w := open(t, dbtest.Open(t, dbtest.SQLite(t)))
	for words, want := range map[string]string{
		"":                                   "",
		" Unknown subscriber ":               "Unknown subscriber",
		"error 42: no route":                 "error 42: no route",
		"+393331234567 unreachable":          "… unreachable",
		"a@b.it said no":                     "… said no",
		"a\r\nb":                             "a  b",
		strings.Repeat("parola ", 100):       strings.TrimSpace(strings.Repeat("parola ", 15)[:100]),
		"numero:3331234567,operatore ignoto": "… ignoto",
	} {
		w.reporter.reports = nil
		if err := w.receive(signed(w.app.Clock.Now(), `{}`), sms.Report{DeliveryID: delivery, Reason: words}); err != nil {
			t.Fatal(err)
		}
		if got := w.reporter.reports[0].Reason; got != want {
			t.Errorf("%q became %q", words, got)
		}
	}
}
