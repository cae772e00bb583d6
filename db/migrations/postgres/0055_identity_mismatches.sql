-- +goose Up

-- Notes that a provider of national identities tells another name than is known, for whoever looks into them.
CREATE INDEX audit_records_of_mismatches ON audit_records (at, id) WHERE operation = 'noteIdentityMismatch';
