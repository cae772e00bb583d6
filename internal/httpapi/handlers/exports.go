package handlers

import (
	"context"
	"net/http"

	"diresco/api"
	"diresco/internal/filing/declaration"
	"diresco/internal/httpapi/reqctx"
)

// export is an answer that is written while it is read. One that breaks off is cut by the edge, so
// that nobody takes a part for the whole.
type export struct {
	ctx    context.Context //nolint:containedctx // the generated code writes an answer without one
	begin  func(l declaration.Layout) (*declaration.Export, error)
	layout declaration.Layout
}

// exportOf answers with the declarations that begin reads.
func exportOf(
	ctx context.Context, separator *api.CsvSeparator, bom *bool, begin func(l declaration.Layout) (*declaration.Export, error),
) export {
	return export{ctx, begin, declaration.Layout{
		JSON: reqctx.AnswerOf(ctx).MediaType == jsonLinesType, Semicolon: value(separator) == api.CsvSeparatorSemicolon, BOM: value(bom),
		English: inEnglish(ctx),
	}}
}

// write begins the answer once the first chunk is there: until then a fault is a problem.
func (x export) write(w http.ResponseWriter) error {
	answer := reqctx.AnswerOf(x.ctx)
	var chunk []byte
	var err error
	var rows *declaration.Export
	if !answer.HeadersOnly {
		if rows, err = x.begin(x.layout); err != nil {
			return err
		}
		defer rows.Close()
		if chunk, err = rows.Next(x.ctx); err != nil {
			return err
		}
	}
	h := w.Header()
	h.Set("Content-Disposition", `attachment; filename="declarations.csv"`)
	h.Set("Content-Type", "text/csv; charset=utf-8; header=present")
	if x.layout.JSON {
		h.Set("Content-Disposition", `attachment; filename="declarations.jsonl"`)
		h.Set("Content-Type", jsonLinesType)
	}
	w.WriteHeader(http.StatusOK)
	connection := http.NewResponseController(w)
	for chunk != nil {
		answer.Extend()
		if _, err := w.Write(chunk); err != nil {
			return err
		}
		if err := connection.Flush(); err != nil {
			return err
		}
		if chunk, err = rows.Next(x.ctx); err != nil {
			return err
		}
	}
	return nil
}

// VisitExportDeclarationsResponse implements api.ExportDeclarationsResponseObject.
func (x export) VisitExportDeclarationsResponse(w http.ResponseWriter) error { return x.write(w) }

// VisitExportDeclarationSearchResponse implements api.ExportDeclarationSearchResponseObject.
func (x export) VisitExportDeclarationSearchResponse(w http.ResponseWriter) error { return x.write(w) }

// VisitExportMyDeclarationsResponse implements api.ExportMyDeclarationsResponseObject.
func (x export) VisitExportMyDeclarationsResponse(w http.ResponseWriter) error { return x.write(w) }

// VisitExportMyDeclarationSearchResponse implements api.ExportMyDeclarationSearchResponseObject.
func (x export) VisitExportMyDeclarationSearchResponse(w http.ResponseWriter) error {
	return x.write(w)
}

// VisitExportOfficeDeclarationsResponse implements api.ExportOfficeDeclarationsResponseObject.
func (x export) VisitExportOfficeDeclarationsResponse(w http.ResponseWriter) error { return x.write(w) }

// VisitExportOfficeDeclarationSearchResponse implements
// api.ExportOfficeDeclarationSearchResponseObject.
func (x export) VisitExportOfficeDeclarationSearchResponse(w http.ResponseWriter) error {
	return x.write(w)
}

// ExportDeclarations implements api.StrictServerInterface.
func (h DeclarationHandlers) ExportDeclarations(
	ctx context.Context, r api.ExportDeclarationsRequestObject,
) (api.ExportDeclarationsResponseObject, error) {
	p := r.Params
	filter, _ := filterOf(p.Type, p.State, p.SubmittedFrom, p.SubmittedTo)
	return exportOf(ctx, p.Separator, p.Bom, func(l declaration.Layout) (*declaration.Export, error) {
		return h.Declarations.ExportOfContributor(reqctx.ActorOf(ctx), filter, l)
	}), nil
}

// ExportDeclarationSearch implements api.StrictServerInterface.
func (h DeclarationHandlers) ExportDeclarationSearch(
	ctx context.Context, r api.ExportDeclarationSearchRequestObject,
) (api.ExportDeclarationSearchResponseObject, error) {
	filter, err := searchOf(r.Body)
	if err != nil {
		return nil, err
	}
	return exportOf(ctx, r.Params.Separator, r.Params.Bom, func(l declaration.Layout) (*declaration.Export, error) {
		return h.Declarations.ExportOfContributor(reqctx.ActorOf(ctx), filter, l)
	}), nil
}

// ExportMyDeclarations implements api.StrictServerInterface.
func (h DeclarationHandlers) ExportMyDeclarations(
	ctx context.Context, r api.ExportMyDeclarationsRequestObject,
) (api.ExportMyDeclarationsResponseObject, error) {
	p := r.Params
	filter, _ := filterOf(p.Type, p.State, p.SubmittedFrom, p.SubmittedTo)
	return exportOf(ctx, p.Separator, p.Bom, func(l declaration.Layout) (*declaration.Export, error) {
		return h.Declarations.ExportMine(reqctx.ActorOf(ctx), filter, l)
	}), nil
}

// ExportMyDeclarationSearch implements api.StrictServerInterface.
func (h DeclarationHandlers) ExportMyDeclarationSearch(
	ctx context.Context, r api.ExportMyDeclarationSearchRequestObject,
) (api.ExportMyDeclarationSearchResponseObject, error) {
	filter, err := searchOf(r.Body)
	if err != nil {
		return nil, err
	}
	return exportOf(ctx, r.Params.Separator, r.Params.Bom, func(l declaration.Layout) (*declaration.Export, error) {
		return h.Declarations.ExportMine(reqctx.ActorOf(ctx), filter, l)
	}), nil
}

// ExportOfficeDeclarations implements api.StrictServerInterface.
func (h DeclarationDeskHandlers) ExportOfficeDeclarations(
	ctx context.Context, r api.ExportOfficeDeclarationsRequestObject,
) (api.ExportOfficeDeclarationsResponseObject, error) {
	p := r.Params
	filter, _ := officeFilterOf(api.ListOfficeDeclarationsParams{
		Type: p.Type, State: p.State, SubmittedFrom: p.SubmittedFrom, SubmittedTo: p.SubmittedTo, ContributorId: p.ContributorId,
		AssignedTo: p.AssignedTo, LapsesBefore: p.LapsesBefore,
	})
	return exportOf(ctx, p.Separator, p.Bom, func(l declaration.Layout) (*declaration.Export, error) {
		return h.AtOffice.ExportOfOffice(ctx, reqctx.ActorOf(ctx), filter, l)
	}), nil
}

// ExportOfficeDeclarationSearch implements api.StrictServerInterface.
func (h DeclarationDeskHandlers) ExportOfficeDeclarationSearch(
	ctx context.Context, r api.ExportOfficeDeclarationSearchRequestObject,
) (api.ExportOfficeDeclarationSearchResponseObject, error) {
	filter, err := officeSearchOf(r.Body)
	if err != nil {
		return nil, err
	}
	return exportOf(ctx, r.Params.Separator, r.Params.Bom, func(l declaration.Layout) (*declaration.Export, error) {
		return h.AtOffice.ExportOfOffice(ctx, reqctx.ActorOf(ctx), filter, l)
	}), nil
}
