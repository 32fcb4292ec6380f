-- SPDX-License-Identifier: Apache-2.0
-- Deploy casetrace:log_published to pg
BEGIN;

\set change log_published
\ir ../guard.sql
\if :applied
COMMIT;
\quit
\endif

CREATE TABLE registry.log_published (
    size bigint PRIMARY KEY REFERENCES registry.log_batch (size),
    note text NOT NULL CHECK (length(note) BETWEEN 1 AND 65536),
    at   timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE registry.log_published IS
    'checkpoints of the public view, one a minute at most; insert-only. Their sizes, and no others, have partial tiles';
COMMENT ON COLUMN registry.log_published.size IS 'entries of the log; written by log_publish, as the next';
COMMENT ON COLUMN registry.log_published.note IS 'the signed checkpoint as it was published first';
COMMENT ON COLUMN registry.log_published.at IS 'when, UTC; set by the database. A keeper that starts waits for the rest of the minute';

INSERT INTO registry.applied_change (change) VALUES (:'change');
COMMIT;
