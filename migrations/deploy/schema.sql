-- SPDX-License-Identifier: Apache-2.0
-- Deploy casetrace:schema to pg
BEGIN;

\set change schema
\ir ../guard.sql
\if :applied
COMMIT;
\quit
\endif

CREATE SCHEMA registry;
COMMENT ON SCHEMA registry IS 'tables: read and written only through the functions of schema api';
GRANT USAGE ON SCHEMA registry TO casetrace_registry, casetrace_erase, casetrace_auditor, casetrace_backup;

CREATE TABLE registry.applied_change (
    change     text PRIMARY KEY,
    applied_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE registry.applied_change IS
    'migrations whose script has committed; lets a killed migration be repeated (guard.sql)';
COMMENT ON COLUMN registry.applied_change.change IS 'name of the sqitch change; written by its deploy script';
COMMENT ON COLUMN registry.applied_change.applied_at IS 'when the deploy script ran, UTC; written by its deploy script';

CREATE TABLE registry.schema_ready (
    id     smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    ready  boolean NOT NULL,
    digest text CHECK (digest ~ '^[0-9a-f]{64}$'),
    change text,
    at     timestamptz NOT NULL DEFAULT now(),
    CHECK (NOT ready OR (digest IS NOT NULL AND change IS NOT NULL))
);
INSERT INTO registry.schema_ready (ready) VALUES (false);
COMMENT ON TABLE registry.schema_ready IS
    'one row: may the keeper work on this schema; the first statement of every batch reads it';
COMMENT ON COLUMN registry.schema_ready.id IS 'always 1; keeps the table at one row';
COMMENT ON COLUMN registry.schema_ready.ready IS 'false while a migration is under way; written by casetrace migrate';
COMMENT ON COLUMN registry.schema_ready.digest IS
    'SHA-256, lower hex, over the function files and the plan; written by casetrace migrate';
COMMENT ON COLUMN registry.schema_ready.change IS 'id of the last sqitch change deployed; written by casetrace migrate';
COMMENT ON COLUMN registry.schema_ready.at IS 'when the row was last written, UTC; written by casetrace migrate';

INSERT INTO registry.applied_change (change) VALUES (:'change');
COMMIT;
