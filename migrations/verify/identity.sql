-- SPDX-License-Identifier: Apache-2.0
-- Verify casetrace:identity on pg
BEGIN;
SELECT id, name, kind, contact, batch_id, ordinal, recorded_at FROM registry.organization WHERE false;
SELECT organization_id, seq, state, reason, recorded_by FROM registry.organization_standing WHERE false;
SELECT id, organization_id, kind, number, key, place, valid_from, valid_to FROM registry.organization_licence WHERE false;
SELECT id, organization_id, name, kind FROM registry.account WHERE false;
SELECT account_id, seq, state, roles, reason, recorded_by FROM registry.account_standing WHERE false;
SELECT id, account_id, kind, key_digest, name, expires_at, revoked_at, last_used_on FROM registry.credential WHERE false;
ROLLBACK;
