-- SPDX-License-Identifier: Apache-2.0
-- Revert casetrace:log from pg
BEGIN;
\ir ../unready.sql
DROP TABLE registry.fill_state, registry.log_search, registry.log_signature, registry.log_subtree,
    registry.log_entry, registry.log_batch, registry.log_head;
DROP FUNCTION registry.log_partition_ensure(integer);
DELETE FROM registry.applied_change WHERE change = 'log';
COMMIT;
