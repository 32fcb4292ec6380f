-- SPDX-License-Identifier: Apache-2.0
-- Verify casetrace:registry_maker on pg
BEGIN;
SELECT id, key, written, batch_id, ordinal, recorded_at FROM registry.external_party WHERE false;
SELECT id, name, batch_id, ordinal, recorded_at FROM registry.maker WHERE false;
SELECT kind, key, maker_id, written, batch_id, ordinal, recorded_at FROM registry.maker_key WHERE false;
SELECT id, maker_id, name, name_key, caliber, firearm_type, batch_id, ordinal, recorded_at FROM registry.model WHERE
    false;
ROLLBACK;
