-- SPDX-License-Identifier: Apache-2.0
-- Verify casetrace:registry_vocabulary on pg
BEGIN;
SELECT kind, value, title, aliases, place FROM registry.vocabulary WHERE false;
SELECT 1 / count(*) FROM registry.vocabulary WHERE kind = 'caliber' AND value = '9mm';
ROLLBACK;
