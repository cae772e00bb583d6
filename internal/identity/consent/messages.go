package consent

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/kernel/outbox"
)

// The kinds of messages about consents. Their data name the application and instants.
var (
	// givenKind tells the giver, on every contact: somebody else may have been at their screen.
	givenKind = outbox.Declare(outbox.Kind{Name: "consent.given", Audience: outbox.EveryContact})
	// coveredKind tells who answers for a contributor that somebody else's consent names, or that took
	// itself out of an earlier one and is covered again by one about all.
	coveredKind = outbox.Declare(outbox.Kind{Name: "consent.covered"})
	// excludedKind tells the giver that a contributor took itself out of a consent.
	excludedKind = outbox.Declare(outbox.Kind{Name: "consent.excluded"})
	// endedKind tells the giver that consents have ended.
	endedKind = outbox.Declare(outbox.Kind{Name: "consent.ended"})
	// reminderKind tells the giver that a consent will end.
	reminderKind = outbox.Declare(outbox.Kind{Name: "consent.reminder", Mute: outbox.Reminders})
)

// data is what messages about a consent are made of.
func (v View) data() map[string]string {
	count := ""
	if !v.EveryContributor {
		count = strconv.Itoa(len(v.Contributors))
	}
	return map[string]string{
		"application": v.DisplayName, "contributors": count, "at": v.GivenAt.Format(time.RFC3339Nano),
		"until": v.ExpiresAt.Format(time.RFC3339Nano),
	}
}

// tellGiven promises the messages about a consent that the actor gave.
func (s *Service) tellGiven(ctx context.Context, by access.Actor, id uuid.UUID) error {
	v, err := s.ByID(ctx, id)
	if err != nil {
		return err
	}
	m, err := outbox.NewMessage(givenKind, v.PersonID, v.data(), v.GivenAt)
	if err != nil {
		return err
	}
	messages := []outbox.Message{m}
	covered := v.Contributors
	if v.EveryContributor {
		if covered, err = s.coveredAgain(ctx, by, v); err != nil {
			return err
		}
	}
	for some := range slices.Chunk(covered, toldAtOnce) {
		ids := make([]uuid.UUID, len(some))
		for i, c := range some {
			ids[i] = c.ID
		}
		principals, err := s.contributors.Principals(ctx, ids)
		if err != nil {
			return err
		}
		for _, c := range some {
			others := slices.DeleteFunc(principals[c.ID], func(id uuid.UUID) bool { return id == v.PersonID })
			data := v.data()
			data["contributor"], data["person"] = c.LegalName, v.GivenName+" "+v.FamilyName
			told, err := outbox.NewMessages(coveredKind, others, data, v.GivenAt)
			if err != nil {
				return err
			}
			messages = append(messages, told...)
		}
	}
	return s.outbox.Add(ctx, messages...)
}

// toldAtOnce is of how many contributors one statement asks who answers for them.
const toldAtOnce = 500

// coveredAgain returns the contributors that took themselves out of an earlier consent of the actor
// for the same application, and that one about all is about again.
func (s *Service) coveredAgain(ctx context.Context, by access.Actor, v View) ([]Contributor, error) {
	gone, err := s.repo.excludedBefore(ctx, v)
	if err != nil {
		return nil, err
	}
	var again []Contributor
	for some := range slices.Chunk(gone, toldAtOnce) {
		ids := make([]uuid.UUID, len(some))
		for i, c := range some {
			ids[i] = c.ID
		}
		rights, err := s.rights.Rights(ctx, by, ids)
		if err != nil {
			return nil, err
		}
		again = append(again, slices.DeleteFunc(some, func(c Contributor) bool { return len(rights[c.ID]) == 0 })...)
	}
	return again, nil
}

// tellExcluded promises the giver of a consent a message that a contributor is out of it.
func (s *Service) tellExcluded(ctx context.Context, id, contributorID uuid.UUID) error {
	v, err := s.ByID(ctx, id)
	if err != nil {
		return err
	}
	name, err := s.repo.legalName(ctx, contributorID)
	if err != nil {
		return err
	}
	now := s.run.Clock.Now()
	m, err := outbox.NewMessage(excludedKind, v.PersonID, map[string]string{
		"application": v.DisplayName, "contributor": name, "at": now.Format(time.RFC3339Nano),
	}, now)
	if err != nil {
		return err
	}
	return s.outbox.Add(ctx, m)
}

// tellEnded promises one message to each of those whose consents have ended, however many these
// are.
func (s *Service) tellEnded(ctx context.Context, reason string, at time.Time, consents []uuid.UUID) error {
	names, err := s.repo.names(ctx, consents)
	if err != nil {
		return err
	}
	var messages []outbox.Message
	for _, personID := range slices.SortedFunc(maps.Keys(names), func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) }) {
		m, err := outbox.NewMessage(endedKind, personID, endedData(names[personID], reason, at), at)
		if err != nil {
			return err
		}
		messages = append(messages, m)
	}
	return s.outbox.Add(ctx, messages...)
}

// applicationsToldMost is how many applications a message names.
const applicationsToldMost = 10

func endedData(applications []string, reason string, at time.Time) map[string]any {
	data := map[string]any{
		"applications": strings.Join(applications[:min(len(applications), applicationsToldMost)], ", "), "reason": reason,
		"at": at.Format(time.RFC3339Nano),
	}
	if more := len(applications) - applicationsToldMost; more > 0 {
		data["more"] = more
	}
	return data
}
