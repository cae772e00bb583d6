-- +goose Up

-- What was filed, numbered or traced is written once. Only a sandbox forgets, when it is reset.
-- +goose StatementBegin
CREATE TRIGGER protocol_entries_are_final_updated BEFORE UPDATE ON protocol_entries FOR EACH ROW
BEGIN
    SELECT RAISE(ABORT, 'rows of protocol_entries are final');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER protocol_entries_are_final_deleted BEFORE DELETE ON protocol_entries FOR EACH ROW WHEN NOT EXISTS (SELECT 1 FROM installation WHERE kind = 'sandbox')
BEGIN
    SELECT RAISE(ABORT, 'rows of protocol_entries are final');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER receipts_are_final_updated BEFORE UPDATE ON receipts FOR EACH ROW
BEGIN
    SELECT RAISE(ABORT, 'rows of receipts are final');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER receipts_are_final_deleted BEFORE DELETE ON receipts FOR EACH ROW WHEN NOT EXISTS (SELECT 1 FROM installation WHERE kind = 'sandbox')
BEGIN
    SELECT RAISE(ABORT, 'rows of receipts are final');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_records_are_final_updated BEFORE UPDATE ON audit_records FOR EACH ROW
BEGIN
    SELECT RAISE(ABORT, 'rows of audit_records are final');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_records_are_final_deleted BEFORE DELETE ON audit_records FOR EACH ROW WHEN NOT EXISTS (SELECT 1 FROM installation WHERE kind = 'sandbox')
BEGIN
    SELECT RAISE(ABORT, 'rows of audit_records are final');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER submitted_declarations_stay BEFORE DELETE ON declarations FOR EACH ROW WHEN OLD.state <> 'draft' AND NOT EXISTS (SELECT 1 FROM installation WHERE kind = 'sandbox')
BEGIN
    SELECT RAISE(ABORT, 'rows of declarations are final');
END;
-- +goose StatementEnd
