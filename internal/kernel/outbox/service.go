package outbox

import (
	"context"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/operation"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
)

// Deps are what the service works with.
type Deps struct {
	Runner *operation.Runner
	Outbox *Outbox
	// Worker knows what messages say.
	Worker *Worker
}

// Service is what people see of messages: operators how they fare, everybody what they were told.
type Service struct {
	run    *operation.Runner
	repo   repository
	outbox *Outbox
	worker *Worker
}

// NewService returns the service.
func NewService(d Deps) *Service {
	return &Service{run: d.Runner, repo: repository{d.Runner.DB}, outbox: d.Outbox, worker: d.Worker}
}

// Filter narrows a list of deliveries down; empty parts stand for any.
type Filter struct {
	State   DeliveryState
	Channel Channel
	// ReceiptOverdue leaves only PEC that should have a receipt and has none.
	ReceiptOverdue bool

	sentBy time.Time
	// office leaves only what went to people of the office with the code.
	office string
}

// narrowed returns the filter with what it implies at an instant, and whether anything can meet it.
func (f Filter) narrowed(now time.Time) (Filter, bool) {
	if !f.ReceiptOverdue {
		return f, true
	}
	possible := (f.State == "" || f.State == Sent) && (f.Channel == "" || f.Channel == PEC)
	f.State, f.Channel, f.sentBy = Sent, PEC, now.Add(-receiptTime)
	return f, possible
}

// Now is the instant by which a list is shown.
func (s *Service) Now() time.Time { return s.run.Clock.Now() }

// sees reports whether somebody of the staff sees the deliveries to everybody. An operator sees
// those to the people of the office alone.
func sees(by access.Actor) bool { return by.UserClass != access.Operator }

// List returns the deliveries that the actor sees, the newest first. What they say is not in them.
func (s *Service) List(ctx context.Context, by access.Actor, f Filter, request page.Request) (page.Page[Delivery], error) {
	if err := s.outbox.beShown(ctx); err != nil {
		return page.Page[Delivery]{}, err
	}
	after, err := request.After()
	if err != nil {
		return page.Page[Delivery]{}, err
	}
	f, possible := f.narrowed(s.run.Clock.Now())
	if !sees(by) {
		f.office = by.OfficeCode
	}
	if !possible {
		return page.Page[Delivery]{}, nil
	}
	found, err := s.repo.page(ctx, f, request.Size()+1, after)
	if err != nil {
		return page.Page[Delivery]{}, err
	}
	return page.Cut(found, request.Size(), func(d Delivery) page.Key { return page.Key{At: d.CreatedAt, ID: d.ID} }), nil
}

// Retry queues a delivery again that failed, was given up or is in doubt. It returns fault.NotFound
// also for one that the actor does not see, and fault.Conflict for one in another state, one that is
// being sent, or one that cannot be said any more since its secret was erased.
func (s *Service) Retry(ctx context.Context, by access.Actor, id uuid.UUID) (Delivery, error) {
	return operation.Do(ctx, s.run, by, id.String(), func(ctx context.Context, trace *operation.Trace) (Delivery, error) {
		trace.Right, trace.SubjectKind = by.Office(), "delivery"
		d, found, err := s.repo.lock(ctx, id, "")
		if err != nil {
			return d, err
		}
		if found && !sees(by) {
			found, err = s.repo.ofOffice(ctx, d, by.OfficeCode)
		}
		if err != nil {
			return d, err
		}
		if !found || id == uuid.Nil {
			return d, fault.New(fault.NotFound)
		}
		now := s.run.Clock.Now()
		ended := d.State == Failed || d.State == Dead || d.State == Unconfirmed
		if !ended || d.LeaseUntil != nil && now.Before(*d.LeaseUntil) {
			return d, fault.Because(fault.Conflict, "delivery-not-ended")
		}
		messages, err := s.repo.messages(ctx, []Delivery{d})
		if err != nil {
			return d, err
		}
		if _, err := s.worker.words(d, messages[d.Message()]); err != nil {
			return d, &fault.Fault{Code: fault.Conflict, Reason: "message-erased", Err: err}
		}
		d.State, d.NextAt, d.UpdatedAt, d.Repeats = Queued, now, now, 0
		if deadline := now.Add(Patience); d.DeadlineAt.Before(deadline) {
			d.DeadlineAt = deadline
		}
		s.run.DB.Announce(ctx, promisedTopic)
		return d, s.repo.save(ctx, d)
	}, operation.ByID(s.find))
}

// find returns a delivery, or fault.NotFound.
func (s *Service) find(ctx context.Context, id uuid.UUID) (Delivery, error) {
	d, found, err := s.repo.one(ctx, id)
	if err == nil && !found {
		err = fault.New(fault.NotFound)
	}
	return d, err
}

// Deliveries returns the deliveries of messages, by the message's id, the oldest first. One that
// was not routed yet has none.
func (o *Outbox) Deliveries(ctx context.Context, messageIDs ...uuid.UUID) (map[uuid.UUID][]Delivery, error) {
	if err := o.beShown(ctx); err != nil {
		return nil, err
	}
	found, err := repository{o.db}.deliveriesOf(ctx, messageIDs)
	if err != nil {
		return nil, err
	}
	byMessage := make(map[uuid.UUID][]Delivery, len(messageIDs))
	for _, d := range found {
		byMessage[d.Message()] = append(byMessage[d.Message()], d)
	}
	return byMessage, nil
}

// Notification is a message as the person sees it who got it.
type Notification struct {
	Message
	Subject    string
	Deliveries []Notified
}

// Notified is one delivery of a Notification with its attempts, the last ones of many.
type Notified struct {
	Delivery
	Attempts []Attempt
}

// The most of each that a Notification shows.
const (
	maxDeliveries = 20
	maxAttempts   = 50
)

// Notifications returns what a person was told, the newest first, without any secret.
func (s *Service) Notifications(ctx context.Context, by access.Actor, request page.Request) (page.Page[Notification], error) {
	var none page.Page[Notification]
	after, err := request.After()
	if err != nil {
		return none, err
	}
	found, err := s.repo.ofPerson(ctx, by.PersonID, request.Size()+1, after)
	if err != nil {
		return none, err
	}
	cut := page.Cut(found, request.Size(), func(m Message) page.Key { return page.Key{At: m.CreatedAt, ID: m.ID} })
	items, err := s.notifications(ctx, cut.Items)
	return page.Page[Notification]{Items: items, Next: cut.Next}, err
}

func (s *Service) notifications(ctx context.Context, messages []Message) ([]Notification, error) {
	ids := make([]uuid.UUID, len(messages))
	for i, m := range messages {
		ids[i] = m.ID
	}
	deliveries, err := s.outbox.Deliveries(ctx, ids...)
	if err != nil {
		return nil, err
	}
	var deliveryIDs db.UUIDs
	for _, some := range deliveries {
		for _, d := range some {
			deliveryIDs = append(deliveryIDs, d.ID)
		}
	}
	attempts, err := s.repo.attemptsOf(ctx, deliveryIDs)
	if err != nil {
		return nil, err
	}
	byDelivery := map[uuid.UUID][]Attempt{}
	for _, a := range attempts {
		byDelivery[a.DeliveryID] = append(byDelivery[a.DeliveryID], a)
	}
	items := make([]Notification, len(messages))
	for i, m := range messages {
		items[i] = Notification{Message: m}
		locale := ""
		for _, d := range deliveries[m.ID] {
			if locale == "" {
				locale = d.Locale
			}
			all := byDelivery[d.ID]
			if len(items[i].Deliveries) < maxDeliveries {
				items[i].Deliveries = append(items[i].Deliveries, Notified{Delivery: d, Attempts: all[max(0, len(all)-maxAttempts):]})
			}
		}
		if items[i].Subject, err = s.worker.router.Subject(m.Kind, m.Data, locale); err != nil {
			// A message of a kind that is gone is listed by its kind alone.
			s.worker.log.WarnContext(ctx, "subject cannot be put into words", "kind", m.Kind, "error", err)
		}
	}
	return items, nil
}
