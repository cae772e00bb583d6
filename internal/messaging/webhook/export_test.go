package webhook

import "context"

// Settle writes what became of some deliveries, as a commit whose answer was lost does twice.
func (s *Sender) Settle(ctx context.Context, views ...View) error {
	return s.settle(ctx, resultsOf(views))
}

// Write is Settle as groups are written.
func (s *Sender) Write(ctx context.Context, views ...View) error {
	return s.write(ctx, resultsOf(views))
}

// WriteGone is Write of attempts that were answered 410, where they were refused.
func (s *Sender) WriteGone(ctx context.Context, views ...View) error {
	group := resultsOf(views)
	for i := range group {
		group[i].gone = group[i].attempt.Outcome == Refused
	}
	return s.write(ctx, group)
}

func resultsOf(views []View) []result {
	group := make([]result, len(views))
	for i, v := range views {
		group[i] = result{delivery: v.Delivery, attempt: &v.Attempts[0]}
	}
	return group
}

// Owner is the sender's name among all.
func (s *Sender) Owner() string { return s.owner }
