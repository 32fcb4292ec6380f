-- SPDX-License-Identifier: Apache-2.0
-- Revert casetrace:rule from pg
BEGIN;
\ir ../unready.sql
DROP TABLE registry.rule;
DELETE FROM registry.applied_change WHERE change = 'rule';
COMMIT;
