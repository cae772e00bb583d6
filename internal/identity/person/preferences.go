package person

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm/clause"

	"diresco/internal/kernel/access"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
	"diresco/internal/platform/fault"
)

// Languages in which a person can be told; the first is for who never chose.
var languages = []string{"it", "en"}

// Preferences are how a person wants to be told.
type Preferences struct {
	PersonID uuid.UUID
	// Language is "it" or "en".
	Language string
	// PreferredChannel is tried before the others; nil for no preference. It is never a letter.
	PreferredChannel *outbox.Channel
	Muted            []outbox.Category `gorm:"serializer:json"`
	// Version counts the changes; it is 1 for who never chose.
	Version   int
	UpdatedAt time.Time `gorm:"autoUpdateTime:false"`
}

// TableName tells GORM the table.
func (Preferences) TableName() string { return "notification_preferences" }

// Mutes reports whether the person does not want messages of the category.
func (p Preferences) Mutes(c outbox.Category) bool { return slices.Contains(p.Muted, c) }

// check returns fault.Invalid with the fields that are wrong. A preferred channel leads to a
// verified contact.
func (p Preferences) check(has []Contact) error {
	var wrong []fault.Field
	if !slices.Contains(languages, p.Language) {
		wrong = append(wrong, fault.Field{Pointer: "/language", Code: fault.FieldEnum})
	}
	if c := p.PreferredChannel; c != nil {
		switch {
		case !slices.Contains([]outbox.Channel{outbox.Email, outbox.PEC, outbox.SMS}, *c):
			wrong = append(wrong, fault.Field{Pointer: "/preferred_channel", Code: fault.FieldEnum})
		case !slices.ContainsFunc(has, func(h Contact) bool { return h.Kind.Channel() == *c && h.State() == Verified }):
			wrong = append(wrong, fault.Field{Pointer: "/preferred_channel", Code: fault.FieldNoVerifiedContact})
		}
	}
	for i, m := range p.Muted {
		switch {
		case m != outbox.AboutDeclarations && m != outbox.Reminders:
			wrong = append(wrong, fault.Field{Pointer: "/muted/" + strconv.Itoa(i), Code: fault.FieldEnum})
		case slices.Contains(p.Muted[:i], m):
			wrong = append(wrong, fault.Field{Pointer: "/muted/" + strconv.Itoa(i), Code: fault.FieldDuplicate})
		}
	}
	if len(wrong) > 0 {
		return fault.InvalidFields(wrong...)
	}
	return nil
}

// Preferences returns how a person wants to be told. Whoever never chose is told in Italian, by any
// channel, of everything.
func (s *Service) Preferences(ctx context.Context, personID uuid.UUID) (Preferences, error) {
	return s.repo.preferences(ctx, personID)
}

// ReplacePreferences replaces the actor's preferences, of which they read the expected version. It
// returns fault.PreconditionFailed when they changed since, and fault.Invalid for wrong fields.
func (s *Service) ReplacePreferences(ctx context.Context, by access.Actor, expected int, in Preferences) (Preferences, error) {
	return operation.Do(ctx, s.run, by, by.PersonID.String(), func(ctx context.Context, trace *operation.Trace) (Preferences, error) {
		trace.SubjectKind = "notification-preferences"
		return s.replacePreferences(ctx, by.PersonID, expected, in)
	}, nil)
}

func (s *Service) replacePreferences(ctx context.Context, personID uuid.UUID, expected int, in Preferences) (Preferences, error) {
	if _, err := s.repo.lock(ctx, personID); err != nil {
		return Preferences{}, err
	}
	before, err := s.repo.preferences(ctx, personID)
	if err != nil {
		return Preferences{}, err
	}
	if err := fault.RequireVersion(expected, before.Version); err != nil {
		return Preferences{}, err
	}
	has, err := s.repo.contacts(ctx, personID)
	if err != nil {
		return Preferences{}, err
	}
	if err := in.check(has); err != nil {
		return Preferences{}, err
	}
	in.PersonID, in.Version, in.UpdatedAt = personID, before.Version+1, s.run.Clock.Now()
	if in.Muted == nil {
		in.Muted = []outbox.Category{}
	}
	return in, s.repo.putPreferences(ctx, in)
}

// preferences returns a person's preferences or the defaults.
func (r repository) preferences(ctx context.Context, personID uuid.UUID) (Preferences, error) {
	var found []Preferences
	err := r.db.From(ctx).Where("person_id = ?", personID).Find(&found).Error
	if err != nil || len(found) == 0 {
		return Preferences{PersonID: personID, Language: languages[0], Muted: []outbox.Category{}, Version: 1}, err
	}
	return found[0], nil
}

// putPreferences writes preferences over those that the person had.
func (r repository) putPreferences(ctx context.Context, p Preferences) error {
	return r.db.From(ctx).Clauses(clause.OnConflict{
		Columns:   []clause.Column{{Name: "person_id"}},
		DoUpdates: clause.AssignmentColumns([]string{"language", "preferred_channel", "muted", "version", "updated_at"}),
	}).Create(&p).Error
}
