-- SPDX-License-Identifier: Apache-2.0
-- Codes: issued and entered.
BEGIN;
SELECT plan(36);
\ir registry.psql

-- A request for codes: what the keeper drew, and how many are wanted.
CREATE FUNCTION pg_temp.drawn(wanted integer, VARIADIC codes text[]) RETURNS jsonb LANGUAGE sql
    RETURN jsonb_build_object('roles', '["manufacturer"]'::jsonb, 'codes', to_jsonb(codes),
                              'body', jsonb_build_object('scheme', 'R29-8', 'count', wanted));
CREATE FUNCTION pg_temp.given(organization text, role text, VARIADIC codes text[]) RETURNS jsonb LANGUAGE sql
    RETURN jsonb_build_object('roles', jsonb_build_array(role), 'codes', to_jsonb(codes), 'body', jsonb_build_object(
        'scheme', 'R29-8', 'codes', to_jsonb(codes), 'organization', organization, 'origin', 'elsewhere'));

SELECT a.outcome AS outcome, a.answer AS block, a.subject AS subject
FROM pg_temp.ask('create_code_block', :'ridge', pg_temp.drawn(2, '22222220', '22222221', '22222222', '22222223')) a \gset
SELECT is(:'outcome'::text, 'ok', 'codes are issued');
SELECT is(:'block'::jsonb - 'id', '{"scheme": "R29-8", "count": 2, "codes": ["22222220", "22222221"]}'::jsonb,
          'the first ones, in the order drawn');
SELECT matches(:'block'::jsonb ->> 'id', '^cbk_[0-9a-f]{32}$', 'with the block''s id');
SELECT is(:'subject'::jsonb - 'organization', jsonb_build_object('code_block', :'block'::jsonb -> 'id', 'codes', 2),
          'the log says which block, and no code');
SELECT is((SELECT count(*)::int FROM registry.code c WHERE c.word LIKE '2222222_'), 2, 'spare ones are not stored');
SELECT is((SELECT row(b.organization_id, b.count, b.origin)::text FROM registry.code_block b
           WHERE api.public_id('cbk', b.id) = :'block'::jsonb ->> 'id'),
          (SELECT row(a.organization_id, 2, 'issued')::text FROM registry.account a WHERE a.id = :'ridge'), 'the block is the caller''s');

SELECT is(a.answer -> 'codes', '["22222222", "22222224"]'::jsonb, 'codes that somebody has are passed over')
FROM pg_temp.ask('create_code_block', :'harbor',
                 pg_temp.drawn(2, '22222220', '22222222', '22222222', '22222221', '22222224', '22222225')) a;
SELECT is(a.outcome, 'codes_exhausted', 'too few free ones')
FROM pg_temp.ask('create_code_block', :'harbor', pg_temp.drawn(2, '22222220', '22222223')) a;
SELECT is((SELECT count(*)::int FROM registry.code c WHERE c.word = '22222223'), 0, 'store nothing');

SELECT is(array_agg(a.answer -> 'codes' ORDER BY a.ordinal),
          ARRAY['["33333330", "33333331"]', '["33333332"]', '["33333333"]']::jsonb[], 'a code drawn twice in a batch is given once')
FROM pg_temp.ask_all('create_code_block', ARRAY[:'ridge', :'harbor', :'ridge']::uuid[], ARRAY[
    pg_temp.drawn(2, '33333330', '33333331', '33333334'), pg_temp.drawn(1, '33333330', '33333332'),
    pg_temp.drawn(1, '33333332', '33333331', '33333333')]) a;

-- entered by an authority ------------------------------------------------------------------------

SELECT is(a.outcome, 'ok', 'an authority enters codes')
FROM pg_temp.ask('create_code_block', :'admin', pg_temp.given('6-05-032-07-9G-02293', 'authority', '44444440', '44444441')) a;
SELECT is((SELECT row(o.name, b.origin, b.count)::text FROM registry.code c JOIN registry.code_block b ON b.id = c.block_id
           JOIN registry.organization o ON o.id = b.organization_id WHERE c.word = '44444441'), '("Harbor & Pike",elsewhere,2)',
          'for the organization that holds them');
SELECT unnest(ARRAY[is(a.outcome, v.outcome, 'given codes: ' || v.name),
                    is(coalesce(a.answer #> '{errors,0,pointer}', 'null'), coalesce(to_jsonb(v.pointer), 'null'), 'pointer'),
                    is((SELECT count(*)::int FROM registry.code c WHERE c.word LIKE '4444445_'), 0, 'nothing is stored')])
FROM (VALUES
    ('by a manufacturer', pg_temp.given('6-05-032-07-9G-02293', 'manufacturer', '44444450'), 'forbidden', NULL),
    ('for nobody', pg_temp.given('9-99-999-01-9A-99999', 'authority', '44444450'), 'unknown_organization', '/organization'),
    ('one there', pg_temp.given('6-05-032-07-9G-02293', 'authority', '44444450', '44444441'), 'conflict', '/codes/1'),
    ('another''s', pg_temp.given('6-05-032-07-9G-02293', 'authority', '44444450', '00000000'), 'conflict', '/codes/1'),
    ('twice', pg_temp.given('6-05-032-07-9G-02293', 'authority', '44444450', '44444451', '44444450'), 'code_repeated', '/codes/0')
) AS v(name, request, outcome, pointer)
CROSS JOIN LATERAL pg_temp.ask('create_code_block', :'admin', v.request) a;
SELECT is(a.answer #>> '{errors,0,detail}', 'another organization holds this code', 'an authority learns whose sort it is')
FROM pg_temp.ask('create_code_block', :'admin', pg_temp.given('6-05-032-07-9G-02293', 'authority', '00000000')) a;

-- many ------------------------------------------------------------------------------------------

SELECT is(jsonb_array_length(a.answer -> 'codes'), 10000, 'ten thousand at once')
FROM pg_temp.ask('create_code_block', :'ridge', jsonb_build_object('roles', '["manufacturer"]'::jsonb,
    'codes', (SELECT jsonb_agg('5' || lpad(i::text, 7, '0') ORDER BY i) FROM generate_series(1, 11000) i),
    'body', '{"scheme": "R29-8", "count": 10000}'::jsonb)) a;
SELECT is((SELECT count(*)::int FROM registry.code c WHERE c.word LIKE '5_______'), 10000, 'and no more');

-- as the keeper's role ----------------------------------------------------------------------------

SELECT is((SELECT has_table_privilege('casetrace_keeper', t, 'SELECT, INSERT, UPDATE, DELETE')), false, 'the keeper has nothing on ' || t)
FROM unnest(ARRAY['registry.code', 'registry.code_block', 'registry.code_event']) AS t;
SELECT is((SELECT has_table_privilege('casetrace_registry', t, 'UPDATE') OR has_table_privilege('casetrace_registry', t, 'DELETE')), false,
          'no function changes or removes a row of ' || t)
FROM unnest(ARRAY['registry.code', 'registry.code_block', 'registry.code_event']) AS t;

SELECT * FROM finish();
ROLLBACK;
