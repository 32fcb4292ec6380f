-- SPDX-License-Identifier: Apache-2.0
-- Confusion matrices and comparisons: recorded, put in force, learned from test
-- fires alone; the firearms that are compared.
BEGIN;
SELECT plan(46);
\ir registry.psql

SELECT count(*) FROM pg_temp.ask('register_firearms', :'ridge', pg_temp.registration('atomic',
    pg_temp.row('S0', 'C0', '00000000'), pg_temp.row('S1', 'C1', '00000001', '{"importer": "3-33-333-08-9A-33333"}'),
    pg_temp.row('S2', 'C1', '00000002'))) \g /dev/null

-- matrices ----------------------------------------------------------------------------------------

CREATE FUNCTION pg_temp.matrix(name text) RETURNS jsonb LANGUAGE sql
    RETURN jsonb_build_object('body', jsonb_build_object('name', name, 'description', 'measured'),
                              'rates', '{"opaque": [[0.9, 0.1]], "r29": [[1e-9]]}'::jsonb);
CREATE FUNCTION pg_temp.named(name text) RETURNS jsonb LANGUAGE sql
    RETURN jsonb_build_object('path', jsonb_build_object('name', name), 'body', '{"reason": "checked"}'::jsonb);

SELECT is((SELECT count(*)::int FROM api.confusion_active('default-1')), 0, 'the software''s own is in force at first');
SELECT is((SELECT row(a.name, a.rates)::text FROM api.confusion_active('other') a), '(default-1,)', 'and its figures are the software''s');
SELECT a.outcome AS outcome, a.answer AS answer, a.subject AS subject FROM pg_temp.ask('create_confusion_matrix', :'admin', pg_temp.matrix('lab-1')) a \gset
SELECT is(:'outcome'::text, 'ok', 'a matrix is loaded');
SELECT is(:'answer'::jsonb - 'digest' - 'recorded_at', jsonb_build_object('name', 'lab-1', 'origin', 'loaded', 'description', 'measured',
          'readings', NULL, 'created_by', api.public_id('acc', :'admin'), 'active', false, 'active_from', NULL), 'and is not in force by that');
SELECT is(:'subject'::jsonb, '{"matrix": "lab-1"}', 'the log says which');
SELECT is((SELECT count(*)::int FROM api.confusion_active('default-1')), 0, 'what was in force stays');
SELECT is(a.outcome || (a.answer #>> '{errors,0,pointer}'), 'conflict/name', 'refused: ' || v.name)
FROM (VALUES ('lab-1'), ('default-2'), ('learned-1'), ('default-1')) AS v(name), pg_temp.ask('create_confusion_matrix', :'admin', pg_temp.matrix(v.name)) a;
SELECT throws_ok(format('INSERT INTO registry.confusion_matrix (name, seq, origin, rates, digest, account_id, batch_id, ordinal)
    VALUES (%L, 9, %L, %L, sha256(%L), %L, %L, 1)', v.name, 'loaded', '{}', 'x', :'admin', :'first_batch'), '23514', NULL, 'no name: ' || v.name)
FROM (VALUES ('learn'), ('lab'), ('Lab-1'), ('lab-0'), ('lab--1'), ('-1')) AS v(name);

SELECT is(a.outcome, 'not_found', 'what there is not is not put in force') FROM pg_temp.ask('activate_confusion_matrix', :'admin', pg_temp.named('lab-2')) a;
SELECT is(a.outcome || (a.answer ->> 'active'), 'oktrue', 'a matrix is put in force') FROM pg_temp.ask('activate_confusion_matrix', :'admin', pg_temp.named('lab-1')) a;
SELECT is((SELECT row(a.name, a.rates)::text FROM api.confusion_active('default-1') a), '(lab-1,"{""r29"": [[0.000000001]], ""opaque"": [[0.9, 0.1]]}")', 'the keeper gets it');
SELECT is((SELECT count(*)::int FROM api.confusion_active('lab-1')), 0, 'once');
SELECT is(a.outcome, 'ok', 'putting it in force again') FROM pg_temp.ask('activate_confusion_matrix', :'admin', pg_temp.named('lab-1')) a;
SELECT is((SELECT count(*)::int FROM registry.confusion_activation), 1, 'is no act of its own');
SELECT is(a.answer -> 'active_from' <> 'null', true, 'since when') FROM pg_temp.ask('get_confusion_matrix', :'admin', pg_temp.named('lab-1')) a;
SELECT is(a.answer -> 'opaque', '[[0.9, 0.1]]'::jsonb, 'with its figures') FROM pg_temp.ask('get_confusion_matrix', :'admin', pg_temp.named('lab-1')) a;
SELECT is(a.outcome, 'ok', 'back to the one before') FROM pg_temp.ask('activate_confusion_matrix', :'admin', pg_temp.named('default-1')) a;
SELECT is((SELECT array_agg(a.name || ' ' || a.seq ORDER BY a.seq) FROM registry.confusion_activation a), '{"lab-1 1","default-1 2"}', 'every act stays recorded');
SELECT is((SELECT jsonb_agg(d ->> 'name') FROM jsonb_array_elements(a.answer -> 'data') d), '["lab-1"]'::jsonb, 'the newest first') FROM pg_temp.ask('list_confusion_matrices', :'admin', '{"query": {"limit": 1}}') a;
SELECT is((SELECT jsonb_agg(d ->> 'name') FROM jsonb_array_elements(b.answer -> 'data') d) || (b.answer -> 'next_cursor'), '["default-1", null]'::jsonb, 'then the rest')
FROM pg_temp.ask('list_confusion_matrices', :'admin', '{"query": {"limit": 1}}') a,
     pg_temp.ask('list_confusion_matrices', :'admin', jsonb_build_object('query', jsonb_build_object('limit', 5, 'cursor', a.answer ->> 'next_cursor'))) b;

-- comparisons -------------------------------------------------------------------------------------

CREATE FUNCTION pg_temp.found(ref jsonb) RETURNS jsonb LANGUAGE sql
    RETURN (SELECT to_jsonb(t) FROM api.comparison_lookup(ARRAY[gen_random_uuid()], ARRAY[ref]) t);
SELECT is(f ->> 'serial', 'C0', 'a firearm by maker and serial, whosever it is') FROM pg_temp.found('{"maker": "6-65-122-07-9G-87591", "serial": "c-0"}') f;
SELECT is(f -> 'marks', '[{"placement": "firing_pin", "scheme": "R29-8", "word": "00000000", "valid_from": "2026-01-10", "valid_to": null}]'::jsonb,
          'with its marks') FROM pg_temp.found('{"maker": "6-65-122-07-9G-87591", "serial": "C0"}') f;
SELECT is((f ->> 'found') || coalesce(f ->> 'firearm_id', '-'), '0-', 'none') FROM pg_temp.found('{"maker": "6-65-122-07-9G-87591", "serial": "C9"}') f;
SELECT is((f ->> 'found') || jsonb_array_length(f -> 'choices') || coalesce(f ->> 'firearm_id', '-'), '22-', 'two, with what tells them apart')
FROM pg_temp.found('{"maker": "6-65-122-07-9G-87591", "serial": "C1"}') f;
SELECT is(f ->> 'found', '1', 'one of them') FROM pg_temp.found('{"maker": "6-65-122-07-9G-87591", "serial": "C1", "importer": "3-33-333-08-9A-33333"}') f;
SELECT is(jsonb_object_agg(t.lookup, t.serial), '{"1": null, "2": "C0"}'::jsonb, 'several at once, each with its place')
FROM api.comparison_lookup(ARRAY[gen_random_uuid(), gen_random_uuid()], ARRAY['{"id": "frm_00000000000000000000000000000000"}',
     (SELECT jsonb_build_object('id', api.public_id('frm', f.id)) FROM registry.firearm f WHERE f.serial = 'C0')]::jsonb[]) t;

SELECT f.id AS gun, a.organization_id AS agency FROM registry.firearm f, registry.account a WHERE f.serial = 'C0' AND a.id = :'police' \gset
-- One request each of a casing, a test fire that fits, and one that does not.
CREATE FUNCTION pg_temp.compared(account uuid, agency uuid, gun uuid) RETURNS uuid[] LANGUAGE plpgsql AS $$
DECLARE
    ids CONSTANT uuid[] := ARRAY[gen_random_uuid(), gen_random_uuid(), gen_random_uuid()];
BEGIN
    PERFORM api.comparison_record(gen_random_uuid(), '{1,2,3}', ids, array_fill(account, '{3}'), array_fill(agency, '{3}'), array_fill(gun, '{3}'),
        '{supports,supports,against}', '{0,2,0}', '{26-1,26-2,26-3}',
        ARRAY['{"specimens": [{"kind": "casing"}]}', '{"specimens": [{"kind": "casing"}, {"kind": "test_fire"}]}', '{"specimens": [{"kind": "test_fire"}]}'],
        ARRAY['{"id": "a"}', '{"id": "b"}', '{"id": "c"}'],
        -- As if the keeper had sent all of them.
        '{1,2,2,3}', '{0,0,1,0}', '{0,0,0,0}', '{00000000,00000000,00000000,00000000}', '{00000000,ABCDABCD,00O0??B8,ABCDABCD}');
    RETURN ids;
END $$;
SELECT is((SELECT count(*)::int FROM api.confusion_counts()), 0, 'nothing was counted yet');
SELECT is(a.outcome, 'nothing_to_learn', 'so there is nothing to learn') FROM pg_temp.ask('learn_confusion_matrix', :'admin', '{"readings": 0, "rates": {}, "body": {"description": "x"}}') a;
SELECT ids[2] AS second FROM (SELECT pg_temp.compared(:'police', :'agency', :'gun') AS ids) x \gset
SELECT is((SELECT array_agg(c.state || c.unread ORDER BY c.ordinal) FROM registry.comparison c), '{supports0,supports2,against0}', 'comparisons are recorded');
SELECT is((SELECT array_agg(f.reading) FROM registry.test_fire f), '{00O0??B8}', 'of readings only those of test fires that fit are kept, whatever is sent');
SELECT results_eq('SELECT true_character, read_character, readings FROM api.confusion_counts() ORDER BY 1, 2',
                  $$VALUES ('0', '0', 3::bigint), ('0', '8', 1), ('0', 'B', 1), ('0', 'O', 1)$$, 'and counted as written, but for what was not read');
SELECT is(a.outcome || (a.answer ->> 'name') || (a.answer ->> 'readings'), 'oklearned-16', 'a matrix is learned')
FROM pg_temp.ask('learn_confusion_matrix', :'admin', '{"readings": 6, "rates": {"opaque": []}, "body": {"description": "x"}}') a;
SELECT is((SELECT count(*)::int FROM api.confusion_active('default-1')), 0, 'and is not in force by that');
SELECT is((SELECT t.recent FROM api.comparison_lookup(ARRAY[:'agency'::uuid, (SELECT a.organization_id FROM registry.account a WHERE a.id = :'other_police')],
           array_fill(jsonb_build_object('id', api.public_id('frm', :'gun')), '{2}')) t WHERE t.lookup = 1), 3, 'comparisons with a firearm are counted by organization');
INSERT INTO registry.log_batch (batch_id, first_idx, count, size, root, epoch)
SELECT c.batch_id, 100, 3, 103, sha256('r'), 0 FROM registry.comparison c LIMIT 1;
SELECT results_eq(format($$SELECT t.account, t.state, t.unread, t.times, t.first_entry FROM generate_series(0, 143) s,
                           api.traces_of_day((now() AT TIME ZONE 'UTC')::date - '1970-01-01'::date, s) t ORDER BY 2, 3$$),
    format($$VALUES (%1$L::uuid, 'no_match', 0, 1::bigint, 100::bigint), (%1$L, 'supports', 0, 1, 100), (%1$L, 'supports', 2, 1, 100)$$, :'police'),
    'they count for budgets');
SELECT is(a.outcome || (a.answer ->> 'id'), 'okb', 'a comparison is read again') FROM pg_temp.ask('get_comparison', :'police', jsonb_build_object('path', jsonb_build_object('id', api.public_id('cmp', :'second')))) a;
SELECT is(a.outcome, 'not_found', 'by its own agency alone') FROM pg_temp.ask('get_comparison', :'other_police', jsonb_build_object('path', jsonb_build_object('id', api.public_id('cmp', :'second')))) a;
SELECT is_empty($$SELECT t.name FROM (VALUES ('confusion_matrix'), ('confusion_activation'), ('comparison'), ('test_fire')) AS t(name)
                  WHERE has_table_privilege('casetrace_registry', 'registry.' || t.name, 'UPDATE')
                     OR has_table_privilege('casetrace_registry', 'registry.' || t.name, 'DELETE')$$, 'all of it is insert-only');

SELECT * FROM finish();
ROLLBACK;
