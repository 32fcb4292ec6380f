-- SPDX-License-Identifier: Apache-2.0
-- Deploy casetrace:roles to pg
-- Roles belong to the cluster, not to the database: they are created when
-- missing and never dropped here. Where casetrace_owner may not create roles,
-- as is better, a superuser runs migrations/roles.sql once beforehand.
-- Everything here can be repeated, so it needs no guard.
BEGIN;

DO $$
DECLARE
    wanted record;
BEGIN
    IF current_user <> 'casetrace_owner' THEN
        RAISE EXCEPTION 'migrations run as casetrace_owner, not as %', current_user
            USING HINT = 'migrations/roles.sql, run by a superuser, creates the roles';
    END IF;
    FOR wanted IN
        SELECT * FROM (VALUES ('casetrace_registry', 'NOLOGIN'), ('casetrace_erase', 'NOLOGIN'),
            ('casetrace_keeper', 'LOGIN'), ('casetrace_auditor', 'LOGIN'), ('casetrace_backup', 'LOGIN'))
            AS r(name, login)
        WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r.name)
    LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I %s', wanted.name, wanted.login);
        EXCEPTION
            WHEN duplicate_object THEN
                NULL;  -- a migration of another database of this cluster was faster
            WHEN insufficient_privilege THEN
                RAISE EXCEPTION 'role % is missing', wanted.name
                    USING HINT = 'let a superuser run migrations/roles.sql once in this cluster';
        END;
    END LOOP;
    FOR wanted IN
        SELECT * FROM (VALUES ('casetrace_registry'), ('casetrace_erase')) AS r(name)
        WHERE NOT pg_has_role(current_user, r.name, 'MEMBER')
    LOOP
        EXECUTE format('GRANT %I TO casetrace_owner', wanted.name);
    END LOOP;
END $$;

-- Nobody is in this database without having been let in.
DO $$ BEGIN
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO casetrace_keeper, casetrace_auditor, casetrace_backup',
                   current_database());
END $$;
REVOKE ALL ON SCHEMA public FROM PUBLIC;

-- What the owner or the functions' owners create later belongs to nobody else
-- until it is granted by name.
ALTER DEFAULT PRIVILEGES FOR ROLE casetrace_owner, casetrace_registry, casetrace_erase
    REVOKE ALL ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE casetrace_owner, casetrace_registry, casetrace_erase
    REVOKE ALL ON TYPES FROM PUBLIC;

COMMIT;
