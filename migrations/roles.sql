-- SPDX-License-Identifier: Apache-2.0
-- Run once in a cluster by a superuser, before the first `casetrace migrate`:
--   psql -d postgres -f roles.sql
--   createdb -O casetrace_owner casetrace
-- Creates what is missing, sets nothing that an administrator has changed, and
-- gives no password: how each role logs in is decided in pg_hba.conf (peer on a
-- local socket, or certificates).
DO $$
DECLARE
    wanted record;
BEGIN
    FOR wanted IN
        SELECT * FROM (VALUES
            ('casetrace_owner',    'LOGIN'),    -- migrations, init
            ('casetrace_registry', 'NOLOGIN'),  -- owns the functions of schema api
            ('casetrace_erase',    'NOLOGIN'),  -- owns the functions that clear sealed columns
            ('casetrace_keeper',   'LOGIN'),    -- the daemon: executes functions, reads no table
            ('casetrace_auditor',  'LOGIN'),    -- reads the log without its sealed columns
            ('casetrace_backup',   'LOGIN')     -- pg_dump
        ) AS r(name, login)
    LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted.name) THEN
            EXECUTE format('CREATE ROLE %I %s NOSUPERUSER NOCREATEDB NOCREATEROLE', wanted.name, wanted.login);
        END IF;
    END LOOP;
END $$;
-- Needed to make them the owners of the functions.
GRANT casetrace_registry, casetrace_erase TO casetrace_owner;
