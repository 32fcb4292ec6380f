-- SPDX-License-Identifier: Apache-2.0
-- Verify casetrace:rule on pg
BEGIN;
SELECT id, jurisdiction, name, value, instrument, state, valid_from, valid_to, supersedes FROM registry.rule WHERE false;
ROLLBACK;
