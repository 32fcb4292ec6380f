-- SPDX-License-Identifier: Apache-2.0
-- Revert casetrace:registry_maker from pg
BEGIN;
\ir ../unready.sql
DROP TABLE registry.model, registry.maker_key, registry.maker, registry.external_party;
DELETE FROM registry.applied_change WHERE change = 'registry_maker';
COMMIT;
