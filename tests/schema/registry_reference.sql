-- SPDX-License-Identifier: Apache-2.0
-- Vocabularies, models, makers, and who is meant by what people write.
BEGIN;
SELECT plan(49);
\ir registry.psql

-- vocabularies -----------------------------------------------------------------------------

SELECT is(a.outcome, 'ok', 'a vocabulary') FROM pg_temp.ask('get_vocabulary', :'police', '{"path": {"kind": "caliber"}}') a;
SELECT is(pg_temp.members(a.answer), 'data kind next_cursor', 'its members')
FROM pg_temp.ask('get_vocabulary', :'police', '{"path": {"kind": "caliber"}}') a;
SELECT is(a.answer #> '{data,0}', '{"value": "9mm", "title": "9 mm Luger",
    "aliases": ["9mm Luger", "9x19", "9x19mm", "9mm Parabellum", "9 Para", "9mm NATO"]}'::jsonb, 'a word with its aliases')
FROM pg_temp.ask('get_vocabulary', :'police', '{"path": {"kind": "caliber"}}') a;
SELECT is(a.outcome, 'not_found', 'there is no such vocabulary')
FROM pg_temp.ask('get_vocabulary', :'police', '{"path": {"kind": "color"}}') a;
SELECT cmp_ok((SELECT count(*) FROM registry.vocabulary v WHERE v.kind = k.kind), '>', 0::bigint, 'vocabulary ' || k.kind)
FROM unnest(ARRAY['caliber', 'firearm_type', 'placement', 'offense', 'purpose', 'custody_kind']) AS k(kind);
SELECT is_empty($$
    SELECT v.kind, api.fold_word(w.word) FROM registry.vocabulary v, unnest(v.value || v.aliases) AS w(word)
    GROUP BY 1, 2 HAVING count(DISTINCT v.value) > 1
$$, 'no word means two things');
SELECT is(api.vocabulary_words('caliber') ->> api.fold_word(v.written), v.word, 'caliber ' || v.written)
FROM (VALUES ('9mm', '9mm'), ('9 MM luger', '9mm'), ('9-mm', '9mm'), ('.40 s&w', '.40 S&W'), ('45', '.45 ACP'), ('6mm', NULL)) AS v(written, word);
SELECT is((SELECT count(*)::int FROM registry.vocabulary v WHERE v.kind = 'custody_kind' AND v.value = ANY (ARRAY['shipped', 'received',
           'sold', 'returned', 'transferred', 'lost', 'stolen', 'recovered', 'destroyed', 'exported', 'sold_to_law_enforcement'])), 11,
          'every kind of event is a word');

-- makers, and who is meant -------------------------------------------------------------------

SELECT is(p.maker_id, m.id, v.text || ' is the maker')
FROM (VALUES ('6-65-122-07-9G-87591'), ('6-65-999-08-0A-87591'), ('RDG'), ('ridgeline  ARMS')) AS v(text)
CROSS JOIN (SELECT k.id FROM api.maker_known k WHERE k.name = 'Ridgeline Arms') m
CROSS JOIN LATERAL (SELECT * FROM api.parties(ARRAY[v.text])) p;
SELECT is(p.organization_id, (SELECT o.id FROM registry.organization o WHERE o.name = v.name), v.text || ' is ' || v.name)
FROM (VALUES ('3-51-388-01-9F-79283', 'Dealer A'), ('3-51-000-02-0A-79283', 'Dealer A'), ('CA0100500', 'Fresno Police'),
             ('RDG', 'Ridgeline Arms'), ('9-99-999-01-9A-99999', NULL), ('somebody', NULL), ('ZZZ', NULL)) AS v(text, name)
CROSS JOIN LATERAL (SELECT * FROM api.parties(ARRAY[v.text])) p;
SELECT is(a.answer ->> 'maker_code', 'RDG', 'an organization shows its national code')
FROM api.organization_answer a WHERE a.answer ->> 'name' = 'Ridgeline Arms';
SELECT is((SELECT count(*)::int FROM api.maker_known k WHERE k.organization_id IS NOT NULL), 2, 'each manufacturer is one maker');
SELECT pg_temp.member('Ridgeline Arms', 'manufacturer', '1-00-000-07-9A-00001') \g /dev/null
SELECT is((SELECT p.maker_id FROM api.parties(ARRAY['Ridgeline Arms']) p), NULL, 'a name that two makers share names neither');

-- models -------------------------------------------------------------------------------------

SELECT is(a.outcome, 'ok', 'a model') FROM pg_temp.ask('create_model', :'ridge',
    '{"roles": ["manufacturer"], "body": {"name": "RL-22", "caliber": "22 long rifle", "type": "pistol"}}') a;
SELECT is(a.answer - 'id', '{"name": "RL-22", "maker": "Ridgeline Arms", "caliber": ".22 LR", "type": "pistol"}'::jsonb,
          'shown with the vocabulary''s word')
FROM (SELECT answer FROM api.model_answer WHERE name_key = 'rl-22') a;
SELECT unnest(ARRAY[is(a.outcome, v.outcome, 'model: ' || v.name), is(a.answer #>> '{errors,0,pointer}', v.pointer, 'points at it')])
FROM (VALUES
    ('same name', '{"roles": ["manufacturer"], "body": {"name": "rl-9  duty"}}'::jsonb, 'model_in_use', '/name'),
    ('caliber', '{"roles": ["manufacturer"], "body": {"name": "X", "caliber": "6mm"}}', 'unknown_word', '/caliber'),
    ('type', '{"roles": ["manufacturer"], "body": {"name": "X", "type": "cannon"}}', 'unknown_word', '/type'),
    ('another''s', '{"roles": ["manufacturer"], "body": {"name": "X", "maker": "6-05-032-07-9G-02293"}}', 'maker_refused', '/maker')
) AS v(name, request, outcome, pointer)
CROSS JOIN LATERAL pg_temp.ask('create_model', :'ridge', v.request) a;
SELECT is(a.outcome, 'ok', 'an authority names the maker')
FROM pg_temp.ask('create_model', :'admin', '{"roles": ["authority"], "body": {"name": "HP9", "maker": "6-05-032-07-9G-02293"}}') a;
SELECT is(a.outcome, 'unknown_maker', 'and must')
FROM pg_temp.ask('create_model', :'admin', '{"roles": ["authority"], "body": {"name": "HP9"}}') a;
SELECT throws_ok(format($$SELECT * FROM pg_temp.ask_all('create_model', ARRAY[%L, %L]::uuid[], ARRAY['{"roles": ["manufacturer"],
    "body": {"name": "Twice"}}', '{"roles": ["manufacturer"], "body": {"name": "TWICE"}}']::jsonb[])$$, :'ridge', :'ridge'), 'CT003', NULL,
    'one model twice in a batch');

SELECT is((SELECT array_agg(d ->> 'name' ORDER BY n) FROM jsonb_array_elements(a.answer -> 'data') WITH ORDINALITY AS e(d, n)),
          '{HP1,HP9,"RL-9 Duty"}', 'models of one maker, by name')
FROM pg_temp.ask('list_models', :'dealer_a', '{"query": {"maker": "6-05-032-07-9G-02293"}}') a;
SELECT is(a.answer, '{"data": [], "next_cursor": null}'::jsonb, 'none of a maker that is not known')
FROM pg_temp.ask('list_models', :'dealer_a', '{"query": {"maker": "nobody"}}') a;
SELECT is(a.outcome, 'invalid_request', 'a cursor of something else')
FROM pg_temp.ask('list_models', :'dealer_a', '{"query": {"cursor": "00000000000000000000000000000000"}}') a;
WITH RECURSIVE page AS (
    SELECT 1 AS n, a.answer FROM pg_temp.ask('list_models', :'dealer_a', '{"query": {"limit": 2}}') a
    UNION ALL
    SELECT p.n + 1, a.answer FROM page p CROSS JOIN LATERAL pg_temp.ask('list_models', :'dealer_a', jsonb_build_object('query',
        jsonb_build_object('limit', 2, 'cursor', p.answer ->> 'next_cursor'))) a
    WHERE p.answer ->> 'next_cursor' IS NOT NULL
)
SELECT is((SELECT array_agg(d ->> 'id' ORDER BY p.n, e.n) FROM page p, jsonb_array_elements(p.answer -> 'data') WITH ORDINALITY AS e(d, n)),
          (SELECT array_agg(m.answer ->> 'id' ORDER BY m.maker, m.maker_id, m.name_key) FROM api.model_answer m), 'pages hold each model once');

SELECT * FROM finish();
ROLLBACK;
