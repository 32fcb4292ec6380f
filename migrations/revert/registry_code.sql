-- SPDX-License-Identifier: Apache-2.0
-- Revert casetrace:registry_code from pg
BEGIN;
\ir ../unready.sql
DROP TABLE registry.code_count, registry.code_event, registry.code, registry.code_block;
DELETE FROM registry.applied_change WHERE change = 'registry_code';
COMMIT;
