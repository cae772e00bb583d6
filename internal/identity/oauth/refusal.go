package oauth

import (
	"net/http"
	"time"
)

// The error codes of the protocol.
const (
	invalidRequest         = "invalid_request"
	invalidClient          = "invalid_client"
	invalidGrant           = "invalid_grant"
	invalidScope           = "invalid_scope"
	invalidTarget          = "invalid_target"
	invalidDetails         = "invalid_authorization_details"
	invalidProof           = "invalid_dpop_proof"
	unauthorizedClient     = "unauthorized_client"
	unsupportedGrant       = "unsupported_grant_type"
	unsupportedResponse    = "unsupported_response_type"
	requestNotSupported    = "request_not_supported"
	accessDenied           = "access_denied"
	authorizationPending   = "authorization_pending"
	slowDown               = "slow_down"
	expiredToken           = "expired_token"
	temporarilyUnavailable = "temporarily_unavailable"
)

// Refusal is an error of the protocol: what the application, or its developer, is told.
type Refusal struct {
	// Code is one of those that the protocol names.
	Code string
	// Description is in English, for developers. It holds nothing that was sent.
	Description string
	// Status is the answer's, where it is one to the application.
	Status int
	// RetryAfter is how long to wait; zero where that does not help.
	RetryAfter time.Duration
	// Redirect is where the browser takes the error to. Without it the error is shown to the
	// person: nobody knows whether the application may be answered there.
	Redirect string
}

// Error implements error.
func (r *Refusal) Error() string { return r.Code + ": " + r.Description }

func refuse(code, description string) *Refusal {
	return &Refusal{Code: code, Description: description, Status: http.StatusBadRequest}
}

// UnknownClient is the one answer to who is not known and to who cannot prove it.
func UnknownClient() *Refusal {
	r := refuse(invalidClient, "the client is not known, not approved, or did not prove who it is")
	r.Status = http.StatusUnauthorized
	return r
}
