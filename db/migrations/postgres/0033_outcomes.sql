-- +goose Up

-- What became of a declaration, beside its state: who deals with it at the office, what was decided, and until when that stands.
ALTER TABLE declarations ADD COLUMN reservation_id uuid REFERENCES declarations (id);
-- Cents of a euro.
ALTER TABLE declarations ADD COLUMN amount bigint CHECK (amount >= 0);
-- A JSON array of {code, ...}, as the package declaration writes it.
ALTER TABLE declarations ADD COLUMN reasons text;
ALTER TABLE declarations ADD COLUMN decided_at timestamptz;
ALTER TABLE declarations ADD COLUMN decided_by uuid REFERENCES people (id);
ALTER TABLE declarations ADD COLUMN assigned_to uuid REFERENCES people (id);
ALTER TABLE declarations ADD COLUMN assigned_at timestamptz;
ALTER TABLE declarations ADD COLUMN hire_by timestamptz;
ALTER TABLE declarations ADD COLUMN confirm_by timestamptz;
-- When the present state ends by itself.
ALTER TABLE declarations ADD COLUMN ends_at timestamptz;
CREATE INDEX declarations_by_reservation ON declarations (reservation_id) WHERE reservation_id IS NOT NULL;
CREATE TRIGGER declarations_reservation_is_final BEFORE UPDATE OF reservation_id ON declarations
    FOR EACH ROW WHEN (OLD.state <> 'draft') EXECUTE FUNCTION declarations_submitted_is_final();

-- What an operation made of its subject: a JSON object with its state, amount and the codes of the reasons. No personal data.
ALTER TABLE audit_records ADD COLUMN detail text;
