-- SPDX-License-Identifier: Apache-2.0
-- Revert casetrace:registry_custody from pg
BEGIN;
\ir ../unready.sql
DROP TABLE registry.custody_event;
DELETE FROM registry.applied_change WHERE change = 'registry_custody';
COMMIT;
