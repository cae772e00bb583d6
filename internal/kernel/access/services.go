package access

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"diresco/internal/platform/fault"
)

// Service is a code of the services that a right covers.
type Service string

// The services that exist now.
const (
	// AllServices stands in a set for every service, those to come included.
	AllServices  Service = "*"
	Declarations Service = "declarations"
	// Delegations is the management of delegations themselves.
	Delegations Service = "delegations"
	// Dossier is what goes on between a contributor and its office beside declarations: two-way
	// communication, appointments, smart tasks, the electronic file (cassetto previdenziale).
	Dossier Service = "dossier"
	// What public bodies (amministrazioni, enti) have: payments, debit notes, amortisation plans,
	// DMA/UNIEMENS ListaPosPa.
	ViewPayments          Service = "view_payments"
	ViewDebitNotes        Service = "view_debit_notes"
	ViewAmortisationPlans Service = "view_amortisation_plans"
	CompileDMA            Service = "compile_dma"
	ViewDMA               Service = "view_dma"
)

// Services lists every service that there is.
func Services() []Service {
	return append([]Service{Declarations, Delegations, Dossier}, PublicBodyServices()...)
}

// PublicBodyServices lists the services of public bodies, access to which is asked for on form
// RA012.
func PublicBodyServices() []Service {
	return []Service{ViewPayments, ViewDebitNotes, ViewAmortisationPlans, CompileDMA, ViewDMA}
}

// ServiceSet is what a right, role, membership, delegation or sub-delegation covers. It is stored
// as a JSON array of codes, ["*"] for all services and [] for none.
type ServiceSet []Service

// Scan implements sql.Scanner.
func (s *ServiceSet) Scan(stored any) error {
	*s = nil
	switch text := stored.(type) {
	case string:
		return json.Unmarshal([]byte(text), (*[]Service)(s))
	case []byte:
		return json.Unmarshal(text, (*[]Service)(s))
	}
	return fmt.Errorf("services stored as %T", stored)
}

// Value implements driver.Valuer.
func (s ServiceSet) Value() (driver.Value, error) { return s.String(), nil }

// String returns the set as it is stored.
func (s ServiceSet) String() string {
	if s == nil {
		return "[]"
	}
	encoded, err := json.Marshal([]Service(s))
	if err != nil {
		panic(err) // a list of texts always encodes
	}
	return string(encoded)
}

// Covers reports whether the set includes the service.
func (s ServiceSet) Covers(service Service) bool {
	return slices.Contains(s, AllServices) || slices.Contains(s, service)
}

// CoversAll reports whether the set includes every service of the other one.
func (s ServiceSet) CoversAll(other ServiceSet) bool {
	return !slices.ContainsFunc(other, func(service Service) bool { return !s.Covers(service) })
}

// Intersect returns the services that both sets cover.
func (s ServiceSet) Intersect(other ServiceSet) ServiceSet {
	switch {
	case slices.Contains(s, AllServices):
		return other
	case slices.Contains(other, AllServices):
		return s
	}
	common := ServiceSet{}
	for _, service := range s {
		if slices.Contains(other, service) {
			common = append(common, service)
		}
	}
	return common
}

// Union returns the services that either set covers; all are the one code that stands for them.
func (s ServiceSet) Union(other ServiceSet) ServiceSet {
	if s.Covers(AllServices) || other.Covers(AllServices) {
		return ServiceSet{AllServices}
	}
	union := slices.Clip(s)
	for _, service := range other {
		if !union.Covers(service) {
			union = append(union, service)
		}
	}
	return union
}

// OrAll returns the set, and all services where somebody named none.
func (s ServiceSet) OrAll() ServiceSet {
	if s == nil {
		return ServiceSet{AllServices}
	}
	return s
}

// List spells out for showing which services the set covers now.
func (s ServiceSet) List() []Service {
	if s.Covers(AllServices) {
		return Services()
	}
	return s
}

// Check returns what is wrong with a set that somebody sent, in the field at the pointer. It
// returns these codes:
//   - fault.FieldTooFew: the set is empty, though not nil, which stands for one that was not sent;
//   - fault.FieldUnknownService: a service does not exist;
//   - fault.FieldDuplicate: a service stands there twice.
func (s ServiceSet) Check(pointer string) []fault.Field {
	var wrong []fault.Field
	if s != nil && len(s) == 0 {
		wrong = append(wrong, fault.Field{Pointer: pointer, Code: fault.FieldTooFew})
	}
	for i, service := range s {
		switch {
		case !slices.Contains(Services(), service):
			wrong = append(wrong, fault.Field{Pointer: pointer + "/" + strconv.Itoa(i), Code: fault.FieldUnknownService})
		case slices.Contains(s[:i], service):
			wrong = append(wrong, fault.Field{Pointer: pointer + "/" + strconv.Itoa(i), Code: fault.FieldDuplicate})
		}
	}
	return wrong
}

// storedCovers is the condition in SQL that the set in a column covers the service.
func storedCovers(column string, s Service) string {
	return fmt.Sprintf(`(%[1]s LIKE '%%"%[2]s"%%' OR %[1]s LIKE '%%"%[3]s"%%')`, column, AllServices, s)
}
