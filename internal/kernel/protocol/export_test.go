package protocol

// Waiting returns how many filings wait for the group after the present one.
func (r *Register) Waiting() int { return len(r.queue) }

// QueueSize is how many may wait.
const QueueSize = queueSize
