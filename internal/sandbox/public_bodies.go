package sandbox

import (
	"bytes"
	"context"
	"time"

	"github.com/google/uuid"

	"diresco/internal/dossier/publicbody"
	"diresco/internal/dossier/publicbody/dma"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/protocol"
	"diresco/internal/platform/calendar"
	"diresco/internal/platform/money"
)

// publicRecord is what the register of public bodies says of the municipality.
type publicRecord struct {
	kind                           publicbody.RecordKind
	reference, amount, description string
	// monthsAgo is when it was.
	monthsAgo int
	// instalments are those of a plan, of which some are paid.
	instalments, paid int
}

var seedRecords = []publicRecord{
	{kind: publicbody.Payment, reference: "F24-EP-0001", amount: "12480.35", description: "Contributi CPDEL del mese", monthsAgo: 3},
	{kind: publicbody.Payment, reference: "F24-EP-0002", amount: "12511.90", description: "Contributi CPDEL del mese", monthsAgo: 2},
	{kind: publicbody.Payment, reference: "F24-EP-0003", amount: "12502.18", description: "Contributi CPDEL del mese", monthsAgo: 1},
	{kind: publicbody.DebitNote, reference: "ND-0007", amount: "340.12", description: "Differenze contributive", monthsAgo: 4},
	{
		kind: publicbody.AmortisationPlan, reference: "PA-0003", amount: "24000.00", description: "Ricongiunzione L. 29/79", monthsAgo: 57,
		instalments: 120, paid: 57,
	},
}

// plantPublicBodies gives the municipality what a public body has: records of the register, and a
// list of the month before that was corrected.
func (s *Service) plantPublicBodies(ctx context.Context, contributors map[string]uuid.UUID) error {
	bodyID := contributors[comune]
	var at struct {
		ID, PersonID, RightID     uuid.UUID
		OfficeCode, TaxCode, Name string
	}
	err := s.db.From(ctx).Raw(
		`SELECT p.id, p.office_code, c.tax_code, c.legal_name AS name, r.id AS right_id, r.person_id
		FROM positions p JOIN contributors c ON c.id = p.contributor_id JOIN contributor_roles r ON r.contributor_id = c.id
		WHERE c.id = ? AND r.role = 'employee_delegate' ORDER BY p.number, r.id LIMIT 1`, bodyID,
	).Take(&at).Error
	if err != nil {
		return err
	}
	now := s.clock.Now()
	today := time.Date(now.In(calendar.Rome).Year(), now.In(calendar.Rome).Month(), 16, 0, 0, 0, 0, time.UTC)
	for _, r := range seedRecords {
		day := today.AddDate(0, -r.monthsAgo, 0)
		var instalments, paid, each, ends any
		if r.instalments > 0 {
			instalments, paid, each, ends = r.instalments, r.paid, "200.00", day.AddDate(0, r.instalments, 0).Format(time.DateOnly)
		}
		if err := s.db.From(ctx).Exec(
			`INSERT INTO public_body_data (id, position_id, kind, reference, date, amount, currency, description, instalments, instalments_paid,
				instalment_amount, ends_on, updated_at) VALUES ( ?, ?, ?, ?, ?, ?, 'EUR', ?, ?, ?, ?, ?, ?)`,
			uuid.Must(uuid.NewV7()), at.ID, r.kind, r.reference, day.Format(time.DateOnly), r.amount, r.description, instalments, paid,
			each,
			ends, now,
		).Error; err != nil {
			return err
		}
	}
	var before *uuid.UUID
	for i, pay := range []money.Cents{185_000, 191_250} {
		// Before all that testers file.
		filed := now.Add(time.Duration(i-2) * time.Second)
		made := publicbody.Submission{
			ID: uuid.Must(uuid.NewV7()), ContributorID: bodyID, PositionID: at.ID, OfficeCode: at.OfficeCode, Form: publicbody.Compiled,
			PersonID: at.PersonID, ActingAs: access.EmployeeDelegate, RightID: at.RightID, SupersedesID: before,
			State:       publicbody.Submitted,
			SubmittedAt: filed, UpdatedAt: filed, Version: 1,
		}
		if err := s.plantList(ctx, made, seedList(today.AddDate(0, -1, 0), at.TaxCode, at.Name, pay)); err != nil {
			return err
		}
		before = &made.ID
	}
	return nil
}

// plantList files a list in the context's transaction, as the register would have done before. The
// trail begins with what testers do.
func (s *Service) plantList(ctx context.Context, made publicbody.Submission, list dma.List) error {
	sum, err := list.Check(dma.Rules{BodyTaxCode: list.BodyTaxCode, Now: made.SubmittedAt})
	if err != nil {
		return err
	}
	var file bytes.Buffer
	if err := list.WriteXML(&file); err != nil {
		return err
	}
	made.Period, made.Totals, made.Size, made.Digest = list.Period, sum, int64(file.Len()), protocol.DigestOfCanonical(file.Bytes())
	if made.ProtocolNumber, err = s.plantNumber(ctx, made.OfficeCode, publicbody.Kind, made.ID, made.Digest, made.SubmittedAt); err != nil {
		return err
	}
	if made.SupersedesID != nil {
		if err := s.db.From(ctx).Exec(
			"UPDATE dma_submissions SET state = 'superseded', version = 2 WHERE id = ?", *made.SupersedesID,
		).Error; err != nil {
			return err
		}
	}
	if err := s.db.From(ctx).Create(&made).Error; err != nil {
		return err
	}
	return s.blobs.WriteAll(ctx, "dma/"+made.ID.String(), file.Bytes(), nil)
}

// plantNumber gives something the next protocol number of an office. Each year begins at 1.
func (s *Service) plantNumber(ctx context.Context, office, kind string, id uuid.UUID, digest string, at time.Time) (string, error) {
	number := protocol.Number{Office: office, Date: at.In(calendar.Rome)}
	err := s.db.From(ctx).Raw(
		`INSERT INTO protocol_counters (office_code, year, last_number, last_at) VALUES ( ?, ?, 1, ?)
		ON CONFLICT (office_code) DO UPDATE SET last_number = CASE WHEN protocol_counters.year = excluded.year
			THEN protocol_counters.last_number + 1 ELSE 1 END, year = excluded.year, last_at = excluded.last_at
		RETURNING last_number`, office, number.Date.Year(), at,
	).Scan(&number.Serial).Error
	if err != nil {
		return "", err
	}
	return number.String(), s.db.From(ctx).Exec(
		"INSERT INTO protocol_entries (office_code, year, number, at, kind, subject_id, digest) VALUES ( ?, ?, ?, ?, ?, ?, ?)",
		office, number.Date.Year(), number.Serial, at, kind, id, digest,
	).Error
}

// seedList is a list with one worker, for the month of a day.
func seedList(day time.Time, taxCode, name string, pay money.Cents) dma.List {
	first := time.Date(day.Year(), day.Month(), 1, 0, 0, 0, 0, time.UTC)
	funds := &dma.Funds{
		Pension: &dma.Pension{
			Code: "2", Taxable: dma.Euros(pay), Contribution: dma.Euros(pay * 2380 / 10_000), Additional: dma.Euros(0),
		},
		Credit: &dma.Fund{Code: "9", Taxable: dma.Euros(pay), Contribution: dma.Euros(pay * 35 / 10_000)},
	}
	return dma.List{
		Header: dma.Header{
			Period:      first.Format("2006-01"),
			Sender:      dma.Sender{PersonTaxCode: "RSSMRA80A01H501U", LegalName: name, TaxCode: taxCode},
			BodyTaxCode: taxCode, BodyName: name, BodyNumber: "00000", SignatoryTaxCode: "RSSMRA80A01H501U", ActivityCode: "84111",
			LegalForm: "2430",
		},
		Workers: []dma.Worker{{
			TaxCode: "BNCLRA75D52F205V", FamilyName: "Bianchi", GivenName: "Lara",
			Workplace: dma.Workplace{MunicipalityCode: "C123", PostalCode: "50032"},
			Periods: []dma.Period{{
				StartDay: first.Format(time.DateOnly), EndDay: first.AddDate(0, 1, -1).Format(time.DateOnly),
				Framing: &dma.Framing{
					EmploymentType: "1", ServiceType: "4", Contract: "RALN", Qualification: "042000",
					SeveranceScheme: "3",
				},
				Funds: funds,
			}},
		}},
	}
}
