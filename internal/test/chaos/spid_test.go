package chaos

import (
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const spidPage = "docs/identity-spid.md"

// spidProvider writes the metadata of a provider whose certificate is in a file.
func spidProvider(t *testing.T, certificate, path string) {
	t.Helper()
	content, err := os.ReadFile(certificate)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(content)
	const space = `xmlns="urn:oasis:names:tc:SAML:2.0:metadata" xmlns:ds="http://www.w3.org/2000/09/xmldsig#"`
	text := fmt.Sprintf(`<EntityDescriptor %s entityID="https://idp.example.it">
<IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"><KeyDescriptor use="signing"><ds:KeyInfo><ds:X509Data>
<ds:X509Certificate>%s</ds:X509Certificate></ds:X509Data></ds:KeyInfo></KeyDescriptor>
<SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://idp.example.it/login"/>
</IDPSSODescriptor>
</EntityDescriptor>`, space, base64.StdEncoding.EncodeToString(block.Bytes))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestSPID_ThePageIsTrue: the commands of the page make what serve then works with, and what is
// wrong stops the start with one line.
func TestSPID_ThePageIsTrue(t *testing.T) {
	dir := t.TempDir()
	h := &house{t: t, common: variables{
		"DATABASE_URL": "sqlite:" + filepath.Join(dir, "diresco.db"), "DATA_DIR": dir, "ADMIN_ADDR": "",
	}}
	blocks := shellBlocks(t, spidPage)
	if len(blocks) != 2 {
		t.Fatalf("%d shell blocks", len(blocks))
	}
	set := []string{"PUBLIC_URL", "INSTITUTION_NAME", "INSTITUTION_PAGE", "SPID_IPA_CODE", "SPID_EMAIL", "CIE_MUNICIPALITY", "SPID_KEYS"}
	h.shellIn(dir, blocks[0], set...)
	provider := filepath.Join(dir, "provider.xml")
	spidProvider(t, filepath.Join(dir, "spid-1.pem"), provider)
	h.common["SPID_METADATA"], h.common["CIE_METADATA"] = provider, provider

	s := h.server()
	s.start()
	made, err := os.ReadFile(filepath.Join(dir, "metadata-spid.xml"))
	if err != nil {
		t.Fatal(err)
	}
	a, err := s.site.send(t.Context(), request{method: http.MethodGet, path: "/federation/spid/metadata"})
	if err != nil || a.status != http.StatusOK || string(a.body) != string(made) {
		t.Errorf("the service shows other metadata: %d, %v", a.status, err)
	}
	a, err = s.site.send(t.Context(), request{method: http.MethodGet, path: "/federation/spid/logout?SAMLRequest=x"})
	if err != nil || a.status != http.StatusBadRequest {
		t.Errorf("a logout of nobody's: %d, %v", a.status, err)
	}

	h.shellIn(dir, blocks[1], "SPID_KEYS")
	h.restart(s)
	a, err = s.site.send(t.Context(), request{method: http.MethodGet, path: "/federation/spid/metadata"})
	if err != nil || strings.Count(string(a.body), "<md:KeyDescriptor ") != 2 {
		t.Errorf("while the certificate changes: %d, %v", a.status, err)
	}
	if out, _, _ := command(t, h.common.with(variables{"ADDR": freeAddress(t)}), "check"); !strings.Contains(out, "2 providers") {
		t.Errorf("check says nothing of it: %s", out)
	}
	s.terminate()

	for name, value := range map[string]string{
		"SPID_KEYS": provider, "SPID_METADATA": filepath.Join(dir, "spid-1.pem"), "SPID_METADATA_CERT": filepath.Join(dir, "spid-2.pem"),
		"SPID_ENTITY_ID": "https://other.example.org", "CIE_MUNICIPALITY": "",
	} {
		if line := refuse(t, h.common.with(variables{"ADDR": freeAddress(t), name: value}), "serve"); line == "" {
			t.Errorf("%s: nothing is said", name)
		}
	}
}
