-- SPDX-License-Identifier: Apache-2.0
-- Deploy casetrace:log_touched to pg
BEGIN;

\set change log_touched
\ir ../guard.sql
\if :applied
COMMIT;
\quit
\endif

-- Times of entries do not rise with their index: two lanes make them at once.
-- What is read in the order of the index is found in that order.
DROP INDEX registry.log_search_at, registry.log_search_account, registry.log_search_organization,
           registry.log_search_operation, registry.log_search_refused, registry.log_search_case;
ALTER TABLE registry.log_search DROP COLUMN firearm;
CREATE INDEX log_search_account ON registry.log_search (account_id, idx) WHERE account_id IS NOT NULL;
CREATE INDEX log_search_organization ON registry.log_search (organization_id, idx) WHERE organization_id IS NOT NULL;
CREATE INDEX log_search_operation ON registry.log_search (operation, idx);
-- Refusals are few and asked for alone; nearly all others are ok.
CREATE INDEX log_search_refused ON registry.log_search (outcome, idx) WHERE outcome <> 'ok';
CREATE INDEX log_search_case ON registry.log_search (case_number, idx) WHERE case_number IS NOT NULL;

ALTER TABLE registry.log_search_batch
    ADD COLUMN touched        bytea[] NOT NULL DEFAULT '{}',
    ADD COLUMN touched_places integer[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN registry.log_search_batch.touched IS
    'tokens of what the entries touched, see log_touched; any number of each entry, the longer of the arrays therefore';
COMMENT ON COLUMN registry.log_search_batch.touched_places IS 'position of the entry of each token in the batch, from 1';

-- A keyed token, not an id: without the keyring nobody can tell which firearm
-- was traced, nor which entry an auditor has read.
CREATE TABLE registry.log_touched (
    token bytea NOT NULL CHECK (octet_length(token) = 16),
    idx   bigint NOT NULL CHECK (idx >= 0),
    PRIMARY KEY (token, idx)
);
COMMENT ON TABLE registry.log_touched IS
    'which entries touched a firearm, or read another entry of the log; filled behind the batch and, since headers do not say it, '
    'never made again; insert-only';
COMMENT ON COLUMN registry.log_touched.token IS 'BLAKE2b of the firearm''s id or the entry''s index under a key of the keyring, made by the keeper';
COMMENT ON COLUMN registry.log_touched.idx IS 'index of the entry that touched it; written by search_fill';

INSERT INTO registry.applied_change (change) VALUES (:'change');
COMMIT;
