-- SPDX-License-Identifier: Apache-2.0
-- Revert casetrace:schema from pg
-- The functions of schema api use the tables, so they go with them.
BEGIN;
DROP SCHEMA IF EXISTS api CASCADE;
DROP TABLE registry.schema_ready, registry.applied_change;
DROP SCHEMA registry;
COMMIT;
