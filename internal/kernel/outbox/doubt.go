package outbox

import (
	"time"

	"github.com/google/uuid"
)

const (
	// doubted begins the reason of a refusal that nothing speaks for yet.
	doubted = "not-confirmed: "
	// several is how many recipients a channel may refuse before it is the channel that is wrong.
	several = 3
	// maxDoubts bounds what is remembered of one channel.
	maxDoubts = 10_000
)

// doubts are a channel's refusals that may be its own trouble. A relay that knows us no more has
// the same words for every address. One counts once the channel has taken something since.
type doubts struct {
	// taken counts what the channel took.
	taken uint64
	open  map[uuid.UUID]doubt
}

// doubt is the first refusal of a delivery.
type doubt struct {
	recipient string
	// taken is what the channel had taken by then.
	taken uint64
}

// took notes that the channel took a delivery.
func (s *doubts) took(d Delivery) {
	s.taken++
	delete(s.open, d.ID)
}

// refused notes a refusal. It reports whether it is doubtful, and whether the channel is to be held
// since it refused several recipients and has taken nothing since.
func (s *doubts) refused(d Delivery, r *Refused) (doubtful, held bool) {
	first, known := s.open[d.ID]
	if known && s.taken > first.taken {
		delete(s.open, d.ID)
		return false, false
	}
	if len(s.open) >= maxDoubts {
		clear(s.open)
	}
	if s.open == nil {
		s.open = map[uuid.UUID]doubt{}
	}
	s.open[d.ID] = doubt{d.Recipient, s.taken}
	recipients := map[string]bool{}
	for _, o := range s.open {
		if o.taken == s.taken {
			recipients[o.recipient] = true
		}
	}
	held = len(recipients) >= several
	// A message that was refused for what it says is no word about its recipient. It fails, unless
	// all do.
	return held || !r.Message, held
}

// doubtGap is how long a doubtful refusal waits at least. The recipient's server should not be
// asked for an unknown user again and again.
func doubtGap(attempts int) time.Duration {
	gaps := []time.Duration{time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour}
	return gaps[min(max(attempts, 1), len(gaps))-1]
}
