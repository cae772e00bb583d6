package main

import (
	"bytes"
	"context"
	"fmt"
	"mime/multipart"
	"net/http"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	ticketsName = "tickets"
	// ticketClients open tickets with files of 1 MB, photographers with files of 3 MB.
	ticketClients, photographers = 4, 50
	filesOfTicket                = 3
	megabyte                     = 1_000_000
)

// ticketCounts are how many tickets there are where lists are measured.
var ticketCounts = []int{1_000, 100_000}

// tickets measures two-way communication: files that come in, beside writing such files durably
// with nothing around it, and lists, whose cost may not grow with how many tickets there are.
func (b *bench) tickets(ctx context.Context, dir string) error {
	if !b.options.only.MatchString(ticketsName) {
		return nil
	}
	conn, err := pgx.Connect(ctx, b.database.url)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	// Nobody has a hundred open.
	closing, end := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		closeTickets(closing, conn)
	}()
	reference, err := b.measured(ctx, durableFiles(dir))
	if err == nil {
		var opened *result
		opened, err = b.measured(ctx, b.openTickets(ticketsName+": open, 3 files of 1 MB", ticketClients, megabyte))
		compare(opened, reference, "writing such files durably")
	}
	if err == nil {
		_, err = b.measured(ctx, b.openTickets(ticketsName+": open, 3 files of 3 MB", photographers, 3*megabyte))
	}
	end()
	<-done
	if err != nil {
		return err
	}
	return b.listTickets(ctx)
}

// closeTickets closes what is opened, again and again.
func closeTickets(ctx context.Context, conn *pgx.Conn) {
	for ctx.Err() == nil {
		_, _ = conn.Exec(ctx, "UPDATE tickets SET state = 'closed', outcome = 'informed', closing_text = 'x', closed_at = now() "+
			"WHERE state = 'open'")
		pause(ctx, 50*time.Millisecond)
	}
}

// durableFiles writes files as long as those of a ticket, each until it is on the disk.
func durableFiles(dir string) work {
	content := bytes.Repeat([]byte("x"), megabyte)
	return work{
		name: ticketsName + ": write 3 files of 1 MB durably", clients: ticketClients,
		worker: func(context.Context, int) (worker, func(), error) {
			return func(context.Context) (int, error) {
				for range filesOfTicket {
					if err := writeDurably(dir, content); err != nil {
						return 0, err
					}
				}
				return 0, nil
			}, func() {}, nil
		},
	}
}

func writeDurably(dir string, content []byte) error {
	file, err := os.CreateTemp(dir, "ticket-")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }()
	if _, err = file.Write(content); err == nil {
		err = file.Sync()
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	return err
}

// openTickets opens tickets of the filers' contributors with three files so long.
func (b *bench) openTickets(name string, clients, length int) work {
	return b.http(name, clients, http.StatusCreated, func(i int) []*call {
		return []*call{b.ticketCall(b.world.filers[i%filers], length)}
	})
}

// ticketCall is the request of a ticket with three files so long, which say that they are pictures.
func (b *bench) ticketCall(f *filer, length int) *call {
	const boundary = "confine"
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	_ = form.SetBoundary(boundary) // nothing fails in memory
	for field, value := range map[string]string{
		"topic": "payments-refunds", "subject": "Rimborso", "text": "Si chiede il rimborso.", "email": "bench@example.com",
		"position_id": f.spread,
	} {
		_ = form.WriteField(field, value)
	}
	const picture = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00"
	for range filesOfTicket {
		part, _ := form.CreateFormFile("attachments", "foto.png")
		_, _ = part.Write([]byte(picture))
		_, _ = part.Write(bytes.Repeat([]byte("x"), length-len(picture)))
	}
	_ = form.Close()
	head := fmt.Sprintf("POST /v1/contributors/%s/tickets HTTP/1.1\r\nHost: %s\r\nAccept: application/json\r\nAuthorization: Bearer %s\r\n"+
		"Content-Type: multipart/form-data; boundary=%s\r\nContent-Length: %d\r\nIdempotency-Key: ",
		f.contributor, b.server.address, f.token, boundary, body.Len())
	return &call{head: []byte(head), tail: append([]byte("\r\n\r\n"), body.Bytes()...), keyed: true}
}

// listTickets measures lists with filters, with few tickets and with many.
func (b *bench) listTickets(ctx context.Context) error {
	var before []*result
	for _, count := range ticketCounts {
		if err := b.database.fillTickets(ctx, count); err != nil {
			return err
		}
		after, err := b.all(
			ctx, b.ticketsPage(fmt.Sprintf("%s: list a contributor's, of %d", ticketsName, count), "topic=payments&state=closed&limit=20",
				false),
			b.ticketsPage(fmt.Sprintf("%s: list mine, of %d", ticketsName, count), "kind=request&limit=20", true),
		)
		if err != nil {
			return err
		}
		for i, r := range after {
			if before != nil {
				compare(r, before[i], "the fewer")
			}
		}
		before = after
	}
	return nil
}

func (b *bench) ticketsPage(name, query string, mine bool) work {
	w := b.http(name, listClients, http.StatusOK, func(i int) []*call {
		f := b.world.filers[i%filers]
		path := "/v1/contributors/" + f.contributor + "/tickets?"
		if mine {
			path = "/v1/tickets?"
		}
		return []*call{newCall(http.MethodGet, path+query, b.server.address, f.token, nil, false)}
	})
	w.rows = 20
	return w
}

// fillTickets has so many tickets, spread over all positions in turn.
func (d *database) fillTickets(ctx context.Context, count int) error {
	if _, err := d.conn.Exec(ctx, "DELETE FROM tickets"); err != nil {
		return err
	}
	_, err := d.conn.Exec(ctx, `INSERT INTO tickets (id, kind, contributor_id, position_id, office_code, topic, subject, text, email, person_id,
			right_id, acting_as, attachments, protocol_number, digest, opened_at, state, outcome, closing_text, closed_at, version,
				updated_at)
		SELECT gen_random_uuid(), 'request', x.contributor_id, x.id, x.office_code,
			CASE WHEN i % 3 = 0 THEN 'uniemens-other' ELSE 'payments-f24' END, 'x', 'x', 'x@example.com', x.person_id, x.person_id,
			'employer', '[]', 'x', 'x', now() - (($1 - i) * interval '1 second'), 'closed', 'informed', 'x', now(), 1, now()
		FROM generate_series(1, $1) i JOIN (SELECT p.*, r.person_id, row_number() OVER (ORDER BY p.id) - 1 AS n, count(*) OVER () AS all_of
			FROM positions p JOIN contributor_roles r ON r.contributor_id = p.contributor_id) x ON x.n = i % x.all_of`, count)
	if err != nil {
		return err
	}
	return d.analyse(ctx)
}
