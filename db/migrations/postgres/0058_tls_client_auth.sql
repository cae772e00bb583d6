-- +goose Up

-- A confidential application may prove by a certificate of a trusted authority which one it is. It has no keys then, and the one name in the certificate
-- by which it is known, as JSON.
ALTER TABLE applications ADD COLUMN certificate_name text;
ALTER TABLE applications DROP CONSTRAINT applications_token_endpoint_auth_method_check;
ALTER TABLE applications ADD CHECK (token_endpoint_auth_method IN ('none', 'private_key_jwt', 'self_signed_tls_client_auth', 'tls_client_auth'));
ALTER TABLE applications ADD CHECK ((token_endpoint_auth_method = 'tls_client_auth') = (certificate_name IS NOT NULL));
ALTER TABLE applications DROP CONSTRAINT applications_check1;
ALTER TABLE applications ADD CHECK (
    CASE WHEN token_endpoint_auth_method IN ('none', 'tls_client_auth') THEN jwks IS NULL AND jwks_uri = '' ELSE (jwks IS NULL) <> (jwks_uri = '') END
);
