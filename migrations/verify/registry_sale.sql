-- SPDX-License-Identifier: Apache-2.0
-- Verify casetrace:registry_sale on pg
BEGIN;
SELECT id, organization_id, firearm_id, maker_written, importer_written, serial, serial_key, transaction_number,
    condition, external_id, account_id, batch_id, ordinal, recorded_at FROM registry.sale WHERE false;
SELECT sale_id, seq, kind, occurred_on, firearm_id, reason, account_id, batch_id, ordinal, recorded_at FROM
    registry.sale_event WHERE false;
SELECT sale_id, kind, key_id, sealed, batch_id, ordinal, recorded_at FROM registry.sale_purchaser WHERE false;
ROLLBACK;
