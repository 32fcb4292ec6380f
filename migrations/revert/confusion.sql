-- SPDX-License-Identifier: Apache-2.0
-- Revert casetrace:confusion from pg
BEGIN;
\ir ../unready.sql
DROP TABLE registry.test_fire, registry.comparison, registry.confusion_activation, registry.confusion_matrix;
DELETE FROM registry.applied_change WHERE change = 'confusion';
COMMIT;
