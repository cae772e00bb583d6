package handlers

import (
	"context"

	"diresco/api"
	"diresco/internal/filing/declaration"
	"diresco/internal/filing/declaration/catalogue"
)

// TypeHandlers has the operations of the section Declaration types.
type TypeHandlers struct{ Types *declaration.Types }

// ListDeclarationTypes implements api.StrictServerInterface.
func (h TypeHandlers) ListDeclarationTypes(
	ctx context.Context, r api.ListDeclarationTypesRequestObject,
) (api.ListDeclarationTypesResponseObject, error) {
	found, err := h.Types.List(ctx, pageRequest(ctx, r.Params.Limit, r.Params.Cursor))
	if err != nil {
		return nil, err
	}
	return api.ListDeclarationTypes200JSONResponse(pageOf(
		ctx, items(found.Items, viewType), "/declaration-types", "", found.Next, r.Params.Limit,
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
	return api.ShowDeclarationType200JSONResponse(viewType(t)), nil
}

func viewType(t *declaration.Type) api.DeclarationType {
	return api.DeclarationType{
		Code: t.Code, Version: int32(t.Version), Title: t.Title.IT, LegalReference: t.LegalReference, OpensAt: t.OpensAt, //nolint:gosec // versions are small
		ClosesAt: t.ClosesAt,
		Steps: items(t.Steps, func(s catalogue.Step) api.DeclarationTypeStep {
			return api.DeclarationTypeStep{Step: api.DeclarationStep(s.Step)}
		}),
		ContentSchema: t.ContentSchema, ContentExample: t.ContentExample,
	}
}
