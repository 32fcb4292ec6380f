-- SPDX-License-Identifier: Apache-2.0
-- Registration at shipment, and whose records firearms are.
BEGIN;
SELECT plan(100);
\ir registry.psql

-- one -------------------------------------------------------------------------------------------

SELECT a.outcome AS outcome, a.answer AS answer, a.subject AS subject
FROM pg_temp.ask('register_firearms', :'ridge', pg_temp.registration('atomic', pg_temp.row('S1', 'td 437381', '00000000'))) a \gset
SELECT is(:'outcome'::text, 'ok', 'a firearm is registered');
SELECT is(:'answer'::jsonb #- '{rows,0,id}', '{"mode": "atomic", "accepted": 1, "refused": 0,
    "rows": [{"external_id": "S1", "state": "registered", "errors": []}]}'::jsonb, 'the outcome of the row');
SELECT :'answer'::jsonb #>> '{rows,0,id}' AS s1 \gset
SELECT is(:'subject'::jsonb, jsonb_build_object('rows', 1, 'registered', 1, 'refused', 0,
          'firearms', jsonb_build_array(jsonb_build_object('id', :'s1', 'serial', 'td 437381'))), 'the log says which');
SELECT a.answer AS seen FROM pg_temp.ask('get_firearm', :'ridge', jsonb_build_object('path', jsonb_build_object('id', :'s1'))) a \gset
SELECT is(:'seen'::jsonb - 'recorded_at' #- '{marks,0,id}', jsonb_build_object(
    'id', :'s1', 'external_id', 'S1', 'state', 'registered', 'maker', 'Ridgeline Arms', 'importer', NULL, 'model', 'RL-9 Duty',
    'caliber', '9mm', 'type', 'pistol', 'serial', 'td 437381', 'shipped_to', 'Dealer A', 'shipped_on', '2026-01-10',
    'marks', '[{"placement": "firing_pin", "scheme": "R29-8", "code": "00000000", "valid_from": "2026-01-10", "valid_to": null}]'::jsonb),
    'its maker sees all of it');
SELECT is(a.outcome || ' ' || coalesce(a.answer ->> 'external_id', 'none') || ' ' || coalesce(a.answer #>> '{marks,0,code}', 'none'),
          'ok none none', 'the dealer that it goes to sees neither code nor external id')
FROM pg_temp.ask('get_firearm', :'dealer_a', jsonb_build_object('path', jsonb_build_object('id', :'s1'))) a;
SELECT is((SELECT row(f.batch_id = s.batch_id AND s.batch_id = m.batch_id AND m.batch_id = e.batch_id, f.ordinal, e.kind, e.seq)::text
           FROM registry.firearm f JOIN registry.firearm_state s ON s.firearm_id = f.id JOIN registry.mark m ON m.firearm_id = f.id
           JOIN registry.custody_event e ON e.firearm_id = f.id), '(t,1,shipped,1)', 'all rows carry batch and ordinal');
SELECT is((SELECT row(c.scheme, c.caliber, c.month, c.registered)::text FROM registry.code_count c), '(R29-8,9mm,2026-01-01,1)', 'and are counted');
SELECT is((SELECT registered FROM api.registry_counts() WHERE scheme = 'R29-8'), 1::bigint, 'for the ranking');

-- repeated, refused ---------------------------------------------------------------------------------

SELECT is(a.answer #> '{rows,0}', jsonb_build_object('external_id', 'S1', 'state', 'existing', 'id', :'s1', 'errors', '[]'::jsonb),
          'an external id that was used gives the existing row, whatever else is said')
FROM pg_temp.ask('register_firearms', :'ridge', pg_temp.registration('atomic', pg_temp.row('S1', 'XX', '0000000Z'))) a;

SELECT unnest(ARRAY[
    is(a.outcome, 'rows_refused', v.name || ': atomic'),
    is((a.answer #> '{errors,0}') - 'detail', jsonb_build_object('pointer', v.pointer, 'code', v.code), v.name || ': code and pointer'),
    is(b.answer #>> '{rows,0,state}' || ' ' || coalesce(b.answer #>> '{rows,0,id}', 'none') || ' ' || (b.answer #>> '{rows,0,errors,0,code}'),
       'refused none ' || v.code, v.name || ': partial')])
FROM (VALUES
    ('own serial', pg_temp.row('S2', 'TD-437381', '00000001'), '/firearms/0/serial', 'serial_in_use'),
    ('own code', pg_temp.row('S2', 'TD2', '00000000'), '/firearms/0/marks/0/code', 'code_in_use'),
    ('never issued', pg_temp.row('S2', 'TD2', '99999999'), '/firearms/0/marks/0/code', 'code_not_issued'),
    ('another''s code', pg_temp.row('S2', 'TD2', '11111110'), '/firearms/0/marks/0/code', 'code_not_issued'),
    ('scheme', pg_temp.row('S2', 'TD2', '00000001', '{"marks": [{"placement": "rim", "scheme": "mine", "code": "12345"}]}'),
     '/firearms/0/marks/0/scheme', 'unknown_scheme'),
    ('bad code', pg_temp.row('S2', 'TD2', '00000001',
     '{"marks": [{"placement": "rim", "scheme": "R29-8", "code": "12345678", "code_error": "the check characters do not fit"}]}'),
     '/firearms/0/marks/0/code', 'code_invalid'),
    ('placement', pg_temp.row('S2', 'TD2', '00000001', '{"marks": [{"placement": "grip", "scheme": "R29-8", "code": "00000001"}]}'),
     '/firearms/0/marks/0/placement', 'unknown_word'),
    ('model', pg_temp.row('S2', 'TD2', '00000001', '{"model": "HP1"}'), '/firearms/0/model', 'unknown_model'),
    ('caliber', pg_temp.row('S2', 'TD2', '00000001', '{"caliber": "6mm"}'), '/firearms/0/caliber', 'unknown_word'),
    ('type', pg_temp.row('S2', 'TD2', '00000001', '{"type": "cannon"}'), '/firearms/0/type', 'unknown_word'),
    ('consignee', pg_temp.row('S2', 'TD2', '00000001', '{"shipped_to": "Joe''s"}'), '/firearms/0/shipped_to', 'unknown_organization'),
    ('future', pg_temp.row('S2', 'TD2', '00000001', jsonb_build_object('shipped_on', api.today() + 1)), '/firearms/0/shipped_on', 'date_in_future'),
    ('another maker', pg_temp.row('S2', 'TD2', '00000001', '{"maker": "6-05-032-07-9G-02293"}'), '/firearms/0/maker', 'maker_refused'),
    ('no maker', pg_temp.row('S2', 'TD2', '00000001', '{"maker": "QQQ"}'), '/firearms/0/maker', 'unknown_maker'),
    ('importer', pg_temp.row('S2', 'TD2', '00000001', '{"importer": "Joe''s"}'), '/firearms/0/importer', 'unknown_maker')
) AS v(name, sent, pointer, code)
CROSS JOIN LATERAL pg_temp.ask('register_firearms', :'ridge', pg_temp.registration('atomic', v.sent)) a
CROSS JOIN LATERAL pg_temp.ask('register_firearms', :'ridge', pg_temp.registration('partial', v.sent)) b;
SELECT is((SELECT count(*)::int FROM registry.firearm), 1, 'nothing of a refused row is stored');
SELECT is((SELECT count(*)::int FROM registry.external_party), 0, 'nor who it names');

-- several -------------------------------------------------------------------------------------------

SELECT is(a.outcome, 'rows_refused', 'atomic: one row refuses all')
FROM pg_temp.ask('register_firearms', :'ridge', pg_temp.registration('atomic',
    pg_temp.row('S2', 'TD2', '00000001'), pg_temp.row('S3', 'TD3', '99999999'), pg_temp.row('S4', 'TD4', '00000002', '{"type": "x"}'))) a;
SELECT is((SELECT array_agg(e ->> 'pointer') FROM jsonb_array_elements(a.answer -> 'errors') e),
          '{/firearms/1/marks/0/code,/firearms/2/type}', 'with every row''s error')
FROM pg_temp.ask('register_firearms', :'ridge', pg_temp.registration('atomic',
    pg_temp.row('S2', 'TD2', '00000001'), pg_temp.row('S3', 'TD3', '99999999'), pg_temp.row('S4', 'TD4', '00000002', '{"type": "x"}'))) a;
SELECT is((SELECT count(*)::int FROM registry.firearm), 1, 'and stores none');
SELECT is((SELECT jsonb_agg(r -> 'state') FROM jsonb_array_elements(a.answer -> 'rows') r)::text || ' ' || (a.answer ->> 'accepted'),
          '["registered", "refused", "existing", "refused", "refused", "refused", "refused", "refused", "refused"] 2',
          'partial: each row for itself, repeated ones refused')
FROM pg_temp.ask('register_firearms', :'ridge', pg_temp.registration('partial',
    pg_temp.row('S2', 'TD2', '00000001', '{"caliber": "9 x 19", "marks": [{"placement": "striker", "scheme": "R29-8", "code": "00000001"},
        {"placement": "breech_face", "scheme": "R29-8", "code": "00000002"}]}'),
    pg_temp.row('S3', 'TD3', '99999999'), pg_temp.row('S1', 'TD1', '00000003'),
    pg_temp.row('S5', 'TD5', '00000004'), pg_temp.row('S5', 'TD6', '00000005'),
    pg_temp.row('S7', 'TD7', '00000006'), pg_temp.row('S8', 'T-D7', '00000007'),
    pg_temp.row('S9', 'TD9', '00000008'), pg_temp.row('SA', 'TDA', '00000008'))) a;
SELECT is((SELECT array_agg(m.placement || ' ' || m.word ORDER BY m.word) FROM registry.mark m JOIN registry.firearm f ON f.id = m.firearm_id
           WHERE f.external_id = 'S2'), '{"firing_pin 00000001","breech_face 00000002"}', 'two marks, an alias as the vocabulary''s word');
SELECT is((SELECT caliber FROM registry.firearm_state WHERE serial = 'TD2'), '9mm', 'a caliber''s alias too');
SELECT is((SELECT sum(c.registered)::int FROM registry.code_count c), 3, 'counted by code');

-- two makers, importers, component producers, the authority -----------------------------------------------

SELECT is(a.outcome, 'ok', 'another maker with the same serial')
FROM pg_temp.ask('register_firearms', :'harbor', pg_temp.registration('atomic', pg_temp.row('S1', 'TD437381', '11111110'))) a;
SELECT is(a.outcome, 'ok', 'the same maker and serial by another importer, who takes no part')
FROM pg_temp.ask('register_firearms', :'harbor', pg_temp.registration('atomic',
    pg_temp.row('S2', 'TD437381', '11111111', '{"importer": "3-33-333-08-9A-33333"}'))) a;
SELECT is(a.answer #>> '{errors,0,code}', 'serial_in_use', 'and by the same one, however the licence is written')
FROM pg_temp.ask('register_firearms', :'harbor', pg_temp.registration('atomic',
    pg_temp.row('S3', 'TD437381', '11111112', '{"importer": "3-33-999-08-0B-33333"}'))) a;
SELECT is((SELECT importer FROM registry.firearm_state WHERE importer IS NOT NULL), '3-33-333-08-9A-33333', 'shown as written');
SELECT pg_temp.member('Pins and More', 'component_producer', '1-11-111-07-9A-11111') AS pins \gset
SELECT pg_temp.codes(:'pins', '66666660', '66666661') \g /dev/null
SELECT is(a.answer #>> '{errors,0,code}', 'unavailable', 'a producer of components gets another''s serial without detail')
FROM pg_temp.ask('register_firearms', :'pins', jsonb_set(pg_temp.registration('atomic',
    pg_temp.row('P1', 'TD2', '66666660', '{"maker": "RDG"}')), '{roles}', '["component_producer"]')) a;
SELECT is(a.answer #>> '{errors,0,detail}', 'not available', 'not even whose it is')
FROM pg_temp.ask('register_firearms', :'pins', jsonb_set(pg_temp.registration('atomic',
    pg_temp.row('P1', 'TD2', '66666660', '{"maker": "RDG"}')), '{roles}', '["component_producer"]')) a;
SELECT is(a.outcome, 'ok', 'and registers a firearm of that maker that is not there')
FROM pg_temp.ask('register_firearms', :'pins', jsonb_set(pg_temp.registration('atomic',
    pg_temp.row('P1', 'PM1', '66666660', '{"maker": "RDG"}')), '{roles}', '["component_producer"]')) a;
SELECT is(a.answer #>> '{errors,0,code}', 'unavailable', 'which the maker cannot take')
FROM pg_temp.ask('register_firearms', :'ridge', pg_temp.registration('atomic', pg_temp.row('SB', 'PM1', '00000009'))) a;
SELECT is(a.outcome, 'ok', 'an authority registers for a maker, with the maker''s codes')
FROM pg_temp.ask('register_firearms', :'admin', jsonb_set(pg_temp.registration('atomic',
    pg_temp.row('A1', 'AU1', '0000000A', '{"maker": "RDG"}')), '{roles}', '["authority"]')) a;
SELECT is(a.answer #> '{errors,0,code}', '"unknown_maker"'::jsonb, 'and has to name the maker')
FROM pg_temp.ask('register_firearms', :'admin', jsonb_set(pg_temp.registration('atomic', pg_temp.row('A2', 'AU2', '0000000G')),
                                                          '{roles}', '["authority"]')) a;
SELECT is(a.answer #>> '{data,0,external_id}', NULL, 'it is the maker''s record, the external id is the authority''s')
FROM pg_temp.ask('find_firearms', :'ridge', '{"query": {"serial": "AU1"}}') a;
SELECT is(a.answer #>> '{data,0,marks,0,code}', '0000000A', 'and the code the maker''s')
FROM pg_temp.ask('find_firearms', :'ridge', '{"query": {"serial": "AU1"}}') a;

-- shipped to a licence that is not known here -----------------------------------------------------------

SELECT is(a.outcome, 'ok', 'an unknown licence is kept as written')
FROM pg_temp.ask('register_firearms', :'ridge', pg_temp.registration('atomic',
    pg_temp.row('SC', 'EX1', '0000000C', '{"shipped_to": "5-55-555-01-9A-55555"}'),
    pg_temp.row('SD', 'EX2', '0000000D', '{"shipped_to": "5-55-000-02-0B-55555"}'))) a;
SELECT is((SELECT row(count(*), min(p.key))::text FROM registry.external_party p), '(1,55555555)', 'as one external party');
SELECT is(a.answer #>> '{data,0,shipped_to}', '5-55-000-02-0B-55555', 'whose licence is shown')
FROM pg_temp.ask('find_firearms', :'ridge', '{"query": {"serial": "EX1"}}') a;
SELECT pg_temp.member('Latecomer', 'dealer', '5-55-555-01-9A-55555') AS late \gset
SELECT is(jsonb_array_length(a.answer -> 'data'), 2, 'entered later, it sees what was sent to its licence')
FROM pg_temp.ask('find_firearms', :'late', '{"query": {}}') a;
SELECT is(a.answer #>> '{data,0,shipped_to}', 'Latecomer', 'under its name')
FROM pg_temp.ask('find_firearms', :'late', '{"query": {"serial": "EX1"}}') a;

-- found, or not ---------------------------------------------------------------------------------------------

SELECT is((SELECT array_agg(d ->> 'serial') FROM jsonb_array_elements(a.answer -> 'data') d), v.found, 'serial ' || v.serial)
FROM (VALUES ('TD 437381', '{"td 437381"}'::text[]), ('S/N td-437381', '{"td 437381"}'), ('6-65-122-07-9G-87591 TD437381', '{"td 437381"}'),
             ('1234;TD437381', '{"td 437381"}'), ('TD437382', NULL)) AS v(serial, found)
CROSS JOIN LATERAL pg_temp.ask('find_firearms', :'ridge', jsonb_build_object('query', jsonb_build_object('serial', v.serial))) a;
SELECT is(a.answer -> 'data', '[]'::jsonb, 'of that maker, none')
FROM pg_temp.ask('find_firearms', :'ridge', '{"query": {"serial": "TD437381", "maker": "6-05-032-07-9G-02293"}}') a;
SELECT is(a.answer -> 'data', '[]'::jsonb, 'others find nothing: ' || u.who)
FROM (VALUES (:'dealer_b'::uuid, 'dealer'), (:'police', 'police'), (:'pins', 'producer')) AS u(account, who)
CROSS JOIN LATERAL pg_temp.ask('find_firearms', u.account, '{"query": {"serial": "TD437381"}}') a;
SELECT is(a.outcome, 'not_found', 'and get nothing: ' || u.who)
FROM (VALUES (:'dealer_b'::uuid, 'dealer'), (:'harbor', 'maker'), (:'pins', 'producer')) AS u(account, who)
CROSS JOIN LATERAL pg_temp.ask('get_firearm', u.account, jsonb_build_object('path', jsonb_build_object('id', :'s1'))) a;
SELECT is(array_agg(a.outcome || coalesce(a.answer::text, '')), '{not_found,not_found,not_found}',
          'another''s, a missing and a malformed id are answered alike, in one batch with one''s own')
FROM pg_temp.ask_all('get_firearm', ARRAY[:'harbor', :'harbor', :'ridge', :'harbor']::uuid[], ARRAY[
    jsonb_build_object('path', jsonb_build_object('id', :'s1')),
    '{"path": {"id": "frm_00000000000000000000000000000000"}}', jsonb_build_object('path', jsonb_build_object('id', :'s1')),
    '{"path": {"id": "frm_1"}}']::jsonb[]) a WHERE a.ordinal <> 3;
WITH RECURSIVE page AS (
    SELECT 1 AS n, a.answer FROM pg_temp.ask('find_firearms', :'ridge', '{"query": {"limit": 2}}') a
    UNION ALL
    SELECT p.n + 1, a.answer FROM page p CROSS JOIN LATERAL pg_temp.ask('find_firearms', :'ridge', jsonb_build_object('query',
        jsonb_build_object('limit', 2, 'cursor', p.answer ->> 'next_cursor'))) a
    WHERE p.answer ->> 'next_cursor' IS NOT NULL
)
SELECT is((SELECT array_agg(d ->> 'id' ORDER BY p.n, e.n) FROM page p, jsonb_array_elements(p.answer -> 'data') WITH ORDINALITY AS e(d, n)),
          (SELECT array_agg(api.public_id('frm', f.id) ORDER BY f.id) FROM registry.firearm f
           JOIN registry.account a ON a.organization_id = f.organization_id WHERE a.id = :'ridge'), 'pages hold each of one''s own once');
SELECT is(a.outcome, 'invalid_request', 'a cursor that is none')
FROM pg_temp.ask('find_firearms', :'ridge', '{"query": {"cursor": "x"}}') a;

-- one batch ---------------------------------------------------------------------------------------------------

SELECT throws_ok(format($$SELECT * FROM pg_temp.ask_all('register_firearms', ARRAY[%L, %L]::uuid[], ARRAY[
    pg_temp.registration('partial', pg_temp.row('T1', 'TT1', '0000000E')), pg_temp.registration('partial', %s)])$$,
    :'ridge', v.other, v.sent), 'CT003', NULL, 'two requests of a batch: ' || v.name)
FROM (VALUES (:'ridge'::uuid, $$pg_temp.row('T1', 'TT2', '0000000F')$$, 'external id'),
             (:'ridge', $$pg_temp.row('T2', 'tt1', '0000000F')$$, 'serial'),
             (:'harbor', $$pg_temp.row('T2', 'TT2', '0000000E')$$, 'code')) AS v(other, sent, name);
SELECT is(array_agg(a.outcome || ' ' || (a.answer #>> '{rows,0,state}') ORDER BY a.ordinal), '{"ok registered","ok refused"}',
          'two makers in one batch, each with its own outcome')
FROM pg_temp.ask_all('register_firearms', ARRAY[:'ridge', :'harbor']::uuid[], ARRAY[
    pg_temp.registration('partial', pg_temp.row('T1', 'TT1', '0000000E')),
    pg_temp.registration('partial', pg_temp.row('T1', 'TT1', '00000009'))]) a;

-- Names that changed since, such as the latecomer's, come with the next event.
SELECT api.firearm_state_refresh(gen_random_uuid(), array_agg(firearm_id), array_agg(1))
FROM registry.firearm_state WHERE serial LIKE 'EX_' \g /dev/null
SELECT is_empty('SELECT * FROM pg_temp.state_differs()', 'the derived rows are those that follow from the records');
SELECT * FROM finish();
ROLLBACK;
