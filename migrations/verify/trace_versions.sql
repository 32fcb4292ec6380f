-- SPDX-License-Identifier: Apache-2.0
-- Verify casetrace:trace_versions on pg
BEGIN;
SELECT root, version, supersedes, after_answer, reason, withheld_sale, withheld FROM registry.trace WHERE false;
SELECT unread FROM registry.trace_batch WHERE false;
SELECT organization_id, trace_id, batch_id, recorded_at, reading_digest, case_number, exhibit FROM registry.exhibit WHERE false;
SELECT trace_id, sale_id, organization_id, account_id, reason, batch_id, ordinal, recorded_at FROM registry.disclosure WHERE false;
ROLLBACK;
