-- SPDX-License-Identifier: Apache-2.0
-- Revert casetrace:registry_firearm from pg
BEGIN;
\ir ../unready.sql
DROP TABLE registry.firearm_state, registry.mark, registry.firearm;
DELETE FROM registry.applied_change WHERE change = 'registry_firearm';
COMMIT;
