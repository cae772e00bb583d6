package oauth

import (
	"slices"

	"diresco/internal/identity/application"
	"diresco/internal/identity/dpop"
	"diresco/internal/kernel/access"
)

// Metadata is what clients read first (RFC 8414). It says what works and nothing else.
type Metadata struct {
	Issuer                     string   `json:"issuer"`
	AuthorizationEndpoint      string   `json:"authorization_endpoint"`
	TokenEndpoint              string   `json:"token_endpoint"`
	PushEndpoint               string   `json:"pushed_authorization_request_endpoint"`
	DeviceEndpoint             string   `json:"device_authorization_endpoint"`
	IntrospectionEndpoint      string   `json:"introspection_endpoint"`
	RevocationEndpoint         string   `json:"revocation_endpoint"`
	KeySet                     string   `json:"jwks_uri"`
	Scopes                     []string `json:"scopes_supported"`
	ResponseTypes              []string `json:"response_types_supported"`
	ResponseModes              []string `json:"response_modes_supported"`
	GrantTypes                 []string `json:"grant_types_supported"`
	CodeChallengeMethods       []string `json:"code_challenge_methods_supported"`
	TokenAuthMethods           []string `json:"token_endpoint_auth_methods_supported"`
	TokenAuthAlgorithms        []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	IntrospectionAuthMethods   []string `json:"introspection_endpoint_auth_methods_supported"`
	IntrospectionAuthAlgorithm []string `json:"introspection_endpoint_auth_signing_alg_values_supported"`
	RevocationAuthMethods      []string `json:"revocation_endpoint_auth_methods_supported"`
	RevocationAuthAlgorithms   []string `json:"revocation_endpoint_auth_signing_alg_values_supported"`
	DetailTypes                []string `json:"authorization_details_types_supported"`
	ProofAlgorithms            []string `json:"dpop_signing_alg_values_supported"`
	Locales                    []string `json:"ui_locales_supported"`
	Documentation              string   `json:"service_documentation"`
	CertificateBound           bool     `json:"tls_client_certificate_bound_access_tokens,omitempty"`
	Aliases                    *Aliases `json:"mtls_endpoint_aliases,omitempty"`
	NamesIssuer                bool     `json:"authorization_response_iss_parameter_supported"`
	PushRequired               bool     `json:"require_pushed_authorization_requests"`
}

// Aliases are where clients with a certificate go (RFC 8705 section 5).
type Aliases struct {
	TokenEndpoint         string `json:"token_endpoint"`
	PushEndpoint          string `json:"pushed_authorization_request_endpoint"`
	DeviceEndpoint        string `json:"device_authorization_endpoint"`
	IntrospectionEndpoint string `json:"introspection_endpoint"`
	RevocationEndpoint    string `json:"revocation_endpoint"`
}

// Metadata describes this server.
func (s *Service) Metadata() Metadata {
	m := MetadataOf(s.issuer)
	if s.mutual == "" {
		return m
	}
	m.CertificateBound = true
	m.Aliases = &Aliases{
		TokenEndpoint: s.mutual + TokenPath, PushEndpoint: s.mutual + PushPath, DeviceEndpoint: s.mutual + DevicePath,
		IntrospectionEndpoint: s.mutual + IntrospectionPath, RevocationEndpoint: s.mutual + RevocationPath,
	}
	by := []string{string(application.SelfSignedTLS)}
	if s.authorities != nil {
		by = append(by, string(application.TLS))
	}
	m.TokenAuthMethods, m.RevocationAuthMethods = append(m.TokenAuthMethods, by...), append(m.RevocationAuthMethods, by...)
	m.IntrospectionAuthMethods = append(m.IntrospectionAuthMethods, by...)
	return m
}

// MetadataOf describes the server of an issuer.
func MetadataOf(issuer string) Metadata {
	proven := string(application.PrivateKeyJWT)
	either := []string{string(application.NoAuth), proven}
	return Metadata{
		Issuer: issuer, AuthorizationEndpoint: issuer + AuthorizePath, TokenEndpoint: issuer + TokenPath,
		PushEndpoint: issuer + PushPath, DeviceEndpoint: issuer + DevicePath, IntrospectionEndpoint: issuer + IntrospectionPath,
		RevocationEndpoint: issuer + RevocationPath, KeySet: issuer + "/.well-known/jwks.json",
		Scopes: access.Scopes(), ResponseTypes: []string{"code"}, ResponseModes: []string{"query"},
		GrantTypes: []string{grantCode, grantRefresh, grantDevice}, CodeChallengeMethods: []string{methodS256},
		TokenAuthMethods: slices.Clone(either), TokenAuthAlgorithms: assertionMethods,
		IntrospectionAuthMethods: []string{proven}, IntrospectionAuthAlgorithm: assertionMethods,
		RevocationAuthMethods: either, RevocationAuthAlgorithms: assertionMethods,
		DetailTypes: []string{DetailType}, ProofAlgorithms: dpop.Algorithms(),
		Locales: []string{"it", "en"}, Documentation: issuer + "/docs", NamesIssuer: true,
	}
}
