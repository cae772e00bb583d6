package ticket

import (
	"bytes"
	"context"
	_ "embed" // for the file
	"encoding/json"
	"errors"
	"io"

	"github.com/google/uuid"
	"gorm.io/gorm/clause"

	"diresco/db"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
)

// Topic is what a ticket may be about. Topics are a tree of two levels: headings, and what is
// chosen below them.
type Topic struct {
	Code    string `json:"code"    gorm:"primaryKey"`
	Version int    `json:"version"`
	// ParentCode is that of the heading; nil for a heading.
	ParentCode *string `json:"parent_code"`
	// Place is where it stands among all.
	Place   int    `json:"place"`
	TitleIT string `json:"title_it" gorm:"column:title_it"`
	TitleEN string `json:"title_en" gorm:"column:title_en"`
	// OfficeCode is that of the one office which has all tickets on the topic; nil where the office
	// of the position has them.
	OfficeCode *string `json:"office_code"`
	// Appointments says that an appointment on it may be booked without a ticket.
	Appointments bool `json:"appointments"`
	// Revision counts how often an administrator set it, Retired says that it is offered no more.
	Revision int  `json:"-"`
	Retired  bool `json:"-"`
}

// TableName tells GORM the table.
func (Topic) TableName() string { return "ticket_topics" }

// Title is what the topic is called, in English or in Italian.
func (t Topic) Title(english bool) string {
	if english {
		return t.TitleEN
	}
	return t.TitleIT
}

// Offered is a condition on topics in SQL. It leaves out what is retired, and what stands below a
// heading that is.
const Offered = "NOT retired AND (parent_code IS NULL OR NOT EXISTS (SELECT 1 FROM ticket_topics h WHERE h.code = " +
	"ticket_topics.parent_code AND h.retired))"

// everChosen is a condition on topics in SQL. It leaves out headings alone: what was chosen once may be
// retired since.
const everChosen = "parent_code IS NOT NULL"

// Topics knows the topics of this installation.
type Topics struct{ db *db.DB }

// NewTopics returns what knows the topics.
func NewTopics(d *db.DB) *Topics { return &Topics{db: d} }

//go:embed topics.json
var shipped []byte

// ShippedTopics returns the topics that come with the program. The error is that of a malformed
// file, so a test of this package is enough to rule it out.
func ShippedTopics() ([]Topic, error) {
	var all []Topic
	decoder := json.NewDecoder(bytes.NewReader(shipped))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&all); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("text after the JSON value")
	}
	return all, nil
}

// Install brings the topics that come with the program into the context's transaction. It adds
// those that are not there yet, and newer versions of those that are. What an administrator has set
// stays as it is.
func (t *Topics) Install(ctx context.Context) error {
	all, err := ShippedTopics()
	if err != nil {
		return err
	}
	return t.db.From(ctx).Clauses(clause.OnConflict{
		Columns: []clause.Column{{Name: "code"}},
		DoUpdates: clause.AssignmentColumns([]string{
			"version", "parent_code", "place", "title_it", "title_en", "office_code", "appointments",
		}),
		Where: clause.Where{Exprs: []clause.Expression{clause.Expr{
			SQL: "ticket_topics.version < excluded.version AND ticket_topics.revision = 0",
		}}},
	}).Create(&all).Error
}

// List returns a page of the topics, each heading before what stands below it.
func (t *Topics) List(ctx context.Context, request page.Request) (page.Page[Topic], error) {
	all, err := t.all(ctx)
	if err != nil {
		return page.Page[Topic]{}, err
	}
	return page.Slice(all, request, func(t Topic) page.Key { return page.Key{Text: t.Code, ID: uuid.NameSpaceOID} })
}

// of returns the topic of what is asked. That of a smart task goes with its type, whatever an
// administrator has retired.
func (t *Topics) of(ctx context.Context, in New) (Topic, error) {
	if in.Kind == SmartTask {
		return t.choose(ctx, in.Topic, everChosen)
	}
	return t.Choose(ctx, in.Topic)
}

// Choose returns a topic on which a ticket may be opened. It returns fault.Invalid naming /topic
// for a heading, and for a code that is not known or not offered any more.
func (t *Topics) Choose(ctx context.Context, code string) (Topic, error) {
	return t.choose(ctx, code, Offered)
}

func (t *Topics) choose(ctx context.Context, code, condition string) (Topic, error) {
	var found []Topic
	err := t.db.From(ctx).Raw("SELECT "+db.Columns[Topic]("")+" FROM ticket_topics WHERE code = ? AND "+condition, code).Scan(&found).Error
	if err != nil {
		return Topic{}, err
	}
	if len(found) == 0 {
		return Topic{}, fault.InvalidFields(fault.Field{Pointer: "/topic", Code: fault.FieldUnknownTopic})
	}
	if found[0].ParentCode == nil {
		return Topic{}, fault.InvalidFields(fault.Field{Pointer: "/topic", Code: fault.FieldTopicHeading})
	}
	return found[0], nil
}

func (t *Topics) all(ctx context.Context) ([]Topic, error) {
	var all []Topic
	err := t.db.From(ctx).Raw(
		"SELECT " + db.Columns[Topic]("") + " FROM ticket_topics WHERE " + Offered + " ORDER BY COALESCE((SELECT h.place " +
			"FROM ticket_topics h WHERE h.code = ticket_topics.parent_code), place), COALESCE(parent_code, code), " +
			"parent_code IS NOT NULL, place, code",
	).Scan(&all).Error
	return all, err
}
