-- SPDX-License-Identifier: Apache-2.0
-- Deploy casetrace:registry_trace to pg
BEGIN;

\set change registry_trace
\ir ../guard.sql
\if :applied
COMMIT;
\quit
\endif

-- Written thousands of times a second: one row and one index entry a trace, no
-- foreign keys, nothing compressed. Whatever lists need is in trace_search.
CREATE TABLE registry.trace (
    id              uuid PRIMARY KEY,
    batch_id        uuid NOT NULL,
    account_id      uuid NOT NULL,
    organization_id uuid NOT NULL,
    disclosed_sale  uuid,
    at              timestamptz NOT NULL DEFAULT now(),
    ordinal         integer NOT NULL,
    state           text NOT NULL,
    case_number     text NOT NULL,
    request         json NOT NULL,
    answer          json NOT NULL
) WITH (toast_tuple_target = 8160);
ALTER TABLE registry.trace ALTER COLUMN request SET COMPRESSION lz4, ALTER COLUMN answer SET COMPRESSION lz4;
COMMENT ON TABLE registry.trace IS 'an answered trace; insert-only, a new version of an answer is a new row';
COMMENT ON COLUMN registry.trace.id IS 'random; shown as trc_…; chosen by the keeper';
COMMENT ON COLUMN registry.trace.batch_id IS 'batch that recorded the row; with ordinal it names the log entry';
COMMENT ON COLUMN registry.trace.account_id IS 'who asked';
COMMENT ON COLUMN registry.trace.organization_id IS 'the agency, which alone reads it again';
COMMENT ON COLUMN registry.trace.disclosed_sale IS 'sale whose purchaser was shown; null when none was. Written by the keeper';
COMMENT ON COLUMN registry.trace.at IS 'when it was answered, UTC; set by the database';
COMMENT ON COLUMN registry.trace.ordinal IS 'position of the request in its batch, from 1';
COMMENT ON COLUMN registry.trace.state IS 'identified, candidates, no_match or insufficient';
COMMENT ON COLUMN registry.trace.case_number IS 'the agency''s, as written';
COMMENT ON COLUMN registry.trace.request IS 'what was asked, as sent';
COMMENT ON COLUMN registry.trace.answer IS 'what was answered, candidates inside, without the purchaser: that stays sealed at the sale';

CREATE TABLE registry.trace_batch (
    batch_id      uuid PRIMARY KEY,
    ids           uuid[] NOT NULL,
    accounts      uuid[] NOT NULL,
    organizations uuid[] NOT NULL,
    case_numbers  text[] NOT NULL,
    exhibits      text[] NOT NULL,
    states        text[] NOT NULL,
    purposes      text[] NOT NULL,
    urgencies     text[] NOT NULL,
    candidates    integer[] NOT NULL
);
COMMENT ON TABLE registry.trace_batch IS
    'what lists show of the traces of a batch, so that search_fill reads one row for all of them, in the order of the log; insert-only';
COMMENT ON COLUMN registry.trace_batch.batch_id IS 'the batch';
COMMENT ON COLUMN registry.trace_batch.ids IS 'ids of the traces that it recorded; the other arrays go with it, element by element';
COMMENT ON COLUMN registry.trace_batch.accounts IS 'who asked';
COMMENT ON COLUMN registry.trace_batch.organizations IS 'the agency';
COMMENT ON COLUMN registry.trace_batch.case_numbers IS 'the agency''s, as written';
COMMENT ON COLUMN registry.trace_batch.exhibits IS 'the first specimen''s exhibit number';
COMMENT ON COLUMN registry.trace_batch.states IS 'identified, candidates, no_match or insufficient';
COMMENT ON COLUMN registry.trace_batch.purposes IS 'NCIC purpose code';
COMMENT ON COLUMN registry.trace_batch.urgencies IS 'routine or urgent';
COMMENT ON COLUMN registry.trace_batch.candidates IS 'candidates in the answer';

CREATE TABLE registry.trace_search (
    trace_id        uuid PRIMARY KEY,
    organization_id uuid NOT NULL,
    account_id      uuid NOT NULL,
    at              timestamptz NOT NULL,
    case_number     text COLLATE "C" NOT NULL,
    exhibit         text COLLATE "C" NOT NULL,
    state           text NOT NULL,
    purpose         text NOT NULL,
    urgency         text NOT NULL,
    candidates      integer NOT NULL CHECK (candidates >= 0)
);
CREATE INDEX trace_search_organization ON registry.trace_search (organization_id, at, trace_id);
CREATE INDEX trace_search_account ON registry.trace_search (account_id, at, trace_id);
CREATE INDEX trace_search_case ON registry.trace_search (organization_id, case_number, at, trace_id);
CREATE INDEX trace_search_exhibit ON registry.trace_search (organization_id, exhibit, at, trace_id);
COMMENT ON TABLE registry.trace_search IS
    'what lists of traces filter and show; filled behind the batch by search_fill, can be made again from trace';
COMMENT ON COLUMN registry.trace_search.trace_id IS 'the trace';
COMMENT ON COLUMN registry.trace_search.organization_id IS 'the agency';
COMMENT ON COLUMN registry.trace_search.account_id IS 'who asked';
COMMENT ON COLUMN registry.trace_search.at IS 'when it was answered, UTC';
COMMENT ON COLUMN registry.trace_search.case_number IS 'the agency''s, as written';
COMMENT ON COLUMN registry.trace_search.exhibit IS 'the first specimen''s exhibit number';
COMMENT ON COLUMN registry.trace_search.state IS 'identified, candidates, no_match or insufficient';
COMMENT ON COLUMN registry.trace_search.purpose IS 'NCIC purpose code';
COMMENT ON COLUMN registry.trace_search.urgency IS 'routine or urgent';
COMMENT ON COLUMN registry.trace_search.candidates IS 'candidates in the answer';

INSERT INTO registry.applied_change (change) VALUES (:'change');
COMMIT;
