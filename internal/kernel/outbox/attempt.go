package outbox

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
)

// outcome is what became of a claimed delivery. It has the row as it shall be, and the attempt, if
// there was one.
type outcome struct {
	row     Delivery
	sealed  bool
	attempt *Attempt
	// refused deliveries can never reach their recipient.
	refused bool
}

// maxReason is how many characters of what a channel said are kept.
const maxReason = 500

// attempt hands one delivery over and returns what became of it.
func (w *Worker) attempt(ctx context.Context, l *lane, d Delivery, m Message) outcome {
	now := w.clock.Now()
	o := outcome{row: d, sealed: m.Sealed != nil}
	o.row.UpdatedAt = now
	switch {
	case !now.Before(d.DeadlineAt):
		o.row = o.row.givenUp()
		return o
	case l.sender == nil:
		o.row = o.row.putOff(now)
		return o
	}
	message, err := w.words(d, m)
	if err != nil {
		// A newer program may know what this one does not.
		w.log.ErrorContext(ctx, "message cannot be put into words", "kind", d.Kind, "message_id", d.Message(), "error", err)
		return w.postponed(o, now, "not-worded")
	}
	own, end := whileRunning(ctx, sendTime(d.Channel))
	defer end()
	taken, err := handOver(own, l.sender, message)
	now = w.clock.Now()
	o.row.UpdatedAt = now
	if err != nil {
		return w.unsent(ctx, own, l, o, err)
	}
	w.taken(l, d)
	switch taken.State {
	case Delivered, HandedOver:
	default:
		taken.State = Sent
	}
	if taken.ProviderRef != "" {
		o.row.ProviderRef = &taken.ProviderRef
	}
	return tried(o, taken.State, now, "")
}

// unsent returns what becomes of a delivery that the channel did not take, or not that anybody
// knows. own is the context of the hand-over.
func (w *Worker) unsent(ctx, own context.Context, l *lane, o outcome, err error) outcome {
	now := o.row.UpdatedAt
	var noAnswer *NoAnswer
	var refused *Refused
	switch {
	case errors.As(err, &noAnswer):
		w.unanswered(ctx, l, now)
		return unconfirmed(o, now, reasonOf(err, o.row))
	case errors.As(err, &refused):
		if !refused.Certain && w.doubtful(ctx, l, o.row, refused, now) {
			return w.postponed(o, now, doubted+refused.Reason)
		}
		o.refused = !refused.Message
		return tried(o, Failed, now, refused.Reason)
	case errors.Is(own.Err(), context.Canceled):
		// This process ends: another one begins anew at once.
		o.row.NextAt = now
		return o
	default:
		w.unanswered(ctx, l, now)
		return w.postponed(o, now, reasonOf(err, o.row))
	}
}

// unconfirmed notes an attempt of which nobody knows the outcome. It is repeated after a long gap,
// twice at most and never after its deadline.
func unconfirmed(o outcome, now time.Time, reason string) outcome {
	if o.row.State == Unconfirmed {
		o.row.Repeats++
	} else {
		o.row.Repeats = 0
	}
	o = tried(o, Unconfirmed, now, reason)
	if o.row.Repeats < len(repeatGaps) {
		o.row.NextAt = now.Add(repeatGaps[o.row.Repeats])
	}
	if !o.row.NextAt.Before(o.row.DeadlineAt) {
		o.row = o.row.givenUp()
	}
	return o
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// words puts a delivery into words.
func (w *Worker) words(d Delivery, m Message) (Outgoing, error) {
	secrets, err := m.Open(w.keys)
	if err != nil {
		return Outgoing{}, err
	}
	words, err := w.router.Words(m.Kind, m.Data, secrets, d.Locale)
	return Outgoing{
		ID: d.ID, Kind: d.Kind, Channel: d.Channel, To: d.Recipient, Locale: d.Locale, Subject: words.Subject, Text: words.Text,
		HTML: words.HTML, Short: words.Short, Sender: words.Sender, CreatedAt: m.CreatedAt,
	}, err
}

// whileRunning is the context of one hand-over: it goes on for a while after the worker was told to
// end.
func whileRunning(ctx context.Context, most time.Duration) (context.Context, func()) {
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	bounded, end := context.WithTimeout(own, most)
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(endingTime, cancel) })
	return bounded, func() {
		stop()
		end()
		cancel()
	}
}

// handOver calls the sender. What goes wrong in it costs one attempt, not the process.
func handOver(ctx context.Context, s Sender, m Outgoing) (taken Taken, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("sender panicked: %T", p)
		}
	}()
	return s.Send(ctx, m)
}

// reasonOf is an error in one short line without the recipient's address, which some servers
// repeat.
func reasonOf(err error, d Delivery) string {
	text := strings.ReplaceAll(err.Error(), d.Recipient, Mask(d.Channel, d.Recipient))
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	if utf8.RuneCountInString(text) > maxReason {
		text = string([]rune(text)[:maxReason])
	}
	return text
}

// tried notes an attempt that ended with a state.
func tried(o outcome, state DeliveryState, now time.Time, reason string) outcome {
	o.row.State, o.row.LastError = state, nil
	o.row.Attempts++
	o.attempt = &Attempt{ID: uuid.Must(uuid.NewV7()), DeliveryID: o.row.ID, At: now, Outcome: string(state)}
	if reason != "" {
		o.row.LastError, o.attempt.Reason = &reason, &reason
	}
	return o
}

// postponed notes an attempt that will be repeated. At its deadline a delivery is looked at once
// more, to be given up.
func (w *Worker) postponed(o outcome, now time.Time, reason string) outcome {
	state := o.row.State
	o = tried(o, state, now, reason)
	o.attempt.Outcome = Deferred
	w.randomTurn.Lock()
	wait := backOff(o.row.Attempts, w.random)
	w.randomTurn.Unlock()
	switch {
	case state == Unconfirmed:
		// It may have arrived already: there is no hurry.
		wait = repeatGaps[0]
	case strings.HasPrefix(reason, doubted):
		wait = max(wait, doubtGap(o.row.Attempts))
	}
	o.row.NextAt = earlier(now.Add(wait), o.row.DeadlineAt)
	return o
}

// taken notes that a channel took a delivery.
func (w *Worker) taken(l *lane, d Delivery) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.breaker.succeeded()
	l.doubts.took(d)
}

func (w *Worker) unanswered(ctx context.Context, l *lane, now time.Time) {
	l.mu.Lock()
	begins := l.breaker.failed(now)
	l.mu.Unlock()
	if begins {
		w.log.WarnContext(ctx, "channel does not answer and is left alone for a while", "channel", string(l.channel))
	}
}

// doubtful reports whether a refusal may be the channel's trouble. Where it is refusing everybody
// it is held: one attempt after a pause, until it takes one.
func (w *Worker) doubtful(ctx context.Context, l *lane, d Delivery, r *Refused, now time.Time) bool {
	l.mu.Lock()
	doubt, held := l.doubts.refused(d, r)
	begins := false
	if held {
		begins = l.breaker.hold(now)
	} else {
		l.breaker.succeeded() // it answers
	}
	l.mu.Unlock()
	if begins {
		w.log.ErrorContext(ctx, "channel refuses every recipient and is held: no contact is marked", "channel", string(l.channel),
			"reason", r.Reason)
	}
	return doubt
}
