package pinrequest

import (
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"diresco/internal/identity/person"
	"diresco/internal/identity/pin"
	"diresco/internal/kernel/outbox"
	"diresco/internal/masterdata/residents"
	"diresco/internal/platform/fault"
)

// destinations are where both halves of a PIN go.
type destinations struct {
	first, second pin.Half
	// declared says that the first half goes to a contact of the request.
	declared bool
}

// destinations decides where both halves of a PIN go (INPS PIN rules). Where nobody knows the
// person, they go where the request says. A letter to somebody in the register goes to the
// residence that it has, never to a flat or a person that the request adds. Where the request
// agrees with the register, the other half goes where the request says. Else anybody could have
// written it, and the person must be reached:
//   - a half goes to a contact of the request only for who was never registered here, whose other
//     half is that letter;
//   - everybody else has it at verified contacts;
//   - a residence that an import brought lately gets no letter, and agreeing with it proves nothing.
//
// own are the contacts of the person. It returns fault.Conflict for who has too few that are
// verified: they turn to a counter.
func (s situation) destinations(r Request, own []person.Contact, now time.Time) (destinations, error) {
	first, second := r.declared()
	unknown, moved := s.person.ID == uuid.Nil, s.registered && s.entry.RecentlyMoved(now)
	if s.registered {
		second = letterTo(s.entry.Identity)
		if !moved && len(residents.Match(s.entry, r.Identity)) == 0 {
			return destinations{first, second, true}, nil
		}
	}
	if unknown && !moved {
		return destinations{first, second, true}, nil
	}
	var good []pin.Half
	for _, kind := range preferred {
		if i := slices.IndexFunc(own, func(c person.Contact) bool { return c.Kind == kind && c.Recovers(now) }); i >= 0 {
			good = append(good, pin.Half{Channel: kind.Channel(), To: own[i].Value})
		}
	}
	if s.registered && !moved {
		good = append(good, second)
	}
	if len(good) < 2 {
		return destinations{}, fault.Because(fault.Conflict, "counter-needed")
	}
	return destinations{first: good[0], second: good[len(good)-1]}, nil
}

// declared returns where both halves go by the request alone. The first goes to the mobile, else
// the e-mail address, else the PEC; the second by letter to the residence.
func (r Request) declared() (first, second pin.Half) {
	for _, kind := range preferred {
		if i := slices.IndexFunc(r.Contacts, func(c Contact) bool { return c.Kind == kind }); i >= 0 {
			first = pin.Half{Channel: kind.Channel(), To: r.Contacts[i].Value}
			break
		}
	}
	return first, letterTo(r.Identity)
}

func letterTo(who residents.Identity) pin.Half {
	address := []string{
		who.GivenName + " " + who.FamilyName, who.Street, strings.Join([]string{who.PostalCode, who.Town, who.Province}, " "),
	}
	return pin.Half{Channel: outbox.Letter, To: strings.Join(address, "\n")}
}

// sentTo returns the request with where both halves went.
func (r Request) sentTo(d destinations) Request {
	r.FirstChannel, r.FirstTo = &d.first.Channel, &d.first.To
	r.SecondChannel, r.SecondTo = &d.second.Channel, &d.second.To
	return r
}

// halves returns where both halves went.
func (r Request) halves() (first, second pin.Half) {
	if r.FirstChannel == nil || r.FirstTo == nil || r.SecondChannel == nil || r.SecondTo == nil {
		return r.declared()
	}
	return pin.Half{Channel: *r.FirstChannel, To: *r.FirstTo}, pin.Half{Channel: *r.SecondChannel, To: *r.SecondTo}
}
