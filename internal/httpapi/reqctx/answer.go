package reqctx

import "context"

// Answer is what the edge knows of the answer that a handler is to give, in an operation whose
// answers have several media types.
type Answer struct {
	// MediaType is the one that the caller likes best.
	MediaType string
	// HeadersOnly says that nobody reads the content (HEAD).
	HeadersOnly bool
	// Extend lets the answer go on for as long as its next piece may take.
	Extend func()
}

type answerKey struct{}

// WithAnswer returns a context that carries what is known of the answer.
func WithAnswer(ctx context.Context, a Answer) context.Context {
	return context.WithValue(ctx, answerKey{}, a)
}

// AnswerOf returns what is known of the answer.
func AnswerOf(ctx context.Context) Answer {
	a, _ := ctx.Value(answerKey{}).(Answer)
	if a.Extend == nil {
		a.Extend = func() {}
	}
	return a
}
