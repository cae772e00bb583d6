-- +goose Up

-- The receipt stands in the line of the register that it is about.
ALTER TABLE protocol_entries ADD COLUMN jws text;
-- What was filed was then in this state and version: a repeat of the request is answered from this.
ALTER TABLE protocol_entries ADD COLUMN filed_state text;
ALTER TABLE protocol_entries ADD COLUMN filed_version integer;
ALTER TABLE protocol_entries DISABLE TRIGGER protocol_entries_are_final;
UPDATE protocol_entries e SET jws = x.jws, filed_state = x.state, filed_version = x.version FROM receipts x WHERE x.declaration_id = e.subject_id;
ALTER TABLE protocol_entries ENABLE TRIGGER protocol_entries_are_final;
ALTER TABLE protocol_entries ADD CONSTRAINT protocol_entries_receipt CHECK ((jws IS NULL) = (filed_state IS NULL) AND
    (jws IS NULL) = (filed_version IS NULL) AND (kind <> 'declaration' OR jws IS NOT NULL));

-- Programs of before go on: they find receipts where they look for them, and what they write there is taken from there into the line
-- that follows. A later release drops all that is below.
DROP TABLE receipts;
CREATE TABLE receipts_ahead (
    declaration_id uuid PRIMARY KEY,
    jws text NOT NULL,
    state text NOT NULL,
    version integer NOT NULL
);
CREATE VIEW receipts AS SELECT subject_id AS declaration_id, jws, filed_state AS state, filed_version AS version FROM protocol_entries
    WHERE jws IS NOT NULL;
-- +goose StatementBegin
CREATE FUNCTION receipts_ahead() RETURNS trigger SECURITY DEFINER SET search_path = public AS $$
BEGIN
    INSERT INTO receipts_ahead (declaration_id, jws, state, version) VALUES (NEW.declaration_id, NEW.jws, NEW.state, NEW.version);
    RETURN NEW;
END
$$ LANGUAGE plpgsql;
-- +goose StatementEnd
CREATE TRIGGER receipts_ahead INSTEAD OF INSERT ON receipts FOR EACH ROW EXECUTE FUNCTION receipts_ahead();
CREATE TRIGGER receipts_are_final INSTEAD OF UPDATE OR DELETE ON receipts FOR EACH ROW EXECUTE FUNCTION refuse_outside_sandbox();
-- +goose StatementBegin
CREATE FUNCTION protocol_entries_receipt() RETURNS trigger SECURITY DEFINER SET search_path = public AS $$
BEGIN
    SELECT jws, state, version INTO NEW.jws, NEW.filed_state, NEW.filed_version FROM receipts_ahead WHERE declaration_id = NEW.subject_id;
    RETURN NEW;
END
$$ LANGUAGE plpgsql;
-- +goose StatementEnd
CREATE TRIGGER protocol_entries_receipt BEFORE INSERT ON protocol_entries FOR EACH ROW WHEN (NEW.jws IS NULL AND NEW.kind = 'declaration')
    EXECUTE FUNCTION protocol_entries_receipt();
