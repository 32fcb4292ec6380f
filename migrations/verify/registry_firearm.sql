-- SPDX-License-Identifier: Apache-2.0
-- Verify casetrace:registry_firearm on pg
BEGIN;
SELECT id, organization_id, registered_by, maker_id, importer_id, model_id, external_id, serial, serial_key,
    caliber, firearm_type, account_id, batch_id, ordinal, recorded_at FROM registry.firearm WHERE false;
SELECT id, firearm_id, word, scheme, seq, placement, valid_from, supersedes, reason, batch_id, ordinal, recorded_at
    FROM registry.mark WHERE false;
SELECT firearm_id, holder, standing_sale, first_sale, batch_id, ordinal, events, last_on, shipped_on,
    first_delivered_on, returned_on, chain_complete, status, maker, importer, model, serial, caliber, firearm_type,
    basis, no_purchaser, first_dealer, first_transaction, custody, later_holders FROM registry.firearm_state WHERE
    false;
ROLLBACK;
