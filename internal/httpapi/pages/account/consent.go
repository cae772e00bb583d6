package account

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"diresco/internal/httpapi/problem"
	"diresco/internal/identity/application"
	"diresco/internal/identity/oauth"
	"diresco/internal/identity/session"
	"diresco/internal/kernel/access"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/platform/calendar"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/platform/secret"
)

// mostNamed is how many contributors are shown to choose from. Who acts for more lets an
// application act for all of them, or for those that it names itself.
const mostNamed = 20

// monthsOffered are how long a consent may last, monthsUsual what stands there.
var monthsOffered = []int{1, 3, 6, 12}

const monthsUsual = 3

// option is something to choose.
type option struct {
	Value, Text string
	Chosen      bool
}

// offer is what somebody is asked to let an application do.
type offer struct {
	Flow  oauth.Flow
	Owner string
	// Blocked says why this person cannot let it in; "" where they can.
	Blocked string
	// All offers all contributors of the person; Contributors are those to choose from.
	All          bool
	Contributors []option
	// Some says that only those chosen were chosen, not all.
	Some bool
	// Many says that there are too many to choose from.
	Many     bool
	Services []option
	// Whole says that it may do whatever the person may: no service can be told apart.
	Whole  bool
	Months []option
	// Until is when it ends by itself, where that is not to be chosen.
	Until time.Time
	// Again asks for the PIN, as the last login is too long ago. Ways are what does as well.
	Again bool
	Ways  []way
}

// showConsent asks whether an application is let in.
func (v *visit) showConsent() error {
	id := flowID(v.r.URL.Query().Get("flow"))
	f, err := v.s.Flows.Flow(v.r.Context(), id, v.browser)
	if err != nil {
		return v.flowOver(err)
	}
	v.prefer(f.Language)
	if ok, err := v.admitted(id.String(), ""); !ok {
		return err
	}
	o, err := v.offer(f)
	if err != nil {
		return err
	}
	return v.showOffer(http.StatusOK, o, nil)
}

func (v *visit) showOffer(status int, o offer, errs []wrong) error {
	if o.Again = o.Blocked == "" && !v.fresh(); o.Again {
		var err error
		if o.Ways, err = v.ways(o.Flow.ID.String(), ""); err != nil {
			return err
		}
	}
	v.policy = answering(v.policy, o.Flow.Application)
	return v.show(status, "consent", view{
		Title: v.t("consent.title", o.Flow.Application.DisplayName), Flow: o.Flow.ID.String(), Data: o, Errors: errs,
	})
}

// offer makes what somebody is asked, with everything that is asked for chosen.
func (v *visit) offer(f oauth.Flow) (offer, error) {
	ctx, o := v.r.Context(), offer{Flow: f}
	var err error
	if o.Owner, err = v.s.Owner(ctx, f.Application); err != nil {
		return o, err
	}
	if v.by.Staff() {
		o.Blocked = v.t("consent.staff")
		return o, nil
	}
	var asked oauth.Detail
	if len(f.Details) > 0 {
		asked = f.Details[0]
	}
	if asked.Contributors != nil {
		err = o.named(v, asked.Contributors)
	} else {
		err = o.choice(v)
	}
	if err != nil || o.Blocked != "" {
		return o, err
	}
	if err := o.services(v, asked.Services); err != nil || o.Blocked != "" {
		return o, err
	}
	if !slices.Contains(f.Scopes, access.ScopeOfflineAccess) {
		o.Until = v.s.Clock.Now().Add(session.OnlineGrant)
		return o, nil
	}
	for _, n := range monthsOffered {
		name := "consent.months"
		if n == 1 {
			name = "consent.month"
		}
		o.Months = append(o.Months, option{Value: strconv.Itoa(n), Text: v.t(name, n), Chosen: n == monthsUsual})
	}
	return o, nil
}

func monthsOf(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil || !slices.Contains(monthsOffered, n) {
		return 0
	}
	return n
}

// named offers those contributors that the application names, as far as the person acts for them.
func (o *offer) named(v *visit, ids []uuid.UUID) error {
	for _, id := range ids {
		c, err := v.s.Contributors.Find(v.r.Context(), *v.by, id)
		if fault.Is(err, fault.NotFound) {
			continue
		}
		if err != nil {
			return err
		}
		o.Contributors = append(o.Contributors, option{Value: id.String(), Text: c.LegalName, Chosen: true})
	}
	o.Some = true
	if len(o.Contributors) == 0 {
		o.Blocked = v.t("consent.none")
	}
	return nil
}

// choice offers all contributors for whom the person acts and, where there are few, each of them.
func (o *offer) choice(v *visit) error {
	o.All = true
	mine, err := v.s.Contributors.Mine(v.r.Context(), *v.by, contributor.Search{}, page.Request{Limit: mostNamed})
	if err != nil {
		return err
	}
	if o.Many = mine.Next != ""; o.Many {
		return nil
	}
	for _, c := range mine.Items {
		o.Contributors = append(o.Contributors, option{Value: c.ID.String(), Text: c.LegalName})
	}
	return nil
}

// scopeServices are the services that a scope is about.
var scopeServices = map[string]access.ServiceSet{
	access.ScopeDeclarations: {access.Declarations}, access.ScopeDeclarationsRead: {access.Declarations},
	access.ScopeDelegationsRead: {access.Delegations},
	access.ScopeDossier:         dossierServices, access.ScopeDossierRead: dossierServices,
}

var dossierServices = append(access.ServiceSet{access.Dossier}, access.PublicBodyServices()...)

// services offers those that the application asks for, or else those that its scopes are about, as
// far as the person's rights cover them.
func (o *offer) services(v *visit, asked access.ServiceSet) error {
	wanted := asked
	if wanted == nil {
		wanted = access.ServiceSet{}
		for _, scope := range o.Flow.Scopes {
			wanted = wanted.Union(scopeServices[scope])
		}
		if len(wanted) == 0 {
			wanted = access.ServiceSet{access.AllServices}
		}
	}
	reach, err := v.s.Reach(v.r.Context(), *v.by)
	if err != nil {
		return err
	}
	var codes []access.Service
	for _, code := range wanted.List() {
		if reach.Covers(code) {
			codes = append(codes, code)
		}
	}
	if len(codes) == 0 {
		if o.Whole = asked == nil && o.All && len(reach) > 0; !o.Whole {
			o.Blocked = v.t("consent.none")
		}
		return nil
	}
	titles, err := v.s.Titles(v.r.Context(), codes)
	if err != nil {
		return err
	}
	for i, code := range codes {
		title := titles[i].Italian
		if v.lang == problem.English {
			title = titles[i].English
		}
		o.Services = append(o.Services, option{Value: string(code), Text: title, Chosen: true})
	}
	return nil
}

// decide lets an application in, or does not.
func (v *visit) decide() error {
	ctx := v.r.Context()
	id := flowID(v.form.Get("flow"))
	f, err := v.s.Flows.Flow(ctx, id, v.browser)
	if err != nil {
		return v.flowOver(err)
	}
	v.prefer(f.Language)
	if v.form.Get("decision") == "refuse" {
		to, err := v.s.Flows.Deny(ctx, id, v.browser)
		if err != nil {
			return v.flowOver(err)
		}
		return v.leave(f, to, "refused")
	}
	if v.form.Get("decision") != "approve" {
		return fault.New(fault.Malformed)
	}
	if ok, err := v.admitted(id.String(), ""); !ok {
		return err
	}
	o, err := v.offer(f)
	if err != nil {
		return err
	}
	if o.Blocked != "" {
		return v.showOffer(http.StatusForbidden, o, nil)
	}
	choice, errs := v.readChoice(&o)
	status := http.StatusUnprocessableEntity
	if !v.fresh() {
		var refused []wrong
		if len(errs) == 0 {
			status, refused, err = v.again()
		} else if v.form.Get("pin") == "" {
			refused = []wrong{{"pin", v.t("login.pin.missing")}}
		}
		if err != nil {
			return err
		}
		errs = append(errs, refused...)
	}
	if len(errs) > 0 {
		return v.showOffer(status, o, errs)
	}
	to, err := v.s.Flows.Approve(ctx, *v.by, id, v.browser, choice)
	if f := problem.FaultOf(err); f != nil {
		switch {
		case f.Code == fault.NotFound:
			return v.flowOver(err)
		case f.Code == fault.Reauthenticate:
			return v.showOffer(http.StatusForbidden, o, []wrong{{"pin", v.t("login.pin.missing")}})
		case f.Code == fault.Invalid:
			return v.showOffer(http.StatusUnprocessableEntity, o, v.wrongChoice(f))
		}
	}
	if err != nil {
		return err
	}
	return v.leave(f, to, "approved")
}

// readChoice reads the choice out of the form, within what was offered.
func (v *visit) readChoice(o *offer) (choice oauth.Choice, errs []wrong) {
	if !o.All || v.form.Get("which") == "some" && !o.Many {
		o.Some = true
		take(o.Contributors, v.form["contributor"])
		choice.Contributors = []uuid.UUID{}
		for _, c := range o.Contributors {
			if c.Chosen {
				choice.Contributors = append(choice.Contributors, uuid.MustParse(c.Value))
			}
		}
		if len(choice.Contributors) == 0 {
			errs = append(errs, wrong{"contributors", v.t("consent.contributors.few")})
		}
	} else if v.form.Get("which") != "all" {
		errs = append(errs, wrong{"contributors", v.t("consent.contributors.few")})
	} else if v.form.Has("contributor") {
		// Whoever marked one below and left "all" above did not mean all.
		take(o.Contributors, v.form["contributor"])
		errs = append(errs, wrong{"contributors", v.t("consent.contributors.both")})
	}
	choice.Services = access.ServiceSet{access.AllServices}
	if !o.Whole {
		take(o.Services, v.form["service"])
		choice.Services = access.ServiceSet{}
		for _, s := range o.Services {
			if s.Chosen {
				choice.Services = append(choice.Services, access.Service(s.Value))
			}
		}
		if len(choice.Services) == 0 {
			errs = append(errs, wrong{"services", v.t("consent.services.few")})
		}
	}
	choice.ExpiresAt = o.Until
	if o.Months != nil {
		n := monthsOf(v.form.Get("months"))
		if n == 0 {
			errs = append(errs, wrong{"months", v.t("consent.months.none")})
		} else {
			take(o.Months, []string{strconv.Itoa(n)})
		}
		choice.ExpiresAt = calendar.AddMonths(v.s.Clock.Now(), n)
	}
	return choice, errs
}

// take marks those options that were chosen.
func take(options []option, values []string) {
	for i := range options {
		options[i].Chosen = slices.Contains(values, options[i].Value)
	}
}

// again proves by the PIN that whoever logged in is still there.
func (v *visit) again() (status int, errs []wrong, err error) {
	pin := secret.Text(v.form.Get("pin"))
	if secret.Normalise(pin) == "" {
		return http.StatusUnprocessableEntity, []wrong{{"pin", v.t("login.pin.missing")}}, nil
	}
	s, err := v.s.Sessions.Reauthenticate(v.doing(opAgain), *v.by, pin)
	if f := problem.FaultOf(err); f != nil {
		if status, errs = v.refusedPIN(opAgain, f); errs != nil {
			return status, errs, nil
		}
	}
	if err != nil {
		return 0, nil, err
	}
	return 0, nil, v.begin(s.SessionID)
}

// wrongChoice says what the service finds wrong with a choice.
func (v *visit) wrongChoice(f *fault.Fault) []wrong {
	var errs []wrong
	for _, field := range f.Fields {
		name := ""
		for _, known := range []string{"contributors", "services"} {
			if strings.HasPrefix(field.Pointer, "/"+known) {
				name = known
			}
		}
		if strings.HasPrefix(field.Pointer, "/expires_at") {
			name = "months"
		}
		errs = append(errs, wrong{name, problem.FieldText(v.lang, field.Code)})
	}
	return errs
}

// leave sends the browser back to the application, or tells who typed a device's code to go back
// to it.
//
// Browsers hold every redirect that follows a form against form-action, also those that the
// application itself makes later. So what leads to another site is a page of its own, which goes on
// by itself. Addresses with a scheme of their own lead to a program, which redirects nowhere, and
// programs are opened by redirects alone.
func (v *visit) leave(f oauth.Flow, to, done string) error {
	if to == "" {
		return v.redirect(devicePath + "?done=" + done)
	}
	u, err := url.Parse(to)
	if err != nil {
		return err
	}
	if u.Scheme != "https" && u.Scheme != "http" {
		return v.redirect(to)
	}
	v.w.Header().Set("Refresh", "0;url="+to)
	return v.show(http.StatusOK, "leave", view{
		Title: v.t("leave.title", f.Application.DisplayName), Data: struct{ To, Application, Text string }{
			to, f.Application.DisplayName, v.t("leave." + done),
		},
	})
}

var schemeForm = regexp.MustCompile(`^[a-z][a-z0-9+.-]*$`)

// answering lets the forms of a page lead to the programs of an application.
func answering(policy string, a application.Application) string {
	for _, uri := range a.RedirectURIs {
		scheme, _, _ := strings.Cut(uri, ":")
		if scheme != "https" && scheme != "http" && schemeForm.MatchString(scheme) {
			policy = strings.Replace(policy, "form-action 'self'", "form-action 'self' "+scheme+":", 1)
		}
	}
	return policy
}
