-- SPDX-License-Identifier: Apache-2.0
-- Revert casetrace:registry_opaque from pg. Fails while there are opaque codes:
-- what came in no block cannot be kept without this change.
BEGIN;
\ir ../unready.sql
DROP TABLE registry.code_uncounted, registry.code_frequency;
ALTER TABLE registry.code_count DROP COLUMN length, DROP COLUMN firearms;
DROP INDEX registry.mark_opaque_first, registry.mark_opaque_second;
ALTER TABLE registry.code DROP CONSTRAINT code_brought, ALTER COLUMN block_id SET NOT NULL;
DELETE FROM registry.applied_change WHERE change = 'registry_opaque';
COMMIT;
