-- SPDX-License-Identifier: Apache-2.0
-- Revert casetrace:registry_trace from pg
BEGIN;
\ir ../unready.sql
DROP TABLE registry.trace_search, registry.trace_batch, registry.trace;
DELETE FROM registry.applied_change WHERE change = 'registry_trace';
COMMIT;
