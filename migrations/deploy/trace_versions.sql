-- SPDX-License-Identifier: Apache-2.0
-- Deploy casetrace:trace_versions to pg
BEGIN;

\set change trace_versions
\ir ../guard.sql
\if :applied
COMMIT;
\quit
\endif

-- A first version costs nothing more: null columns, and no entry in the new index.
ALTER TABLE registry.trace
    ADD COLUMN root          uuid,
    ADD COLUMN version       integer NOT NULL DEFAULT 1,
    ADD COLUMN supersedes    uuid,
    ADD COLUMN after_answer  boolean NOT NULL DEFAULT false,
    ADD COLUMN reason        text,
    ADD COLUMN withheld_sale uuid,
    ADD COLUMN withheld      json;
CREATE UNIQUE INDEX trace_version ON registry.trace (root, version) WHERE root IS NOT NULL;
COMMENT ON COLUMN registry.trace.root IS 'first version of the trace; null in that version itself. Written by trace_record';
COMMENT ON COLUMN registry.trace.version IS 'from 1; each version of a trace is a row of its own. Written by trace_record';
COMMENT ON COLUMN registry.trace.supersedes IS 'the version before, which stays as it is; null in the first. Written by trace_record';
COMMENT ON COLUMN registry.trace.after_answer IS
    'an exhibit in it was traced before with another reading, so who read it may have known the answer. Written by the keeper';
COMMENT ON COLUMN registry.trace.reason IS 'why there is this version, as the examiner wrote it; null in the first. Written by the keeper';
COMMENT ON COLUMN registry.trace.withheld_sale IS
    'sale whose purchaser was not shown because the reading came after an answer; null when none. Written by the keeper';
COMMENT ON COLUMN registry.trace.withheld IS
    'what the answer would have said of that purchaser, without the person; shown once a second examiner confirms. Written by the keeper';

ALTER TABLE registry.trace_batch ADD COLUMN unread integer[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN registry.trace_batch.unread IS 'most unread characters of one mark in each trace; written by trace_record';

-- Inserted with nearly every trace: one row, one index entry, no foreign keys.
CREATE TABLE registry.exhibit (
    organization_id uuid NOT NULL,
    trace_id        uuid NOT NULL,
    batch_id        uuid NOT NULL,
    recorded_at     timestamptz NOT NULL DEFAULT now(),
    reading_digest  bytea NOT NULL CHECK (octet_length(reading_digest) BETWEEN 16 AND 64),
    case_number     text COLLATE "C" NOT NULL,
    exhibit         text COLLATE "C" NOT NULL,
    PRIMARY KEY (organization_id, case_number, exhibit)
);
COMMENT ON TABLE registry.exhibit IS
    'exhibits that were traced, each with its first reading, which is locked: another one later is after the answer; insert-only';
COMMENT ON COLUMN registry.exhibit.organization_id IS 'the agency; written by trace_record, as all columns';
COMMENT ON COLUMN registry.exhibit.trace_id IS 'trace that locked the reading; its request holds what was read';
COMMENT ON COLUMN registry.exhibit.batch_id IS 'batch that recorded the row';
COMMENT ON COLUMN registry.exhibit.recorded_at IS 'when it was locked, UTC; set by the database';
COMMENT ON COLUMN registry.exhibit.reading_digest IS
    'digest of what was read, in one way of writing it, computed by the keeper: equal for the same reading sent again';
COMMENT ON COLUMN registry.exhibit.case_number IS 'the agency''s, as written';
COMMENT ON COLUMN registry.exhibit.exhibit IS 'the agency''s number of the exhibit, as written';

CREATE TABLE registry.disclosure (
    trace_id        uuid PRIMARY KEY,
    sale_id         uuid NOT NULL,
    organization_id uuid NOT NULL,
    account_id      uuid NOT NULL,
    reason          text NOT NULL,
    batch_id        uuid NOT NULL,
    ordinal         integer NOT NULL CHECK (ordinal >= 1),
    recorded_at     timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE registry.disclosure IS
    'purchasers shown after a second examiner has confirmed a reading that came after an answer; insert-only';
COMMENT ON COLUMN registry.disclosure.trace_id IS 'version of a trace that withheld the purchaser; written by create_trace_disclosure, as all columns';
COMMENT ON COLUMN registry.disclosure.sale_id IS 'sale whose purchaser was shown';
COMMENT ON COLUMN registry.disclosure.organization_id IS 'the agency of both';
COMMENT ON COLUMN registry.disclosure.account_id IS 'who confirmed; never who made the trace';
COMMENT ON COLUMN registry.disclosure.reason IS 'what the second examiner wrote';
COMMENT ON COLUMN registry.disclosure.batch_id IS 'batch that recorded the row; with ordinal it names the log entry';
COMMENT ON COLUMN registry.disclosure.ordinal IS 'position of the request in its batch, from 1';
COMMENT ON COLUMN registry.disclosure.recorded_at IS 'when it was confirmed, UTC; set by the database';

INSERT INTO registry.applied_change (change) VALUES (:'change');
COMMIT;
