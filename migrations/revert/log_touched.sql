-- SPDX-License-Identifier: Apache-2.0
-- Revert casetrace:log_touched from pg
BEGIN;
\ir ../unready.sql
DROP TABLE registry.log_touched;
ALTER TABLE registry.log_search_batch DROP COLUMN touched, DROP COLUMN touched_places;
DROP INDEX registry.log_search_account, registry.log_search_organization, registry.log_search_operation,
           registry.log_search_refused, registry.log_search_case;
ALTER TABLE registry.log_search ADD COLUMN firearm bytea;
COMMENT ON COLUMN registry.log_search.firearm IS 'keyed blind index of the firearm touched, 32 bytes; null until it is filled from the subjects';
CREATE INDEX log_search_at ON registry.log_search (at, idx);
CREATE INDEX log_search_account ON registry.log_search (account_id, at, idx) WHERE account_id IS NOT NULL;
CREATE INDEX log_search_organization ON registry.log_search (organization_id, at, idx) WHERE organization_id IS NOT NULL;
CREATE INDEX log_search_operation ON registry.log_search (operation, at, idx);
CREATE INDEX log_search_refused ON registry.log_search (outcome, at, idx) WHERE outcome <> 'ok';
CREATE INDEX log_search_case ON registry.log_search (case_number, at, idx) WHERE case_number IS NOT NULL;
CREATE INDEX log_search_firearm ON registry.log_search (firearm, at, idx) WHERE firearm IS NOT NULL;
DELETE FROM registry.applied_change WHERE change = 'log_touched';
COMMIT;
