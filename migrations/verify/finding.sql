-- SPDX-License-Identifier: Apache-2.0
-- Verify casetrace:finding on pg
BEGIN;
SELECT number, kind, organization_id, account_id, day, count, first_entry, last_entry, made_at FROM registry.finding WHERE false;
SELECT 1 / (to_regclass('registry.log_batch_at') IS NOT NULL)::integer;
ROLLBACK;
