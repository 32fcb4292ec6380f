-- SPDX-License-Identifier: Apache-2.0
-- Verify casetrace:registry_trace on pg
BEGIN;
SELECT id, batch_id, account_id, organization_id, disclosed_sale, at, ordinal, state, case_number, request, answer
    FROM registry.trace WHERE false;
SELECT batch_id, ids, accounts, organizations, case_numbers, exhibits, states, purposes, urgencies, candidates
    FROM registry.trace_batch WHERE false;
SELECT trace_id, organization_id, account_id, at, case_number, exhibit, state, purpose, urgency, candidates FROM
    registry.trace_search WHERE false;
ROLLBACK;
