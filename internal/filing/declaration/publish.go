package declaration

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"diresco/internal/filing/declaration/catalogue"
	"diresco/internal/filing/fund"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/operation"
	"diresco/internal/platform/fault"
)

// typeKind is the audit trail's word for a declaration type.
const typeKind = "declaration_type"

// Funds knows which funds there are.
type Funds interface {
	// Missing returns those of the codes that no fund has.
	Missing(ctx context.Context, codes []string) ([]string, error)
}

// Publisher has the use cases of who publishes types.
type Publisher struct {
	run   *operation.Runner
	types *Types
	funds Funds
}

// NewPublisher returns the publisher of a catalogue.
func NewPublisher(run *operation.Runner, types *Types, funds Funds) *Publisher {
	return &Publisher{run: run, types: types, funds: funds}
}

// Publish makes a document the current version of its type, for every process from the next request
// on. It returns fault.Invalid, with pointers into the document, for one that breaks a rule.
//
// Lock order: idempotency key, the catalogue's name.
func (p *Publisher) Publish(ctx context.Context, by access.Actor, document catalogue.Type) (*Type, error) {
	document = document.WithDefaults()
	if wrong := catalogue.Check(document); len(wrong) > 0 {
		return nil, invalidType(wrong)
	}
	id := document.Code + "/" + strconv.Itoa(document.Version)
	return operation.Do(ctx, p.run, by, id, func(ctx context.Context, trace *operation.Trace) (*Type, error) {
		trace.SubjectKind, trace.Detail = typeKind, fmt.Sprintf(`{"version":%d}`, document.Version)
		// One after the other, so that each sees the version of the other.
		if err := p.run.DB.LockName(ctx, "declaration types"); err != nil {
			return nil, err
		}
		if err := p.requireNext(ctx, document); err != nil {
			return nil, err
		}
		if err := p.requireFunds(ctx, document); err != nil {
			return nil, err
		}
		row, err := newTypeRow(document, p.run.Clock.Now())
		if err != nil {
			return nil, err
		}
		if err := p.types.add(ctx, row); err != nil {
			return nil, err
		}
		return row.compile()
	}, p.published)
}

// published returns a version by what the trail calls it.
func (p *Publisher) published(ctx context.Context, id string) (*Type, error) {
	code, version, _ := strings.Cut(id, "/")
	n, err := strconv.Atoi(version)
	if err != nil {
		return nil, err
	}
	return p.types.Version(ctx, code, n)
}

// requireNext refuses a version that does not follow the last one. The codes of two types differ in
// more than the case of their letters.
func (p *Publisher) requireNext(ctx context.Context, document catalogue.Type) error {
	rows, err := p.types.rows(ctx, "LOWER(t.code) = LOWER(?)", document.Code)
	if err != nil {
		return err
	}
	next := 1
	for _, row := range rows {
		if row.Code != document.Code {
			return fault.InvalidFields(fault.Field{Pointer: "/code", Code: fault.FieldDuplicate, Right: &fault.Right{Meant: row.Code}})
		}
		next = max(next, row.Version+1)
	}
	if document.Version != next {
		n := float64(next)
		return fault.InvalidFields(fault.Field{
			Pointer: "/version", Code: fault.FieldVersionNotNext, Right: &fault.Right{Minimum: &n, Maximum: &n},
		})
	}
	return nil
}

// requireFunds refuses a type whose money has no fund to come from.
func (p *Publisher) requireFunds(ctx context.Context, document catalogue.Type) error {
	codes := document.FundCodes()
	if len(codes) == 0 {
		return nil
	}
	missing, err := p.funds.Missing(ctx, codes)
	if err != nil || len(missing) == 0 {
		return err
	}
	slices.Sort(missing)
	return fault.InvalidFields(fault.Field{
		Pointer: "/fund/fund_code", Code: fault.FieldUnknownFund, Right: &fault.Right{Expected: strings.Join(missing, ", ")},
	})
}

// ShippedFunds returns the funds of the types that come with the program.
func ShippedFunds() ([]fund.New, error) {
	shipped, err := catalogue.All()
	if err != nil {
		return nil, err
	}
	var funds []fund.New
	for _, t := range shipped {
		for _, f := range t.FundTitles() {
			funds = append(funds, fund.New{Code: f.Code, Title: f.Title})
		}
	}
	return funds, nil
}

func invalidType(wrong []catalogue.Finding) error {
	fields := make([]fault.Field, len(wrong))
	for i, f := range wrong {
		fields[i] = fault.Field{Pointer: f.Pointer, Code: f.Code, Right: f.Right}
	}
	return fault.InvalidFields(fields...)
}
