-- +goose Up

-- One open request for each person, contributor and service, so that another one can be sent for other services. SC65 names none.
DROP INDEX enrolments_open;
CREATE UNIQUE INDEX enrolments_open ON enrolments (person_id, contributor_id) WHERE form = 'SC65' AND state IN ('submitted', 'awaiting_credentials');
CREATE UNIQUE INDEX enrolments_open_view_payments ON enrolments (person_id, contributor_id) WHERE instr(services, '"view_payments"') > 0 AND state IN ('submitted', 'awaiting_credentials');
CREATE UNIQUE INDEX enrolments_open_view_debit_notes ON enrolments (person_id, contributor_id) WHERE instr(services, '"view_debit_notes"') > 0 AND state IN ('submitted', 'awaiting_credentials');
CREATE UNIQUE INDEX enrolments_open_view_amortisation_plans ON enrolments (person_id, contributor_id) WHERE instr(services, '"view_amortisation_plans"') > 0 AND state IN ('submitted', 'awaiting_credentials');
CREATE UNIQUE INDEX enrolments_open_compile_dma ON enrolments (person_id, contributor_id) WHERE instr(services, '"compile_dma"') > 0 AND state IN ('submitted', 'awaiting_credentials');
CREATE UNIQUE INDEX enrolments_open_view_dma ON enrolments (person_id, contributor_id) WHERE instr(services, '"view_dma"') > 0 AND state IN ('submitted', 'awaiting_credentials');
