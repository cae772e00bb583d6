package handlers

import (
	"net/http"
	"sync"

	"diresco/api"
)

// shownDeclaration is the answer that shows a declaration, as the generated one is, but for how
// quickly it is written.
type shownDeclaration api.ShowDeclaration200JSONResponse

// VisitShowDeclarationResponse implements api.ShowDeclarationResponseObject.
func (d shownDeclaration) VisitShowDeclarationResponse(w http.ResponseWriter) error {
	return answer(w, func(b []byte) ([]byte, error) {
		w.Header().Set("ETag", d.Headers.ETag)
		return api.AppendDeclaration(b, &d.Body)
	})
}

// declarationPage is the answer of every list of declarations, in the same way.
type declarationPage api.DeclarationList

func (p declarationPage) write(w http.ResponseWriter) error {
	return answer(w, func(b []byte) ([]byte, error) { return api.AppendDeclarationList(b, api.DeclarationList(p)) })
}

// buffers keep the memory that answers are written into.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// answer answers 200 with what is appended, and a line's end as encoding/json has it.
func answer(w http.ResponseWriter, appendTo func(b []byte) ([]byte, error)) error {
	buffer := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	body, err := appendTo((*buffer)[:0])
	if err != nil {
		return err
	}
	body = append(body, '\n')
	*buffer = body
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	_, err = w.Write(body)
	return err
}

// VisitListDeclarationsResponse implements api.ListDeclarationsResponseObject.
func (p declarationPage) VisitListDeclarationsResponse(w http.ResponseWriter) error {
	return p.write(w)
}

// VisitSearchDeclarationsResponse implements api.SearchDeclarationsResponseObject.
func (p declarationPage) VisitSearchDeclarationsResponse(w http.ResponseWriter) error {
	return p.write(w)
}

// VisitListMyDeclarationsResponse implements api.ListMyDeclarationsResponseObject.
func (p declarationPage) VisitListMyDeclarationsResponse(w http.ResponseWriter) error {
	return p.write(w)
}

// VisitSearchMyDeclarationsResponse implements api.SearchMyDeclarationsResponseObject.
func (p declarationPage) VisitSearchMyDeclarationsResponse(w http.ResponseWriter) error {
	return p.write(w)
}

// VisitListOfficeDeclarationsResponse implements api.ListOfficeDeclarationsResponseObject.
func (p declarationPage) VisitListOfficeDeclarationsResponse(w http.ResponseWriter) error {
	return p.write(w)
}

// VisitSearchOfficeDeclarationsResponse implements api.SearchOfficeDeclarationsResponseObject.
func (p declarationPage) VisitSearchOfficeDeclarationsResponse(w http.ResponseWriter) error {
	return p.write(w)
}
