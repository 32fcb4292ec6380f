-- SPDX-License-Identifier: Apache-2.0
-- Who may do what in the database, whole and in one place. Run last, at every
-- migrate that changes anything: first everything is taken away, then given by
-- name.

-- functions -------------------------------------------------------------------------------
-- Entry points are SECURITY DEFINER and run as casetrace_registry with a fixed
-- search_path. All others are expressions of theirs and are executed by nobody
-- else.

GRANT CREATE ON SCHEMA api TO casetrace_registry;
DO $$
DECLARE
    -- Entry points that the daemon must not have.
    owner_only CONSTANT text[] := ARRAY['init_registry', 'log_search_again'];
    object     record;
BEGIN
    FOR object IN
        SELECT p.oid::regprocedure AS name, p.proname, p.prosecdef, p.proconfig, p.prosqlbody IS NOT NULL AS bound
        FROM pg_proc p WHERE p.pronamespace = 'api'::regnamespace
    LOOP
        IF NOT object.bound
           AND NOT EXISTS (SELECT FROM unnest(object.proconfig) c WHERE c LIKE 'search\_path=%') THEN
            RAISE EXCEPTION 'function % has no fixed search_path', object.name;
        END IF;
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC, casetrace_keeper, casetrace_auditor, casetrace_backup',
                       object.name);
        EXECUTE format('ALTER FUNCTION %s OWNER TO casetrace_registry', object.name);
        IF object.prosecdef AND object.proname <> ALL (owner_only) THEN
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO casetrace_keeper', object.name);
        END IF;
    END LOOP;
    FOR object IN
        SELECT c.oid::regclass AS name FROM pg_class c
        WHERE c.relnamespace = 'api'::regnamespace AND c.relkind = 'v'
    LOOP
        EXECUTE format('ALTER VIEW %s OWNER TO casetrace_registry', object.name);
        EXECUTE format('REVOKE ALL ON %s FROM PUBLIC, casetrace_keeper, casetrace_auditor, casetrace_backup', object.name);
    END LOOP;
END $$;
REVOKE ALL ON SCHEMA api FROM PUBLIC, casetrace_registry;
GRANT USAGE ON SCHEMA api TO casetrace_registry, casetrace_keeper;

-- tables ------------------------------------------------------------------------------------

REVOKE ALL ON ALL TABLES IN SCHEMA registry
    FROM PUBLIC, casetrace_registry, casetrace_erase, casetrace_keeper, casetrace_auditor, casetrace_backup;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA registry
    FROM PUBLIC, casetrace_registry, casetrace_erase, casetrace_keeper, casetrace_auditor, casetrace_backup;

-- Records are read and added, never changed.
GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA registry TO casetrace_registry;
-- These belong to migrations.
REVOKE INSERT ON registry.applied_change, registry.schema_ready, registry.log_head FROM casetrace_registry;

-- The whole list of what may be changed or removed:
-- the head of the log, once per batch and takeover;
GRANT UPDATE (size, frontier, writer, epoch) ON registry.log_head TO casetrace_registry;
-- a credential's revocation and its last day;
GRANT UPDATE (revoked_at, revoked_by, revoke_batch_id, revoke_ordinal, last_used_on) ON registry.credential
    TO casetrace_registry;
-- stored outcomes, which live for 24 hours;
GRANT UPDATE, DELETE ON registry.idempotency TO casetrace_registry;
-- the derived row of a firearm, whose lock orders its changes;
GRANT UPDATE ON registry.firearm_state TO casetrace_registry;
-- how far a job is;
GRANT UPDATE (state, rows_done, rows_total, result, updated_at) ON registry.job_progress TO casetrace_registry;
-- what is filled behind the batch and can be made again from the records.
GRANT UPDATE (complete_to, at) ON registry.fill_state TO casetrace_registry;
GRANT DELETE ON registry.log_search, registry.log_search_batch, registry.trace_search, registry.code_count
    TO casetrace_registry;
GRANT UPDATE (registered) ON registry.code_frequency TO casetrace_registry;
GRANT DELETE ON registry.code_frequency, registry.code_uncounted TO casetrace_registry;

-- An auditor reads the log without what is sealed in it.
GRANT USAGE ON SCHEMA registry TO casetrace_auditor;
GRANT SELECT (idx, leaf_hash, header, header_salt, d_subject) ON registry.log_entry TO casetrace_auditor;
GRANT SELECT ON registry.log_batch, registry.log_subtree, registry.log_signature TO casetrace_auditor;

-- A dump reads all, sealed columns sealed.
GRANT SELECT ON ALL TABLES IN SCHEMA registry, sqitch TO casetrace_backup;
GRANT SELECT ON ALL SEQUENCES IN SCHEMA registry, sqitch TO casetrace_backup;
GRANT USAGE ON SCHEMA registry, sqitch TO casetrace_backup;
