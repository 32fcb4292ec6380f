-- SPDX-License-Identifier: Apache-2.0
-- Verify casetrace:log on pg
BEGIN;
SELECT 1 / count(*) FROM registry.log_head WHERE id = 1;
SELECT batch_id, first_idx, count, size, root, epoch, at FROM registry.log_batch WHERE false;
SELECT idx, leaf_hash, header, header_salt, d_subject, subject_sealed, subject_salt_sealed FROM registry.log_entry WHERE false;
SELECT level, idx, hash FROM registry.log_subtree WHERE false;
SELECT size, name, line, at FROM registry.log_signature WHERE false;
SELECT idx, at, account_id, organization_id, operation, outcome, case_number FROM registry.log_search WHERE false;
SELECT 1 / (count(*) / 3) FROM registry.fill_state;
SELECT 1 / (count(*) / 2) FROM pg_inherits WHERE inhparent = 'registry.log_entry'::regclass;
ROLLBACK;
