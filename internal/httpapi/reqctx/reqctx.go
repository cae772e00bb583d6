// Package reqctx carries in a request's context what the edge found out about it. Handlers need
// this: who asks, the form or the file that was sent, the language of the answer. It stands by
// itself because edge and handlers both import it and neither may import the other: the edge is
// tested without a domain, handlers without a router.
package reqctx

import (
	"context"

	"github.com/google/uuid"

	"diresco/internal/httpapi/problem"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
)

// BasePath is where the operations of the contract are mounted.
const BasePath = "/v1"

type (
	actorKey    struct{}
	languageKey struct{}
	signedKey   struct{}
	acceptKey   struct{}
	foundKey    struct{}
	refusedKey  struct{}
	counterKey  struct{}
)

// WithActor returns a context that carries who asks.
func WithActor(ctx context.Context, a access.Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

// ActorOf returns who asks. It is the zero Actor in public operations.
func ActorOf(ctx context.Context) access.Actor {
	a, _ := ctx.Value(actorKey{}).(access.Actor)
	return a
}

// WithLanguage returns a context that carries the language of the answer's texts.
func WithLanguage(ctx context.Context, lang problem.Language) context.Context {
	return context.WithValue(ctx, languageKey{}, lang)
}

// LanguageOf returns the language of the answer's texts: Italian where none is noted.
func LanguageOf(ctx context.Context) problem.Language {
	lang, _ := ctx.Value(languageKey{}).(problem.Language)
	return lang
}

// WithSignedBody returns a context that carries a body as it was sent, which is what its signature
// covers.
func WithSignedBody(ctx context.Context, body []byte) context.Context {
	return context.WithValue(ctx, signedKey{}, body)
}

// SignedBodyOf returns the body of a signed request as it was sent.
func SignedBodyOf(ctx context.Context) []byte {
	body, _ := ctx.Value(signedKey{}).([]byte)
	return body
}

// WithAccepted returns a context that tells which media types the caller takes, in an operation
// that has several.
func WithAccepted(ctx context.Context, takes func(mediaType string) bool) context.Context {
	return context.WithValue(ctx, acceptKey{}, takes)
}

// MayAnswer reports whether the caller takes an answer of the media type, in an operation that has
// several.
func MayAnswer(ctx context.Context, mediaType string) bool {
	takes, _ := ctx.Value(acceptKey{}).(func(string) bool)
	return takes == nil || takes(mediaType)
}

// WithFound returns a context that tells note whom a search of the back office finds.
func WithFound(ctx context.Context, note func(id uuid.UUID)) context.Context {
	return context.WithValue(ctx, foundKey{}, note)
}

// NoteFound notes whom a search of the back office found, for the access log.
func NoteFound(ctx context.Context, id uuid.UUID) {
	if note, ok := ctx.Value(foundKey{}).(func(uuid.UUID)); ok {
		note(id)
	}
}

// Refused is what a page refused, and to whom: what the edge knows of an operation by itself.
type Refused struct {
	// Operation is the operation id of the contract for the same act.
	Operation string
	Fault     *fault.Fault
	// PersonID and SessionID are zero where nobody has logged in.
	PersonID, SessionID uuid.UUID
}

// WithRefused returns a context that tells note what a page refuses.
func WithRefused(ctx context.Context, note func(Refused)) context.Context {
	return context.WithValue(ctx, refusedKey{}, note)
}

// NoteRefused notes what a page refused, for the access log.
func NoteRefused(ctx context.Context, refused Refused) {
	if note, ok := ctx.Value(refusedKey{}).(func(Refused)); ok {
		note(refused)
	}
}

// Sender is whoever a page found out to have sent a request.
type Sender struct {
	ID uuid.UUID
	// Program says that it is an application, or what one was given, and not a person.
	Program bool
}

// WithCounter returns a context that counts a page's request for whoever proved to have sent it.
func WithCounter(ctx context.Context, count func(Sender) error) context.Context {
	return context.WithValue(ctx, counterKey{}, count)
}

// Count counts the request for its sender, once: it counts for the address no more. It returns
// fault.RateLimited where the sender has sent too many.
func Count(ctx context.Context, sender Sender) error {
	if count, ok := ctx.Value(counterKey{}).(func(Sender) error); ok {
		return count(sender)
	}
	return nil
}
