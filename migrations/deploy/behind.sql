-- SPDX-License-Identifier: Apache-2.0
-- Deploy casetrace:behind to pg
BEGIN;

\set change behind
\ir ../guard.sql
\if :applied
COMMIT;
\quit
\endif

-- One row a batch, so that what auditors filter by need not be read out of
-- every header again. It only spares work: a batch without a row is read from
-- its headers, and rows that have served are removed.
CREATE TABLE registry.log_search_batch (
    size          bigint PRIMARY KEY,
    at            timestamptz NOT NULL,
    accounts      uuid[] NOT NULL,
    organizations uuid[] NOT NULL,
    operations    text[] NOT NULL,
    outcomes      text[] NOT NULL,
    case_numbers  text[] NOT NULL
) WITH (toast_tuple_target = 8160);
COMMENT ON TABLE registry.log_search_batch IS
    'what the headers of a batch say that auditors filter by, until log_search has it; written by log_append, removed by maintain';
COMMENT ON COLUMN registry.log_search_batch.size IS 'size of the log after the batch';
COMMENT ON COLUMN registry.log_search_batch.at IS 'time in the headers of the batch, UTC';
COMMENT ON COLUMN registry.log_search_batch.accounts IS 'account of each entry, in the order of the log; the other arrays go with it, element by element';
COMMENT ON COLUMN registry.log_search_batch.organizations IS 'organization of the account';
COMMENT ON COLUMN registry.log_search_batch.operations IS 'operation';
COMMENT ON COLUMN registry.log_search_batch.outcomes IS 'ok, replayed or the name of an error';
COMMENT ON COLUMN registry.log_search_batch.case_numbers IS 'the agency''s, as written; null where the operation has none';

-- Nothing inside the database reads these as JSON but get_trace, which casts
-- them: checking every row's syntax again when it is written is not worth it.
ALTER TABLE registry.trace ALTER COLUMN request TYPE text, ALTER COLUMN answer TYPE text;
ALTER TABLE registry.trace ALTER COLUMN request SET COMPRESSION lz4, ALTER COLUMN answer SET COMPRESSION lz4;
COMMENT ON COLUMN registry.trace.request IS 'what was asked, as sent: JSON';
COMMENT ON COLUMN registry.trace.answer IS
    'what was answered, candidates inside, without the purchaser: that stays sealed at the sale; JSON';

-- A batch's row is written once and read once soon after: not compressed either.
ALTER TABLE registry.trace_batch SET (toast_tuple_target = 8160);

INSERT INTO registry.applied_change (change) VALUES (:'change');
COMMIT;
