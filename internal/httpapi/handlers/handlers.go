// Package handlers implements the operations of the contract, in one file for each tag or part of a
// tag. A handler maps, calls one service and maps back; what it needs of the request beside its
// parameters and body is in reqctx.
package handlers

import (
	"context"
	"net/url"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"diresco/api"
	"diresco/internal/httpapi/problem"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/platform/page"
	"diresco/internal/platform/taxcode"
)

// Handlers implements every operation of the contract: one embedded struct for each of its
// sections.
type Handlers struct {
	StatusHandlers
	SessionHandlers
	CardHandlers
	PINHandlers
	PINRecoveryHandlers
	PINRequestHandlers
	MeHandlers
	ContactHandlers
	AuditHandlers
	ConsentHandlers
	OfficeHandlers
	ContributorHandlers
	UserHandlers
	TypeHandlers
	DeclarationHandlers
	DeclarationBatchHandlers
	SmartTaskHandlers
	ReceiptHandlers
	FundHandlers
	DeclarationDeskHandlers
	TicketDeskHandlers
	PeopleHandlers
	OfficePINRequestHandlers
	PINUpgradeHandlers
	OfficePINUpgradeHandlers
	SandboxHandlers
	MessageHandlers
	SMSReportHandlers
	SubDelegationHandlers
	DelegationBatchHandlers
	RegisterImportHandlers
	DelegationHandlers
	EnrolmentHandlers
	OfficeEnrolmentHandlers
	ServiceHandlers
	ApplicationHandlers
	OfficeApplicationHandlers
	WebhookHandlers
	EventHandlers
	ElectronicFileHandlers
	SurveyHandlers
	OfficeSurveyHandlers
	PublicBodyHandlers
	TicketHandlers
	AppointmentHandlers
	OfficeAppointmentHandlers
}

var _ api.StrictServerInterface = Handlers{}

func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// pageRequest asks for a page of the operation's list. A cursor of another operation's list is
// none.
func pageRequest(ctx context.Context, limit *int32, cursor *string) page.Request {
	return page.Request{Limit: int(value(limit)), Cursor: value(cursor), List: audit.OriginOf(ctx).Operation}
}

// pageOf makes a page of the operation's list at path. params are those that the list was narrowed
// down with, encoded; next is where the page behind it begins, and empty if there is none.
func pageOf[T any](ctx context.Context, shown api.List[T], path, params, next string, limit *int32) api.Page[T] {
	query := params
	if limit != nil {
		query = join(query, "limit="+strconv.Itoa(int(*limit)))
	}
	if shown == nil {
		shown = api.List[T]{}
	}
	p := api.Page[T]{Items: shown, Links: api.PageLinks{Self: link(path, query)}}
	if next != "" {
		p.NextCursor = new(page.Bind(audit.OriginOf(ctx).Operation, next))
		p.Links.Next = new(link(path, join(query, "cursor="+*p.NextCursor)))
	}
	return p
}

func join(parts ...string) string {
	kept := parts[:0]
	for _, p := range parts {
		if p != "" {
			kept = append(kept, p)
		}
	}
	return strings.Join(kept, "&")
}

func link(path, query string) api.Link {
	href := reqctx.BasePath + path
	if query != "" {
		href += "?" + query
	}
	return api.Link{Href: href}
}

// queryOf encodes the parameters that were given.
func queryOf(params map[string]*string) string {
	query := url.Values{}
	for name, p := range params {
		if p != nil {
			query.Set(name, *p)
		}
	}
	return query.Encode()
}

func items[T, U any](from []T, view func(T) U) api.List[U] {
	list := make(api.List[U], len(from))
	for i, item := range from {
		list[i] = view(item)
	}
	return list
}

// inEnglish reports whether the caller prefers English.
func inEnglish(ctx context.Context) bool {
	return reqctx.LanguageOf(ctx) == problem.English
}

// parseTaxCode reads a tax code in the body's field at the pointer.
func parseTaxCode(text, pointer string) (taxcode.Code, error) {
	code, err := taxcode.Parse(text)
	if err != nil {
		return code, taxcode.Refused(pointer, err)
	}
	return code, nil
}

// servicesOf reads services in a body; nil where there are none.
func servicesOf[T ~string](given *[]T) []access.Service {
	if given == nil {
		return nil
	}
	return items(*given, func(code T) access.Service { return access.Service(code) })
}

func idText(id *uuid.UUID) *string {
	if id == nil {
		return nil
	}
	text := id.String()
	return &text
}

func idPath(collection string, id uuid.UUID) string { return collection + "/" + id.String() }

// unlessEmpty returns a text that may be missing.
func unlessEmpty(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// converted returns words as the contract's.
func converted[T, U ~string](from []U) []T {
	to := make([]T, len(from))
	for i, word := range from {
		to[i] = T(word)
	}
	return to
}
