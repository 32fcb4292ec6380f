-- SPDX-License-Identifier: Apache-2.0
-- Exhibits whose first reading is locked, versions of traces, and purchasers that a second examiner releases.
BEGIN;
SELECT plan(41);
\ir registry.psql

SELECT count(*) FROM pg_temp.ask('register_firearms', :'ridge', pg_temp.registration('atomic',
    pg_temp.row('S0', 'C0', '00000000'))) \g /dev/null
SELECT (a.answer ->> 'id') AS sold FROM pg_temp.ask('create_sale', :'dealer_a', pg_temp.sale('C0', '2026-02-01')) a \gset
SELECT replace(:'sold', 'sal_', '')::uuid AS sale \gset
SELECT a.organization_id AS agency FROM registry.account a WHERE a.id = :'police' \gset
SELECT a.organization_id AS other_agency FROM registry.account a WHERE a.id = :'other_police' \gset
INSERT INTO registry.account (organization_id, name, kind, batch_id, ordinal)
SELECT a.organization_id, 'A second examiner', 'person', gen_random_uuid(), 1 FROM registry.account a WHERE a.id = :'police' RETURNING id AS second \gset

-- One trace, recorded in a batch of its own, with what is locked and revised; its id.
CREATE FUNCTION pg_temp.record(account uuid, case_number text, exhibit text, digest text, revised jsonb, locks boolean) RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
    id    CONSTANT uuid := gen_random_uuid();
    batch CONSTANT uuid := gen_random_uuid();
    organization CONSTANT uuid := (SELECT a.organization_id FROM registry.account a WHERE a.id = account);
BEGIN
    PERFORM api.trace_record(batch, '{1}', ARRAY[id], ARRAY[account], ARRAY[organization], ARRAY[case_number], '{identified}',
        ARRAY[jsonb_build_object('case_number', case_number)::text],
        ARRAY[jsonb_build_object('id', api.public_id('trc', id), 'state', 'identified',
              'candidates', '[{"rank": 1, "first_purchaser": {"disclosed": false, "reason": "second_examiner"}}]'::jsonb)::text],
        ARRAY[NULL]::uuid[], ARRAY[exhibit], '{C}', '{routine}', '{1}', '{2}',
        CASE WHEN locks THEN ARRAY[id] ELSE '{}' END, CASE WHEN locks THEN ARRAY[organization] ELSE '{}' END,
        CASE WHEN locks THEN ARRAY[case_number] ELSE '{}' END, CASE WHEN locks THEN ARRAY[exhibit] ELSE '{}' END,
        CASE WHEN locks THEN ARRAY[decode(repeat(digest, 16), 'hex')] ELSE '{}' END, revised);
    INSERT INTO registry.log_batch (batch_id, first_idx, count, size, root, epoch)
    SELECT batch, size, 1, size + 1, decode(repeat('00', 32), 'hex'), 0 FROM registry.log_head;
    UPDATE registry.log_head SET size = size + 1;
    RETURN id;
END $$;
CREATE FUNCTION pg_temp.fails(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE;
END $$;
CREATE FUNCTION pg_temp.path(id uuid, more jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('path', jsonb_build_object('id', api.public_id('trc', id))) || more
$$;

-- exhibits -----------------------------------------------------------------------------------------------

SELECT pg_temp.record(:'police', '26-1', 'E-1', 'aa', NULL, true) AS t1 \gset
SELECT is((SELECT array_agg(e.place || ' ' || encode(e.reading_digest, 'hex') || ' ' || (e.trace_id = :'t1'))
           FROM api.trace_exhibits(ARRAY[:'agency', :'agency', :'other_agency', :'agency']::uuid[], '{26-1,26-1,26-1,26-2}', '{E-2,E-1,E-1,E-1}') e),
          ARRAY['2 ' || repeat('aa', 16) || ' true'], 'an exhibit that was traced, in that case of that agency');
SELECT is((SELECT count(*)::int FROM api.trace_exhibits('{}', '{}', '{}')), 0, 'no exhibits, no rows');
SELECT is(pg_temp.fails(format('SELECT pg_temp.record(%L, ''26-1'', ''E-1'', ''bb'', NULL, true)', :'police')), 'CT003',
          'what another batch has locked meanwhile is no first reading');
SELECT is(pg_temp.fails(format('SELECT pg_temp.record(%L, ''26-1'', ''E-1'', ''bb'', NULL, true)', :'other_police')), 'ok',
          'another agency''s exhibit of that number is another exhibit');
SELECT is((SELECT encode(e.reading_digest, 'hex') FROM registry.exhibit e WHERE e.trace_id = :'t1'), repeat('aa', 16), 'the lock stays as it was');
SELECT is((SELECT i.unread FROM registry.trace_batch i WHERE :'t1' = ANY (i.ids)), '{2}', 'unread characters are kept with the batch');
SELECT is((SELECT t.after_answer::text || t.version || coalesce(t.root::text, '-') FROM registry.trace t WHERE t.id = :'t1'), 'false1-', 'a first version');
SELECT is((SELECT array_agg(i.indexname::text) FROM pg_indexes i WHERE i.schemaname = 'registry' AND i.tablename = 'exhibit'), '{exhibit_pkey}', 'one index entry each');
SELECT is((SELECT count(*)::int FROM pg_constraint c WHERE c.conrelid = 'registry.exhibit'::regclass AND c.contype = 'f'), 0, 'and no foreign key');
CREATE FUNCTION pg_temp.exhibit_plan() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    setting text;
    query   text := (SELECT substring(p.prosrc FROM 'RETURN QUERY(.*);\s*END') FROM pg_proc p WHERE p.oid = 'api.trace_exhibits(uuid[],text[],text[])'::regprocedure);
BEGIN
    FOREACH setting IN ARRAY (SELECT p.proconfig FROM pg_proc p WHERE p.oid = 'api.trace_exhibits(uuid[],text[],text[])'::regprocedure) LOOP
        PERFORM set_config(split_part(setting, '=', 1), split_part(setting, '=', 2), true) WHERE setting NOT LIKE 'search_path%';
    END LOOP;
    EXECUTE 'PREPARE exhibits (uuid[], text[], text[]) AS ' || replace(query, 'unnest(organizations, case_numbers, exhibits)', 'unnest($1, $2, $3)');
    RETURN QUERY EXECUTE 'EXPLAIN (COSTS OFF) EXECUTE exhibits (''{}'', ''{}'', ''{}'')';
    DEALLOCATE exhibits;
END $$;
SELECT is_empty($$SELECT line FROM pg_temp.exhibit_plan() AS l(line) WHERE line ~ '(Seq Scan|Hash|Merge|Sort|Bitmap)'$$, 'exhibits are looked up one by one, by the key');

-- versions --------------------------------------------------------------------------------------------------

SELECT is((SELECT row(n.place, n.root, n.newest, n.version, n.case_number, n.request::json ->> 'case_number')::text FROM api.trace_newest(ARRAY[:'t1']::uuid[], ARRAY[:'agency']::uuid[]) n),
          row(1, :'t1'::uuid, :'t1'::uuid, 1, '26-1', '26-1')::text, 'where a trace stands');
SELECT is((SELECT count(*)::int FROM api.trace_newest(ARRAY[:'t1', gen_random_uuid()]::uuid[], ARRAY[:'other_agency', :'agency']::uuid[])), 0,
          'another agency''s and a missing one alike');
SELECT pg_temp.record(:'police', '26-1', 'E-1', 'bb', jsonb_build_array(jsonb_build_object('place', 1, 'root', :'t1', 'version', 2, 'supersedes', :'t1',
    'after_answer', true, 'reason', 'seen under another light', 'withheld_sale', replace(:'sale', '-', ''), 'withheld', '{"disclosed": true, "basis": "sale"}'::jsonb)), false) AS t2 \gset
SELECT is((SELECT n.newest || ' ' || n.version FROM api.trace_newest(ARRAY[:'t1']::uuid[], ARRAY[:'agency']::uuid[]) n), :'t2' || ' 2', 'the first version leads to the newest');
SELECT is((SELECT n.root || ' ' || n.version FROM api.trace_newest(ARRAY[:'t2']::uuid[], ARRAY[:'agency']::uuid[]) n), :'t1' || ' 2', 'and so does the newest');
SELECT is(pg_temp.fails(format('SELECT pg_temp.record(%L, ''26-1'', ''E-1'', ''cc'', jsonb_build_array(jsonb_build_object(''place'', 1, ''root'', %L, ''version'', 2)), false)',
          :'police', :'t1')), 'CT003', 'two second versions at once');
SELECT a.answer AS again FROM pg_temp.ask('get_trace', :'police', pg_temp.path(:'t1')) a \gset
SELECT is(:'again'::jsonb #>> '{answer,id}', api.public_id('trc', :'t2'), 'the trace''s id shows the newest version');
SELECT is((SELECT jsonb_agg(v - 'recorded_at') FROM jsonb_array_elements(:'again'::jsonb #> '{answer,versions}') v), jsonb_build_array(
    jsonb_build_object('id', api.public_id('trc', :'t1'), 'version', 1, 'state', 'identified', 'after_answer', false, 'account', api.public_id('acc', :'police')),
    jsonb_build_object('id', api.public_id('trc', :'t2'), 'version', 2, 'state', 'identified', 'after_answer', true, 'account', api.public_id('acc', :'police'))),
    'with all versions');
SELECT is((:'again'::jsonb -> 'answer') - ARRAY['id', 'versions', 'candidates', 'state', 'recorded_at', 'request'],
    '{"version": 2, "superseded": false, "after_answer": true, "reason": "seen under another light"}', 'and what this one is');
SELECT is(:'again'::jsonb - 'answer', '{"sealed": null, "seal_key": null, "sale_id": null}'::jsonb, 'what is withheld is not shown by reading');
SELECT is((a.answer #>> '{answer,id}') || (a.answer #>> '{answer,superseded}'), api.public_id('trc', v.shown) || v.superseded, v.what)
FROM (VALUES (:'t2'::uuid, '{}'::jsonb, :'t2'::uuid, 'false', 'a version by its own id'),
             (:'t1', '{"query": {"version": 1}}', :'t1', 'true', 'the first by its number'),
             (:'t2', '{"query": {"version": 1}}', :'t1', 'true', 'any from any other'),
             (:'t1', '{"exact": true}', :'t1', 'true', 'what a repeated key made')) AS v(asked, more, shown, superseded, what)
CROSS JOIN LATERAL pg_temp.ask('get_trace', :'police', pg_temp.path(v.asked, v.more)) a;
SELECT is(a.outcome, 'not_found', 'no version ' || v) FROM unnest('{0,3}'::int[]) v
CROSS JOIN LATERAL pg_temp.ask('get_trace', :'police', pg_temp.path(:'t1', jsonb_build_object('query', jsonb_build_object('version', v)))) a;
SELECT is(a.outcome, 'not_found', 'nor for another agency') FROM pg_temp.ask('get_trace', :'other_police', pg_temp.path(:'t2')) a;
SELECT is((SELECT t.answer::json #>> '{candidates,0,first_purchaser,reason}' FROM registry.trace t WHERE t.id = :'t2'), 'second_examiner', 'the answer stays as recorded');

-- released -----------------------------------------------------------------------------------------------------

CREATE FUNCTION pg_temp.confirm(account uuid, id uuid) RETURNS TABLE (outcome text, answer jsonb, subject jsonb) LANGUAGE sql AS $$
    SELECT a.outcome, a.answer, a.subject FROM pg_temp.ask('create_trace_disclosure', account, pg_temp.path(id, '{"body": {"reason": "read again and agreed"}}')) a
$$;
SELECT is(a.outcome, v.outcome, v.what)
FROM (VALUES (:'police'::uuid, :'t1'::uuid, 'second_person_required', 'who made the trace does not confirm it'),
             (:'other_police', :'t1', 'not_found', 'nor does another agency'),
             (:'second', gen_random_uuid(), 'not_found', 'a missing trace is answered alike')) AS v(account, id, outcome, what)
CROSS JOIN LATERAL pg_temp.confirm(v.account, v.id) a;
SELECT pg_temp.record(:'police', '26-3', 'E-1', 'aa', NULL, true) AS plain \gset
SELECT is(a.outcome, 'nothing_withheld', 'nothing is withheld in a first reading') FROM pg_temp.confirm(:'second', :'plain') a;
SELECT a.outcome AS outcome, a.answer AS answer, a.subject AS subject FROM pg_temp.confirm(:'second', :'t1') a \gset
SELECT is(:'outcome'::text, 'ok', 'another one of the agency does');
SELECT is(:'answer'::jsonb #> '{answer,candidates,0,first_purchaser}', '{"disclosed": true, "basis": "sale"}', 'and the purchaser is shown');
SELECT is(:'answer'::jsonb - 'answer', jsonb_build_object('sealed', '5ea1ed00', 'seal_key', 'k1', 'sale_id', :'sale'::uuid), 'sealed, for the keeper');
SELECT is(:'subject'::jsonb, jsonb_build_object('trace', api.public_id('trc', :'t2'), 'disclosed', :'sold'), 'the log says whose');
SELECT is((SELECT row(d.sale_id, d.account_id, d.organization_id, d.reason)::text FROM registry.disclosure d WHERE d.trace_id = :'t2'),
          row(:'sale'::uuid, :'second'::uuid, :'agency'::uuid, 'read again and agreed')::text, 'it is recorded');
SELECT is(a.outcome, 'conflict', 'once') FROM pg_temp.confirm(:'second', :'t2') a;
SELECT is((a.answer #>> '{answer,candidates,0,first_purchaser,disclosed}') || ' ' || (a.answer ->> 'sealed') || ' ' || (a.subject ->> 'disclosed'), 'true 5ea1ed00 ' || :'sold',
          'reading it again shows the purchaser, and the log says so') FROM pg_temp.ask('get_trace', :'police', pg_temp.path(:'t1')) a;
SELECT is(a.answer ->> 'sealed', NULL, 'the first version stays as it was') FROM pg_temp.ask('get_trace', :'police', pg_temp.path(:'t1', '{"query": {"version": 1}}')) a;
SELECT pg_temp.record(:'police', '26-1', 'E-1', 'dd', jsonb_build_array(jsonb_build_object('place', 1, 'root', :'t1', 'version', 3, 'supersedes', :'t2',
    'after_answer', true, 'reason', 'again', 'withheld_sale', :'sale', 'withheld', '{"disclosed": true}'::jsonb)), false) AS t3 \gset
SELECT is(a.outcome, 'nothing_withheld', 'a version that is superseded is not confirmed') FROM pg_temp.confirm(:'second', :'t2') a;

-- two confirmations at once: what the second finds by inserting
SELECT is(pg_temp.fails(format('INSERT INTO registry.disclosure (trace_id, sale_id, organization_id, account_id, reason, batch_id, ordinal)
    SELECT trace_id, sale_id, organization_id, account_id, reason, batch_id, ordinal FROM registry.disclosure WHERE trace_id = %L', :'t2')), '23505', 'a version is released once');

SELECT * FROM finish();
ROLLBACK;
