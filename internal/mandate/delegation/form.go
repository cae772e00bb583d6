package delegation

import (
	"bytes"
	"context"
	"slices"
	"unicode/utf8"

	"github.com/google/uuid"

	"diresco/internal/mandate/delegationpdf"
)

// Form returns a delegation and the form to be signed for it, as a PDF. The guard has let the actor
// in.
func (s *Service) Form(ctx context.Context, id uuid.UUID) (View, []byte, error) {
	d, err := s.Show(ctx, id)
	if err != nil {
		return View{}, nil, err
	}
	pdf, err := s.Forms(ctx, d)
	return d, pdf, err
}

// Forms returns the forms of delegations as one PDF.
func (s *Service) Forms(ctx context.Context, delegations ...View) ([]byte, error) {
	var codes []string
	for _, d := range delegations {
		for _, p := range d.Positions {
			codes = append(codes, p.OfficeCode)
		}
	}
	slices.Sort(codes)
	titles, err := s.contributors.OfficeTitles(ctx, slices.Compact(codes))
	if err != nil {
		return nil, err
	}
	forms := make([]delegationpdf.Form, len(delegations))
	for i, d := range delegations {
		forms[i] = d.facts(titles)
		forms[i].By = s.institution
	}
	var pdf bytes.Buffer
	err = delegationpdf.Render(&pdf, forms...)
	return pdf.Bytes(), err
}

// facts are what the form of a delegation says. Nothing of it changes while its terms stay as they
// are, but who the signatory is and what offices are called. Drafting needs nobody's consent, so
// until the contributor gave the code there is no more of the signatory than in a look-up.
func (s View) facts(offices map[string]string) delegationpdf.Form {
	f := delegationpdf.Form{
		ReferenceCode: s.ReferenceCode, DraftedAt: s.DraftedAt, ContributorName: s.ContributorName,
		ContributorTaxCode: s.ContributorTaxCode.Clear(),
		SignatoryName:      s.SignatoryGivenName + " " + s.SignatoryFamilyName, SignatoryTaxCode: s.SignatoryTaxCode.Clear(),
		DelegateName: s.DelegateName, DelegateTaxCode: s.DelegateTaxCode.Clear(), DelegateKind: string(s.DelegateKind),
		DraftedBy: s.DrafterGivenName + " " + s.DrafterFamilyName,
		Total:     s.Scope == Total, Exclusive: s.Exclusive, ValidUntil: s.ValidUntil,
	}
	if s.ActivatedAt == nil {
		initial, _ := utf8.DecodeRuneInString(s.SignatoryFamilyName)
		f.SignatoryName, f.SignatoryTaxCode = s.SignatoryGivenName+" "+string(initial)+".", ""
	}
	for _, p := range s.Positions {
		f.Positions = append(f.Positions, delegationpdf.Position{
			Number: p.Number, Scheme: p.Scheme, OfficeCode: p.OfficeCode, OfficeName: offices[p.OfficeCode],
		})
	}
	if !f.Total {
		for _, service := range s.Services {
			f.Services = append(f.Services, string(service))
		}
	}
	return f
}
