package application

import (
	"testing"

	"diresco/internal/platform/certname"
)

// byName is an input of an application that is known by a name in its certificate.
func byName(names ...certname.Name) Input {
	in := payroll()
	in.Kind, in.AuthMethod, in.CertificateNames = Confidential, TLS, names
	return in
}

func TestCertificate_NeedsOneName(t *testing.T) {
	dns := certname.Name{Kind: certname.DNS, Value: "server.paghe.example"}
	check(t, "a name", byName(dns))
	check(t, "a subject", byName(certname.Name{Kind: certname.DN, Value: "CN=Paghe,C=IT"}))
	check(t, "none", byName(), "/tls_client_auth_subject_dn required")
	check(t, "two", byName(dns, certname.Name{Kind: certname.IP, Value: "192.0.2.7"}), "/tls_client_auth_san_ip not-applicable")
	check(t, "a wildcard", byName(certname.Name{Kind: certname.DNS, Value: "*.paghe.example"}), "/tls_client_auth_san_dns format")
	check(t, "no subject", byName(certname.Name{Kind: certname.DN, Value: "Paghe"}), "/tls_client_auth_subject_dn format")
	in := byName(dns)
	in.JWKSURI = "https://paghe.example/jwks.json"
	check(t, "with keys", in, "/jwks_uri not-applicable")
	in = server(t)
	in.CertificateNames = []certname.Name{dns}
	check(t, "that signs", in, "/tls_client_auth_san_dns not-applicable")
	in = byName(dns)
	in.Kind = Public
	check(t, "a public one", in, "/token_endpoint_auth_method enum")
}

// Another name is another holder: it is reviewed before it counts.
func TestCertificate_AnotherNameIsReviewed(t *testing.T) {
	in, err := byName(certname.Name{Kind: certname.DNS, Value: "server.paghe.example"}).normal()
	if err != nil {
		t.Fatal(err)
	}
	a := Application{Kind: in.Kind, AuthMethod: in.AuthMethod, State: Approved}.with(in.Profile)
	changed := Change{CertificateNames: []certname.Name{{Kind: certname.DNS, Value: "other.paghe.example"}}}.on(a.profile())
	if changed.equal(a.profile()) || changed.within(a.profile()) || a.replacesKeys(changed) {
		t.Error("another name counts at once")
	}
	if waiting := a.change(changed, false, a.CreatedAt); waiting.Pending == nil || waiting.CertificateName.Value != "server.paghe.example" {
		t.Errorf("changed to %+v", waiting.CertificateName)
	}
	if same := (Change{}).on(a.profile()); !same.equal(a.profile()) {
		t.Error("no change is one")
	}
}
