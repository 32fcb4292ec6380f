-- SPDX-License-Identifier: Apache-2.0
-- Revert casetrace:registry_vocabulary from pg
BEGIN;
\ir ../unready.sql
DROP TABLE registry.vocabulary;
DELETE FROM registry.applied_change WHERE change = 'registry_vocabulary';
COMMIT;
