-- SPDX-License-Identifier: Apache-2.0
-- Verify casetrace:idempotency on pg
BEGIN;
SELECT account_id, operation, key, mac, outcome, answer, resource, batch_id, ordinal, recorded_at
FROM registry.idempotency WHERE false;
ROLLBACK;
