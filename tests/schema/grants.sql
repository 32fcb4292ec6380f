-- SPDX-License-Identifier: Apache-2.0
-- Who may do what in the database, as the catalog says and as trying shows.
BEGIN;
SELECT plan(33);

-- The outcome of a statement tried as a role: ok, or the SQLSTATE.
CREATE FUNCTION pg_temp.as_role(role text, statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', role);
    EXECUTE statement;
    RESET ROLE;
    RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE;
END $$;

CREATE TEMP VIEW ours AS
SELECT c.oid, c.relname, c.relkind, n.nspname, c.relowner, c.relacl
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname IN ('registry', 'api') AND c.relkind IN ('r', 'p', 'v', 'S', 'm');

-- comments ---------------------------------------------------------------------------------

SELECT is_empty($$
    SELECT o.nspname || '.' || o.relname FROM ours o
    WHERE o.relkind IN ('r', 'p', 'v') AND obj_description(o.oid, 'pg_class') IS NULL
      AND NOT (SELECT c.relispartition FROM pg_class c WHERE c.oid = o.oid)
$$, 'every table and view has a comment');
SELECT is_empty($$
    SELECT o.relname || '.' || a.attname
    FROM ours o JOIN pg_attribute a ON a.attrelid = o.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE o.relkind IN ('r', 'p') AND col_description(o.oid, a.attnum) IS NULL
      AND NOT (SELECT c.relispartition FROM pg_class c WHERE c.oid = o.oid)
$$, 'every column of every table has a comment');
SELECT is_empty($$
    SELECT p.oid::regprocedure FROM pg_proc p
    WHERE p.pronamespace IN ('api'::regnamespace, 'registry'::regnamespace) AND obj_description(p.oid, 'pg_proc') IS NULL
$$, 'every function has a comment');

-- PUBLIC -------------------------------------------------------------------------------------

SELECT is_empty($$
    SELECT p.oid::regprocedure FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
    WHERE p.pronamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace, 'tap'::regnamespace)
      AND p.pronamespace <> pg_my_temp_schema()
      AND a.grantee = 0
$$, 'PUBLIC executes nothing');
SELECT is_empty($$
    SELECT c.oid::regclass FROM pg_class c, aclexplode(c.relacl) a
    WHERE c.relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace, 'tap'::regnamespace)
      AND c.relnamespace <> pg_my_temp_schema()
      AND a.grantee = 0
$$, 'PUBLIC has nothing on any table, view or sequence');
SELECT is_empty($$
    SELECT c.oid::regclass, t.attname FROM pg_attribute t JOIN pg_class c ON c.oid = t.attrelid, aclexplode(t.attacl) a
    WHERE c.relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace, 'tap'::regnamespace)
      AND a.grantee = 0
$$, 'PUBLIC has nothing on any column');
SELECT is_empty($$
    SELECT n.nspname FROM pg_namespace n, aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) a
    WHERE n.nspname IN ('registry', 'api', 'public', 'sqitch') AND a.grantee = 0
$$, 'PUBLIC has nothing on our schemas or on public');
SELECT is_empty($$
    SELECT a.privilege_type FROM pg_database d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
    WHERE d.datname = current_database() AND a.grantee = 0
$$, 'PUBLIC has nothing on the database');
SELECT is((SELECT count(*)::int FROM pg_default_acl d JOIN pg_roles r ON r.oid = d.defaclrole
           WHERE r.rolname IN ('casetrace_owner', 'casetrace_registry', 'casetrace_erase')
             AND d.defaclnamespace = 0 AND d.defaclobjtype = 'f'), 3,
          'functions that are made later are nobody''s either');

-- functions ------------------------------------------------------------------------------------

SELECT is_empty($$
    SELECT p.oid::regprocedure FROM pg_proc p
    WHERE p.pronamespace = 'api'::regnamespace AND p.proowner <> 'casetrace_registry'::regrole
$$, 'all functions of api belong to casetrace_registry');
SELECT is_empty($$
    SELECT p.oid::regprocedure FROM pg_proc p
    WHERE p.pronamespace IN ('api'::regnamespace, 'registry'::regnamespace)
      AND p.prosqlbody IS NULL
      -- pg_temp last: where it is not named, it comes first.
      AND NOT EXISTS (SELECT FROM unnest(p.proconfig) c
                      WHERE c IN ('search_path=pg_catalog, pg_temp', 'search_path=pg_catalog, registry, api, pg_temp'))
$$, 'every function has the fixed search_path, or was bound when it was made');
SELECT is_empty($$
    SELECT p.oid::regprocedure FROM pg_proc p
    WHERE p.pronamespace = 'api'::regnamespace
      AND has_function_privilege('casetrace_keeper', p.oid, 'EXECUTE')
          <> (p.prosecdef AND p.proname NOT IN ('init_registry', 'log_search_again'))
$$, 'the keeper executes the SECURITY DEFINER functions but init_registry and log_search_again, and no other');
SELECT is_empty($$
    SELECT p.oid::regprocedure FROM pg_proc p
    WHERE p.pronamespace IN ('api'::regnamespace, 'registry'::regnamespace)
      AND (has_function_privilege('casetrace_auditor', p.oid, 'EXECUTE')
           OR has_function_privilege('casetrace_backup', p.oid, 'EXECUTE'))
$$, 'auditor and backup execute no function of ours');
SELECT is_empty($$
    SELECT p.oid::regprocedure FROM pg_proc p
    WHERE p.pronamespace = 'registry'::regnamespace AND has_function_privilege('casetrace_keeper', p.oid, 'EXECUTE')
$$, 'the keeper executes nothing in schema registry');

-- roles ---------------------------------------------------------------------------------------

SELECT is_empty($$
    SELECT r.rolname FROM pg_roles r
    WHERE r.rolname LIKE 'casetrace\_%'
      AND (r.rolsuper OR r.rolcreatedb OR r.rolcreaterole OR r.rolreplication OR r.rolbypassrls
           OR r.rolcanlogin <> (r.rolname IN ('casetrace_owner', 'casetrace_keeper', 'casetrace_auditor', 'casetrace_backup')))
$$, 'no role has rights over the cluster; registry and erase cannot log in');
SELECT is_empty($$
    SELECT m.member::regrole, m.roleid::regrole FROM pg_auth_members m
    WHERE (m.member::regrole::text LIKE 'casetrace\_%' OR m.roleid::regrole::text LIKE 'casetrace\_%')
      AND NOT (m.member = 'casetrace_owner'::regrole
               AND m.roleid IN ('casetrace_registry'::regrole, 'casetrace_erase'::regrole))
$$, 'only the owner can become registry or erase, and nobody anybody else');

-- tables: the keeper --------------------------------------------------------------------------

SELECT is_empty($$
    SELECT o.relname, p.name FROM ours o,
         unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS p(name)
    WHERE o.relkind <> 'S' AND has_table_privilege('casetrace_keeper', o.oid, p.name)
$$, 'the keeper has nothing on any table or view');
SELECT is_empty($$
    SELECT o.relname FROM ours o
    WHERE o.relkind <> 'S' AND has_any_column_privilege('casetrace_keeper', o.oid, 'SELECT, INSERT, UPDATE, REFERENCES')
$$, 'nor on any column');
SELECT is_empty($$
    SELECT o.relname, v.verb FROM ours o, (VALUES
        ('SELECT 1 FROM %I.%I'), ('INSERT INTO %I.%I DEFAULT VALUES'), ('DELETE FROM %I.%I'), ('TRUNCATE %I.%I')) AS v(verb)
    WHERE o.relkind IN ('r', 'p') AND pg_temp.as_role('casetrace_keeper', format(v.verb, o.nspname, o.relname)) <> '42501'
$$, 'trying to read, insert, delete or truncate any table as the keeper is refused');
SELECT is_empty($$
    SELECT o.relname, a.attname
    FROM ours o JOIN pg_attribute a ON a.attrelid = o.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE o.relkind IN ('r', 'p')
      AND pg_temp.as_role('casetrace_keeper', format('UPDATE %I.%I SET %I = NULL', o.nspname, o.relname, a.attname)) <> '42501'
$$, 'so is updating any column');
SELECT is(pg_temp.as_role('casetrace_keeper', $$SELECT api.init_registry(gen_random_uuid(), 'x', 'x', gen_random_uuid(), '', 'x')$$),
          '42501', 'the keeper cannot initialise the registry');
SELECT is(pg_temp.as_role('casetrace_keeper', 'CREATE TABLE api.t (x int)'), '42501', 'the keeper creates nothing in api');
SELECT is(pg_temp.as_role('casetrace_keeper', 'CREATE TEMP TABLE t (x int)'), '42501', 'nor temporary tables');
SELECT ok(NOT pg_has_role('casetrace_keeper', 'casetrace_registry', 'MEMBER'), 'the keeper does not become registry');
SELECT is(pg_temp.as_role('casetrace_keeper', 'SELECT * FROM api.log_head()'), 'ok', 'what it may execute, it can');

-- tables: the functions' owner -------------------------------------------------------------------

-- The whole list, once more, so that widening a grant breaks a test.
CREATE TEMP TABLE changeable (name text, privilege text, columns text);
INSERT INTO changeable VALUES
    ('log_head', 'UPDATE', 'epoch frontier size writer'),
    ('credential', 'UPDATE', 'last_used_on revoke_batch_id revoke_ordinal revoked_at revoked_by'),
    ('firearm_state', 'UPDATE', '*'),
    ('idempotency', 'UPDATE', '*'), ('idempotency', 'DELETE', '*'),
    ('job_progress', 'UPDATE', 'result rows_done rows_total state updated_at'),
    ('fill_state', 'UPDATE', 'at complete_to'),
    ('log_search', 'DELETE', '*'), ('log_search_batch', 'DELETE', '*'), ('trace_search', 'DELETE', '*'), ('code_count', 'DELETE', '*'),
    ('code_frequency', 'UPDATE', 'registered'), ('code_frequency', 'DELETE', '*'), ('code_uncounted', 'DELETE', '*');
SELECT set_eq($$
    SELECT o.relname::text, p.name,
           CASE WHEN has_table_privilege('casetrace_registry', o.oid, p.name) THEN '*'
                ELSE (SELECT string_agg(a.attname, ' ' ORDER BY a.attname) FROM pg_attribute a
                      WHERE a.attrelid = o.oid AND a.attnum > 0 AND NOT a.attisdropped
                        AND has_column_privilege('casetrace_registry', o.oid, a.attnum, 'UPDATE')) END
    FROM ours o, (VALUES ('UPDATE'), ('DELETE'), ('TRUNCATE')) AS p(name)
    WHERE o.nspname = 'registry'
      AND (has_table_privilege('casetrace_registry', o.oid, p.name)
           OR p.name = 'UPDATE' AND has_any_column_privilege('casetrace_registry', o.oid, 'UPDATE'))
$$, 'SELECT name, privilege, columns FROM changeable',
   'casetrace_registry changes and deletes exactly what is listed, and everything else is insert-only');
SELECT set_eq($$
    SELECT o.relname::text FROM ours o
    WHERE o.nspname = 'registry' AND o.relkind IN ('r', 'p')
      AND NOT has_table_privilege('casetrace_registry', o.oid, 'INSERT')
      AND NOT (SELECT c.relispartition FROM pg_class c WHERE c.oid = o.oid)
$$, ARRAY['applied_change', 'schema_ready', 'log_head'], 'it adds no row where migrations alone write');
SELECT is_empty($$
    SELECT t.name FROM (VALUES ('log_entry'), ('log_batch'), ('log_subtree'), ('log_signature'), ('log_published'), ('sale'), ('sale_event'),
                               ('sale_purchaser'), ('custody_event'), ('trace'), ('firearm'), ('mark'), ('code'),
                               ('organization'), ('account'), ('account_standing')) AS t(name),
        (VALUES ('DELETE FROM registry.%I'), ('UPDATE registry.%I SET batch_id = NULL'), ('TRUNCATE registry.%I')) AS v(verb)
    WHERE pg_temp.as_role('casetrace_registry', format(v.verb, t.name)) NOT IN ('42501', '42703')
$$, 'trying to delete, update or truncate records as their functions'' owner is refused');

-- auditor and backup ------------------------------------------------------------------------------

SELECT set_eq($$
    SELECT o.relname::text, a.attname::text
    FROM ours o JOIN pg_attribute a ON a.attrelid = o.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE o.relkind <> 'S' AND has_column_privilege('casetrace_auditor', o.oid, a.attnum, 'SELECT')
$$, $$
    SELECT c.relname::text, a.attname::text
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
    WHERE c.relnamespace = 'registry'::regnamespace
      AND (c.relname IN ('log_batch', 'log_subtree', 'log_signature') AND c.relkind = 'r'
           OR c.relname = 'log_entry' AND a.attname NOT LIKE '%sealed')
$$, 'the auditor reads the log without its sealed columns, and nothing else');
SELECT is(pg_temp.as_role('casetrace_auditor', 'SELECT subject_sealed FROM registry.log_entry'), '42501',
          'trying to read a sealed column as the auditor is refused');
SELECT is_empty($$
    SELECT o.relname FROM ours o
    WHERE o.relkind <> 'S'
      AND (has_any_column_privilege('casetrace_auditor', o.oid, 'INSERT, UPDATE')
           OR has_table_privilege('casetrace_auditor', o.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
           OR has_any_column_privilege('casetrace_backup', o.oid, 'INSERT, UPDATE')
           OR has_table_privilege('casetrace_backup', o.oid, 'INSERT, UPDATE, DELETE, TRUNCATE'))
$$, 'auditor and backup write nothing');
SELECT is_empty($$
    SELECT c.oid::regclass FROM pg_class c
    WHERE c.relnamespace IN ('registry'::regnamespace, 'sqitch'::regnamespace) AND c.relkind IN ('r', 'p', 'S')
      AND NOT has_table_privilege('casetrace_backup', c.oid, 'SELECT')
$$, 'a backup reads every table');
SELECT is_empty($$
    SELECT o.relname FROM ours o
    WHERE has_table_privilege('casetrace_erase', o.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE')
$$, 'casetrace_erase has nothing while it owns no function');

SELECT finish();
ROLLBACK;
