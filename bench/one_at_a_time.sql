-- SPDX-License-Identifier: Apache-2.0
-- What a trace costs as one transaction of its own: the reference of bench/trace. The script that
-- pgbench runs does what the keeper's batch does for one request, with the same functions over arrays
-- of one, each a statement: the client ranks between the look-up and the record, so it needs the
-- first one's answer. The log's rows go to tables of the same shape in a schema of their own, so that
-- the real log stays whole.
--
-- What the daemon brings behind its batches, the reference does in its transaction: the entry's row of
-- log_search with its indexes and the token of its firearm. Before the head is locked, so that nobody
-- waits for it.
--
-- It favours the reference where the two cannot be the same: no TLS, no JSON, no ranking, hashing or
-- signature, no row of log_batch, log_search_batch, log_subtree or trace_search, and the bytes of the
-- trace and the entry are constants of the prepared statements.
-- bench.one_call_… go further and do all of it in one call, which no client that ranks could: what is
-- left is the database's own work.
--
-- psql variable: credential (uuid of the API key). Lines of "code<TAB>serial" follow this file.
SET client_min_messages = warning;
DROP SCHEMA IF EXISTS bench CASCADE;
CREATE SCHEMA bench;

CREATE TABLE bench.log_entry (LIKE registry.log_entry INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES INCLUDING STORAGE);
CREATE TABLE bench.log_search (LIKE registry.log_search INCLUDING ALL);
CREATE TABLE bench.log_touched (LIKE registry.log_touched INCLUDING ALL);
CREATE TABLE bench.log_head (LIKE registry.log_head INCLUDING ALL) WITH (fillfactor = 10);
INSERT INTO bench.log_head SELECT 1, 0, h.frontier, h.writer, h.epoch FROM registry.log_head h;
CREATE SEQUENCE bench.entry_number MINVALUE 0 START 0;
CREATE SEQUENCE bench.search_number MINVALUE 0 START 0;

-- A trace and its entry as the daemon wrote them a moment ago.
CREATE TABLE bench.template AS
SELECT t.account_id, t.organization_id, t.case_number, t.state, t.request, t.answer, t.disclosed_sale,
       e.leaf_hash, e.header, e.header_salt, e.d_subject, e.subject_sealed, e.subject_salt_sealed
FROM registry.trace t
JOIN registry.log_batch b USING (batch_id)
JOIN registry.log_entry e ON e.idx = b.first_idx + t.ordinal - 1
WHERE t.state = 'identified'
ORDER BY t.disclosed_sale IS NULL, e.idx DESC LIMIT 1;

-- Literals in the functions' text, so that they cost no reading of a table.
SELECT format($make$
CREATE FUNCTION bench.answer(number integer) RETURNS text LANGUAGE plpgsql AS $f$
DECLARE
    wanted text;
    found  record;
BEGIN
    SELECT c.word INTO wanted FROM bench.code c WHERE c.n = number;
    PERFORM FROM api.batch_open(%L, ARRAY[%L::bytea], ARRAY['create_trace'], ARRAY[NULL::text]);
    SELECT l.firearm_id, l.serial INTO found
    FROM api.trace_lookup(ARRAY['R29-8'], ARRAY[wanted]) l
    LEFT JOIN api.trace_exhibits(ARRAY[%L::uuid], ARRAY[gen_random_uuid()::text], ARRAY['E-1']) e ON true;
    IF found.firearm_id IS NULL THEN
        RAISE EXCEPTION 'code %% is not on a firearm', wanted;
    END IF;
    PERFORM api.trace_record(gen_random_uuid(), ARRAY[1], ARRAY[gen_random_uuid()], ARRAY[%L::uuid], ARRAY[%L::uuid],
                             ARRAY[%L], ARRAY[%L], ARRAY[%L], ARRAY[%L], ARRAY[%L::uuid], ARRAY['E-1'], ARRAY['C'], ARRAY['routine'], ARRAY[1], ARRAY[0], ARRAY[gen_random_uuid()], ARRAY[gen_random_uuid()], ARRAY[gen_random_uuid()::text], ARRAY['E-1'], ARRAY[decode(repeat('5a', 16), 'hex')], NULL);
    RETURN found.serial;
END $f$;
CREATE FUNCTION bench.searchable() RETURNS void LANGUAGE plpgsql AS $f$
DECLARE
    number bigint := nextval('bench.search_number');
BEGIN
    INSERT INTO bench.log_search (idx, at, account_id, organization_id, operation, outcome, case_number)
    VALUES (number, now(), %L::uuid, %L::uuid, 'create_trace', 'ok', gen_random_uuid()::text);
    INSERT INTO bench.log_touched (token, idx) VALUES (uuid_send(gen_random_uuid()), number);
END $f$;
CREATE FUNCTION bench.append(at bigint) RETURNS void LANGUAGE plpgsql AS $f$
BEGIN
    INSERT INTO bench.log_entry (idx, leaf_hash, header, header_salt, d_subject, subject_sealed, subject_salt_sealed)
    VALUES (at, %L::bytea, %L::bytea, %L::bytea, %L::bytea, %L::bytea, %L::bytea);
END $f$;
$make$, api.schema_digest(), (SELECT c.key_digest FROM registry.credential c WHERE c.id = :'credential'), organization_id,
    account_id, organization_id, case_number, state, request, answer, disclosed_sale, account_id, organization_id,
    leaf_hash, header, header_salt, d_subject, subject_sealed, subject_salt_sealed) AS statement
FROM bench.template \gset
:statement

CREATE FUNCTION bench.one_call_chained(number integer) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    serial text := bench.answer(number);
    at     bigint;
BEGIN
    PERFORM bench.searchable();
    -- Last, as in the batch: whoever holds the head holds up everybody else.
    SELECT h.size INTO at FROM bench.log_head h WHERE h.id = 1 FOR UPDATE;
    PERFORM bench.append(at);
    UPDATE bench.log_head h SET size = at + 1 WHERE h.id = 1;
    RETURN serial;
END $$;

CREATE FUNCTION bench.one_call_unchained(number integer) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    serial text := bench.answer(number);
BEGIN
    PERFORM bench.searchable();
    PERFORM bench.append(nextval('bench.entry_number') + (1::bigint << 40));
    RETURN serial;
END $$;

CREATE FUNCTION bench.append_chained() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    at bigint;
BEGIN
    PERFORM bench.searchable();
    SELECT h.size INTO at FROM bench.log_head h WHERE h.id = 1 FOR UPDATE;
    PERFORM bench.append(at);
    UPDATE bench.log_head h SET size = at + 1 WHERE h.id = 1;
END $$;

CREATE FUNCTION bench.append_unchained() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM bench.searchable();
    PERFORM bench.append(nextval('bench.entry_number') + (1::bigint << 40));
END $$;

-- The statements of one trace, but for the last before COMMIT. As jsonb, because that writes a blank
-- after a colon: pgbench would take ":null" for a variable of its own.
CREATE TABLE bench.script AS
SELECT format($make$
SELECT * FROM api.batch_open(%L, ARRAY[%L::bytea], ARRAY['create_trace'], ARRAY[NULL::text]);
SELECT l.* FROM api.trace_lookup(ARRAY['R29-8'], ARRAY[(SELECT c.word FROM bench.code c WHERE c.n = :n)]) l LEFT JOIN api.trace_exhibits(ARRAY[%L::uuid], ARRAY[gen_random_uuid()::text], ARRAY['E-1']) e ON true;
SELECT api.trace_record(gen_random_uuid(), ARRAY[1], ARRAY[gen_random_uuid()], ARRAY[%L::uuid], ARRAY[%L::uuid], ARRAY[%L], ARRAY[%L], ARRAY[%L], ARRAY[%L], ARRAY[%L::uuid], ARRAY['E-1'], ARRAY['C'], ARRAY['routine'], ARRAY[1], ARRAY[0], ARRAY[gen_random_uuid()], ARRAY[gen_random_uuid()], ARRAY[gen_random_uuid()::text], ARRAY['E-1'], ARRAY[decode(repeat('5a', 16), 'hex')], NULL);
$make$, api.schema_digest(), (SELECT c.key_digest FROM registry.credential c WHERE c.id = :'credential'), organization_id,
    account_id, organization_id, case_number, state, request::jsonb::text, answer::jsonb::text, disclosed_sale) AS statements
FROM bench.template;

-- Between rounds: what pgbench wrote goes, so that every round begins with the same tables.
CREATE PROCEDURE bench.clear() LANGUAGE plpgsql AS $$
BEGIN
    TRUNCATE bench.log_entry, bench.log_search, bench.log_touched;
    DELETE FROM registry.trace_batch i WHERE NOT EXISTS (SELECT FROM registry.log_batch b WHERE b.batch_id = i.batch_id);
    DELETE FROM registry.trace t WHERE NOT EXISTS (SELECT FROM registry.log_batch b WHERE b.batch_id = t.batch_id);
    DELETE FROM registry.exhibit e WHERE NOT EXISTS (SELECT FROM registry.trace t WHERE t.id = e.trace_id);
END $$;

CREATE TABLE bench.code (n integer PRIMARY KEY, word text NOT NULL, serial text NOT NULL);
CREATE TEMPORARY SEQUENCE place;
ALTER TABLE bench.code ALTER n SET DEFAULT nextval('place');
COPY bench.code (word, serial) FROM STDIN;
