package oauth

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"diresco/internal/identity/application"
	"diresco/internal/identity/throttle"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/secret"
)

const (
	// requestPrefix is before the reference of a pushed request (RFC 9126 section 2.2).
	requestPrefix = "urn:ietf:params:oauth:request_uri:"
	// userCodeLength is how many letters a device shows; userCodeLabel derives the key of their
	// digest.
	userCodeLength = 8
	userCodeLabel  = "oauth user code"
)

// Push takes an authorization request from the application itself, before any browser is there
// (RFC 9126). What it does wrong it is told here, as a *Refusal.
func (s *Service) Push(ctx context.Context, post Post) (Pushed, error) {
	form := post.Form
	if refusal := misformed(form); refusal != nil {
		return Pushed{}, refusal
	}
	app, err := s.counted(ctx, post)
	if err != nil {
		return Pushed{}, err
	}
	if parameter(form, "request_uri") != "" {
		return Pushed{}, refuse(invalidRequest, "a request that is pushed has no request_uri")
	}
	asked, refusal := s.readRequest(app, form)
	if refusal != nil {
		return Pushed{}, refusal
	}
	key, err := s.proved(ctx, post, PushPath)
	switch {
	case err != nil:
		return Pushed{}, err
	case key != "" && asked.Key != "" && asked.Key != key:
		return Pushed{}, refuse(invalidRequest, "dpop_jkt is not the thumbprint of the key that the proof is by")
	case key != "":
		asked.Key = key
	}
	reference, err := s.draw()
	if err != nil {
		return Pushed{}, err
	}
	reference = requestPrefix + reference
	f := asked.flow(app.ID, statePushed, s.run.Clock.Now(), RequestLife)
	hashed := digest(reference)
	f.RequestHash = &hashed
	return Pushed{RequestURI: reference, ExpiresIn: RequestLife}, s.repo.insert(ctx, f)
}

// AuthorizeDevice begins the flow of a program that shows a code to be typed elsewhere (RFC 8628).
func (s *Service) AuthorizeDevice(ctx context.Context, post Post) (Device, error) {
	form := post.Form
	if refusal := misformed(form); refusal != nil {
		return Device{}, refusal
	}
	app, err := s.counted(ctx, post)
	if err != nil {
		return Device{}, err
	}
	if !onADevice(app) {
		return Device{}, refuse(unauthorizedClient, "device codes are for programs on a device, and for clients that prove who they are")
	}
	var asked request
	if refusal := s.readScope(app, form, &asked); refusal != nil {
		return Device{}, refusal
	}
	device, err := s.draw()
	if err != nil {
		return Device{}, err
	}
	user, err := secret.DrawLetters(s.random, userCodeLength)
	if err != nil {
		return Device{}, err
	}
	now := s.run.Clock.Now()
	f := asked.flow(app.ID, statePushed, now, DeviceLife)
	hashed, mac := digest(device), s.userMACs(user)[0]
	f.Kind, f.RedirectURI, f.CodeChallenge, f.DeviceHash, f.UserMAC = kindDevice, nil, nil, &hashed, &mac
	f.PollInterval = int(PollInterval / time.Second)
	if err := s.repo.insert(ctx, f); err != nil {
		return Device{}, err
	}
	shown := user.Reveal()[:userCodeLength/2] + "-" + user.Reveal()[userCodeLength/2:]
	return Device{
		DeviceCode: device, UserCode: secret.Text(shown), VerificationURI: s.issuer + DevicePagePath, ExpiresIn: DeviceLife,
		Interval: PollInterval,
	}, nil
}

// onADevice reports whether an application may be let in by a code that somebody types: one that
// proves who it is, or one that runs where its user is. Whoever knows the name of a web page could
// begin a flow in its name, and have the code typed by others.
func onADevice(app application.Application) bool {
	return app.AuthMethod != application.NoAuth || slices.ContainsFunc(app.RedirectURIs, func(uri string) bool {
		return !strings.HasPrefix(uri, "https:")
	})
}

// userMACs are the digests of a code that somebody types, the one to keep first.
func (s *Service) userMACs(code secret.Text) []string {
	digests := s.keys.Lasting(userCodeLabel, []byte(code.Reveal()))
	macs := make([]string, len(digests))
	for i, d := range digests {
		macs[i] = d.String()
	}
	return macs
}

// FlowByUserCode opens the flow of a device for the person who typed its code, in this browser. A
// wrong code counts against the person and the address, as other secrets do. It must not be called
// inside a transaction. Faults:
//   - code-invalid for a code that is wrong, expired, or was typed by somebody else;
//   - rate-limited, with the time to wait, after too many wrong ones;
//   - busy when other tries took too long;
//   - forbidden for an application.
func (s *Service) FlowByUserCode(ctx context.Context, by access.Actor, code, binding secret.Text) (Flow, error) {
	if by.Grant != nil || by.PersonID == uuid.Nil || binding == "" {
		return Flow{}, fault.New(fault.Forbidden)
	}
	address := audit.OriginOf(ctx).Address
	if err := s.addresses.Check(ctx, address); err != nil {
		return Flow{}, err
	}
	attempt, err := s.limiter.Reserve(ctx, throttle.DeviceUserCode, throttle.Subject{
		Name: secret.Text(by.PersonID.String()), PersonID: by.PersonID,
	})
	if err != nil {
		return Flow{}, err
	}
	f, found, err := s.claim(ctx, by, code, binding)
	outcome := throttle.Right
	switch {
	case err != nil:
		outcome = throttle.Abandoned
	case !found:
		outcome, err = throttle.Wrong, fault.New(fault.CodeInvalid)
	}
	if _, failed := attempt.Settle(ctx, outcome, func(ctx context.Context) error {
		if outcome != throttle.Wrong {
			return nil
		}
		return s.addresses.Record(ctx, address)
	}); failed != nil {
		return Flow{}, failed
	}
	if err != nil {
		return Flow{}, err
	}
	app, err := s.applicationOf(ctx, f)
	if err != nil {
		return Flow{}, err
	}
	return f.show(app), nil
}

// claim finds the device's flow with this code and gives it to the person.
func (s *Service) claim(ctx context.Context, by access.Actor, code, binding secret.Text) (row, bool, error) {
	typed := secret.Normalise(code)
	if len(typed) != userCodeLength || strings.Trim(typed, secret.Letters) != "" {
		return row{}, false, nil
	}
	f, found, err := s.repo.byUserCode(ctx, s.userMACs(secret.Text(typed)))
	if err != nil || !found {
		return row{}, false, err
	}
	claimed, err := s.repo.claim(ctx, f.ID, by.PersonID, digest(binding), s.run.Clock.Now())
	if err != nil || !claimed {
		return row{}, false, err
	}
	return s.repo.byID(ctx, f.ID)
}
