package oauth

import (
	"context"
	"crypto/subtle"
	"net/url"
	"slices"
	"time"

	"github.com/google/uuid"

	"diresco/internal/identity/application"
	"diresco/internal/identity/consent"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/operation"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/secret"
)

// Begin begins a flow in a browser with the parameters of the authorization endpoint. The binding
// is a secret of that browser's: the flow goes on only where it is known, so that nobody goes on
// with what another browser began.
//
// What an application did wrong is a *Refusal: with its Redirect the browser goes back to the
// application, without it the person is told.
func (s *Service) Begin(ctx context.Context, values url.Values, binding secret.Text) (Flow, error) {
	if garbled(values) {
		// Nothing of it can be believed, not even where it is to be answered.
		return Flow{}, misformed(values)
	}
	for _, name := range []string{"client_id", "redirect_uri", "request_uri"} {
		if len(values[name]) > 1 {
			return Flow{}, refuse(invalidRequest, "a parameter was sent more than once")
		}
	}
	app, err := s.applications.Client(ctx, parameter(values, "client_id"))
	if fault.Is(err, fault.NotFound) {
		return Flow{}, UnknownClient()
	}
	if err != nil {
		return Flow{}, err
	}
	if reference := parameter(values, "request_uri"); reference != "" {
		return s.beginPushed(ctx, app, secret.Text(reference), binding)
	}
	asked, refusal := s.readRequest(app, values)
	if refusal != nil {
		if asked.RedirectURI != "" {
			refusal.Redirect = s.answer(asked.RedirectURI, asked.State, url.Values{
				"error": {refusal.Code}, "error_description": {refusal.Description},
			})
		}
		return Flow{}, refusal
	}
	now := s.run.Clock.Now()
	f := asked.flow(app.ID, stateOpen, now, FlowLife)
	bound := digest(binding)
	f.BindingHash = &bound
	if err := s.repo.insert(ctx, f); err != nil {
		return Flow{}, err
	}
	return f.show(app), nil
}

// beginPushed begins the flow of a request that was pushed. The reference is used up by that: from
// then on the flow stands under its own id, and the same browser finds it again when it reloads.
func (s *Service) beginPushed(ctx context.Context, app application.Application, reference, binding secret.Text) (Flow, error) {
	lost := refuse(invalidRequest, "the request_uri is not known, has expired or was used")
	f, found, err := s.repo.byRequest(ctx, digest(reference))
	if err != nil {
		return Flow{}, err
	}
	now := s.run.Clock.Now()
	if !found || f.ApplicationID != app.ID || !now.Before(f.ExpiresAt) {
		return Flow{}, lost
	}
	if f.State == statePushed {
		bound := digest(binding)
		begun, err := s.repo.begin(ctx, f.ID, bound, now, now.Add(FlowLife))
		if err != nil {
			return Flow{}, err
		}
		if begun {
			f.State, f.BindingHash, f.ExpiresAt = stateOpen, &bound, now.Add(FlowLife)
		} else if f, _, err = s.repo.byID(ctx, f.ID); err != nil {
			return Flow{}, err
		}
	}
	if f.State != stateOpen || !f.boundTo(binding) {
		return Flow{}, lost
	}
	return f.show(app), nil
}

// Flow returns an open flow that this browser began. Any other, one that is over and one whose
// application is no longer approved is fault.NotFound.
func (s *Service) Flow(ctx context.Context, id uuid.UUID, binding secret.Text) (Flow, error) {
	f, err := s.open(ctx, id, binding)
	if err != nil {
		return Flow{}, err
	}
	app, err := s.applicationOf(ctx, f)
	if err != nil {
		return Flow{}, err
	}
	return f.show(app), nil
}

// open returns the row of an open flow that this browser began.
func (s *Service) open(ctx context.Context, id uuid.UUID, binding secret.Text) (row, error) {
	f, found, err := s.repo.byID(ctx, id)
	if err != nil {
		return row{}, err
	}
	if !found || f.State != stateOpen || !f.boundTo(binding) || !s.run.Clock.Now().Before(f.ExpiresAt) {
		return row{}, fault.New(fault.NotFound)
	}
	return f, nil
}

// applicationOf returns the application of a flow, if people may still let it in.
func (s *Service) applicationOf(ctx context.Context, f row) (application.Application, error) {
	app, err := s.applications.ByID(ctx, f.ApplicationID)
	if err == nil && !app.Live() {
		err = fault.New(fault.NotFound)
	}
	return app, err
}

// Approve gives the application of an open flow what the person chose, no more than it asked for.
// It returns where the browser goes with the code, and "" for a device, which asks for its tokens
// itself. Faults:
//   - not-found where Flow returns it;
//   - forbidden for an application: it lets no other in;
//   - validation-failed for a choice beyond what was asked;
//   - those of consent.Service.Give.
//
// Lock order: the flow's name, what consent.Service.Give locks, flow, session.
func (s *Service) Approve(ctx context.Context, by access.Actor, flowID uuid.UUID, binding secret.Text, c Choice) (string, error) {
	if by.Grant != nil {
		return "", fault.New(fault.Forbidden)
	}
	code, err := s.draw()
	if err != nil {
		return "", err
	}
	var redirect string
	err = s.run.DB.InTx(named(ctx, opApprove), func(ctx context.Context) error {
		if redirect, err = s.approve(ctx, by, flowID, binding, c, code); err != nil {
			return err
		}
		return s.run.Recheck.InTx(ctx, by, access.Right{})
	})
	return redirect, err
}

// approve does what Approve does, in the context's transaction. The consent leaves the trace.
func (s *Service) approve(
	ctx context.Context, by access.Actor, flowID uuid.UUID, binding secret.Text, c Choice, code secret.Text,
) (string, error) {
	if err := s.lock(ctx, flowID); err != nil {
		return "", err
	}
	f, err := s.open(ctx, flowID, binding)
	if err != nil {
		return "", err
	}
	if f.Kind == kindDevice && (f.PersonID == nil || *f.PersonID != by.PersonID) {
		return "", fault.New(fault.NotFound)
	}
	if err := f.within(c); err != nil {
		return "", err
	}
	given, err := s.consents.Give(ctx, by, consent.New{
		PersonID: by.PersonID, ApplicationID: f.ApplicationID, Scopes: f.Scopes, Services: c.Services, Contributors: c.Contributors,
		ExpiresAt: c.ExpiresAt,
	})
	if err != nil {
		return "", err
	}
	// Its owner may have taken a scope or an address away since the flow began; the consent keeps the
	// application as it is now.
	app, err := s.applicationOf(ctx, f)
	if err != nil {
		return "", err
	}
	if !f.fits(app, f.Scopes) {
		return "", fault.New(fault.NotFound)
	}
	now := s.run.Clock.Now()
	approved := approval{PersonID: by.PersonID, ConsentID: given.ID, CodeExpiresAt: now.Add(DeviceLife)}
	if f.Kind == kindBrowser {
		hashed := digest(code)
		approved.CodeHash, approved.CodeExpiresAt = &hashed, now.Add(CodeLife)
	}
	if err := s.repo.approve(ctx, f.ID, approved); err != nil || f.Kind == kindDevice {
		return "", err
	}
	return s.answer(*f.RedirectURI, f.clientState(), url.Values{"code": {code.Reveal()}}), nil
}

// Deny ends an open flow and returns where the browser goes with that, "" for a device. It needs
// no login: whoever does not want to go on need not say who they are. What is no open flow of this
// browser's is fault.NotFound.
func (s *Service) Deny(ctx context.Context, flowID uuid.UUID, binding secret.Text) (string, error) {
	return operation.Do(named(ctx, opDeny), s.run, access.Actor{}, flowID.String(), func(
		ctx context.Context, trace *operation.Trace,
	) (string, error) {
		trace.SubjectKind = subjectKind
		if err := s.lock(ctx, flowID); err != nil {
			return "", err
		}
		f, err := s.open(ctx, flowID, binding)
		if err != nil {
			return "", err
		}
		app, err := s.applicationOf(ctx, f)
		if err == nil && !f.fits(app, nil) {
			err = fault.New(fault.NotFound)
		}
		if err != nil {
			return "", err
		}
		if f.PersonID != nil {
			trace.PersonID = *f.PersonID
		}
		if err := s.repo.deny(ctx, f.ID); err != nil || f.Kind == kindDevice {
			return "", err
		}
		return s.answer(*f.RedirectURI, f.clientState(), url.Values{
			"error": {accessDenied}, "error_description": {"the person did not let the application in"},
		}), nil
	}, nil)
}

// fits reports whether an application still has the scopes, and the address where it is answered.
func (r row) fits(app application.Application, scopes []string) bool {
	return (r.RedirectURI == nil || app.AllowsRedirect(*r.RedirectURI)) &&
		!slices.ContainsFunc(scopes, func(scope string) bool { return !slices.Contains(app.Scopes, scope) })
}

// lock keeps others from the flow until the end of the context's transaction.
func (s *Service) lock(ctx context.Context, flowID uuid.UUID) error {
	return s.run.DB.LockName(ctx, "authorization flow "+flowID.String())
}

// answer is where the browser goes back to the application. It always says who answers (RFC 9207),
// so that no answer of another server's is taken for one of ours.
func (s *Service) answer(redirectURI, state string, values url.Values) string {
	values.Set("iss", s.issuer)
	if state != "" {
		values.Set("state", state)
	}
	return redirectURI + "?" + values.Encode()
}

// boundTo reports whether a flow began in the browser with this secret.
func (r row) boundTo(binding secret.Text) bool {
	return binding != "" && r.BindingHash != nil && subtle.ConstantTimeCompare([]byte(*r.BindingHash), []byte(digest(binding))) == 1
}

// within returns the fault of a choice that goes beyond what was asked.
func (r row) within(c Choice) error {
	if len(r.Details) == 0 {
		return nil
	}
	var wrong []fault.Field
	asked := r.Details[0]
	if asked.Services != nil && !asked.Services.CoversAll(c.Services) {
		wrong = append(wrong, fault.Field{Pointer: "/services", Code: fault.FieldUnknownService})
	}
	if asked.Contributors != nil && (c.Contributors == nil || slices.ContainsFunc(c.Contributors, func(id uuid.UUID) bool {
		return !slices.Contains(asked.Contributors, id)
	})) {
		wrong = append(wrong, fault.Field{Pointer: "/contributors", Code: fault.FieldUnknownContributor})
	}
	if len(wrong) > 0 {
		return fault.InvalidFields(wrong...)
	}
	return nil
}

// flow is the row of a flow that begins now.
func (r request) flow(applicationID uuid.UUID, state string, now time.Time, life time.Duration) row {
	f := row{
		ID: uuid.Must(uuid.NewV7()), ApplicationID: applicationID, Kind: kindBrowser, State: state, RedirectURI: &r.RedirectURI,
		CodeChallenge: &r.Challenge, Scopes: r.Scopes, Details: stored(r.Details), Language: r.Language,
		CreatedAt: now, ExpiresAt: now.Add(life),
	}
	if r.State != "" {
		f.ClientState = &r.State
	}
	if r.Key != "" {
		f.Key = &r.Key
	}
	return f
}
