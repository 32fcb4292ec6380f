-- SPDX-License-Identifier: Apache-2.0
-- Revert casetrace:idempotency from pg
BEGIN;
\ir ../unready.sql
DROP TABLE registry.idempotency;
DELETE FROM registry.applied_change WHERE change = 'idempotency';
COMMIT;
