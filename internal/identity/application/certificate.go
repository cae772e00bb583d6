package application

import (
	"diresco/internal/platform/certname"
	"diresco/internal/platform/fault"
)

// nameOf returns the name that was given, nil for none.
func nameOf(given []certname.Name) *certname.Name {
	if len(given) == 0 {
		return nil
	}
	return &given[0]
}

// tooManyNames returns the fields of all names but the first: a certificate is known by one.
func tooManyNames(given []certname.Name) (wrong []fault.Field) {
	for _, name := range given[min(1, len(given)):] {
		wrong = append(wrong, fault.Field{Pointer: "/" + string(name.Kind), Code: fault.FieldNotApplicable})
	}
	return wrong
}

// checkName returns what is wrong with the name of the certificate, which TLS needs and no other
// method has.
func (p Profile) checkName(method AuthMethod) []fault.Field {
	field, code := certname.DN, ""
	if p.CertificateName != nil {
		field = p.CertificateName.Kind
	}
	switch {
	case method != TLS && p.CertificateName != nil:
		code = fault.FieldNotApplicable
	case method == TLS && p.CertificateName == nil:
		code = fault.FieldRequired
	case method == TLS && !p.CertificateName.Valid():
		code = fault.FieldFormat
	default:
		return nil
	}
	return []fault.Field{{Pointer: "/" + string(field), Code: code}}
}

func (p Profile) sameName(other Profile) bool {
	if p.CertificateName == nil || other.CertificateName == nil {
		return p.CertificateName == other.CertificateName
	}
	return *p.CertificateName == *other.CertificateName
}
