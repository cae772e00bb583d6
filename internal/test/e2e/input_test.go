package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"diresco/api/client"
)

// leaf is a text somewhere in a body, and how to put another in its place.
type leaf struct {
	pointer string
	put     func(any)
}

// leaves lists the texts of a decoded JSON value.
func leaves(pointer string, v any, put func(any)) []leaf {
	var all []leaf
	switch v := v.(type) {
	case string:
		all = append(all, leaf{pointer, put})
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			all = append(all, leaves(pointer+"/"+name, v[name], func(other any) { v[name] = other })...)
		}
	case []any:
		for i := range v {
			all = append(all, leaves(fmt.Sprint(pointer, "/", i), v[i], func(other any) { v[i] = other })...)
		}
	}
	return all
}

// decoded is the body of a row as a client sends it, or nil where it is no JSON object.
func (r row) decoded(t *testing.T, f filer) map[string]any {
	t.Helper()
	if r.body == nil {
		return nil
	}
	body := r.body(f)
	if _, text := body.(string); text {
		return nil
	}
	var decoded map[string]any
	if err := json.Unmarshal([]byte(mustJSON(t, body)), &decoded); err != nil {
		t.Fatal(err)
	}
	return decoded
}

// mostLeaves bounds how many texts of one body are tried, of which the longest has hundreds.
const mostLeaves = 12

// TestInput_AnyTextAnywhere: every text in the body of every operation with naughty values, U+0000 and
// lone surrogates, sent by somebody who may use the operation. Nothing is answered with a failure.
func TestInput_AnyTextAnywhere(t *testing.T) {
	eachOperationWithBody(t, func(t *testing.T, w *fixture, o operation, r row, by caller) {
		for i, l := range leaves("", by.body, nil) {
			if i == mostLeaves {
				break
			}
			for _, value := range append(slices.Clone(naughty), "PLACE-0", "PLACE-D") {
				body := r.decoded(t, by.filer)
				leaves("", body, nil)[i].put(value)
				text := strings.NewReplacer("PLACE-0", `\u0000`, "PLACE-D", `\ud800`).Replace(mustJSON(t, body))
				sent := r
				sent.body = func(filer) any { return text }
				a := w.call(o, sent, by.filer, by.declaration, by.token)
				if a.status >= http.StatusInternalServerError || a.status < http.StatusOK {
					t.Errorf("%s with %.40q at %s answered %d %s", o.id, value, l.pointer, a.status, a.body)
				}
				if strings.HasPrefix(value, "PLACE") && a.status < http.StatusBadRequest {
					t.Errorf("%s took %s at %s: %d", o.id, value, l.pointer, a.status)
				}
			}
		}
	})
}

// TestInput_WholeBodies: bodies cut, doubled, too deep, too long or of another kind.
func TestInput_WholeBodies(t *testing.T) {
	eachOperationWithBody(t, func(t *testing.T, w *fixture, o operation, r row, by caller) {
		whole := mustJSON(t, by.body)
		for _, bad := range []string{
			whole[:len(whole)/2], whole + whole, strings.Repeat("[", 100_000), strings.Repeat(`{"a":`, 50_000), "null", "[]", "1", `""`, "",
			strings.TrimSuffix(whole, "}") + `,"a":"` + strings.Repeat("a", 17<<20) + `"}`,
		} {
			sent := r
			sent.body = func(filer) any { return bad }
			if bad == "" && !o.body.Required {
				continue
			}
			if a := w.call(o, sent, by.filer, by.declaration, by.token); !a.turnedDown() {
				t.Errorf("%s answered %d to %.60q: %s", o.id, a.status, bad, a.body)
			}
		}
	})
}

// turnedDown reports whether the request was refused, and did not fail.
func (a answer) turnedDown() bool {
	return a.status >= http.StatusBadRequest && a.status < http.StatusInternalServerError
}

// foreign are members that answers have and that no request may set.
var foreign = map[string]any{
	"created_at": "2026-01-01T00:00:00Z", "person_id": "018f3b20-2d4e-7f60-9b72-8d9e0f1a2b3c",
	"protocol_number": "INPS.7000.01/01/2026.0000001",
	"submitted_at":    "2026-01-01T00:00:00Z", "decided_at": "2026-01-01T00:00:00Z", "_links": map[string]any{},
}

// searchedBy are those of them that a search is made with, by its operation.
var searchedBy = map[string]string{"searchOfficeTickets": "protocol_number", "searchAuditRecords": "person_id"}

// TestInput_ForeignMembers: who may use an operation cannot set what it decides by itself.
func TestInput_ForeignMembers(t *testing.T) {
	eachOperationWithBody(t, func(t *testing.T, w *fixture, o operation, r row, by caller) {
		for name, value := range foreign {
			if searchedBy[o.id] == name {
				continue
			}
			body := r.decoded(t, by.filer)
			body[name] = value
			sent := r
			sent.body = func(filer) any { return body }
			if a := w.call(o, sent, by.filer, by.declaration, by.token); !a.turnedDown() {
				t.Errorf("%s with %s answered %d %s", o.id, name, a.status, a.body)
			}
		}
	})
}

// caller is somebody who may use an operation, and what they send.
type caller struct {
	filer       filer
	token       string
	declaration string
	body        map[string]any
}

// newFiler is somebody of whom nobody else has anything, at a company of their own.
func (w *fixture) newFiler() filer {
	w.t.Helper()
	p := w.createPerson(map[string]any{})
	made := w.do(http.MethodPost, "/v1/sandbox/contributors", "", map[string]any{
		"legal_representative_tax_code": p.TaxCode,
		"positions":                     []map[string]string{{"office_code": "7000"}, {"office_code": "4900"}},
	}, key())
	id, err := uuid.Parse(fmt.Sprint(made.want(w.t, http.StatusCreated, "").field("contributor_id")))
	if err != nil {
		w.t.Fatal(err)
	}
	p.ContributorIds = []client.Id{id}
	return w.filerAs(p)
}

// openRow is how to call an operation that is for anyone: with the contract's example.
func openRow(t *testing.T, o operation) row {
	t.Helper()
	if bodyOf(t, o) == nil {
		return row{}
	}
	return row{body: func(filer) any { return bodyOf(t, o) }}
}

// eachOperationWithBody calls try for each operation that takes a JSON object, with people whom no try
// before has logged out.
func eachOperationWithBody(t *testing.T, try func(t *testing.T, w *fixture, o operation, r row, by caller)) {
	each(t, func(t *testing.T, w *fixture) {
		tokens := map[string]func(f filer) string{
			"operator": func(f filer) string {
				office := w.positions(f)[0].OfficeCode
				return w.loginAs(w.person(func(p client.SandboxPerson) bool {
					return p.UserClass == client.UserClassOperator && p.OfficeCode != nil && *p.OfficeCode == office
				})).AccessToken
			},
			"administrator":  func(filer) string { return w.administrator().AccessToken },
			"contact_centre": func(filer) string { return w.contactCentre().AccessToken },
		}
		all := operations(t)
		tried := 0
		for _, id := range slices.Sorted(maps.Keys(all)) {
			o, r := all[id], accessTable[id]
			if o.to == "anyone" {
				r = openRow(t, o)
			}
			by := caller{filer: w.newFiler()}
			if by.body = r.decoded(t, by.filer); by.body == nil {
				continue
			}
			tried++
			by.token = by.filer.token
			if len(o.classes) > 0 {
				of := tokens[fmt.Sprint(o.classes[0])]
				if of == nil {
					of = func(filer) string {
						return w.loginAs(w.person(ofClass(client.UserClass(fmt.Sprint(o.classes[0]))))).AccessToken
					}
				}
				by.token = of(by.filer)
			}
			w.ticketOf(by.filer)
			drafted := w.do(http.MethodPost, by.filer.path, by.filer.token, by.filer.draft(nil), key()).want(t, http.StatusCreated, "")
			by.declaration, _ = drafted.field("declaration_id").(string)
			try(t, w, o, r, by)
		}
		if tried == 0 {
			t.Error("no operation was tried")
		}
	})
}
