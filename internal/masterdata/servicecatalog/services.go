// Package servicecatalog has the services (servizi), their channels (canali) and everybody's menu
// of them (menu dinamico).
//
// A service is data: a new one needs no new program.
package servicecatalog

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/masterdata/intermediary"
	"diresco/internal/platform/fault"
)

// Service is something that can be done with the system.
type Service struct {
	Code string `json:"code"`
	// Version counts the changes of what the program ships.
	Version int    `json:"version"`
	TitleIT string `json:"title_it"`
	TitleEN string `json:"title_en"`
	// Section is where it stands in the menu.
	Section  string   `json:"section"`
	Audience Audience `json:"audience"`
	// RightService is the service that a right must cover; empty where any right does, or none is
	// needed.
	RightService access.Service `json:"right_service,omitempty"`
	Links        []Link         `json:"links"`
	Channels     []Channel      `json:"channels"`
}

// Audience is for whom a service is. An empty list stands for all.
type Audience struct {
	Classes []access.UserClass `json:"classes,omitempty"`
	// Kinds are those of contributors, and Schemes those of positions.
	Kinds   []string `json:"kinds,omitempty"`
	Schemes []string `json:"schemes,omitempty"`
	// ActingAs are the rights by which the service is used. Without any it is used by those that
	// are about services, which an operator's and a user administrator's are not.
	ActingAs []access.ActingAs `json:"acting_as,omitempty"`
	// Capabilities are what lets people of an intermediary use the service without a right over a
	// contributor. With them alone no such right opens it.
	Capabilities []Capability `json:"seats,omitempty"`
}

// Capability is something that people of an intermediary may do for it. A firm (studio associato)
// is nobody's delegate, so nobody does anything for it.
type Capability string

// What people of intermediaries may do.
const (
	// SeesDelegations is for the professional, and people with a role that covers the service at an
	// organisation.
	SeesDelegations Capability = "sees_delegations"
	// DraftsDelegations is for the same people, while the intermediary is on its register.
	DraftsDelegations Capability = "drafts_delegations"
	// ManagesUsers is for who gives roles at an organisation.
	ManagesUsers Capability = "manages_users"
)

// of reports whether the membership at an intermediary is one that lets its holder do this.
func (s Capability) of(held access.Membership) bool {
	sees := held.ActingAs != access.UserAdministrator && held.Covers(access.Delegations)
	switch {
	case held.Kind == string(intermediary.Firm):
		return false
	case s == ManagesUsers:
		return held.ActingAs == access.LegalRepresentative || held.ActingAs == access.UserAdministrator
	default:
		return s == SeesDelegations && sees || s == DraftsDelegations && sees && held.Listed
	}
}

// Link is one thing that can be done with a service. {contributor_id} and {position_id} in Href
// stand for what is chosen, and other names in braces for what the caller knows.
type Link struct {
	Rel    string `json:"rel"`
	Href   string `json:"href"`
	Method string `json:"method"`
	// Audience is for whom the link is; nil for all who may use the service.
	Audience *Audience `json:"audience,omitempty"`
}

// Channel is a way to use a service: from OpensAt on, or always; until before ClosesAt, or for
// ever.
type Channel struct {
	Channel  string     `json:"channel"`
	OpensAt  *time.Time `json:"opens_at,omitempty"`
	ClosesAt *time.Time `json:"closes_at,omitempty"`
	Href     string     `json:"href"`
}

// OpenAt reports whether the channel is open at an instant.
func (c Channel) OpenAt(now time.Time) bool {
	return (c.OpensAt == nil || !now.Before(*c.OpensAt)) && (c.ClosesAt == nil || now.Before(*c.ClosesAt))
}

// View is a service as it stands at one instant.
type View struct {
	Service
	// Channels are those of the service.
	Channels []ChannelView
}

// ChannelView is a channel as it stands at one instant.
type ChannelView struct {
	Code              string
	OpensAt, ClosesAt *time.Time
	Open              bool
	// Href is where it leads; nil while it is closed.
	Href *string
}

// at is the service as it stands at an instant.
func (s Service) at(now time.Time) View {
	view := View{Service: s, Channels: make([]ChannelView, len(s.Channels))}
	for i, c := range s.Channels {
		view.Channels[i] = c.at(now)
	}
	return view
}

// at is the channel as it stands at an instant.
func (c Channel) at(now time.Time) ChannelView {
	view := ChannelView{Code: c.Channel, OpensAt: c.OpensAt, ClosesAt: c.ClosesAt, Open: c.OpenAt(now)}
	if view.Open {
		view.Href = &c.Href
	}
	return view
}

// Title is what the service is called, in Italian or English.
func (s Service) Title(english bool) string {
	if english {
		return s.TitleEN
	}
	return s.TitleIT
}

// open reports whether any channel of the service is.
func (s Service) open(now time.Time) bool {
	return slices.ContainsFunc(s.Channels, func(c Channel) bool { return c.OpenAt(now) })
}

// openChannel returns the channel with the code, if it is open. It returns fault.NotFound for one
// that the service does not have, and fault.ChannelClosed for one that is not open now, with where
// to go instead.
func (s Service) openChannel(code string, now time.Time) (Channel, error) {
	i := slices.IndexFunc(s.Channels, func(c Channel) bool { return c.Channel == code })
	if i < 0 {
		return Channel{}, fault.New(fault.NotFound)
	}
	c := s.Channels[i]
	if c.OpenAt(now) {
		return c, nil
	}
	closed := fault.Because(fault.ChannelClosed, "channel-over")
	if c.OpensAt != nil && now.Before(*c.OpensAt) {
		closed.Reason = "channel-not-yet-open"
	}
	if i := slices.IndexFunc(s.Channels, func(c Channel) bool { return c.OpenAt(now) }); i >= 0 {
		closed.Href = channelPath(s.Code, s.Channels[i].Channel)
	}
	return Channel{}, closed
}

func channelPath(service, channel string) string {
	return "/v1/services/" + service + "/channels/" + channel
}

// place is where somebody has a right. It is contributors of a kind and, where one was chosen, the
// scheme of the position.
type place struct {
	kind, scheme string
	right        access.Right
}

// user is who looks at the menu, with all that opens services to them.
type user struct {
	class access.UserClass
	// chosen says that it is the menu of a contributor, for which only the rights over that count.
	chosen      bool
	places      []place
	memberships []access.Membership
}

// includes reports whether the user is one of the audience. The right is the service that a right
// must cover, if any.
func (a Audience) includes(u user, right access.Service) bool {
	switch {
	case !includes(a.Classes, u.class):
		return false
	case right == "" && len(a.ActingAs) == 0 && len(a.Capabilities) == 0:
		// It is about nobody but who uses it.
		return !u.chosen
	case slices.ContainsFunc(a.Capabilities, func(s Capability) bool { return slices.ContainsFunc(u.memberships, s.of) }):
		return true
	}
	return slices.ContainsFunc(u.places, func(p place) bool { return a.at(p, right) })
}

// at reports whether the right at the place makes its holder one of the audience.
func (a Audience) at(p place, right access.Service) bool {
	switch {
	case len(a.ActingAs) == 0 && len(a.Capabilities) > 0, !includes(a.Kinds, p.kind), p.scheme != "" && !includes(a.Schemes, p.scheme):
		return false
	case len(a.ActingAs) == 0 && (p.right.ActingAs == access.OfficeOperator || p.right.ActingAs == access.UserAdministrator),
		!includes(a.ActingAs, p.right.ActingAs):
		return false
	}
	return right == "" || p.right.Covers(right)
}

// forUser returns the service with the links that are the user's, and false where the service is
// not.
func (s Service) forUser(u user) (Service, bool) {
	s.Links = slices.DeleteFunc(slices.Clone(s.Links), func(l Link) bool {
		return l.Audience != nil && !l.Audience.includes(u, s.RightService)
	})
	return s, s.Audience.includes(u, s.RightService)
}

func includes[T comparable](list []T, item T) bool {
	return len(list) == 0 || slices.Contains(list, item)
}

// leadingTo returns the service with links that lead to what was chosen.
func (s Service) leadingTo(contributorID, positionID *uuid.UUID) Service {
	var pairs []string
	if contributorID != nil {
		pairs = append(pairs, "{contributor_id}", contributorID.String())
	}
	if positionID != nil {
		pairs = append(pairs, "{position_id}", positionID.String())
	}
	chosen := strings.NewReplacer(pairs...)
	s.Links = slices.Clone(s.Links)
	for i := range s.Links {
		s.Links[i].Href = chosen.Replace(s.Links[i].Href)
	}
	return s
}

func bySectionAndTitle(english bool) func(a, b Service) int {
	return func(a, b Service) int {
		return cmp.Or(cmp.Compare(a.Section, b.Section), cmp.Compare(a.Title(english), b.Title(english)), cmp.Compare(a.Code, b.Code))
	}
}

// Entry is how a person arranged one service.
type Entry struct {
	ServiceCode string         `json:"service_code"`
	Pinned      bool           `json:"pinned"`
	Settings    map[string]any `json:"settings"`
}

// Menu is how a person arranged the services. Version is Unarranged for who never did.
type Menu struct {
	PersonID  uuid.UUID
	Entries   []Entry `gorm:"serializer:json"`
	Version   int
	UpdatedAt time.Time `gorm:"autoUpdateTime:false"`
}

// Unarranged is the version of the menu of who never arranged it.
const Unarranged = 1

// TableName tells GORM the table.
func (Menu) TableName() string { return "menus" }

const (
	maxEntries      = 100
	maxSettings     = 10
	maxSettingName  = 100
	maxSettingValue = 500
)

// checkEntries returns fault.Invalid with what is wrong; known are the codes of all services that
// ever were.
func checkEntries(entries []Entry, known map[string]bool) error {
	var wrong []fault.Field
	refuse := func(pointer, code string) { wrong = append(wrong, fault.Field{Pointer: pointer, Code: code}) }
	if len(entries) > maxEntries {
		refuse("/entries", fault.FieldTooMany)
	}
	seen := map[string]bool{}
	for i, e := range entries {
		pointer := "/entries/" + strconv.Itoa(i)
		switch {
		case !known[e.ServiceCode]:
			refuse(pointer+"/service_code", fault.FieldUnknownService)
		case seen[e.ServiceCode]:
			refuse(pointer+"/service_code", fault.FieldDuplicate)
		}
		seen[e.ServiceCode] = true
		pointer += "/settings"
		if len(e.Settings) > maxSettings {
			refuse(pointer, fault.FieldTooMany)
			continue
		}
		for name, setting := range e.Settings {
			if utf8.RuneCountInString(name) > maxSettingName {
				refuse(pointer, fault.FieldTooLong)
				continue
			}
			at := pointer + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
			if text, ok := setting.(string); !ok {
				refuse(at, fault.FieldType)
			} else if utf8.RuneCountInString(text) > maxSettingValue {
				refuse(at, fault.FieldTooLong)
			}
		}
	}
	if len(wrong) > 0 {
		slices.SortStableFunc(wrong, func(a, b fault.Field) int { return cmp.Compare(a.Pointer, b.Pointer) })
		return fault.InvalidFields(wrong...)
	}
	return nil
}

// Mine is a service in somebody's menu.
type Mine struct {
	View
	Pinned bool
	// Order is its place, from 1 on.
	Order    int
	Settings map[string]any
}

// arrange puts services in the order of the menu. What is pinned comes first, then what else was
// arranged, both in the order of the entries; the rest follows by section and title. Each is as it
// stands at the instant.
func (m Menu) arrange(offered []Service, english bool, now time.Time) []Mine {
	slices.SortFunc(offered, bySectionAndTitle(english))
	list := make([]Mine, len(offered))
	rank := func(s Service) int {
		i := slices.IndexFunc(m.Entries, func(e Entry) bool { return e.ServiceCode == s.Code })
		switch {
		case i < 0:
			return 2 * maxEntries
		case m.Entries[i].Pinned:
			return i
		default:
			return maxEntries + i
		}
	}
	slices.SortStableFunc(offered, func(a, b Service) int { return cmp.Compare(rank(a), rank(b)) })
	for i, s := range offered {
		list[i] = Mine{View: s.at(now), Order: i + 1}
		if at := rank(s) % maxEntries; rank(s) < 2*maxEntries {
			list[i].Pinned, list[i].Settings = m.Entries[at].Pinned, m.Entries[at].Settings
		}
	}
	return list
}
