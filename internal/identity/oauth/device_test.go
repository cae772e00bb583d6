package oauth_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"diresco/db"
	"diresco/internal/identity/oauth"
	"diresco/internal/identity/pin/pintest"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/secret"
	"diresco/internal/test/dbtest"
)

// device begins the flow of a program without a browser.
func (f *fixture) device(c *client) oauth.Device {
	f.t.Helper()
	d, err := f.server.AuthorizeDevice(f.context(), oauth.Post{Form: f.says(c, url.Values{"scope": {"declarations offline_access"}})})
	f.must(err)
	return d
}

// poll asks for the tokens of a device.
func (f *fixture) poll(c *client, d oauth.Device) (oauth.Tokens, error) {
	f.t.Helper()
	return f.server.Exchange(f.context(), oauth.Post{Proofs: f.proofs, Form: f.says(c, url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {d.DeviceCode.Reveal()},
	})})
}

func TestDevice_ShowsACodeThatIsEasyToType(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		c := f.register("desktop", nil)
		got := f.device(c)
		left, right, _ := strings.Cut(got.UserCode.Reveal(), "-")
		if len(left) != 4 || len(right) != 4 || strings.Trim(left+right, "BCDFGHJKLMNPQRSTVWXZ") != "" {
			t.Errorf("the code is %s", got.UserCode.Reveal())
		}
		if got.VerificationURI != pintest.PublicURL+"/oauth2/device" || got.ExpiresIn != 10*time.Minute || got.Interval != 5*time.Second {
			t.Errorf("it is told %+v", got)
		}
		typed := secret.Text(" " + strings.ToLower(left) + " " + right)
		flow, err := f.server.FlowByUserCode(f.context(), f.by, typed, browser)
		f.must(err)
		if !flow.Device || flow.Application.ClientID != "desktop" {
			t.Errorf("it shows %+v", flow)
		}
	})
}

// No address that a device is given has the code that is to be typed in it.
func TestDevice_IsGivenNoLinkWithItsCode(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		got := f.device(f.register("desktop", nil))
		at, err := url.Parse(got.VerificationURI)
		f.must(err)
		if at.RawQuery != "" || at.Fragment != "" || at.User != nil || at.Path != oauth.DevicePagePath {
			t.Errorf("it is sent to %s", got.VerificationURI)
		}
	})
}

func TestDevice_AsksUntilSomebodyDecides(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		c := f.register("desktop", nil)
		dev := f.device(c)
		_, err := f.poll(c, dev)
		refused(t, err, "authorization_pending")
		f.Clock.Advance(5 * time.Second)
		_, err = f.poll(c, dev)
		refused(t, err, "authorization_pending")
		// Too soon: from then on it waits five seconds longer.
		f.Clock.Advance(2 * time.Second)
		_, err = f.poll(c, dev)
		refused(t, err, "slow_down")
		f.Clock.Advance(6 * time.Second)
		_, err = f.poll(c, dev)
		refused(t, err, "slow_down")
		f.Clock.Advance(15 * time.Second)
		_, err = f.poll(c, dev)
		refused(t, err, "authorization_pending")
		flow, err := f.server.FlowByUserCode(f.context(), f.by, dev.UserCode, browser)
		f.must(err)
		redirect, err := f.server.Deny(f.context(), flow.ID, browser)
		f.must(err)
		if redirect != "" {
			t.Errorf("the browser goes to %s", redirect)
		}
		_, err = f.poll(c, dev)
		refused(t, err, "access_denied")
		_, err = f.server.FlowByUserCode(f.context(), f.by, dev.UserCode, browser)
		want(t, err, fault.CodeInvalid)
	})
}

func TestDevice_CodesExpire(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		c := f.register("desktop", nil)
		dev := f.device(c)
		flow, err := f.server.FlowByUserCode(f.context(), f.by, dev.UserCode, browser)
		f.must(err)
		f.Clock.Advance(oauth.DeviceLife)
		_, err = f.server.FlowByUserCode(f.context(), f.by, dev.UserCode, browser)
		want(t, err, fault.CodeInvalid)
		_, err = f.server.Approve(f.context(), f.by, flow.ID, browser, f.everything())
		want(t, err, fault.NotFound)
		_, err = f.poll(c, dev)
		refused(t, err, "expired_token")
	})
}

func TestDevice_BelongsToWhoTypedTheCode(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		c := f.register("desktop", nil)
		_, pin := f.Person(t, pintest.Giulia, access.Citizen, false)
		other := f.MustActor(t, f.Login(t, pintest.Giulia, pin))
		dev := f.device(c)
		flow, err := f.server.FlowByUserCode(f.context(), f.by, dev.UserCode, browser)
		f.must(err)
		_, err = f.server.FlowByUserCode(f.context(), other, dev.UserCode, browser)
		want(t, err, fault.CodeInvalid)
		_, err = f.server.Approve(f.context(), other, flow.ID, browser, f.everything())
		want(t, err, fault.NotFound)
		_, err = f.server.Approve(f.context(), f.by, flow.ID, elsewhere, f.everything())
		want(t, err, fault.NotFound)
		// The same person goes on in another browser.
		flow, err = f.server.FlowByUserCode(f.context(), f.by, dev.UserCode, elsewhere)
		f.must(err)
		redirect, err := f.server.Approve(f.context(), f.by, flow.ID, elsewhere, f.everything())
		f.must(err)
		if redirect != "" || f.liveConsents() != 1 {
			t.Errorf("%d consents, and the browser goes to %q", f.liveConsents(), redirect)
		}
	})
}

func TestDeviceCode_IsHardToGuess(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		c := f.register("desktop", nil)
		dev := f.device(c)
		for range 10 {
			_, err := f.server.FlowByUserCode(f.context(), f.by, "BCDF-BCDF", browser)
			want(t, err, fault.CodeInvalid)
		}
		_, err := f.server.FlowByUserCode(f.context(), f.by, dev.UserCode, browser)
		want(t, err, fault.RateLimited)
		f.Clock.Advance(5 * time.Minute)
		_, err = f.server.FlowByUserCode(f.context(), f.by, dev.UserCode, browser)
		f.must(err)
		// Many people from one address wait too.
		_, pin := f.Person(t, pintest.Giulia, access.Citizen, false)
		other := f.MustActor(t, f.Login(t, pintest.Giulia, pin))
		for by, tries := range map[*access.Actor]int{&other: 10, &f.by: 10} {
			for range tries {
				_, err := f.server.FlowByUserCode(f.context(), *by, "no code at all", browser)
				want(t, err, fault.CodeInvalid)
			}
		}
		f.Clock.Advance(time.Minute)
		_, err = f.server.FlowByUserCode(f.context(), other, dev.UserCode, browser)
		want(t, err, fault.RateLimited)
		f.address = "192.0.2.99"
		f.Clock.Advance(5 * time.Minute)
		_, err = f.server.FlowByUserCode(f.context(), other, f.device(c).UserCode, browser)
		f.must(err)
	})
}

func TestDevice_AsksForWhatWasRegistered(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		c, server := f.register("desktop", nil), f.register("server", confidential(p256(t)))
		for name, one := range map[string]struct {
			form url.Values
			code string
		}{
			"unknown client": {url.Values{"client_id": {"nobody"}}, "invalid_client"},
			"no proof":       {url.Values{"client_id": {"server"}}, "invalid_client"},
			"scope":          {f.says(c, url.Values{"scope": {"dossier"}}), "invalid_scope"},
			"resource":       {f.says(c, url.Values{"resource": {"https://evil.example"}}), "invalid_target"},
			"twice":          {f.says(c, url.Values{"scope": {"declarations", "declarations"}}), "invalid_request"},
			"details":        {f.says(c, url.Values{"authorization_details": {"[1]"}}), "invalid_authorization_details"},
		} {
			_, err := f.server.AuthorizeDevice(f.context(), oauth.Post{Form: one.form})
			t.Log(name)
			refused(t, err, one.code)
		}
		_, err := f.server.AuthorizeDevice(f.context(), oauth.Post{Form: f.says(server, nil)})
		f.must(err)
		_, err = f.poll(server, oauth.Device{DeviceCode: "no code"})
		refused(t, err, "invalid_grant")
		// Another client's code is no code.
		_, err = f.poll(server, f.device(c))
		refused(t, err, "invalid_grant")
	})
}
