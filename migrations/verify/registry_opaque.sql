-- SPDX-License-Identifier: Apache-2.0
-- Verify casetrace:registry_opaque on pg
BEGIN;
SELECT scheme, length, position, character, registered FROM registry.code_frequency WHERE false;
SELECT scheme, words, batch_id, ordinal FROM registry.code_uncounted WHERE false;
SELECT length, firearms FROM registry.code_count WHERE false;
SELECT 1 / count(*) FROM pg_class WHERE oid = 'registry.mark_opaque_first'::regclass;
SELECT 1 / count(*) FROM pg_class WHERE oid = 'registry.mark_opaque_second'::regclass;
SELECT 1 / (1 - a.attnotnull::integer) FROM pg_attribute a
WHERE a.attrelid = 'registry.code'::regclass AND a.attname = 'block_id';
ROLLBACK;
