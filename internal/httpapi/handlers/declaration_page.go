package handlers

import (
	"net/http"
	"sync"

	"diresco/api"
)

// declarationPage is the answer of every list of declarations. It is what the generated answers
// are, but for how quickly it is written.
type declarationPage api.DeclarationList

// pageBuffers keep the memory that answers are written into.
var pageBuffers = sync.Pool{New: func() any { return new([]byte) }}

func (p declarationPage) write(w http.ResponseWriter) error {
	buffer := pageBuffers.Get().(*[]byte) //nolint:errcheck // there is nothing else in it
	defer pageBuffers.Put(buffer)
	body, err := api.AppendDeclarationList((*buffer)[:0], api.DeclarationList(p))
	*buffer = body
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
