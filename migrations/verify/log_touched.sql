-- SPDX-License-Identifier: Apache-2.0
-- Verify casetrace:log_touched on pg
BEGIN;
SELECT token, idx FROM registry.log_touched WHERE false;
SELECT touched, touched_places FROM registry.log_search_batch WHERE false;
SELECT 1 / (count(*) / 5) FROM pg_indexes
WHERE schemaname = 'registry' AND tablename = 'log_search' AND indexname ~ '^log_search_(account|organization|operation|refused|case)$';
SELECT 1 / (to_regclass('registry.log_search_at') IS NULL)::integer;
ROLLBACK;
