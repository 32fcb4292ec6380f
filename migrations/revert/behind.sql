-- SPDX-License-Identifier: Apache-2.0
-- Revert casetrace:behind from pg
BEGIN;
\ir ../unready.sql
ALTER TABLE registry.trace_batch RESET (toast_tuple_target);
ALTER TABLE registry.trace ALTER COLUMN request TYPE json USING request::json, ALTER COLUMN answer TYPE json USING answer::json;
ALTER TABLE registry.trace ALTER COLUMN request SET COMPRESSION lz4, ALTER COLUMN answer SET COMPRESSION lz4;
DROP TABLE registry.log_search_batch;
DELETE FROM registry.applied_change WHERE change = 'behind';
COMMIT;
