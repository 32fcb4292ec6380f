-- SPDX-License-Identifier: Apache-2.0
-- Revert casetrace:finding from pg
BEGIN;
\ir ../unready.sql
DROP TABLE registry.finding;
DROP INDEX registry.log_batch_at;
DELETE FROM registry.applied_change WHERE change = 'finding';
COMMIT;
