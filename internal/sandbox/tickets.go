package sandbox

import (
	"context"
	"time"

	"github.com/google/uuid"

	"diresco/internal/dossier/ticket"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/protocol"
	"diresco/internal/platform/attachment"
)

// seedTicket is a ticket of a new sandbox.
type seedTicket struct {
	at, topic, subject, text string
	state                    ticket.State
	outcome                  ticket.Outcome
	answer                   string
	// ago is how long before the sandbox began it was opened.
	ago time.Duration
}

const day24 = 24 * time.Hour

// seedTickets are those of an employer, and of an intermediary for its client, in the order in
// which they were opened at each office.
var seedTickets = []seedTicket{
	{
		at: tiberine, topic: "reliefs-review", subject: "Riesame dell'incentivo per un'assunzione",
		text: "L'incentivo è stato respinto. Si chiede il riesame: il lavoratore aveva i requisiti.", state: ticket.Closed,
		outcome: ticket.NotAccepted, answer: "Il rapporto di lavoro precedente è cessato da meno di sei mesi.", ago: 12 * day24,
	},
	{
		at: tiberine, topic: "regularity-invitation", subject: "Invito a regolarizzare di maggio",
		text: "L'importo richiesto risulta già versato.", state: ticket.InCharge, ago: 9 * day24,
	},
	{
		at: tiberine, topic: "payments-refunds", subject: "Rimborso di un F24 versato due volte",
		text: "L'F24 di maggio è stato versato due volte.\nSi chiede il rimborso.", state: ticket.Open, ago: time.Hour,
	},
	{
		at: ambrosiana, topic: "uniemens-corrections", subject: "Variazione della denuncia di aprile",
		text: "È possibile variare la denuncia dopo il conguaglio?", state: ticket.Closed, outcome: ticket.Informed,
		answer: "Sì, entro cinque anni, con un flusso di variazione.", ago: 8 * day24,
	},
	{
		at: ambrosiana, topic: "debit-notes-explanation", subject: "Nota di rettifica di febbraio",
		text: "Non è chiaro a quale codice si riferisca la differenza.", state: ticket.Open, ago: 2 * time.Hour,
	},
}

// asker is who opens the tickets of a contributor, by which right, about which position.
type asker struct {
	ContributorID, PositionID, PersonID, RightID uuid.UUID
	OfficeCode                                   string
	ActingAs                                     access.ActingAs
}

// plantTickets opens the first tickets, in the context's transaction.
func (s *Service) plantTickets(ctx context.Context, contributors map[string]uuid.UUID) error {
	for _, seed := range seedTickets {
		by, err := s.repo.asker(ctx, contributors[seed.at])
		if err != nil {
			return err
		}
		if err := s.plantTicket(ctx, seed, by); err != nil {
			return err
		}
	}
	return nil
}

// plantTicket opens one with its number, as the register would have.
func (s *Service) plantTicket(ctx context.Context, seed seedTicket, by asker) error {
	now := s.clock.Now()
	opened := now.Add(-seed.ago)
	t := ticket.Ticket{
		ID: uuid.Must(uuid.NewV7()), Kind: ticket.Request, ContributorID: by.ContributorID, PositionID: &by.PositionID,
		OfficeCode: by.OfficeCode, Topic: seed.topic, Subject: seed.subject, Text: seed.text, Email: new("quesiti@example.com"),
		PersonID: by.PersonID, RightID: by.RightID, ActingAs: by.ActingAs, Attachments: []attachment.File{},
		OpenedAt: opened, State: seed.state, Version: 1, UpdatedAt: opened,
	}
	if seed.state != ticket.Open {
		operator, err := s.repo.operatorOf(ctx, by.OfficeCode)
		if err != nil {
			return err
		}
		at := opened.Add(day24)
		t.Version, t.UpdatedAt = t.Version+1, at
		if seed.state == ticket.InCharge {
			t.AssignedTo, t.AssignedAt = &operator, &at
		} else {
			t.Outcome, t.ClosingText, t.ClosedBy, t.ClosedAt = &seed.outcome, &seed.answer, &operator, &at
		}
	}
	return s.enter(ctx, t)
}

// enter files a ticket under the next number of the register.
func (s *Service) enter(ctx context.Context, t ticket.Ticket) (err error) {
	if t.Digest, err = protocol.DigestOf(map[string]any{"topic": t.Topic, "subject": t.Subject, "text": t.Text}); err != nil {
		return err
	}
	if t.ProtocolNumber, err = s.plantNumber(ctx, t.OfficeCode, ticket.SubjectKind, t.ID, t.Digest, t.OpenedAt); err != nil {
		return err
	}
	return s.db.From(ctx).Create(&t).Error
}

// asker finds who opens a contributor's tickets: an intermediary's worker with a delegation, else
// the legal representative.
func (r repository) asker(ctx context.Context, contributorID uuid.UUID) (asker, error) {
	var found asker
	err := r.db.From(ctx).Raw(`SELECT x.contributor_id, x.id AS position_id, x.office_code, w.person_id, w.right_id, w.acting_as FROM positions x JOIN (
			SELECT g.contributor_id, u.person_id, g.id AS right_id, 'intermediary' AS acting_as FROM delegations g
				JOIN delegate_roles u ON u.delegate_id = g.delegate_id AND u.role = 'employee_delegate'
			UNION ALL SELECT r.contributor_id, r.person_id, r.id, r.role FROM contributor_roles r WHERE r.role = 'legal_representative'
		) w ON w.contributor_id = x.contributor_id WHERE x.contributor_id = ? ORDER BY w.acting_as, x.number LIMIT 1`, contributorID).Take(&found).Error
	return found, err
}

// operatorOf finds an operator of an office.
func (r repository) operatorOf(ctx context.Context, office string) (uuid.UUID, error) {
	var id uuid.UUID
	err := r.db.From(ctx).Raw(
		"SELECT id FROM people WHERE office_code = ? AND user_class = 'operator' ORDER BY id LIMIT 1", office,
	).Row().Scan(&id)
	return id, err
}
