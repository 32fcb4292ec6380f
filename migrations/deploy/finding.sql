-- SPDX-License-Identifier: Apache-2.0
-- Deploy casetrace:finding to pg
BEGIN;

\set change finding
\ir ../guard.sql
\if :applied
COMMIT;
\quit
\endif

-- Batches follow each other in time, so this costs next to nothing to keep; a
-- keeper that becomes the writer finds the day's batches by it.
CREATE INDEX log_batch_at ON registry.log_batch USING brin (at) WITH (pages_per_range = 16, autosummarize = on);

CREATE TABLE registry.finding (
    number          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind            text NOT NULL CHECK (kind ~ '^[a-z][a-z0-9_]{0,39}$'),
    organization_id uuid NOT NULL,
    account_id      uuid,
    day             date NOT NULL,
    count           bigint NOT NULL CHECK (count >= 1),
    first_entry     bigint CHECK (first_entry >= 0),
    last_entry      bigint CHECK (last_entry >= first_entry),
    made_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE NULLS NOT DISTINCT (kind, organization_id, account_id, day)
);
CREATE INDEX finding_account ON registry.finding (account_id, number) WHERE account_id IS NOT NULL;
CREATE INDEX finding_organization ON registry.finding (organization_id, number);
COMMENT ON TABLE registry.finding IS
    'what an auditor should look at: an account did much of one thing on one day; insert-only, found behind the batch';
COMMENT ON COLUMN registry.finding.number IS 'in the order of recording, with gaps; set by the database';
COMMENT ON COLUMN registry.finding.kind IS 'what was counted; the kinds stand in keeper/budget.c. Written by finding_record, as the next';
COMMENT ON COLUMN registry.finding.organization_id IS 'organization of the account';
COMMENT ON COLUMN registry.finding.account_id IS 'who did it; null where a whole organization is counted';
COMMENT ON COLUMN registry.finding.day IS 'the day, UTC';
COMMENT ON COLUMN registry.finding.count IS 'how much when it was found: traces, firearms or units, by the kind';
COMMENT ON COLUMN registry.finding.first_entry IS 'first log entry that counted, or an earlier one of its batch; null if not known';
COMMENT ON COLUMN registry.finding.last_entry IS 'last log entry that counted when it was found, or a later one of its batch; null if not known';
COMMENT ON COLUMN registry.finding.made_at IS 'when it was recorded, UTC; set by the database';

INSERT INTO registry.applied_change (change) VALUES (:'change');
COMMIT;
