-- SPDX-License-Identifier: Apache-2.0
-- Revert casetrace:log_published from pg
BEGIN;
\ir ../unready.sql
DROP TABLE registry.log_published;
DELETE FROM registry.applied_change WHERE change = 'log_published';
COMMIT;
