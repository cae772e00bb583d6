package contributor

import (
	"cmp"
	"context"
	"slices"
	"time"

	"diresco/internal/kernel/access"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/review"
	"diresco/internal/platform/fault"
)

// OfficeDetails are where an office is and when it is open; what is not known is nil or none.
type OfficeDetails struct {
	Street     *string
	PostalCode *string
	Town       *string
	Province   *string
	Phone      *string
	Hours      []OpeningHours `gorm:"serializer:json"`
}

// OpeningHours are when an office is open on a day of the week. Times are those of the clocks of
// Rome, such as "08:30".
type OpeningHours struct {
	Weekday string `json:"weekday"`
	Opens   string `json:"opens"`
	Closes  string `json:"closes"`
}

// Weekdays lists what the days of the week are called, Monday first.
func Weekdays() []string {
	return []string{"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}
}

// normal is what is kept of details: hours in the order of the week. It returns fault.Invalid for
// hours that overlap or end before they begin.
func (d OfficeDetails) normal() (OfficeDetails, error) {
	days := Weekdays()
	d.Hours = slices.Clone(d.Hours)
	if d.Hours == nil {
		d.Hours = []OpeningHours{}
	}
	slices.SortFunc(d.Hours, func(a, b OpeningHours) int {
		return cmp.Or(cmp.Compare(slices.Index(days, a.Weekday), slices.Index(days, b.Weekday)), cmp.Compare(a.Opens, b.Opens))
	})
	for i, h := range d.Hours {
		opens, bad := time.Parse("15:04", h.Opens)
		closes, worse := time.Parse("15:04", h.Closes)
		if bad != nil || worse != nil || !opens.Before(closes) || !slices.Contains(days, h.Weekday) ||
			i > 0 && d.Hours[i-1].Weekday == h.Weekday && h.Opens < d.Hours[i-1].Closes {
			return d, fault.InvalidFields(fault.Field{Pointer: "/hours", Code: fault.FieldHoursOverlap})
		}
	}
	return d, nil
}

// Offices keeps the details of offices. Their codes and titles come with what is imported.
type Offices struct {
	run  *operation.Runner
	repo *repository
}

// NewOffices returns what keeps the details of offices.
func NewOffices(run *operation.Runner) *Offices { return &Offices{run, newRepository(run.DB)} }

// Show returns an office, or fault.NotFound.
func (o *Offices) Show(ctx context.Context, code string) (Office, error) {
	return o.repo.office(ctx, code)
}

// Replace sets the details of an office, for administrators and for those who work there. It
// returns these faults:
//   - fault.NotFound: there is no such office, or the operator works at another;
//   - fault.PreconditionFailed: it was changed since the version that is expected;
//   - fault.Invalid: the hours overlap.
func (o *Offices) Replace(ctx context.Context, by access.Actor, code string, expected int, d OfficeDetails) (Office, error) {
	if by.UserClass != access.Administrator {
		if err := review.RequireOffice(by, code); err != nil {
			return Office{}, err
		}
	}
	return operation.Do(ctx, o.run, by, code, func(ctx context.Context, trace *operation.Trace) (Office, error) {
		trace.Right, trace.SubjectKind = by.Office(), "office"
		if err := o.repo.lockOffice(ctx, code); err != nil {
			return Office{}, err
		}
		office, err := o.repo.office(ctx, code)
		if err == nil {
			err = fault.RequireVersion(expected, office.Version)
		}
		if err != nil {
			return Office{}, err
		}
		// Of an office that there is none of nothing else is said.
		kept, err := d.normal()
		if err != nil {
			return Office{}, err
		}
		office.OfficeDetails, office.Version = kept, office.Version+1
		return office, o.repo.saveOffice(ctx, office)
	}, func(ctx context.Context, code string) (Office, error) { return o.repo.office(ctx, code) })
}

// lockOffice keeps others from changing an office until the context's transaction ends.
func (r *repository) lockOffice(ctx context.Context, code string) error {
	var codes []string
	return r.db.From(ctx).Raw("SELECT code FROM offices WHERE code = ?"+r.db.ForNoKeyUpdate(), code).Scan(&codes).Error
}

// saveOffice writes the details of an office, over a row that the caller holds locked.
func (r *repository) saveOffice(ctx context.Context, o Office) error {
	return r.db.From(ctx).Model(&Office{}).Where("code = ?", o.Code).Select(
		"street", "postal_code", "town", "province", "phone", "hours", "version",
	).UpdateColumns(&o).Error
}
