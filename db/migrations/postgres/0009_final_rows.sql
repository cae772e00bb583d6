-- +goose Up

-- What was filed, numbered or traced is written once. Only a sandbox forgets, when it is reset.
-- +goose StatementBegin
CREATE FUNCTION refuse_outside_sandbox() RETURNS trigger AS $$
BEGIN
    IF TG_OP = 'DELETE' AND EXISTS (SELECT 1 FROM installation WHERE kind = 'sandbox') THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'rows of % are final', TG_TABLE_NAME;
END
$$ LANGUAGE plpgsql;
-- +goose StatementEnd
CREATE TRIGGER protocol_entries_are_final BEFORE UPDATE OR DELETE ON protocol_entries FOR EACH ROW EXECUTE FUNCTION refuse_outside_sandbox();
CREATE TRIGGER receipts_are_final BEFORE UPDATE OR DELETE ON receipts FOR EACH ROW EXECUTE FUNCTION refuse_outside_sandbox();
CREATE TRIGGER audit_records_are_final BEFORE UPDATE OR DELETE ON audit_records FOR EACH ROW EXECUTE FUNCTION refuse_outside_sandbox();
CREATE TRIGGER submitted_declarations_stay BEFORE DELETE ON declarations FOR EACH ROW WHEN (OLD.state <> 'draft') EXECUTE FUNCTION refuse_outside_sandbox();
