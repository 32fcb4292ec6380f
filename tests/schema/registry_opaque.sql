-- SPDX-License-Identifier: Apache-2.0
-- Opaque codes: brought, refused, counted, and found by half.
BEGIN;
SELECT plan(59);
\ir registry.psql

-- A row whose marks are opaque codes.
CREATE FUNCTION pg_temp.brought(external_id text, serial text, VARIADIC codes text[]) RETURNS jsonb LANGUAGE sql
    RETURN pg_temp.row(external_id, serial, 'x', jsonb_build_object('marks', (
        SELECT jsonb_agg(jsonb_build_object('placement', CASE n WHEN 1 THEN 'firing_pin' ELSE 'breech_face' END,
                                            'scheme', 'opaque', 'code', c) ORDER BY n)
        FROM unnest(codes) WITH ORDINALITY AS u(c, n))));
CREATE FUNCTION pg_temp.half(half integer, word text, length integer) RETURNS TABLE (found jsonb) LANGUAGE sql
    RETURN (SELECT jsonb_agg(t.word ORDER BY t.word) FROM api.trace_lookup_halves('{opaque}', ARRAY[word], ARRAY[half]::integer[],
                                                                                  ARRAY[length]::integer[]) t);

-- brought -----------------------------------------------------------------------------------------

SELECT is(a.outcome, 'ok', 'a firearm is registered with codes of its maker, without a block')
FROM pg_temp.ask('register_firearms', :'ridge', pg_temp.registration('atomic',
    pg_temp.brought('S1', 'P1', 'RDG4711', 'AB12'), pg_temp.brought('S2', 'P2', 'RDG4712'))) a;
SELECT is((SELECT array_agg(c.word || ' ' || c.scheme ORDER BY c.word) FROM registry.code c WHERE c.block_id IS NULL),
          '{"AB12 opaque","RDG4711 opaque","RDG4712 opaque"}', 'its codes are codes like others');
SELECT is((SELECT row(m.placement, m.scheme, m.seq, m.valid_from)::text FROM registry.mark m WHERE m.word = 'AB12'),
          '(breech_face,opaque,1,2026-01-10)', 'on its parts');
SELECT is((SELECT (t.serial, t.code_state, t.block_id, t.placement)::text FROM api.trace_lookup('{opaque}', '{RDG4711}') t),
          '(P1,registered,,firing_pin)', 'a trace finds it');
SELECT is((SELECT count(*)::int FROM api.trace_lookup('{R29-8,opaque}', '{RDG4711,RDG471}') t), 0, 'in its scheme, and whole');
SELECT is((SELECT count(*)::int FROM pg_temp.ask('register_firearms', :'ridge', pg_temp.registration('atomic',
           pg_temp.row('S3', 'P3', '00000000', '{"marks": [{"placement": "firing_pin", "scheme": "R29-8", "code": "00000000"},
                       {"placement": "breech_face", "scheme": "opaque", "code": "00000000"}]}'))) a WHERE a.outcome = 'ok'), 1,
          'one text in two schemes is two codes');

-- refused -----------------------------------------------------------------------------------------

SELECT unnest(ARRAY[is(a.outcome, 'rows_refused', v.name),
                    is((a.answer #> '{errors,0}'), jsonb_build_object('pointer', v.pointer, 'code', v.code, 'detail', v.detail), v.name || ': how')])
FROM (VALUES
    ('another''s code', :'harbor'::uuid, pg_temp.brought('H1', 'Q1', 'RDG4711'), '/firearms/0/marks/0/code', 'unavailable', 'not available'),
    ('one''s own', :'ridge', pg_temp.brought('S4', 'P4', 'NEW1', 'RDG4711'), '/firearms/0/marks/1/code', 'code_in_use', 'the code is on another firearm'),
    ('twice', :'ridge', pg_temp.brought('S4', 'P4', 'NEW1', 'NEW1'), '/firearms/0/marks/0/code', 'code_repeated', 'the code appears twice in the request'),
    ('a scheme that there is not', :'ridge', pg_temp.row('S4', 'P4', 'x', '{"marks": [{"placement": "firing_pin", "scheme": "mine", "code": "NEW1"}]}'),
     '/firearms/0/marks/0/scheme', 'unknown_scheme', 'codes are of scheme R29-8 or opaque')
) AS v(name, account, request, pointer, code, detail)
CROSS JOIN LATERAL pg_temp.ask('register_firearms', v.account, pg_temp.registration('atomic', v.request)) a;
SELECT is((SELECT count(*)::int FROM registry.code c WHERE c.word = 'NEW1'), 0, 'nothing of what is refused is stored');
SELECT is(a.outcome, 'ok', 'a code that differs in one character is another code')
FROM pg_temp.ask('register_firearms', :'harbor', pg_temp.registration('atomic',
    pg_temp.brought('H1', 'Q1', 'RDG4713', 'RDG471'), pg_temp.brought('H2', 'Q2', 'RDG4711A'))) a;
SELECT throws_ok(format('SELECT pg_temp.ask_all(%L, ARRAY[%L, %L]::uuid[], ARRAY[%L, %L]::jsonb[])', 'register_firearms', :'ridge', :'harbor',
           pg_temp.registration('atomic', pg_temp.brought('S5', 'P5', 'SAME1')),
           pg_temp.registration('atomic', pg_temp.brought('H5', 'Q5', 'SAME1'))), 'CT003', NULL, 'two requests of a batch bring one code');

-- A part that was replaced sets its code free: whoever engraves it again may register it.
INSERT INTO registry.mark (id, firearm_id, word, scheme, placement, valid_from, supersedes, reason, batch_id, ordinal)
SELECT gen_random_uuid(), m.firearm_id, 'RDG9999', 'opaque', m.placement, '2026-05-01', m.id, 'worn', gen_random_uuid(), 1
FROM registry.mark m WHERE m.word = 'RDG4712';
INSERT INTO registry.code (word, scheme) VALUES ('RDG9999', 'opaque');
SELECT is(a.outcome, 'ok', 'a code whose part was replaced is free again')
FROM pg_temp.ask('register_firearms', :'harbor', pg_temp.registration('atomic', pg_temp.brought('H3', 'Q3', 'RDG4712'))) a;
SELECT is((SELECT array_agg(t.serial || ' ' || t.valid_from || coalesce(' ' || t.valid_to, '') ORDER BY t.valid_from, t.serial)
           FROM api.trace_lookup('{opaque}', '{RDG4712}') t), '{"P2 2026-01-10 2026-05-01","Q3 2026-01-10"}', 'and a trace finds both, as of when they hold');
SELECT is(a.answer #>> '{errors,0,code}', 'unavailable', 'then it is taken')
FROM pg_temp.ask('register_firearms', :'ridge', pg_temp.registration('atomic', pg_temp.brought('S6', 'P6', 'RDG4712'))) a;
SELECT throws_ok($$INSERT INTO registry.code (word, scheme) VALUES ('00000099', 'R29-8')$$, '23514', NULL, 'a code of ours comes in a block');

-- counted -----------------------------------------------------------------------------------------

SELECT results_eq('SELECT scheme COLLATE "default", length::integer, registered, firearms FROM api.registry_counts() ORDER BY 1, 2',
    $$VALUES ('R29-8', 8, 1::bigint, 1::bigint), ('opaque', 4, 1, 0), ('opaque', 6, 1, 0), ('opaque', 7, 4, 4), ('opaque', 8, 2, 1)$$,
    'registered codes by scheme and length');
SELECT is((SELECT count(*)::int FROM api.registry_frequencies()), 0, 'characters are counted behind the batch');
SELECT is(api.code_frequency_fill(), 4::bigint, 'of each request that brought codes');
SELECT is(api.code_frequency_fill(), 0::bigint, 'once');
SELECT results_eq($$SELECT position::integer, character COLLATE "default", registered FROM api.registry_frequencies()
                    WHERE scheme = 'opaque' AND length = 7 AND position IN (1, 7) ORDER BY 1, 2$$,
    $$VALUES (1, 'R', 4::bigint), (7, '1', 1), (7, '2', 2), (7, '3', 1)$$, 'by position');
SELECT is((SELECT string_agg(DISTINCT f.scheme, ' ') FROM registry.code_frequency f), 'opaque', 'only where codes have no structure');
SELECT is((SELECT count(*)::int FROM (SELECT f.length, f.position FROM registry.code_frequency f
                                      GROUP BY 1, 2 HAVING sum(f.registered) <> (SELECT sum(c.registered) FROM api.registry_counts() c
                                                                                 WHERE c.scheme = 'opaque' AND c.length = f.length)) x), 0,
          'each position of all codes');
SELECT count(*) FROM pg_temp.ask('register_firearms', :'ridge', pg_temp.registration('atomic', pg_temp.brought('S7', 'P7', 'ZZZZ9'))) \g /dev/null
SELECT api.counts_rebuild() \g /dev/null
SELECT is((SELECT sum(c.registered)::int FROM api.registry_counts() c), (SELECT count(*)::int FROM registry.mark m WHERE m.firearm_id IS NOT NULL),
          'counts are made again from the marks');
SELECT is((SELECT sum(c.firearms)::int FROM api.registry_counts() c), (SELECT count(*)::int FROM registry.firearm), 'and firearms');
SELECT is((SELECT jsonb_object_agg(f.position || f.character, f.registered) FROM registry.code_frequency f WHERE f.length = 7 AND f.position IN (4, 7)),
          '{"44": 4, "49": 1, "71": 1, "72": 2, "73": 1, "79": 1}'::jsonb, 'and characters');
SELECT is(api.code_frequency_fill(), 0::bigint, 'with what was not counted yet');
SELECT is((SELECT f.registered FROM registry.code_frequency f WHERE f.length = 5 AND f.position = 5), 1::bigint, 'once');

-- found by half -------------------------------------------------------------------------------------

SELECT is(t.found, '["RDG4711", "RDG4712", "RDG4712", "RDG4713", "RDG9999"]'::jsonb, 'by the first half, rounded down') FROM pg_temp.half(1, 'RDG', 7) t;
SELECT is(t.found, '["RDG4711"]'::jsonb, 'by the second half') FROM pg_temp.half(2, '4711', 7) t;
SELECT is(t.found, '["RDG4711A"]'::jsonb, 'of that length') FROM pg_temp.half(1, 'RDG4', 8) t;
SELECT is(t.found, NULL, 'not by a part of a half') FROM pg_temp.half(1, 'RD', 7) t;
SELECT is((SELECT count(*)::int FROM api.trace_lookup_halves('{R29-8,mine}', '{0000,RDG}', '{1,1}', '{8,7}')), 0, 'no other scheme is searched');
SELECT is((SELECT array_agg(t.lookup || t.word ORDER BY t.lookup) FROM api.trace_lookup_halves('{opaque,opaque,opaque}', '{12,XX,4711}', '{2,1,2}', '{4,4,7}') t),
          '{1AB12,3RDG4711}', 'each with its place');
SELECT is(to_jsonb(h) - ARRAY['word', 'more'], to_jsonb(w), 'and all that a look-up of the word gives')
FROM api.trace_lookup_halves('{opaque}', '{4711}', '{2}', '{7}') h, api.trace_lookup('{opaque}', '{RDG4711}') w;
SELECT is((SELECT array_agg((m.placement, m.scheme, m.word, m.valid_to)::text) FROM api.marks_of_firearms(ARRAY(
               SELECT f.id FROM registry.firearm f WHERE f.serial IN ('P2', 'P3') ORDER BY f.serial)) m),
          '{"(firing_pin,opaque,RDG4712,2026-05-01)","(firing_pin,opaque,RDG9999,)","(breech_face,opaque,00000000,)","(firing_pin,R29-8,00000000,)"}',
          'all marks of firearms');

-- Many codes that begin alike.
INSERT INTO registry.mark (id, firearm_id, word, scheme, placement, valid_from, batch_id, ordinal)
SELECT gen_random_uuid(), (SELECT f.id FROM registry.firearm f WHERE f.serial = 'P1'), 'MANY' || lpad(n::text, 4, '0'), 'opaque', 'other',
       '2026-01-01', gen_random_uuid(), 1 FROM generate_series(1, 1030) n;
SELECT is((SELECT row(count(*), min(t.word), max(t.word), bool_and(t.more))::text FROM api.trace_lookup_halves('{opaque}', '{MANY}', '{1}', '{8}') t),
          '(1024,MANY0001,MANY1024,t)', 'at most 1,024 of a look-up, and that there are more');
SELECT is((SELECT bool_or(t.more) FROM api.trace_lookup_halves('{opaque}', '{RDG}', '{1}', '{7}') t), false, 'else not');

-- How they are found, whatever the statistics.
CREATE FUNCTION pg_temp.halves_plan() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    of      CONSTANT oid := 'api.trace_lookup_halves(text[],text[],integer[],integer[])'::regprocedure;
    setting text;
    query   text := (SELECT substring(p.prosrc FROM 'RETURN QUERY(.*);\s*END') FROM pg_proc p WHERE p.oid = of);
BEGIN
    FOREACH setting IN ARRAY (SELECT p.proconfig FROM pg_proc p WHERE p.oid = of) LOOP
        PERFORM set_config(split_part(setting, '=', 1), split_part(setting, '=', 2), true) WHERE setting NOT LIKE 'search_path%';
    END LOOP;
    EXECUTE 'PREPARE lookup (text[], text[], integer[], integer[]) AS '
        || replace(query, 'unnest(words, schemes, halves, lengths)', 'unnest($2, $1, $3, $4)');
    RETURN QUERY EXECUTE 'EXPLAIN (COSTS OFF) EXECUTE lookup (''{opaque}'', ''{RDG4}'', ''{1}'', ''{8}'')';
    DEALLOCATE lookup;
END $$;
CREATE TEMP TABLE plan AS SELECT line FROM pg_temp.halves_plan() AS l(line);
SELECT is_empty($$SELECT line FROM plan WHERE line ~ '(Seq Scan|Hash|Merge|Memoize|Sort|Bitmap)'$$, 'nothing but nested look-ups');
SELECT is((SELECT array_agg(DISTINCT substring(line FROM 'Index (?:Only )?Scan using (mark_opaque\S+)') COLLATE "C") FROM plan WHERE line ~ 'mark_opaque'),
          '{mark_opaque_first,mark_opaque_second}', 'by the halves');

-- similar ones --------------------------------------------------------------------------------------

DELETE FROM registry.mark WHERE word LIKE 'MANY%';
SELECT is(a.outcome, 'ok', 'codes that resemble others are registered')
FROM pg_temp.ask('register_firearms', :'harbor', pg_temp.registration('atomic',
    pg_temp.brought('X1', 'X1', 'SIM00001'), pg_temp.brought('X2', 'X2', 'SIMO0001'), pg_temp.brought('X3', 'X3', 'SIM00002'),
    pg_temp.brought('X4', 'X4', 'SIMO0012'), pg_temp.brought('X5', 'X5', 'TIM00001'))) a;
SELECT api.code_frequency_fill() \g /dev/null
CREATE FUNCTION pg_temp.similar(page integer, at text DEFAULT NULL) RETURNS SETOF jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('outcome', a.outcome, 'cursor', a.answer -> 'next_cursor', 'rows', a.subject -> 'rows', 'pairs', (
        SELECT jsonb_agg(concat_ws(' ', p #>> '{codes,0,code}', p #>> '{codes,1,code}', p ->> 'position', p ->> 'confusable') ORDER BY n)
        FROM jsonb_array_elements(a.answer -> 'data') WITH ORDINALITY AS d(p, n)))
    FROM pg_temp.ask('list_similar_codes', (SELECT x.id FROM registry.account x ORDER BY x.recorded_at LIMIT 1),
                     jsonb_build_object('query', jsonb_strip_nulls(jsonb_build_object('limit', page, 'cursor', at)))) a
$$;
CREATE TEMP TABLE alike AS SELECT s -> 'pairs' AS pairs FROM pg_temp.similar(200) s;
SELECT is((SELECT s.pairs - 'RDG4712 RDG4713 7 false' FROM alike s), '["RDG4711 RDG4712 7 false", "RDG4711 RDG4713 7 false",
    "SIM00001 SIM00002 8 false", "SIM00001 SIMO0001 4 true", "SIM00001 TIM00001 1 false"]'::jsonb, 'pairs that differ in one character, once each');
SELECT is((SELECT s.pairs ? 'RDG4712 RDG4713 7 false' FROM alike s), true, 'of a code that was replaced and brought again, the one that holds');
SELECT is((SELECT s - 'pairs' FROM pg_temp.similar(200) s), '{"outcome": "ok", "cursor": null, "rows": 6}'::jsonb, 'all of them');
-- Page by page, also where a page ends within the pairs of one code.
CREATE FUNCTION pg_temp.paged(page integer) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    found jsonb := '[]';
    at    text;
    s     jsonb;
BEGIN
    LOOP
        SELECT x INTO s FROM pg_temp.similar(page, at) x;
        found := found || coalesce(nullif(s -> 'pairs', 'null'), '[]');
        at := s ->> 'cursor';
        EXIT WHEN at IS NULL OR jsonb_array_length(found) > 100;
    END LOOP;
    RETURN found;
END $$;
SELECT is(pg_temp.paged(n), (SELECT s.pairs FROM alike s), 'by pages of ' || n) FROM generate_series(1, 4) n;
SELECT is(s ->> 'outcome', 'invalid_request', 'no cursor: ' || v.at)
FROM (VALUES ('x'), (repeat('0', 32)), (repeat('0', 32) || '-' || repeat('0', 32))) AS v(at), pg_temp.similar(1, v.at) s;
SELECT is(a.answer #> '{data,5,codes,1}' #- '{firearm,id}' #- '{organization,id}' #- '{mark}', '{"code": "TIM00001", "placement": "firing_pin",
    "valid_from": "2026-01-10", "organization": {"name": "Harbor & Pike"}, "firearm": {"maker": "Harbor & Pike", "importer": null,
    "model": "RL-9 Duty", "serial": "X5", "caliber": "9mm", "type": "pistol"}}'::jsonb, 'with what they mark, and nothing of a sale')
FROM pg_temp.ask('list_similar_codes', :'admin', '{"query": {}}') a;
-- More codes than a page goes through: it says where it is.
SELECT count(*) FROM pg_temp.ask('register_firearms', :'ridge', jsonb_build_object('roles', '["manufacturer"]'::jsonb, 'body', jsonb_build_object(
    'mode', 'atomic', 'firearms', (SELECT jsonb_agg(pg_temp.brought('W' || n, 'W' || n, md5(n::text)::varchar(11))) FROM generate_series(1, 600) n)))) \g /dev/null
SELECT api.code_frequency_fill() \g /dev/null
SELECT is((SELECT count(*)::int FROM registry.mark m WHERE length(m.word) = 11), 600, 'many codes');
SELECT is(pg_temp.paged(50), (SELECT s.pairs FROM alike s), 'are gone through in pages, some of them empty');

SELECT * FROM finish();
ROLLBACK;
