-- SPDX-License-Identifier: Apache-2.0
-- Included first by every revert script, inside its transaction: views of
-- schema api use the tables, and no batch may run on what is left.
UPDATE registry.schema_ready SET ready = false, at = now() WHERE id = 1;
DROP SCHEMA IF EXISTS api CASCADE;
