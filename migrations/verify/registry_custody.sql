-- SPDX-License-Identifier: Apache-2.0
-- Verify casetrace:registry_custody on pg
BEGIN;
SELECT id, firearm_id, seq, before_seq, kind, occurred_on, from_party, to_party, from_written, to_written, document,
    sale_id, supersedes, reason, external_id, organization_id, account_id, batch_id, ordinal, recorded_at FROM
    registry.custody_event WHERE false;
ROLLBACK;
