-- SPDX-License-Identifier: Apache-2.0
-- Verify casetrace:confusion on pg
BEGIN;
SELECT name, seq, origin, description, rates, digest, readings, account_id, batch_id, ordinal, recorded_at
    FROM registry.confusion_matrix WHERE false;
SELECT 1 / count(*) FROM registry.confusion_matrix WHERE name = 'default-1';
SELECT seq, name, reason, account_id, batch_id, ordinal, recorded_at FROM registry.confusion_activation WHERE false;
SELECT id, batch_id, account_id, organization_id, firearm_id, at, ordinal, state, unread, case_number, request, answer
    FROM registry.comparison WHERE false;
SELECT comparison_id, specimen, mark, code, reading, batch_id, ordinal FROM registry.test_fire WHERE false;
ROLLBACK;
