package ticket

import (
	"context"
	"regexp"

	"gorm.io/gorm/clause"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/operation"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/plaintext"
)

// TopicKind is the trail's word for a topic.
const TopicKind = "ticket_topic"

// maxTopicTitle is how long the title of a topic may be.
const maxTopicTitle = 120

// codeForm is the form of the code of a topic, or of a template; the contract says the same.
var codeForm = regexp.MustCompile(`^[a-z][a-z0-9-]{1,39}$`)

// TopicSetting is what an administrator makes of a topic.
type TopicSetting struct {
	// ParentCode is the heading below which it stands; nil for a heading. It never changes.
	ParentCode       *string
	TitleIT, TitleEN string
	// OfficeCode is that of the one office which gets all tickets on it; nil for the competent one.
	OfficeCode            *string
	Appointments, Retired bool
}

// check returns fault.Invalid naming each field that is wrong.
func (in TopicSetting) check() error {
	var wrong []fault.Field
	refuse := func(refused bool, pointer, code string) {
		if refused {
			wrong = append(wrong, fault.Field{Pointer: pointer, Code: code})
		}
	}
	refuse(!plaintext.IsLine(in.TitleIT, maxTopicTitle), "/title_it", fault.FieldPattern)
	refuse(!plaintext.IsLine(in.TitleEN, maxTopicTitle), "/title_en", fault.FieldPattern)
	refuse(in.ParentCode == nil && in.OfficeCode != nil, "/office_code", fault.FieldNotApplicable)
	refuse(in.ParentCode == nil && in.Appointments, "/appointments", fault.FieldNotApplicable)
	if len(wrong) > 0 {
		return fault.InvalidFields(wrong...)
	}
	return nil
}

// Edition counts the changes of a topic: those that come with programs and, once it was set by an
// administrator, theirs alone.
func (t Topic) Edition() int { return t.Version + t.Revision }

// Topic returns a topic as it is kept, retired ones too, or fault.NotFound.
func (s *Desk) Topic(ctx context.Context, code string) (Topic, error) {
	return s.repo.topic(ctx, code, "")
}

// CreateTopic adds a topic, at the end of those below its heading. It returns these faults:
//   - fault.Invalid: fields are wrong, office and heading among them;
//   - fault.PreconditionFailed: there is one with that code.
func (s *Desk) CreateTopic(ctx context.Context, by access.Actor, code string, in TopicSetting) (Topic, error) {
	if !codeForm.MatchString(code) {
		return Topic{}, fault.New(fault.NotFound)
	}
	return s.onTopic(ctx, by, code, in, func(ctx context.Context) (Topic, error) {
		_, err := s.repo.topic(ctx, code, "")
		if err == nil {
			return Topic{}, fault.New(fault.PreconditionFailed)
		}
		if !fault.Is(err, fault.NotFound) {
			return Topic{}, err
		}
		if in.ParentCode != nil {
			parent, err := s.repo.topic(ctx, *in.ParentCode, "")
			if fault.Is(err, fault.NotFound) || err == nil && parent.ParentCode != nil {
				err = fault.InvalidFields(fault.Field{Pointer: "/parent_code", Code: fault.FieldUnknownTopic})
			}
			if err != nil {
				return Topic{}, err
			}
		}
		place, err := s.repo.placeBelow(ctx, in.ParentCode)
		return Topic{Code: code, ParentCode: in.ParentCode, Place: place}, err
	})
}

// ReplaceTopic sets a topic of which the administrator read the expected edition. A program that
// comes with a newer version of it leaves it alone from then on. It returns these faults:
//   - fault.NotFound: there is no such topic;
//   - fault.Invalid: fields are wrong, the office among them, or the heading is another;
//   - fault.PreconditionFailed: it was changed since.
func (s *Desk) ReplaceTopic(ctx context.Context, by access.Actor, code string, expected int, in TopicSetting) (Topic, error) {
	return s.onTopic(ctx, by, code, in, func(ctx context.Context) (Topic, error) {
		t, err := s.repo.topic(ctx, code, s.run.DB.ForUpdate())
		if err == nil {
			err = fault.RequireVersion(expected, t.Edition())
		}
		if err == nil && !t.standsBelow(in.ParentCode) {
			err = fault.InvalidFields(fault.Field{Pointer: "/parent_code", Code: fault.FieldNotApplicable})
		}
		return t, err
	})
}

// standsBelow reports whether the topic is one below the heading, or with nil a heading itself.
func (t Topic) standsBelow(heading *string) bool {
	if t.ParentCode == nil || heading == nil {
		return t.ParentCode == heading
	}
	return *t.ParentCode == *heading
}

// onTopic stores what an administrator makes of a topic that before finds, or begins.
func (s *Desk) onTopic(
	ctx context.Context, by access.Actor, code string, in TopicSetting, before func(ctx context.Context) (Topic, error),
) (Topic, error) {
	if err := in.check(); err != nil {
		return Topic{}, err
	}
	return operation.Do(ctx, s.run, by, code, func(ctx context.Context, trace *operation.Trace) (Topic, error) {
		trace.Right, trace.SubjectKind = by.Office(), TopicKind
		// Two that make one topic come one after the other.
		if err := s.run.DB.LockName(ctx, "ticket topics"); err != nil {
			return Topic{}, err
		}
		t, err := before(ctx)
		if err != nil {
			return Topic{}, err
		}
		if in.OfficeCode != nil {
			exists, err := s.has(ctx, *in.OfficeCode)
			if err == nil && !exists {
				err = fault.InvalidFields(fault.Field{Pointer: "/office_code", Code: fault.FieldUnknownOffice})
			}
			if err != nil {
				return Topic{}, err
			}
		}
		t.TitleIT, t.TitleEN, t.OfficeCode, t.Appointments, t.Retired = in.TitleIT, in.TitleEN, in.OfficeCode, in.Appointments, in.Retired
		t.Revision++
		return t, s.repo.putTopic(ctx, t)
	}, nil)
}

// topic returns a topic, or fault.NotFound; lock may be empty.
func (r deskRepository) topic(ctx context.Context, code, lock string) (Topic, error) {
	var t Topic
	err := r.db.From(ctx).Raw("SELECT "+db.Columns[Topic]("")+" FROM ticket_topics WHERE code = ?"+lock, code).Take(&t).Error
	return t, notFound(err)
}

// placeBelow is the place of the last topic below a heading, or of the last of all. What comes at
// the same place comes after it by its code.
func (r deskRepository) placeBelow(ctx context.Context, parent *string) (int, error) {
	query, args := "SELECT COALESCE(MAX(place), 0) FROM ticket_topics", []any{}
	if parent != nil {
		query, args = query+" WHERE code = ? OR parent_code = ?", []any{*parent, *parent}
	}
	var place int
	err := r.db.From(ctx).Raw(query, args...).Scan(&place).Error
	return place, err
}

func (r deskRepository) putTopic(ctx context.Context, t Topic) error {
	return r.db.From(ctx).Clauses(clause.OnConflict{
		Columns: []clause.Column{{Name: "code"}},
		DoUpdates: clause.AssignmentColumns([]string{
			"revision", "title_it", "title_en", "office_code", "appointments", "retired",
		}),
	}).Create(&t).Error
}
