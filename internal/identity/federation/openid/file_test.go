package openid_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"diresco/internal/identity/federation/openid"
)

func TestFile_ExamplesOfTheDocsAreRight(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "docs", "identity-openid.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(page), "```json\n")[1:]
	if len(blocks) != 2 {
		t.Fatalf("%d examples", len(blocks))
	}
	for i, block := range blocks {
		text, _, _ := strings.Cut(block, "```")
		if _, err := openid.Parse([]byte(strings.ReplaceAll(text, "/etc/diresco/broker-secret", writeSecret(t, "s3cret")))); err != nil {
			t.Errorf("example %d: %v", i, err)
		}
	}
}

func TestFile_MistakesAreNamedByTheirPlace(t *testing.T) {
	for name, c := range map[string]struct{ old, instead, want string }{
		"id":            {`"body"`, `"Body"`, "providers[0].provider_id: is 1 to 64 characters of a-z, 0-9 and hyphens"},
		"kind":          {`"oidc"`, `"saml"`, "providers[0].kind: is spid, cie or oidc"},
		"login method":  {`"spid"`, `"pin"`, "providers[0].login_method: is spid, cie or cns: how people log in there"},
		"issuer":        {`"https://provider.example"`, `"http://provider.example"`, "providers[0].issuer: is an https address without query"},
		"client":        {`"portal-1"`, `""`, "providers[0].client_id: is a line of 1 to 200 characters"},
		"scopes":        {`["openid", "profile"]`, `["profile"]`, "providers[0].scopes: has openid among them"},
		"algorithm":     {`["ES256"]`, `["HS256"]`, "providers[0].algorithms: has RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 or ES512"},
		"method":        {`"private_key_jwt"`, `"none"`, "providers[0].authentication.method: is private_key_jwt, client_secret_basic or client_secret_post"},
		"secret":        {`"private_key_jwt"`, `"client_secret_basic"`, "providers[0].authentication.secret_file: is the path of a file that holds the secret"},
		"levels":        {`"2": "urn:level:2"`, `"2": "urn:level:1"`, "providers[0].levels: has another acr value for each level, without blanks"},
		"level 1":       {`"1": "urn:level:1", "2": "urn:level:2", "3": "urn:level:3"`, `"1": "urn:level:1"`, "providers[0].levels: names an acr value of level 2 or 3"},
		"picture":       {`"kind"`, `"logo_uri": "https://a.example/` + strings.Repeat("a", 500) + `", "kind"`, "providers[0].logo_uri: is an https address of at most 500 characters"},
		"profile":       {`"kind": "oidc"`, `"kind": "cie", "profile": "cie"`, "providers[0].federation: is missing: a provider of this profile is known by a trust chain"},
		"unknown":       {`"kind"`, `"colour": "red", "kind"`, `there is no member "colour"`},
		"type":          {`"portal-1"`, `7`, "providers.client_id is not of the type that it should have"},
		"no claim":      {`"kind"`, `"claims": {"tax_code": []}, "kind"`, "providers[0].claims: has a name at least for tax_code"},
		"not JSON":      {`"kind"`, `kind`, "not JSON near byte"},
		"two documents": {`]}`, `]} {}`, "something stands behind the end"},
	} {
		_, err := openid.Parse([]byte(strings.Replace(plainFile, c.old, c.instead, 1)))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
}
