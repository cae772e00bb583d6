package registerimport

import (
	"context"

	"diresco/db"
	"diresco/internal/masterdata/intermediary"
	"diresco/internal/platform/fault"
)

// knowledge is what lines are held against.
type knowledge struct {
	db      *db.DB
	offices codes
}

// codes is a set of codes.
type codes map[string]bool

// know reads what changes seldom.
func know(ctx context.Context, d *db.DB) (knowledge, error) {
	var all []string
	err := d.From(ctx).Raw("SELECT code FROM offices").Scan(&all).Error
	k := knowledge{d, make(codes, len(all))}
	for _, code := range all {
		k.offices[code] = true
	}
	return k, err
}

// missing names the rows whose column, unless it is empty, is no office.
func (c codes) missing(rows []record, at int) (wrong []LineError) {
	for _, r := range rows {
		if code := r.values[at]; code != "" && !c[code] {
			wrong = append(wrong, LineError{r.line, "/office_code", fault.FieldUnknownOffice})
		}
	}
	return wrong
}

// values lists the different values of a column.
func values(rows []record, at int) []string {
	seen := make(map[string]bool, len(rows))
	all := make([]string, 0, len(rows))
	for _, r := range rows {
		if v := r.values[at]; !seen[v] {
			seen[v] = true
			all = append(all, v)
		}
	}
	return all
}

// contributors tells which of the tax codes are those of contributors.
func (k knowledge) contributors(ctx context.Context, taxCodes []string) (map[string]bool, error) {
	var found []string
	err := k.db.From(ctx).Raw("SELECT tax_code FROM contributors WHERE tax_code IN ?", taxCodes).Scan(&found).Error
	known := make(map[string]bool, len(found))
	for _, code := range found {
		known[code] = true
	}
	return known, err
}

// owner is the contributor whose position it is.
type owner struct {
	Number  string
	TaxCode string
	Kind    string
}

// owners returns the contributors of positions, by number.
func (k knowledge) owners(ctx context.Context, numbers []string) (map[string]owner, error) {
	var found []owner
	err := k.db.From(ctx).Raw(
		"SELECT p.number, c.tax_code, c.kind FROM positions p JOIN contributors c ON c.id = p.contributor_id WHERE p.number IN ?", numbers,
	).Scan(&found).Error
	all := make(map[string]owner, len(found))
	for _, o := range found {
		all[o.Number] = o
	}
	return all, err
}

// otherKinds names the rows whose kind is not the one that is known. Somebody is known as a
// professional and listed as an organisation, or the other way round.
func (k knowledge) otherKinds(ctx context.Context, rows []record, professionals bool) ([]LineError, error) {
	var found []struct {
		TaxCode string
		Kind    intermediary.Kind
	}
	err := k.db.From(ctx).Raw("SELECT tax_code, kind FROM delegates WHERE tax_code IN ?", values(rows, 0)).Scan(&found).Error
	if err != nil {
		return nil, err
	}
	differ := map[string]bool{}
	for _, f := range found {
		if (f.Kind == intermediary.Professional) != professionals {
			differ[f.TaxCode] = true
		}
	}
	var wrong []LineError
	for _, r := range rows {
		if differ[r.values[0]] {
			wrong = append(wrong, LineError{r.line, "/tax_code", fault.FieldKindDiffers})
		}
	}
	return wrong, nil
}
