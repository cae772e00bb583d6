package ticket

import (
	"context"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/operation"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/platform/plaintext"
)

// TemplateKind is the trail's word for a ready-made answer.
const TemplateKind = "reply_template"

const (
	// mostTemplates is how many ready-made answers an office keeps.
	mostTemplates    = 200
	maxTemplateTitle = 120
)

// Template is a ready-made answer (risposta predefinita) of an office.
type Template struct {
	OfficeCode string `gorm:"primaryKey"`
	Code       string `gorm:"primaryKey"`
	Title      string
	Text       string
	// Topic is for which topic it is meant; nil for any.
	Topic     *string
	Version   int
	UpdatedAt time.Time
	UpdatedBy uuid.UUID
}

// TableName tells GORM the table.
func (Template) TableName() string { return "reply_templates" }

// NewTemplate is what an operator writes into a ready-made answer.
type NewTemplate struct {
	Title, Text string
	// Topic is "" for any.
	Topic string
}

// check returns fault.Invalid naming each field that is wrong.
func (in NewTemplate) check() error {
	var wrong []fault.Field
	if !plaintext.IsLine(in.Title, maxTemplateTitle) {
		wrong = append(wrong, fault.Field{Pointer: "/title", Code: fault.FieldPattern})
	}
	if !plaintext.IsText(in.Text, maxComment) {
		wrong = append(wrong, fault.Field{Pointer: "/text", Code: fault.FieldPattern})
	}
	if len(wrong) > 0 {
		return fault.InvalidFields(wrong...)
	}
	return nil
}

// Templates lists the ready-made answers of the operator's office, by code. With a topic it is
// those for that one and those for any.
func (s *Desk) Templates(ctx context.Context, by access.Actor, topic string, request page.Request) (page.Page[Template], error) {
	all, err := s.repo.templates(ctx, by.OfficeCode, topic)
	if err != nil {
		return page.Page[Template]{}, err
	}
	return page.Slice(all, request, func(t Template) page.Key { return page.Key{Text: t.Code, ID: uuid.NameSpaceOID} })
}

// Template returns a ready-made answer of the operator's office, or fault.NotFound.
func (s *Desk) Template(ctx context.Context, by access.Actor, code string) (Template, error) {
	return s.repo.template(ctx, by.OfficeCode, code, "")
}

// CreateTemplate makes a ready-made answer. It returns these faults:
//   - fault.Invalid: fields are wrong, the topic among them;
//   - fault.PreconditionFailed: the office has one with that code;
//   - fault.Conflict: the office has too many.
func (s *Desk) CreateTemplate(ctx context.Context, by access.Actor, code string, in NewTemplate) (Template, error) {
	if !codeForm.MatchString(code) {
		return Template{}, fault.New(fault.NotFound)
	}
	return s.write(ctx, by, code, in, func(ctx context.Context) (Template, error) {
		before, err := s.repo.templates(ctx, by.OfficeCode, "")
		if err != nil {
			return Template{}, err
		}
		for _, t := range before {
			if t.Code == code {
				return Template{}, fault.New(fault.PreconditionFailed)
			}
		}
		if len(before) >= mostTemplates {
			return Template{}, fault.Because(fault.Conflict, "too-many-templates")
		}
		return Template{}, nil
	})
}

// ReplaceTemplate writes a ready-made answer of which the operator read the expected version. It
// returns these faults:
//   - fault.NotFound: the office has none with that code;
//   - fault.Invalid: fields are wrong, the topic among them;
//   - fault.PreconditionFailed: somebody wrote it since.
func (s *Desk) ReplaceTemplate(ctx context.Context, by access.Actor, code string, expected int, in NewTemplate) (Template, error) {
	return s.write(ctx, by, code, in, func(ctx context.Context) (Template, error) {
		before, err := s.repo.template(ctx, by.OfficeCode, code, s.run.DB.ForUpdate())
		if err == nil {
			err = fault.RequireVersion(expected, before.Version)
		}
		return before, err
	})
}

// write stores a ready-made answer over the one that find finds, which has no version where there
// is none. A topic that it had may be retired.
func (s *Desk) write(
	ctx context.Context, by access.Actor, code string, in NewTemplate, find func(ctx context.Context) (Template, error),
) (Template, error) {
	if err := in.check(); err != nil {
		return Template{}, err
	}
	return s.onTemplate(ctx, by, code, func(ctx context.Context) (Template, error) {
		before, err := find(ctx)
		if err != nil {
			return Template{}, err
		}
		t := Template{
			OfficeCode: by.OfficeCode, Code: code, Title: in.Title, Text: in.Text, Version: before.Version + 1,
			UpdatedAt: s.run.Clock.Now(), UpdatedBy: by.PersonID,
		}
		switch {
		case in.Topic == "":
		case before.Topic != nil && *before.Topic == in.Topic:
			t.Topic = before.Topic
		default:
			topic, err := s.tickets.topics.Choose(ctx, in.Topic)
			if err != nil {
				return Template{}, err
			}
			t.Topic = &topic.Code
		}
		return t, s.repo.putTemplate(ctx, t)
	})
}

// RemoveTemplate removes a ready-made answer of which the operator read the expected version. It
// returns fault.NotFound, and fault.PreconditionFailed where somebody wrote it since.
func (s *Desk) RemoveTemplate(ctx context.Context, by access.Actor, code string, expected int) error {
	_, err := s.onTemplate(ctx, by, code, func(ctx context.Context) (Template, error) {
		t, err := s.repo.template(ctx, by.OfficeCode, code, s.run.DB.ForUpdate())
		if err == nil {
			err = fault.RequireVersion(expected, t.Version)
		}
		if err != nil {
			return t, err
		}
		return t, s.repo.dropTemplate(ctx, t)
	})
	return err
}

// onTemplate runs what is done with a ready-made answer of the operator's office. What one office
// does with its own comes one after the other.
func (s *Desk) onTemplate(
	ctx context.Context, by access.Actor, code string, effect func(ctx context.Context) (Template, error),
) (Template, error) {
	return operation.Do(ctx, s.run, by, by.OfficeCode+"/"+code, func(ctx context.Context, trace *operation.Trace) (Template, error) {
		trace.Right, trace.SubjectKind = by.Office(), TemplateKind
		if err := s.run.DB.LockName(ctx, "reply templates of "+by.OfficeCode); err != nil {
			return Template{}, err
		}
		return effect(ctx)
	}, nil)
}

// templates lists an office's ready-made answers by code; topic "" stands for all.
func (r deskRepository) templates(ctx context.Context, office, topic string) ([]Template, error) {
	query, args := "SELECT "+db.Columns[Template]("")+" FROM reply_templates WHERE office_code = ?", []any{office}
	if topic != "" {
		query, args = query+" AND (topic IS NULL OR topic = ?)", append(args, topic)
	}
	var all []Template
	err := r.db.From(ctx).Raw(query+" ORDER BY code", args...).Scan(&all).Error
	return all, err
}

// template returns an office's ready-made answer, or fault.NotFound; lock may be empty.
func (r deskRepository) template(ctx context.Context, office, code, lock string) (Template, error) {
	var t Template
	err := r.db.From(ctx).Raw(
		"SELECT "+db.Columns[Template]("")+" FROM reply_templates WHERE office_code = ? AND code = ?"+lock, office, code,
	).Take(&t).Error
	return t, notFound(err)
}

func (r deskRepository) putTemplate(ctx context.Context, t Template) error {
	return db.InsertOver(ctx, r.db, []Template{t}, `ON CONFLICT (office_code, code) DO UPDATE SET title = excluded.title,
		text = excluded.text, topic = excluded.topic, version = excluded.version, updated_at = excluded.updated_at,
		updated_by = excluded.updated_by`)
}

func (r deskRepository) dropTemplate(ctx context.Context, t Template) error {
	return r.db.From(ctx).Exec("DELETE FROM reply_templates WHERE office_code = ? AND code = ?", t.OfficeCode, t.Code).Error
}
