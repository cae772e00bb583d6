-- +goose Up

-- Each look of somebody who works here at a person's data: that person sees it, and one may look at only so many people a day.
CREATE TABLE staff_looks (
    id uuid PRIMARY KEY,
    person_id uuid NOT NULL REFERENCES people (id),
    staff_id uuid NOT NULL REFERENCES people (id),
    at timestamptz NOT NULL,
    operation text NOT NULL,
    request_id text NOT NULL,
    user_class text NOT NULL,
    office_code text
);
CREATE INDEX staff_looks_of_staff ON staff_looks (staff_id, at, id);
CREATE INDEX staff_looks_at_person ON staff_looks (person_id, at, id);
