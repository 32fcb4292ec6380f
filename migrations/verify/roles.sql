-- SPDX-License-Identifier: Apache-2.0
-- Verify casetrace:roles on pg
BEGIN;
SELECT 1 / (count(*) / 6) FROM pg_roles
WHERE rolname IN ('casetrace_owner', 'casetrace_registry', 'casetrace_erase',
                  'casetrace_keeper', 'casetrace_auditor', 'casetrace_backup');
SELECT 1 / pg_has_role('casetrace_owner', 'casetrace_registry', 'MEMBER')::int;
SELECT 1 / pg_has_role('casetrace_owner', 'casetrace_erase', 'MEMBER')::int;
SELECT 1 / has_database_privilege('casetrace_keeper', current_database(), 'CONNECT')::int;
ROLLBACK;
