package app

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"

	"diresco/internal/dossier/publicbody"
	"diresco/internal/dossier/ticket"
	"diresco/internal/dossier/timeline"
	"diresco/internal/filing/declaration"
	"diresco/internal/kernel/access"
	"diresco/internal/mandate/delegation"
	"diresco/internal/platform/calendar"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
)

// exported says which documents an export of the electronic file has of what happened.
func exported(
	declarations *declaration.Service, tickets *ticket.Service, bodies *publicbody.Service, delegations *delegation.Service,
	rights *access.Repository,
) map[timeline.Happening]timeline.Source {
	receipts, lists := receiptsOf(declarations), listFiles(bodies)
	return map[timeline.Happening]timeline.Source{
		timeline.DeclarationSubmitted: receipts, timeline.DeclarationAwaitingCredentials: receipts,
		timeline.TicketOpened:        ticketFiles(tickets),
		timeline.DelegationActivated: delegationForms(delegations, rights),
		timeline.DMASubmitted:        lists, timeline.DMAAwaitingCredentials: lists,
	}
}

// receiptsOf has the receipt of each filing, signed and printed.
func receiptsOf(declarations *declaration.Service) timeline.Source {
	return func(_ context.Context, _ access.Actor, e timeline.Entry) ([]timeline.File, error) {
		if !e.Filed {
			return nil, nil
		}
		return []timeline.File{
			{Name: ".pdf", Open: func(ctx context.Context, by access.Actor) (io.ReadCloser, error) {
				document, err := declarations.ReceiptPDF(ctx, by, e.SubjectID)
				return io.NopCloser(bytes.NewReader(document)), err
			}},
			{Name: ".jws", Open: func(ctx context.Context, by access.Actor) (io.ReadCloser, error) {
				d, err := declarations.Receipt(ctx, by, e.SubjectID)
				return io.NopCloser(strings.NewReader(d.JWS)), err
			}},
		}, nil
	}
}

// delegationForms has the form of each delegation, for whom showDelegationForm shows it to. No
// application is.
func delegationForms(delegations *delegation.Service, rights *access.Repository) timeline.Source {
	return func(ctx context.Context, by access.Actor, e timeline.Entry) ([]timeline.File, error) {
		if by.Grant != nil {
			return nil, nil
		}
		err := rights.RequireDelegation(ctx, by, e.SubjectID, access.Delegations)
		if fault.Is(err, fault.NotFound) || fault.Is(err, fault.ServiceNotDelegated) {
			return nil, nil
		}
		return []timeline.File{{Name: ".pdf", Open: func(ctx context.Context, _ access.Actor) (io.ReadCloser, error) {
			_, form, err := delegations.Form(ctx, e.SubjectID)
			return io.NopCloser(bytes.NewReader(form)), err
		}}}, err
	}
}

// listFiles has the file of each monthly list of a public body, beside its filing.
func listFiles(bodies *publicbody.Service) timeline.Source {
	return func(_ context.Context, _ access.Actor, e timeline.Entry) ([]timeline.File, error) {
		if e.Operation != "fileDmaSubmission" {
			return nil, nil
		}
		return []timeline.File{{Name: ".xml", Open: func(ctx context.Context, by access.Actor) (io.ReadCloser, error) {
			v, err := bodies.Show(ctx, by, e.SubjectID)
			if err != nil {
				return nil, err
			}
			return bodies.File(ctx, v)
		}}}, nil
	}
}

// ticketFiles has the text of each ticket that was opened, and what came with it.
func ticketFiles(tickets *ticket.Service) timeline.Source {
	return func(ctx context.Context, by access.Actor, e timeline.Entry) ([]timeline.File, error) {
		t, err := tickets.Show(ctx, by, e.SubjectID)
		if err != nil {
			return nil, err
		}
		files := []timeline.File{{Name: ".txt", Open: func(ctx context.Context, by access.Actor) (io.ReadCloser, error) {
			text, err := ticketText(ctx, tickets, by, t)
			return io.NopCloser(strings.NewReader(text)), err
		}}}
		if t.HandsFilesOut() {
			files = append(files, timeline.File{Name: "-allegati.zip", Open: func(ctx context.Context, by access.Actor) (io.ReadCloser,
				error,
			) {
				_, archive, err := tickets.Archive(ctx, by, t.ID)
				return archive, err
			}})
		}
		return files, nil
	}
}

// ticketText is a ticket with what was said about it, in Italian.
func ticketText(ctx context.Context, tickets *ticket.Service, by access.Actor, t ticket.View) (string, error) {
	var text strings.Builder
	fmt.Fprintf(&text, "Protocollo: %s\r\nArgomento: %s\r\nSede: %s\r\nOggetto: %s\r\n\r\n%s\r\n", t.ProtocolNumber, t.TopicIT,
		t.OfficeTitle,
		t.Subject, t.Text)
	request := page.Request{Limit: page.MaxLimit}
	for {
		said, err := tickets.Comments(ctx, by, t.ID, request)
		if err != nil {
			return "", err
		}
		for _, c := range said.Items {
			if c.Visibility != ticket.Visible {
				// The office says it among itself.
				continue
			}
			who := c.GivenName + " " + c.FamilyName
			if c.ByOffice {
				who = "Sede"
			}
			fmt.Fprintf(&text, "\r\n%s, %s:\r\n%s\r\n", c.At.In(calendar.Rome).Format("02/01/2006 15:04"), who, c.Text)
		}
		if request.Cursor = said.Next; said.Next == "" {
			break
		}
	}
	if t.ClosingText != nil {
		fmt.Fprintf(&text, "\r\nRisposta della sede:\r\n%s\r\n", *t.ClosingText)
	}
	return text.String(), nil
}
