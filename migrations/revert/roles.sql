-- SPDX-License-Identifier: Apache-2.0
-- Revert casetrace:roles from pg
-- Roles stay: other databases of the cluster may use them. So do the default
-- privileges and what was taken from PUBLIC, which harm nothing.
BEGIN;
DO $$ BEGIN
    EXECUTE format('REVOKE CONNECT ON DATABASE %I FROM casetrace_keeper, casetrace_auditor, casetrace_backup',
                   current_database());
END $$;
COMMIT;
