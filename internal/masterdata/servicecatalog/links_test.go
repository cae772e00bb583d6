package servicecatalog_test

import (
	"slices"
	"strings"
	"testing"

	"diresco/api"
	"diresco/internal/kernel/access"
	"diresco/internal/masterdata/servicecatalog"
)

// Each link of the shipped services leads to an operation that there is; those of public bodies lead
// to what the service is.
func TestServiceCatalog_LinksLeadToOperations(t *testing.T) {
	contract, err := api.GetSpec()
	if err != nil {
		t.Fatal(err)
	}
	all, err := servicecatalog.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		leads := false
		for _, l := range s.Links {
			path, own := strings.CutPrefix(l.Href, "/v1")
			if !own {
				continue
			}
			item := contract.Paths.Value(path)
			if item == nil || item.GetOperation(l.Method) == nil {
				t.Errorf("%s: no operation at %s %s", s.Code, l.Method, l.Href)
			}
			leads = leads || strings.HasPrefix(path, "/positions/{position_id}/")
		}
		if slices.Contains(access.PublicBodyServices(), access.Service(s.Code)) && !leads {
			t.Errorf("%s leads to none of its operations", s.Code)
		}
	}
}
