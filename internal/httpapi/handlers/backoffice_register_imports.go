package handlers

import (
	"context"
	"errors"
	"io"

	"diresco/api"
	"diresco/internal/httpapi/problem"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/masterdata/registerimport"
)

// RegisterImportHandlers are the operations with which administrators bring registers in.
type RegisterImportHandlers struct {
	RegisterImports *registerimport.Service
}

const (
	registerImportsPath = "/backoffice/register-imports"
	jsonLinesType       = "application/jsonl"
)

// ImportRegister implements api.StrictServerInterface.
func (h RegisterImportHandlers) ImportRegister(
	ctx context.Context, r api.ImportRegisterRequestObject,
) (api.ImportRegisterResponseObject, error) {
	raw := reqctx.RawOf(ctx)
	if raw == nil {
		return nil, errors.New("the body of importRegister was not kept aside")
	}
	format := registerimport.CSV
	if raw.MediaType == jsonLinesType {
		format = registerimport.JSONL
	}
	i, err := h.RegisterImports.Take(ctx, reqctx.ActorOf(ctx), registerimport.File{
		Register: registerimport.Register(r.Params.Register), Format: format, Charset: raw.Charset, Digest: raw.Digest(),
		Open: func() io.Reader {
			return raw.Open()
		},
	})
	if err != nil {
		return nil, err
	}
	view, err := viewRegisterImport(ctx, i)
	if err != nil {
		return nil, err
	}
	return api.ImportRegister202JSONResponse{
		Body: view, Headers: api.ImportRegister202ResponseHeaders{Location: reqctx.BasePath + idPath(registerImportsPath, i.ID)},
	}, nil
}

// ListRegisterImports implements api.StrictServerInterface.
func (h RegisterImportHandlers) ListRegisterImports(
	ctx context.Context, r api.ListRegisterImportsRequestObject,
) (api.ListRegisterImportsResponseObject, error) {
	found, err := h.RegisterImports.List(ctx, pageRequest(ctx, r.Params.Limit, r.Params.Cursor))
	if err != nil {
		return nil, err
	}
	list := api.ListRegisterImports200JSONResponse(pageOf(
		ctx, make(api.List[api.RegisterImport], len(found.Items)), registerImportsPath, "", found.Next, r.Params.Limit,
	))
	for n, i := range found.Items {
		if list.Items[n], err = viewRegisterImport(ctx, i); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// ShowRegisterImport implements api.StrictServerInterface.
func (h RegisterImportHandlers) ShowRegisterImport(
	ctx context.Context, r api.ShowRegisterImportRequestObject,
) (api.ShowRegisterImportResponseObject, error) {
	i, err := h.RegisterImports.Show(ctx, r.ImportId)
	if err != nil {
		return nil, err
	}
	view, err := viewRegisterImport(ctx, i)
	return api.ShowRegisterImport200JSONResponse(view), err
}

func viewRegisterImport(ctx context.Context, i registerimport.Import) (api.RegisterImport, error) {
	wrong, err := i.Wrong()
	if err != nil {
		return api.RegisterImport{}, err
	}
	lang := reqctx.LanguageOf(ctx)
	view := api.RegisterImport{
		ImportId: i.ID, Register: api.RegisterName(i.Register), State: api.ImportState(i.State), Digest: i.Digest, CreatedAt: i.CreatedAt,
		FinishedAt: i.FinishedAt,
		LinesDone:  int32(i.LinesDone), //nolint:gosec // a column of 32 bits
		Errors: items(wrong, func(e registerimport.LineError) api.RegisterImportError {
			return api.RegisterImportError{
				Line: int32(e.Line), Pointer: e.Pointer, Code: e.Code, Detail: problem.FieldText(lang, e.Code), //nolint:gosec // fewer than the file has bytes
			}
		}),
	}
	if i.LinesTotal != nil {
		view.LinesTotal = new(int32(*i.LinesTotal)) //nolint:gosec // a column of 32 bits
	}
	return view, nil
}
