-- SPDX-License-Identifier: Apache-2.0
-- Appending to the log, reading it, and what is filled behind it.
BEGIN;
SELECT plan(100);
\ir first.psql
CREATE FUNCTION pg_temp.h(name text) RETURNS bytea LANGUAGE sql RETURN sha256(name::bytea);

-- A batch of entries with these headers, appended where the log ends.
CREATE FUNCTION pg_temp.append(batch uuid, headers text[], writer text DEFAULT NULL, epoch bigint DEFAULT NULL,
                               old_size bigint DEFAULT NULL, old_frontier bytea DEFAULT NULL) RETURNS void
    LANGUAGE sql AS $$
    SELECT api.log_append(coalesce($3, h.writer), coalesce($4, h.epoch), coalesce($5, h.size), coalesce($6, h.frontier),
        pg_temp.h('frontier' || h.size + cardinality(headers)), pg_temp.h('root' || h.size + cardinality(headers)), batch,
        array_agg(pg_temp.h('leaf' || h.size + e.n - 1) ORDER BY e.n), array_agg(convert_to(e.header, 'UTF8') ORDER BY e.n),
        array_agg(pg_temp.h('salt' || e.n) ORDER BY e.n), array_agg(pg_temp.h('subject' || e.n) ORDER BY e.n),
        array_agg('\x0102'::bytea), array_agg('\x0304'::bytea), '{}', '{}', '{}')
    FROM api.log_head() h, unnest(headers) WITH ORDINALITY AS e(header, n)
    GROUP BY h.writer, h.epoch, h.size, h.frontier
$$;

-- head and takeover -------------------------------------------------------------------------

SELECT results_eq('SELECT * FROM api.log_head()', $$VALUES (0::bigint, ''::bytea, 'init', 0::bigint, NULL::bytea, NULL::bigint)$$,
                  'a new log is empty, and init is its writer');
SELECT gen_random_uuid() AS b0, gen_random_uuid() AS b1, gen_random_uuid() AS b2, gen_random_uuid() AS b3 \gset
SELECT lives_ok(format($$SELECT pg_temp.append(%L, '{"{\"v\":1,\"time\":\"2026-11-01T00:00:00.000Z\",\"operation\":\"origin\",\"outcome\":\"ok\"}"}')$$, :'b0'),
                'init appends entry 0');
SELECT results_eq($$SELECT * FROM api.log_take('host-1')$$, $$VALUES (1::bigint, pg_temp.h('frontier1'), 1::bigint)$$,
                  'a keeper takes the log, under a new epoch');
SELECT throws_ok(format($$SELECT pg_temp.append(%L, '{"{}"}', %s)$$, :'b1', v.given), 'CT002', NULL, v.name)
FROM (VALUES ($$'init'$$, 'another writer'), ($$'host-1', 0$$, 'another epoch'), ($$'host-1', 1, 0$$, 'another size'),
             ($$'host-1', 1, 1, '\x00'$$, 'another frontier')) AS v(given, name);
SELECT is((SELECT size FROM api.log_head()), 1::bigint, 'refused appends leave nothing');

-- append ---------------------------------------------------------------------------------------

CREATE FUNCTION pg_temp.header(account uuid, organization uuid, n int, operation text, outcome text) RETURNS text LANGUAGE sql AS $$
    SELECT format('{"account":"%s","case_number":"26-%s","licence":"CA0194200","operation":"%s","organization":"%s",'
        '"outcome":"%s","purpose":"C","request_id":"r%s","role":"investigator","status":201,"time":"2026-11-01T00:0%s:00.500Z","v":1}',
        api.public_id('acc', account), n % 2, operation, api.public_id('org', organization), outcome, n, n)
$$;
SELECT lives_ok(format($$SELECT pg_temp.append(%L, ARRAY[pg_temp.header(%L, %L, 1, 'create_trace', 'ok'),
    pg_temp.header(%2$L, %3$L, 2, 'create_trace', 'forbidden'), pg_temp.header(%2$L, %3$L, 3, 'get_me', 'ok')])$$, :'b1', :'admin', :'authority'),
    'a batch of three');
SELECT results_eq('SELECT * FROM api.log_head()',
    $$VALUES (4::bigint, pg_temp.h('frontier4'), 'host-1', 1::bigint, pg_temp.h('root4'), 3::bigint)$$, 'the head has moved');
SELECT results_eq(format('SELECT batch_id, first_idx, count, size, root FROM api.log_batch_by_id(%L)', :'b1'),
    format($$VALUES (%L::uuid, 1::bigint, 3, 4::bigint, pg_temp.h('root4'))$$, :'b1'), 'the batch is found by id');
SELECT results_eq('SELECT batch_id FROM api.log_batch_by_size(4)', format('VALUES (%L::uuid)', :'b1'), 'and by size');
SELECT is_empty('SELECT * FROM api.log_batch_by_id(gen_random_uuid())', 'one that did not commit is not');
SELECT is_empty('SELECT * FROM api.log_batch_by_size(3)', 'no batch ended there');
SELECT ok(api.log_resolve(:'b1') AND NOT api.log_resolve(:'b2'), 'log_resolve says which committed');
SELECT results_eq('SELECT * FROM api.log_hashes(0, 1, 2)', $$VALUES (1::bigint, pg_temp.h('leaf1')), (2, pg_temp.h('leaf2'))$$, 'leaves');
SELECT is((SELECT count(*)::int FROM api.log_hashes(0, 2, 100)), 2, 'fewer where the log ends');
SELECT throws_ok('SELECT * FROM api.log_hashes(0, 0, 65537)', 'P0001', NULL, 'a bounded number at once');
SELECT throws_ok(format($$SELECT pg_temp.append(%L, '{"{}"}')$$, :'b1'), '23505', NULL, 'a batch id is used once');
SELECT throws_ok(format($$SELECT api.log_append('host-1', 1, 4, pg_temp.h('frontier4'), '\x', pg_temp.h('r'), %L, ARRAY[pg_temp.h('a'), pg_temp.h('b')],
    ARRAY['{}', '{}']::bytea[], ARRAY[pg_temp.h('s')], ARRAY[pg_temp.h('s'), pg_temp.h('s')], '{NULL,NULL}', '{NULL,NULL}', '{}', '{}', '{}')$$, :'b2'),
    '23502', NULL, 'arrays of unequal length');
SELECT throws_ok(format($$SELECT api.log_append('host-1', 1, 4, pg_temp.h('frontier4'), '\x', pg_temp.h('r'), %L, ARRAY['\x00']::bytea[],
    ARRAY['{}']::bytea[], ARRAY[pg_temp.h('s')], ARRAY[pg_temp.h('s')], '{NULL}', '{NULL}', '{}', '{}', '{}')$$, :'b2'),
    '23514', NULL, 'a leaf hash has 32 bytes');
SELECT throws_ok(format($$SELECT api.log_append('host-1', 1, 4, pg_temp.h('frontier4'), '\x', pg_temp.h('r'), %L, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}')$$, :'b2'),
    '23514', NULL, 'a batch has an entry');
SELECT lives_ok(format($$SELECT api.log_append('host-1', 1, 4, pg_temp.h('frontier4'), pg_temp.h('frontier5'), pg_temp.h('root5'), %L, ARRAY[pg_temp.h('leaf4')],
    ARRAY[convert_to(pg_temp.header(%L, %L, 5, 'create_trace', 'ok'), 'UTF8')], ARRAY[pg_temp.h('s')], ARRAY[pg_temp.h('d')], '{NULL}', '{NULL}',
    '{8,16}', '{0,0}', ARRAY[pg_temp.h('s8'), pg_temp.h('s16')])$$, :'b2', :'admin', :'authority'), 'a batch that fills subtrees');
SELECT results_eq('SELECT * FROM api.log_hashes(8, 0, 5)', $$VALUES (0::bigint, pg_temp.h('s8'))$$, 'which are found');
SELECT results_eq('SELECT * FROM api.log_hashes(16, 0, 5)', $$VALUES (0::bigint, pg_temp.h('s16'))$$, 'at their levels');

-- across a partition's end, also when maintain() was not there
SAVEPOINT partition;
UPDATE registry.log_head SET size = 19999999;
SELECT lives_ok(format($$SELECT pg_temp.append(%L, '{"{}","{}","{}"}')$$, :'b3'), 'a batch across the end of the last partition');
SELECT results_eq($$SELECT tableoid::regclass::text, count(*) FROM registry.log_entry WHERE idx > 1000 GROUP BY 1 ORDER BY 1$$,
    $$VALUES ('registry.log_entry_000001', 1::bigint), ('registry.log_entry_000002', 2)$$, 'lies in both');
SELECT lives_ok('SELECT api.maintain()', 'maintain');
SELECT is((SELECT count(*)::int FROM pg_inherits WHERE inhparent = 'registry.log_entry'::regclass), 4, 'has the next one ready');
SELECT is((SELECT count(*)::int FROM pg_class c, aclexplode(c.relacl) a WHERE c.oid = 'registry.log_entry_000003'::regclass
           AND a.grantee <> c.relowner AND (a.grantee <> 'casetrace_backup'::regrole OR a.privilege_type <> 'SELECT')), 0,
          'on which only a backup has a right');
ROLLBACK TO partition;
SELECT throws_ok('SELECT registry.log_partition_ensure(-1)', 'P0001', NULL, 'no partition below the first');

-- signatures -------------------------------------------------------------------------------------

SELECT lives_ok($$SELECT api.log_sign_store(1, 'casetrace.example/log', 'line 1'), api.log_sign_store(4, 'casetrace.example/log', 'line 4'),
                         api.log_sign_store(4, 'witness', 'other')$$, 'signature lines');
SELECT lives_ok($$SELECT api.log_sign_store(4, 'casetrace.example/log', 'again')$$, 'the same again is harmless');
SELECT results_eq($$SELECT * FROM api.log_last_signature('casetrace.example/log')$$, $$VALUES (4::bigint, 'line 4')$$, 'the last one, as first stored');
SELECT is_empty($$SELECT * FROM api.log_last_signature('nobody')$$, 'none of another name');
SELECT throws_ok($$SELECT api.log_sign_store(3, 'casetrace.example/log', 'x')$$, '23503', NULL, 'no batch ended there, so no signature');

-- filled behind --------------------------------------------------------------------------------------

SELECT results_eq('SELECT log_complete_to, log_size FROM api.search_fill(2)', 'VALUES (1::bigint, 5::bigint)', 'whole batches, about as many as asked');
SELECT results_eq('SELECT log_complete_to, log_size FROM api.search_fill(2)', 'VALUES (4::bigint, 5::bigint)', 'at least one, however large');
SELECT ok((SELECT trace_lag_s >= 0 FROM api.search_fill(1000)), 'to the end');
SELECT results_eq('SELECT * FROM api.search_fill(1000)', 'VALUES (5::bigint, 5::bigint, 0::double precision)', 'then nothing lags');
SELECT results_eq('SELECT idx, at, account_id, organization_id, operation COLLATE "default", outcome COLLATE "default",
        case_number COLLATE "default" FROM registry.log_search ORDER BY idx LIMIT 3',
    format($$VALUES (0::bigint, '2026-11-01T00:00:00Z'::timestamptz, NULL::uuid, NULL::uuid, 'origin', 'ok', NULL),
        (1, '2026-11-01T00:01:00.5Z', %1$L::uuid, %2$L::uuid, 'create_trace', 'ok', '26-1'),
        (2, '2026-11-01T00:02:00.5Z', %1$L::uuid, %2$L::uuid, 'create_trace', 'forbidden', '26-0')$$, :'admin', :'authority'),
    'the columns are the headers''');

SELECT gen_random_uuid() AS t1, gen_random_uuid() AS t2 \gset
INSERT INTO registry.trace (id, batch_id, account_id, organization_id, ordinal, state, case_number, request, answer)
SELECT u.id::uuid, :'b3', :'admin', :'authority', u.n, 'identified', '26-9',
       '{"purpose":"C","urgency":"urgent","specimens":[{"exhibit":"E-7"}]}', '{"candidates":[{},{}]}'
FROM (VALUES (:'t1', 1), (:'t2', 2)) AS u(id, n);
INSERT INTO registry.trace_batch (batch_id, ids, accounts, organizations, case_numbers, exhibits, states, purposes, urgencies, candidates)
VALUES (:'b3', ARRAY[:'t1', :'t2']::uuid[], array_fill(:'admin'::uuid, '{2}'), array_fill(:'authority'::uuid, '{2}'), '{26-9,26-9}', '{E-7,E-7}',
        '{identified,identified}', '{C,C}', '{urgent,urgent}', '{2,2}');
SELECT is((SELECT count(*)::int FROM registry.trace_search), 0, 'a trace is not in the lists at once');
SELECT pg_temp.append(:'b3', ARRAY[pg_temp.header(:'admin', :'authority', 6, 'create_trace', 'ok'), pg_temp.header(:'admin', :'authority', 7, 'create_trace', 'ok')]) \g /dev/null
SELECT is((SELECT log_complete_to FROM api.search_fill(1000)), 7::bigint, 'but soon');
SELECT results_eq('SELECT trace_id, organization_id, account_id, case_number COLLATE "default", exhibit COLLATE "default", state, purpose, urgency, candidates FROM registry.trace_search ORDER BY trace_id',
    format($$SELECT u.id, %L::uuid, %L::uuid, '26-9', 'E-7', 'identified', 'C', 'urgent', 2 FROM (VALUES (%L::uuid), (%L)) u(id) ORDER BY u.id$$,
           :'authority', :'admin', :'t1', :'t2'), 'with what lists show');
SELECT is((SELECT array_agg(DISTINCT s.at) FROM registry.trace_search s), ARRAY[(SELECT at FROM api.log_batch_by_id(:'b3'))], 'at the batch''s time');
SELECT is((SELECT f.at FROM registry.fill_state f WHERE f.name = 'trace_search'), (SELECT at FROM api.log_batch_by_id(:'b3')), 'up to which they are complete');

-- reading -----------------------------------------------------------------------------------------------

-- A range of times is looked up among the batches' first, whose clock is the database's.
UPDATE registry.log_batch b SET at = s.at FROM registry.log_search s WHERE s.idx = b.first_idx;
SELECT a.outcome AS list_outcome, a.answer AS list FROM pg_temp.ask('list_log_entries', :'admin', '{"query": {}}') a \gset
SELECT is(jsonb_path_query_array(:'list', '$.data[*].index'), '[6, 5, 4, 3, 2, 1, 0]'::jsonb, 'list_log_entries: the newest first');
SELECT is(:'list'::jsonb -> 'complete_to', '7'::jsonb, 'and up to where it is complete');
SELECT is(pg_temp.members(:'list'::jsonb #> '{data,0}'),
    'account at case_number index licence operation organization outcome purpose request_id role status', 'the contract''s members');
SELECT is(:'list'::jsonb #> '{data,6}', '{"index": 0, "at": "2026-11-01T00:00:00.000Z", "operation": "origin", "outcome": "ok", "status": null,
    "account": null, "organization": null, "licence": null, "role": null, "case_number": null, "purpose": null, "request_id": null}'::jsonb,
    'an entry of the system''s own');
SELECT is(:'list'::jsonb #> '{data,5}', jsonb_build_object('index', 1, 'at', '2026-11-01T00:01:00.500Z', 'operation', 'create_trace', 'outcome', 'ok',
    'status', 201, 'account', api.public_id('acc', :'admin'), 'organization', api.public_id('org', :'authority'), 'licence', 'CA0194200',
    'role', 'investigator', 'case_number', '26-1', 'purpose', 'C', 'request_id', 'r1'), 'an entry of a request');
SELECT is(jsonb_path_query_array(a.answer, '$.data[*].index'), v.found::jsonb, 'list_log_entries by ' || v.query::text)
FROM (VALUES ('{"operation": "get_me"}'::jsonb, '[3]'), ('{"outcome": "forbidden"}', '[2]'), ('{"case_number": "26-0"}', '[5, 2]'),
             ('{"from": "2026-11-01T00:02:00.500Z", "to": "2026-11-01T00:05:00.500Z"}', '[3, 2]'),
             ('{"operation": "create_trace", "outcome": "ok", "to": "2026-11-01T00:03:00Z"}', '[1]'),
             (jsonb_build_object('account', api.public_id('acc', :'admin'), 'limit', 2), '[6, 5]'),
             ('{"account": "acc_00000000000000000000000000000001"}', '[]'), ('{"account": "nonsense"}', '[]'),
             (jsonb_build_object('organization', api.public_id('org', :'authority'), 'case_number', '26-1'), '[6, 4, 3, 1]')) AS v(query, found),
    pg_temp.ask('list_log_entries', :'admin', jsonb_build_object('query', v.query)) a;
WITH RECURSIVE page AS (
    SELECT 1 AS n, a.answer FROM pg_temp.ask('list_log_entries', :'admin', '{"query": {"limit": 3}}') a
    UNION ALL
    SELECT p.n + 1, a.answer FROM page p, pg_temp.ask('list_log_entries', :'admin', jsonb_build_object('query',
        jsonb_build_object('limit', 3, 'cursor', p.answer -> 'next_cursor'))) a
    WHERE p.answer ->> 'next_cursor' IS NOT NULL
)
SELECT is(string_agg(d ->> 'index', ' ' ORDER BY p.n, e.n), '6 5 4 3 2 1 0', 'in pages, each once')
FROM page p, jsonb_array_elements(p.answer -> 'data') WITH ORDINALITY AS e(d, n);
-- Lanes make entries at once: their times do not rise with the index.
SAVEPOINT times;
UPDATE registry.log_search SET at = timestamptz '2026-11-01T00:03:00Z' - idx * interval '7 seconds' * (idx % 3);
CREATE FUNCTION pg_temp.walk(account uuid, query jsonb) RETURNS text LANGUAGE sql AS $$
    WITH RECURSIVE page AS (
        SELECT 1 AS n, a.answer FROM pg_temp.ask('list_log_entries', account, jsonb_build_object('query', query)) a
        UNION ALL
        SELECT p.n + 1, a.answer FROM page p, pg_temp.ask('list_log_entries', account, jsonb_build_object('query',
            query || jsonb_build_object('cursor', p.answer -> 'next_cursor'))) a
        WHERE p.answer ->> 'next_cursor' IS NOT NULL AND p.n < 20
    )
    SELECT string_agg(d ->> 'index', ' ' ORDER BY p.n, e.n)
    FROM page p, jsonb_array_elements(p.answer -> 'data') WITH ORDINALITY AS e(d, n)
$$;
SELECT is(pg_temp.walk(:'admin', v.query::jsonb), v.found, 'in the order of the index, whatever the times: ' || v.query)
FROM (VALUES ('{"limit": 1}', '6 5 4 3 2 1 0'), ('{"limit": 1, "order": "newest"}', '6 5 4 3 2 1 0'), ('{"limit": 2, "order": "oldest"}', '0 1 2 3 4 5 6'),
             ('{"limit": 1, "order": "oldest", "operation": "create_trace"}', '1 2 4 5 6'),
             ('{"limit": 1, "from": "2026-11-01T00:02:53Z"}', '6 3 1 0')) AS v(query, found);
SELECT is(jsonb_path_query_array(a.answer, '$.data[*].index'), '[5, 6]', 'a cursor is an index, also of an entry that does not fit')
FROM pg_temp.ask('list_log_entries', :'admin', '{"query": {"order": "oldest", "operation": "create_trace", "cursor": "4"}}') a;
ROLLBACK TO times;
SELECT is(a.outcome, 'invalid_request', 'a cursor that is none: ' || v.cursor)
FROM (VALUES ('x'), ('99'), ('-1')) AS v(cursor),
    pg_temp.ask('list_log_entries', :'admin', jsonb_build_object('query', jsonb_build_object('cursor', v.cursor))) a;

SELECT a.outcome AS entry_outcome, a.answer AS entry, a.subject AS entry_subject
FROM pg_temp.ask('get_log_entry', :'admin', '{"path": {"index": 2}}') a \gset
SELECT is(:'entry_outcome'::text, 'ok', 'get_log_entry');
SELECT is(:'entry'::jsonb, jsonb_build_object('index', 2, 'at', '2026-11-01T00:02:00.500Z',
    'header', pg_temp.header(:'admin', :'authority', 2, 'create_trace', 'forbidden'), 'header_salt', encode(pg_temp.h('salt2'), 'hex'),
    'd_subject', encode(pg_temp.h('subject2'), 'hex'), 'leaf_hash', encode(pg_temp.h('leaf2'), 'hex'), 'subject_sealed', '0102',
    'subject_salt_sealed', '0304', 'batch_id', :'b1', 'batch', '{"first": 1, "count": 3, "size": 4}'::jsonb), 'byte for byte what was hashed');
SELECT is(:'entry_subject'::jsonb, '{"index": 2}', 'the log says which was read');
SELECT is(a.answer -> 'subject_sealed', 'null'::jsonb, 'an entry without a subject') FROM pg_temp.ask('get_log_entry', :'admin', '{"path": {"index": "4"}}') a;
SELECT is(a.outcome, 'not_found', 'no entry ' || v.index)
FROM (VALUES ('7'), ('999999999999999999'), ('1e3'), ('-1')) AS v(index),
    pg_temp.ask('get_log_entry', :'admin', jsonb_build_object('path', jsonb_build_object('index', v.index))) a;
SELECT is(a.answer, :'entry'::jsonb, 'get_log_receipt gives the keeper the same to make the receipt from')
FROM pg_temp.ask('get_log_receipt', :'admin', '{"path": {"index": 2}}') a;

-- what was touched ------------------------------------------------------------------------------------

SAVEPOINT touched;
SELECT api.log_append(h.writer, h.epoch, h.size, h.frontier, pg_temp.h('f'), pg_temp.h('r'), gen_random_uuid(),
    ARRAY[pg_temp.h('l1'), pg_temp.h('l2')], array_fill(convert_to(pg_temp.header(:'admin', :'authority', 9, 'get_me', 'ok'), 'UTF8'), '{2}'),
    ARRAY[pg_temp.h('s1'), pg_temp.h('s2')], ARRAY[pg_temp.h('d1'), pg_temp.h('d2')], '{NULL,NULL}', '{NULL,NULL}', '{}', '{}', '{}',
    (extract(epoch FROM now()) * 1000)::bigint, array_fill(:'admin'::uuid, '{2}'), array_fill(:'authority'::uuid, '{2}'), '{get_me,get_me}', '{ok,ok}',
    '{NULL,NULL}', ARRAY[decode(repeat('aa', 16), 'hex'), decode(repeat('bb', 16), 'hex'), decode(repeat('aa', 16), 'hex'), decode(repeat('aa', 16), 'hex')], '{1,1,2,2}')
FROM api.log_head() h \g /dev/null
SAVEPOINT unfilled;
SELECT api.search_fill(1000) \g /dev/null
SELECT results_eq('SELECT left(encode(token, ''hex''), 2), idx FROM registry.log_touched ORDER BY 1, 2', $$VALUES ('aa', 7::bigint), ('aa', 8), ('bb', 7)$$,
                  'tokens are filled, each once for an entry');
SELECT is(a.answer -> 'read_by', jsonb_build_array(jsonb_build_object('index', 8, 'at', '2026-11-01T00:09:00.500Z', 'account', api.public_id('acc', :'admin')),
    jsonb_build_object('index', 7, 'at', '2026-11-01T00:09:00.500Z', 'account', api.public_id('acc', :'admin'))), 'an entry says who has read it')
FROM pg_temp.ask('get_log_entry', :'admin', jsonb_build_object('path', '{"index": 2}'::jsonb, 'token', repeat('aa', 16))) a;
SELECT is(jsonb_path_query_array(a.answer, '$.data[*].index'), v.found, 'entries by token ' || v.token)
FROM (VALUES ('aa', '[8, 7]'::jsonb), ('bb', '[7]'), ('cc', '[]')) AS v(token, found),
    pg_temp.ask('list_log_entries', :'admin', jsonb_build_object('query', jsonb_build_object('firearm', 'frm_' || repeat('0', 32)), 'token', repeat(v.token, 16))) a;
SELECT api.log_search_again() \g /dev/null
SELECT is((SELECT count(*)::int FROM registry.log_touched), 3, 'it is kept when log_search is emptied');
ROLLBACK TO unfilled;
SELECT api.log_search_again() \g /dev/null
SELECT is((SELECT count(*)::int FROM registry.log_touched), 3, 'and taken over if it was not filled yet');
ROLLBACK TO touched;

-- filled without reading headers -------------------------------------------------------------------

-- A batch whose columns the keeper brings along: two of a request, in one time, one without a case.
SELECT gen_random_uuid() AS b4, gen_random_uuid() AS b5 \gset
SELECT api.log_append(h.writer, h.epoch, h.size, h.frontier, pg_temp.h('f'), pg_temp.h('r'), :'b4',
    ARRAY[pg_temp.h('l1'), pg_temp.h('l2')], ARRAY[convert_to(replace(pg_temp.header(:'admin', :'authority', 9, 'create_trace', 'ok'), '00:09:00.500', '00:08:59.999'), 'UTF8'),
    convert_to(replace(replace(pg_temp.header(:'admin', :'authority', 9, 'get_me', 'forbidden'), '00:09:00.500', '00:08:59.999'), '"case_number":"26-1",', ''), 'UTF8')],
    ARRAY[pg_temp.h('s1'), pg_temp.h('s2')], ARRAY[pg_temp.h('d1'), pg_temp.h('d2')], '{NULL,NULL}', '{NULL,NULL}', '{}', '{}', '{}',
    (extract(epoch FROM timestamptz '2026-11-01T00:08:59.999Z') * 1000)::bigint, array_fill(:'admin'::uuid, '{2}'),
    array_fill(:'authority'::uuid, '{2}'), '{create_trace,get_me}', '{ok,forbidden}', '{26-1,NULL}')
FROM api.log_head() h \g /dev/null
SELECT pg_temp.append(:'b5', ARRAY[pg_temp.header(:'admin', :'authority', 9, 'get_me', 'ok')]) \g /dev/null
SELECT is((SELECT array_agg(s.size) FROM registry.log_search_batch s), '{9}', 'columns are kept of batches that bring them');
SELECT results_eq('SELECT log_complete_to, log_size FROM api.search_fill(1000)', 'VALUES (10::bigint, 10::bigint)', 'log_search is filled from both kinds of batches');
SELECT results_eq('SELECT idx, at, account_id, organization_id, operation, outcome, case_number FROM registry.log_search ORDER BY idx',
    'SELECT idx, at, account, organization, operation COLLATE "C", outcome COLLATE "C", case_number COLLATE "C" FROM api.log_headers(0, 10) ORDER BY idx',
    'and says what the headers say');
CREATE TEMP TABLE filled AS SELECT * FROM registry.log_search;
SELECT is((SELECT count(*)::int FROM filled), 10, 'each entry once');
SELECT lives_ok('SELECT api.log_search_again()', 'log_search can be emptied');
SELECT is((SELECT count(*)::int FROM registry.log_search) + (SELECT count(*)::int FROM registry.log_search_batch), 0, 'with all that it was filled from');
SELECT is((SELECT log_complete_to FROM api.search_fill(1000)), 10::bigint, 'and filled from the headers alone');
SELECT set_eq('SELECT * FROM registry.log_search', 'SELECT * FROM filled', 'with the same rows');
INSERT INTO registry.log_search_batch VALUES (9, now(), '{}', '{}', '{}', '{}', '{}'), (11, now(), '{}', '{}', '{}', '{}', '{}');
SELECT is(api.maintain(), 1::bigint, 'maintain removes columns that have served');
SELECT is((SELECT array_agg(s.size) FROM registry.log_search_batch s), '{11}', 'and no others');

-- counts -----------------------------------------------------------------------------------------------

INSERT INTO registry.code_count (scheme, length, caliber, maker_id, month, registered, firearms, batch_id, ordinal)
SELECT CASE WHEN n % 2 = 0 THEN 'R29-8' ELSE 'opaque' END, 8 - n % 2, '9mm', :'authority', '2026-11-01', 2, n % 2, :'b1', 1 FROM generate_series(1, 1200) n;
SELECT results_eq('SELECT scheme COLLATE "default", length::integer, registered, firearms FROM api.registry_counts() ORDER BY 1',
                  $$VALUES ('R29-8', 8, 1200::bigint, 0::bigint), ('opaque', 7, 1200, 600)$$, 'registered codes by scheme and length');
SELECT is(api.maintain(), 0::bigint, 'maintain');
SELECT is((SELECT count(*)::int FROM registry.code_count), 2, 'puts the rows together');
SELECT results_eq('SELECT scheme COLLATE "default", length::integer, registered, firearms FROM api.registry_counts() ORDER BY 1',
                  $$VALUES ('R29-8', 8, 1200::bigint, 0::bigint), ('opaque', 7, 1200, 600)$$, 'and the counts stay');

SELECT finish();
ROLLBACK;
