-- SPDX-License-Identifier: Apache-2.0
-- Verify casetrace:job on pg
BEGIN;
SELECT id, kind, account_id, organization_id FROM registry.job WHERE false;
SELECT job_id, state, rows_done, rows_total, result FROM registry.job_progress WHERE false;
ROLLBACK;
