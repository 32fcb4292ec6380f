-- SPDX-License-Identifier: Apache-2.0
-- What budgets begin with, and findings.
BEGIN;
SELECT plan(18);
\ir registry.psql
SELECT a.organization_id AS agency FROM registry.account a WHERE a.id = :'police' \gset
SELECT a.organization_id AS other_agency FROM registry.account a WHERE a.id = :'other_police' \gset

-- A batch of traces as trace_record and log_append leave it.
CREATE FUNCTION pg_temp.batch(at timestamptz, accounts uuid[], organizations uuid[], states text[], candidates integer[], unread integer[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    made CONSTANT uuid := gen_random_uuid();
    n  CONSTANT integer := cardinality(accounts);
BEGIN
    INSERT INTO registry.trace_batch (batch_id, ids, accounts, organizations, case_numbers, exhibits, states, purposes, urgencies, candidates, unread)
    VALUES (made, ARRAY(SELECT gen_random_uuid() FROM generate_series(1, n)), accounts, organizations, array_fill('26-1'::text, ARRAY[n]),
            array_fill('E-1'::text, ARRAY[n]), states, array_fill('C'::text, ARRAY[n]), array_fill('routine'::text, ARRAY[n]), candidates, unread);
    INSERT INTO registry.log_batch (batch_id, first_idx, count, size, root, epoch, at)
    SELECT made, size, n, size + n, decode(repeat('00', 32), 'hex'), 0, at FROM registry.log_head;
    UPDATE registry.log_head SET size = size + n;
END $$;
SELECT size AS s FROM registry.log_head \gset
SELECT pg_temp.batch('2001-01-01 23:59:59.999+00', ARRAY[:'police'::uuid], ARRAY[:'agency'::uuid], '{identified}', '{1}', '{0}'),
       pg_temp.batch('2001-01-02 00:00:00+00', ARRAY[:'police', :'police', :'other_police']::uuid[], ARRAY[:'agency', :'agency', :'other_agency']::uuid[],
                     '{candidates,candidates,no_match}', '{9,9,0}', '{2,5,1}'),
       pg_temp.batch('2001-01-02 00:09:59.999+00', ARRAY[:'police', :'police']::uuid[], ARRAY[:'agency', :'agency']::uuid[], '{candidates,identified}', '{9,1}', '{4,0}'),
       pg_temp.batch('2001-01-03 00:00:00+00', ARRAY[:'police'::uuid], ARRAY[:'agency'::uuid], '{identified}', '{1}', '{0}') \g /dev/null
SELECT set_eq(format($$SELECT account, organization, state, candidates, unread, times, first_entry - %s AS f, last_entry - %1$s AS l FROM api.traces_of_day('2001-01-02'::date - '1970-01-01'::date, 0)$$, :s),
    format($$VALUES (%L::uuid, %L::uuid, 'candidates', 9, 2, 3::bigint, 1::bigint, 5::bigint), (%1$L, %2$L, 'identified', 1, 0, 1, 4, 5), (%3$L, %4$L, 'no_match', 0, 1, 1, 1, 3)$$,
           :'police', :'agency', :'other_police', :'other_agency'), 'ten minutes of traces, by account and by what was answered');
SELECT is((SELECT count(*)::int FROM api.traces_of_day('2001-01-02'::date - '1970-01-01'::date, 1)), 0, 'none in the ten minutes after');
SELECT is((SELECT sum(t.times)::int FROM generate_series(0, 143) s, api.traces_of_day('2001-01-02'::date - '1970-01-01'::date, s) t), 5, 'all slices are the day');
SELECT is((SELECT count(*)::int FROM pg_indexes WHERE indexname = 'log_batch_at'), 1, 'found by time');

SELECT is(api.finding_record('{no_match,wildcards_in_bulk,agency_budget_spent}', ARRAY[:'police', :'police', NULL]::uuid[], ARRAY[:'agency', :'agency', :'agency']::uuid[],
    '{11324,11324,11324}', '{20,21,10000}', '{5,6,NULL}', '{90,91,NULL}'), 3, 'findings');
SELECT is(api.finding_record('{no_match,no_match,agency_budget_spent}', ARRAY[:'police', :'police', NULL]::uuid[], ARRAY[:'agency', :'agency', :'agency']::uuid[],
    '{11324,11325,11324}', '{33,20,10001}', '{5,6,7}', '{90,91,92}'), 1, 'each once a day');
SELECT is((SELECT count FROM registry.finding WHERE kind = 'no_match' AND day = '2001-01-02'), 20::bigint, 'the first stays');
SELECT is((SELECT array_agg(p) FROM unnest(ARRAY['UPDATE', 'DELETE', 'TRUNCATE']) p, unnest(ARRAY['casetrace_registry', 'casetrace_keeper', 'casetrace_auditor']) r
           WHERE has_table_privilege(r, 'registry.finding', p)), NULL, 'and nobody changes it');

SELECT is((a.answer #> '{data,1}') - ARRAY['number', 'made_at'], jsonb_build_object('kind', 'agency_budget_spent', 'account', NULL, 'organization', api.public_id('org', :'agency'),
    'day', '2001-01-02', 'count', 10000, 'entries', NULL), 'of an agency') FROM pg_temp.ask('list_findings', :'police', '{"query": {}}') a;
SELECT is(a.answer #> '{data,2,entries}', '{"first": 6, "last": 91}', 'between which entries') FROM pg_temp.ask('list_findings', :'police', '{"query": {}}') a;
SELECT is(jsonb_array_length(a.answer -> 'data'), v.found, 'findings ' || v.query)
FROM (VALUES ('{}', 4), ('{"kind": "no_match"}', 2), ('{"account": "acc_00000000000000000000000000000000"}', 0), ('{"account": "nobody"}', 0)) AS v(query, found)
CROSS JOIN LATERAL pg_temp.ask('list_findings', :'police', jsonb_build_object('query', v.query::jsonb)) a;
SELECT is(jsonb_array_length(a.answer -> 'data'), 4, 'of one organization')
FROM pg_temp.ask('list_findings', :'police', jsonb_build_object('query', jsonb_build_object('organization', api.public_id('org', :'agency')))) a;
SELECT is(a.outcome, 'invalid_request', 'not a cursor') FROM pg_temp.ask('list_findings', :'police', '{"query": {"cursor": "abc"}}') a;
WITH RECURSIVE page AS (
    SELECT 1 AS n, a.answer FROM pg_temp.ask('list_findings', :'police', '{"query": {"limit": 3}}') a
    UNION ALL
    SELECT p.n + 1, a.answer FROM page p CROSS JOIN LATERAL pg_temp.ask('list_findings', :'police', jsonb_build_object('query',
        jsonb_build_object('limit', 3, 'cursor', p.answer ->> 'next_cursor'))) a
    WHERE p.answer ->> 'next_cursor' IS NOT NULL
)
SELECT is((SELECT array_agg((d ->> 'number')::bigint ORDER BY p.n, e.n) FROM page p, jsonb_array_elements(p.answer -> 'data') WITH ORDINALITY AS e(d, n)),
          (SELECT array_agg(number ORDER BY number DESC) FROM registry.finding), 'pages hold each once, the newest first');
SELECT is(a.subject, '{"kind": "no_match", "rows": 2}', 'the log says what was looked for') FROM pg_temp.ask('list_findings', :'police', '{"query": {"kind": "no_match"}}') a;

SELECT * FROM finish();
ROLLBACK;
