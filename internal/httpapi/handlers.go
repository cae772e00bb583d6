package httpapi

import (
	"context"
	"net/url"
	"strconv"
	"strings"

	"diresco/api"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/platform/taxcode"

	"github.com/google/uuid"
)

// Handlers implements every operation of the contract: one embedded struct for each of its sections.
type Handlers struct {
	StatusHandlers
	SessionHandlers
	PINHandlers
	PINRecoveryHandlers
	PINRequestHandlers
	MeHandlers
	ContactHandlers
	OfficeHandlers
	ContributorHandlers
	UserHandlers
	TypeHandlers
	DeclarationHandlers
	ReceiptHandlers
	BackOfficeHandlers
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
}

var _ api.StrictServerInterface = Handlers{}

func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// pageRequest asks for a page of the operation's list. A cursor of another operation's list is none.
func pageRequest(ctx context.Context, limit *int32, cursor *string) page.Request {
	return page.Request{Limit: int(value(limit)), Cursor: value(cursor), List: audit.OriginOf(ctx).Operation}
}

// pageLinks makes the links of a page of the operation's list at path; params are those that the list was narrowed down with,
// encoded.
func pageLinks(ctx context.Context, path, params, next string, limit *int32) api.PageLinks {
	query := params
	if limit != nil {
		query = join(query, "limit="+strconv.Itoa(int(*limit)))
	}
	links := api.PageLinks{Self: link(path, query)}
	if next != "" {
		following := link(path, join(query, "cursor="+page.Bind(audit.OriginOf(ctx).Operation, next)))
		links.Next = &following
	}
	return links
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
	href := basePath + path
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

// versionTag is the entity tag of a resource that counts its changes.
func versionTag(version int) string { return `"` + strconv.Itoa(version) + `"` }

// answerTag is the entity tag of a resource that looks otherwise at times without a change: the version, and what is shown.
func answerTag(version int, shown string) string {
	return `"` + strconv.Itoa(version) + "." + strings.Trim(computedTag([]byte(shown)), `"`) + `"`
}

// versionOf reads the expected version out of an If-Match header. A tag that this API never gave matches nothing.
func versionOf(ifMatch string) int {
	if strings.TrimSpace(ifMatch) == "*" {
		return fault.AnyVersion
	}
	if number, _, told := strings.Cut(ifMatch, "."); told {
		ifMatch = number + `"`
	}
	version, err := strconv.Atoi(strings.Trim(ifMatch, `"`))
	if err != nil || version < 1 || versionTag(version) != ifMatch {
		return 0
	}
	return version
}

// parseTaxCode reads a tax code in the body's field at the pointer.
func parseTaxCode(text, pointer string) (taxcode.Code, error) {
	code, err := taxcode.Parse(text)
	if err != nil {
		return code, fault.InvalidFields(fault.Field{Pointer: pointer, Code: "format"})
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
