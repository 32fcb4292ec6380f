-- SPDX-License-Identifier: Apache-2.0
-- Deploy casetrace:log to pg
BEGIN;

\set change log
\ir ../guard.sql
\if :applied
COMMIT;
\quit
\endif

CREATE TABLE registry.log_head (
    id       smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    size     bigint NOT NULL CHECK (size >= 0),
    frontier bytea NOT NULL CHECK (octet_length(frontier) % 32 = 0),
    writer   text NOT NULL CHECK (length(writer) BETWEEN 1 AND 200),
    epoch    bigint NOT NULL CHECK (epoch >= 0)
) WITH (fillfactor = 10);
INSERT INTO registry.log_head (size, frontier, writer, epoch) VALUES (0, '', 'init', 0);

CREATE TABLE registry.log_batch (
    batch_id  uuid PRIMARY KEY,
    first_idx bigint NOT NULL CHECK (first_idx >= 0),
    count     integer NOT NULL CHECK (count > 0),
    size      bigint NOT NULL UNIQUE CHECK (size = first_idx + count),
    root      bytea NOT NULL CHECK (octet_length(root) = 32),
    epoch     bigint NOT NULL CHECK (epoch >= 0),
    at        timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE registry.log_entry (
    idx                 bigint NOT NULL PRIMARY KEY CHECK (idx >= 0),
    leaf_hash           bytea NOT NULL CHECK (octet_length(leaf_hash) = 32),
    header              bytea NOT NULL CHECK (octet_length(header) BETWEEN 2 AND 65536),
    header_salt         bytea NOT NULL CHECK (octet_length(header_salt) = 32),
    d_subject           bytea NOT NULL CHECK (octet_length(d_subject) = 32),
    subject_sealed      bytea,
    subject_salt_sealed bytea
) PARTITION BY RANGE (idx);

-- Partitions hold ten million entries each. A new one is built beside the
-- table and then attached, because that lock lets appends go on, whereas
-- CREATE TABLE … PARTITION OF would stop them.
CREATE FUNCTION registry.log_partition_ensure(part integer) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    rows_each CONSTANT bigint := 10000000;
    name      CONSTANT text := format('log_entry_%s', lpad(part::text, 6, '0'));
    low       CONSTANT bigint := part * rows_each;
BEGIN
    IF part < 0 OR part > 999999 THEN
        RAISE EXCEPTION 'log partition % is out of range', part;
    END IF;
    -- Two that find it missing at once: the second waits and then sees it.
    PERFORM pg_advisory_xact_lock(4849523, 4);
    IF to_regclass('registry.' || name) IS NOT NULL THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE registry.%I (LIKE registry.log_entry INCLUDING ALL, '
                   'CONSTRAINT %I CHECK (idx >= %s AND idx < %s))', name, name || '_range', low, low + rows_each);
    EXECUTE format('ALTER TABLE registry.log_entry ATTACH PARTITION registry.%I FOR VALUES FROM (%s) TO (%s)',
                   name, low, low + rows_each);
    EXECUTE format('ALTER TABLE registry.%I DROP CONSTRAINT %I', name, name || '_range');
    EXECUTE format('GRANT SELECT ON registry.%I TO casetrace_backup', name);
END $$;
COMMENT ON FUNCTION registry.log_partition_ensure(integer) IS
    'creates the partition for entries part*10^7 … (part+1)*10^7-1 unless it is there; '
    'owned by casetrace_owner because only the table''s owner can attach a partition';
GRANT EXECUTE ON FUNCTION registry.log_partition_ensure(integer) TO casetrace_registry;

CREATE TABLE registry.log_subtree (
    level smallint NOT NULL CHECK (level IN (8, 16, 24, 32, 40, 48, 56)),
    idx   bigint NOT NULL CHECK (idx >= 0),
    hash  bytea NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (level, idx)
);

CREATE TABLE registry.log_signature (
    size bigint NOT NULL REFERENCES registry.log_batch (size),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    line text NOT NULL CHECK (length(line) BETWEEN 1 AND 10000),
    at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (name, size)
);

CREATE TABLE registry.log_search (
    idx             bigint PRIMARY KEY,
    at              timestamptz NOT NULL,
    account_id      uuid,
    organization_id uuid,
    operation       text COLLATE "C" NOT NULL,
    outcome         text COLLATE "C" NOT NULL,
    case_number     text COLLATE "C",
    firearm         bytea
);
CREATE INDEX log_search_at ON registry.log_search (at, idx);
CREATE INDEX log_search_account ON registry.log_search (account_id, at, idx) WHERE account_id IS NOT NULL;
CREATE INDEX log_search_organization ON registry.log_search (organization_id, at, idx) WHERE organization_id IS NOT NULL;
CREATE INDEX log_search_operation ON registry.log_search (operation, at, idx);
-- Refusals are few and asked for alone; nearly all others are ok.
CREATE INDEX log_search_refused ON registry.log_search (outcome, at, idx) WHERE outcome <> 'ok';
CREATE INDEX log_search_case ON registry.log_search (case_number, at, idx) WHERE case_number IS NOT NULL;
CREATE INDEX log_search_firearm ON registry.log_search (firearm, at, idx) WHERE firearm IS NOT NULL;

CREATE TABLE registry.fill_state (
    name        text PRIMARY KEY CHECK (name IN ('log_search', 'trace_search', 'code_count')),
    complete_to bigint NOT NULL DEFAULT 0 CHECK (complete_to >= 0),
    at          timestamptz NOT NULL DEFAULT now()
);
INSERT INTO registry.fill_state (name) VALUES ('log_search'), ('trace_search'), ('code_count');

\ir ../comments/log.sql

SELECT registry.log_partition_ensure(0) \g /dev/null
SELECT registry.log_partition_ensure(1) \g /dev/null

INSERT INTO registry.applied_change (change) VALUES (:'change');
COMMIT;
