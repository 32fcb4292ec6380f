-- SPDX-License-Identifier: Apache-2.0
-- Verify casetrace:behind on pg
BEGIN;
SELECT size, at, accounts, organizations, operations, outcomes, case_numbers FROM registry.log_search_batch WHERE false;
SELECT request || '', answer || '' FROM registry.trace WHERE false;
ROLLBACK;
