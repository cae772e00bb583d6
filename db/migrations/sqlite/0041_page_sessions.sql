-- +goose Up

-- Sessions of people who use the pages: the secret in a browser's cookie, kept as its SHA-256, stands for a session.
CREATE TABLE page_sessions (
    secret_hash text PRIMARY KEY,
    session_id text NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    created_at timestamp NOT NULL
);
CREATE INDEX page_sessions_by_session ON page_sessions (session_id);
