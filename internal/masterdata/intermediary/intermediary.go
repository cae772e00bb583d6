// Package intermediary knows the intermediaries (intermediari) as professional registers (albi) and
// association censuses list them. Files bring them, and package registerimport writes them. On the
// wire and in the database an intermediary is a delegate.
package intermediary

import (
	"context"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/taxcode"
)

// Kind is what an intermediary is.
type Kind string

// The kinds of intermediary.
const (
	Professional Kind = "professional"
	// Firm is a studio associato, which a register may list with its people. It is nobody's
	// delegate: the individual professional is.
	Firm        Kind = "firm"
	Association Kind = "association"
	CAF         Kind = "caf"
	Patronato   Kind = "patronato"
)

// HasUsers reports whether people act for an intermediary of the kind by roles that it gives. A
// professional acts alone.
func (k Kind) HasUsers() bool { return k == Association || k == CAF || k == Patronato }

// Intermediary is who may be given delegations, as its register lists it.
type Intermediary struct {
	ID                 uuid.UUID
	Kind               Kind
	TaxCode            taxcode.Code
	LegalName          string
	RegisterCode       string
	RegistrationNumber string
	ListedAt           time.Time
	StruckOffAt        *time.Time
	UpdatedAt          time.Time `gorm:"autoUpdateTime:false"`
}

// TableName tells GORM the table.
func (Intermediary) TableName() string { return "delegates" }

// Repository reads and adds intermediaries.
type Repository struct{ db *db.DB }

// NewRepository returns the repository of a database.
func NewRepository(d *db.DB) *Repository { return &Repository{d} }

// ByID returns the intermediary with the id, or fault.NotFound.
func (r *Repository) ByID(ctx context.Context, id uuid.UUID) (Intermediary, error) {
	return r.one(ctx, "id = ?", id)
}

// Delegable returns an intermediary that may be given delegations. It returns fault.NotFound for a
// firm too.
func (r *Repository) Delegable(ctx context.Context, id uuid.UUID) (Intermediary, error) {
	i, err := r.ByID(ctx, id)
	if err == nil && i.Kind == Firm {
		err = fault.New(fault.NotFound)
	}
	if err != nil {
		return Intermediary{}, err
	}
	return i, nil
}

// ByTaxCode returns the intermediary with the tax code, or fault.NotFound.
func (r *Repository) ByTaxCode(ctx context.Context, code taxcode.Code) (Intermediary, error) {
	return r.one(ctx, "tax_code = ?", code.Clear())
}

// Add lists an intermediary in the context's transaction.
func (r *Repository) Add(ctx context.Context, i Intermediary) error {
	return r.db.From(ctx).Create(&i).Error
}

func (r *Repository) one(ctx context.Context, condition string, value any) (Intermediary, error) {
	var i Intermediary
	err := r.db.From(ctx).Where(condition, value).Take(&i).Error
	if db.IsNotFound(err) {
		err = fault.New(fault.NotFound)
	}
	return i, err
}
