-- SPDX-License-Identifier: Apache-2.0
-- Deploy casetrace:idempotency to pg
BEGIN;

\set change idempotency
\ir ../guard.sql
\if :applied
COMMIT;
\quit
\endif

CREATE TABLE registry.idempotency (
    account_id  uuid NOT NULL REFERENCES registry.account,
    operation   text NOT NULL CHECK (length(operation) BETWEEN 1 AND 100),
    key         text NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    mac         bytea NOT NULL CHECK (octet_length(mac) = 32),
    outcome     text NOT NULL,
    answer      json,
    resource    uuid,
    batch_id    uuid NOT NULL,
    ordinal     integer NOT NULL CHECK (ordinal >= 1),
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, operation, key)
);
-- maintain() takes the old rows by it.
CREATE INDEX idempotency_recorded ON registry.idempotency USING brin (recorded_at) WITH (autosummarize = on);

COMMENT ON TABLE registry.idempotency IS
    'what a request under an Idempotency-Key led to, for 24 hours; holds no secret and no person';
COMMENT ON COLUMN registry.idempotency.account_id IS 'whose key; keys of two accounts never meet; written by idempotency_store';
COMMENT ON COLUMN registry.idempotency.operation IS 'operation that was asked; written by idempotency_store';
COMMENT ON COLUMN registry.idempotency.key IS 'the header''s value; written by idempotency_store';
COMMENT ON COLUMN registry.idempotency.mac IS
    'MAC of the request under a key of the keyring, since a plain hash would let a reader guess requests; written by idempotency_store';
COMMENT ON COLUMN registry.idempotency.outcome IS 'ok or a name of the error registry; written by idempotency_store';
COMMENT ON COLUMN registry.idempotency.answer IS 'answer where it cannot be rendered again from the resource; written by idempotency_store';
COMMENT ON COLUMN registry.idempotency.resource IS 'what was made, to render the answer from; written by idempotency_store';
COMMENT ON COLUMN registry.idempotency.batch_id IS 'batch of the first request; with ordinal it names the log entry that a replay cites';
COMMENT ON COLUMN registry.idempotency.ordinal IS 'position of the first request in its batch, from 1';
COMMENT ON COLUMN registry.idempotency.recorded_at IS 'when it was stored, UTC; older than 24 hours counts as absent; set by the database';

INSERT INTO registry.applied_change (change) VALUES (:'change');
COMMIT;
