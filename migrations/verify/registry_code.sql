-- SPDX-License-Identifier: Apache-2.0
-- Verify casetrace:registry_code on pg
BEGIN;
SELECT id, organization_id, scheme, origin, count, account_id, batch_id, ordinal, recorded_at FROM
    registry.code_block WHERE false;
SELECT word, scheme, block_id FROM registry.code WHERE false;
SELECT word, scheme, seq, state, reason, account_id, batch_id, ordinal, recorded_at FROM registry.code_event WHERE
    false;
SELECT scheme, caliber, maker_id, month, registered, batch_id, ordinal FROM registry.code_count WHERE false;
ROLLBACK;
