-- SPDX-License-Identifier: Apache-2.0
-- Revert casetrace:trace_versions from pg
BEGIN;
\ir ../unready.sql
DROP TABLE registry.disclosure, registry.exhibit;
DROP INDEX registry.trace_version;
ALTER TABLE registry.trace_batch DROP COLUMN unread;
ALTER TABLE registry.trace
    DROP COLUMN root, DROP COLUMN version, DROP COLUMN supersedes, DROP COLUMN after_answer, DROP COLUMN reason,
    DROP COLUMN withheld_sale, DROP COLUMN withheld;
DELETE FROM registry.applied_change WHERE change = 'trace_versions';
COMMIT;
