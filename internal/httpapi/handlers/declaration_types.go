package handlers

import (
	"bytes"
	"context"
	"encoding/json"
	"strconv"
	"time"

	openapi_types "github.com/oapi-codegen/runtime/types"

	"diresco/api"
	"diresco/internal/filing/declaration"
	"diresco/internal/filing/declaration/catalogue"
	"diresco/internal/httpapi/reqctx"
)

// TypeHandlers has the operations of the section Declaration types, and what publishes one.
type TypeHandlers struct {
	Types     *declaration.Types
	Publisher *declaration.Publisher
}

const typesPath = "/declaration-types"

// ListDeclarationTypes implements api.StrictServerInterface.
func (h TypeHandlers) ListDeclarationTypes(
	ctx context.Context, r api.ListDeclarationTypesRequestObject,
) (api.ListDeclarationTypesResponseObject, error) {
	found, err := h.Types.List(ctx, pageRequest(ctx, r.Params.Limit, r.Params.Cursor))
	if err != nil {
		return nil, err
	}
	view := func(t *declaration.Type) api.DeclarationType { return viewType(t, inEnglish(ctx)) }
	return api.ListDeclarationTypes200JSONResponse(pageOf(
		ctx, items(found.Items, view), typesPath, "", found.Next, r.Params.Limit,
	)), nil
}

// ShowDeclarationType implements api.StrictServerInterface.
func (h TypeHandlers) ShowDeclarationType(
	ctx context.Context, r api.ShowDeclarationTypeRequestObject,
) (api.ShowDeclarationTypeResponseObject, error) {
	t, err := h.Types.Get(ctx, r.Code)
	if err != nil {
		return nil, err
	}
	return api.ShowDeclarationType200JSONResponse(viewType(t, inEnglish(ctx))), nil
}

// ListDeclarationTypeVersions implements api.StrictServerInterface.
func (h TypeHandlers) ListDeclarationTypeVersions(
	ctx context.Context, r api.ListDeclarationTypeVersionsRequestObject,
) (api.ListDeclarationTypeVersionsResponseObject, error) {
	found, err := h.Types.Versions(ctx, r.Code, pageRequest(ctx, r.Params.Limit, r.Params.Cursor))
	if err != nil {
		return nil, err
	}
	view := func(t *declaration.Type) api.DeclarationTypeVersion {
		return api.DeclarationTypeVersion{
			Code: t.Code, Version: int32(t.Version), Title: t.Title.In(inEnglish(ctx)), //nolint:gosec // versions are small
			OpensAt: t.OpensAt, ClosesAt: t.ClosesAt, PublishedAt: t.PublishedAt(),
			Links: api.SelfLinks{Self: api.Link{Href: reqctx.BasePath + versionPath(t)}},
		}
	}
	return api.ListDeclarationTypeVersions200JSONResponse(pageOf(
		ctx, items(found.Items, view), typesPath+"/"+r.Code+"/versions", "", found.Next, r.Params.Limit,
	)), nil
}

// ShowDeclarationTypeVersion implements api.StrictServerInterface.
func (h TypeHandlers) ShowDeclarationTypeVersion(
	ctx context.Context, r api.ShowDeclarationTypeVersionRequestObject,
) (api.ShowDeclarationTypeVersionResponseObject, error) {
	t, err := h.Types.Version(ctx, r.Code, int(r.Version))
	if err != nil {
		return nil, err
	}
	return api.ShowDeclarationTypeVersion200JSONResponse(viewType(t, inEnglish(ctx))), nil
}

// PublishDeclarationType implements api.StrictServerInterface.
func (h TypeHandlers) PublishDeclarationType(
	ctx context.Context, r api.PublishDeclarationTypeRequestObject,
) (api.PublishDeclarationTypeResponseObject, error) {
	document, err := documentOf(r.Body)
	if err != nil {
		return nil, err
	}
	t, err := h.Publisher.Publish(ctx, reqctx.ActorOf(ctx), document)
	if err != nil {
		return nil, err
	}
	return api.PublishDeclarationType201JSONResponse{
		Body:    viewType(t, inEnglish(ctx)),
		Headers: api.PublishDeclarationType201ResponseHeaders{Location: reqctx.BasePath + versionPath(t)},
	}, nil
}

func versionPath(t *declaration.Type) string {
	return typesPath + "/" + t.Code + "/versions/" + strconv.Itoa(t.Version)
}

// documentOf reads the document of a type from the body, which has its form. The texts of schema
// and example stay as they were sent, in their order.
func documentOf(body *api.DeclarationTypeDocument) (catalogue.Type, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(body); err != nil {
		return catalogue.Type{}, err
	}
	return catalogue.Read(b.Bytes())
}

func viewType(t *declaration.Type, english bool) api.DeclarationType {
	view := api.DeclarationType{
		Code: t.Code, Version: int32(t.Version), Title: t.Title.In(english), LegalReference: t.LegalReference, //nolint:gosec // versions are small
		OpensAt: t.OpensAt, ClosesAt: t.ClosesAt, PublishedAt: new(t.PublishedAt()), Steps: items(t.Steps, viewStep),
		Decision: new(api.DeclarationTypeDecision(t.Decision)), Withdrawal: new(api.DeclarationTypeWithdrawal(t.Withdrawal)),
		WorkerField: unlessEmpty(t.WorkerField), HireDateField: unlessEmpty(t.HireDateField), EventField: unlessEmpty(t.EventField),
		ContentSchema: t.SchemaIn(english), ContentExample: t.ContentExample,
	}
	if len(t.Submitters) > 0 {
		view.Submitters = new(converted[api.ActingAs](t.Submitters))
	}
	if t.Fund != nil {
		view.Fund = &api.DeclarationTypeFund{FundCode: t.Fund.Code, RegionField: unlessEmpty(t.Fund.RegionField)}
	}
	if t.Deferred != nil {
		view.Deferred = &api.DeclarationTypeDeferred{ClosesAt: t.Deferred.ClosesAt}
	}
	return view
}

func viewStep(s catalogue.Step) api.DeclarationTypeStep {
	view := api.DeclarationTypeStep{
		Step: api.DeclarationStep(s.Step), PrintedCode: unlessEmpty(s.PrintedCode), HireWithin: viewTerm(s.HireWithin),
		ConfirmWithin: viewTerm(s.ConfirmWithin),
	}
	if len(s.Requires) > 0 {
		view.Requires = &s.Requires
	}
	if len(s.Requirements) > 0 {
		requirements := make([]api.DeclarationTypeRequirement, len(s.Requirements))
		for i, r := range s.Requirements {
			requirements[i] = api.DeclarationTypeRequirement{
				Requirement: api.DeclarationTypeRequirementRequirement(r.Name), Min: small(r.Min), Max: small(r.Max),
				From: viewDay(r.From), To: viewDay(r.To),
			}
		}
		view.Requirements = &requirements
	}
	if a := s.Amount; a != nil {
		view.Amount = &api.DeclarationTypeAmount{
			Cap: a.Cap, Field: unlessEmpty(a.Field), Rate: unlessEmpty(a.Rate), PayField: unlessEmpty(a.PayField),
			MonthsField: unlessEmpty(a.MonthsField),
		}
		if a.Months > 0 {
			view.Amount.Months = small(&a.Months)
		}
	}
	return view
}

func viewTerm(t *catalogue.Term) *api.DeclarationTypeTerm {
	if t == nil {
		return nil
	}
	return &api.DeclarationTypeTerm{Days: *small(&t.Days), Kind: api.DeclarationTypeTermKind(t.Kind)}
}

func viewDay(day string) *openapi_types.Date {
	at, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return nil
	}
	return &openapi_types.Date{Time: at}
}

func small(n *int) *int32 {
	if n == nil {
		return nil
	}
	return new(int32(*n)) //nolint:gosec // bounded where the type was published
}
