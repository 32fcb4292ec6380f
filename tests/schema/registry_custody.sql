-- SPDX-License-Identifier: Apache-2.0
-- Custody: what each licensee may record of a firearm in the state it is in.
BEGIN;
SELECT plan(68);
\ir registry.psql

SELECT count(*) FROM pg_temp.ask('register_firearms', :'ridge', pg_temp.registration('atomic', VARIADIC ARRAY(
    SELECT pg_temp.row('S' || i, 'C' || i, '0000000' || i) FROM generate_series(0, 9) i))) \g /dev/null

-- Status of a firearm, and by name who holds it.
CREATE FUNCTION pg_temp.stands(serial text) RETURNS text LANGUAGE sql
    RETURN (SELECT s.status || coalesce(' ' || p.name, '') FROM registry.firearm_state s
            LEFT JOIN api.party p ON p.id = s.holder WHERE s.serial = stands.serial);
-- Outcome of one event, with the code of what is wrong.
CREATE FUNCTION pg_temp.tell(account uuid, event jsonb) RETURNS text LANGUAGE sql
    RETURN (SELECT coalesce(a.answer #>> '{rows,0,state}', a.outcome || ' ' || (a.answer #>> '{errors,0,code}') || ' ' || (a.answer #>> '{errors,0,pointer}'))
            FROM pg_temp.ask('record_custody_events', account, pg_temp.events(event)) a);

-- received ---------------------------------------------------------------------------------------

SELECT is(pg_temp.stands('C0'), 'in_transit Dealer A', 'shipped, it is on its way');
SELECT a.outcome AS outcome, a.answer AS answer, a.subject AS subject FROM pg_temp.ask('record_custody_events', :'dealer_a',
    pg_temp.events(pg_temp.event('received', 'C0', '2026-01-12', '{"from": "6-65-122-07-9G-87591", "document": "INV-1", "external_id": "R1"}'))) a \gset
SELECT is(:'outcome'::text, 'ok', 'a receipt');
SELECT is(:'answer'::jsonb #- '{rows,0,id}',
          '{"mode": "atomic", "accepted": 1, "refused": 0, "rows": [{"external_id": "R1", "state": "recorded", "errors": []}]}'::jsonb, 'its outcome');
SELECT matches(:'answer'::jsonb #>> '{rows,0,id}', '^evt_[0-9a-f]{32}$', 'with the event''s id');
SELECT is(:'subject'::jsonb, (SELECT jsonb_build_object('events', 1, 'firearms', jsonb_build_array(api.public_id('frm', f.id)))
          FROM registry.firearm f WHERE f.serial = 'C0'), 'the log says of which firearm');
SELECT is(pg_temp.stands('C0'), 'held Dealer A', 'the dealer holds it');
SELECT is((SELECT row(e.seq, e.document, f.name, t.name, e.from_written)::text FROM registry.custody_event e
           JOIN api.party f ON f.id = e.from_party JOIN api.party t ON t.id = e.to_party WHERE e.external_id = 'R1'),
          '(2,INV-1,"Ridgeline Arms","Dealer A",6-65-122-07-9G-87591)', 'from whom and to whom, and as written');
SELECT is(a.answer #> '{rows,0}', :'answer'::jsonb #> '{rows,0}' || '{"state": "existing"}', 'the same external id gives the existing event')
FROM pg_temp.ask('record_custody_events', :'dealer_a', pg_temp.events(
    pg_temp.event('lost', 'C1', '2026-01-12', '{"external_id": "R1"}'))) a;

SELECT is(pg_temp.tell(v.account, v.event), 'rows_refused ' || v.refusal, v.name)
FROM (VALUES
    (:'dealer_a'::uuid, pg_temp.event('received', 'C0', '2026-01-13'), 'already_received /events/0/firearm', 'received twice'),
    (:'dealer_b', pg_temp.event('received', 'C1', '2026-01-13'), 'not_found /events/0/firearm', 'received by whom it was not sent to'),
    (:'dealer_b', pg_temp.event('received', 'ZZ', '2026-01-13'), 'not_found /events/0/firearm', 'as one that is not registered'),
    (:'harbor', pg_temp.event('lost', 'C1', '2026-01-13'), 'not_found /events/0/firearm', 'another maker'),
    (:'ridge', pg_temp.event('received', 'C1', '2026-01-13'), 'not_in_custody /events/0/firearm', 'the maker itself'),
    (:'dealer_a', pg_temp.event('received', 'C1', '2026-01-09'), 'date_out_of_order /events/0/date', 'received before it was shipped'),
    (:'dealer_a', pg_temp.event('received', 'C1', (api.today() + 1)::text), 'date_in_future /events/0/date', 'tomorrow'),
    (:'dealer_a', pg_temp.event('transferred', 'C1', '2026-01-13', '{"to": "8-56-307-01-7L-72673"}'), 'not_in_custody /events/0/firearm',
     'sent on before it was received'),
    (:'dealer_a', pg_temp.event('transferred', 'C0', '2026-01-13'), 'validation_failed /events/0/to', 'sent to nobody'),
    (:'dealer_a', pg_temp.event('transferred', 'C0', '2026-01-13', '{"to": "Joe"}'), 'unknown_organization /events/0/to', 'or to who knows whom'),
    (:'dealer_a', pg_temp.event('destroyed', 'C1', '2026-01-13'), 'not_in_custody /events/0/firearm', 'destroyed on its way'),
    (:'dealer_a', pg_temp.event('recovered', 'C0', '2026-01-13'), 'not_in_custody /events/0/firearm', 'recovered and never lost'),
    (:'dealer_a', pg_temp.event('returned', 'C0', '2026-01-13'), 'not_in_custody /events/0/firearm', 'returned and never sold')
) AS v(account, event, refusal, name);
SELECT is((SELECT count(*)::int FROM registry.custody_event), 11, 'nothing of them is stored');

-- on from there --------------------------------------------------------------------------------------

SELECT is(pg_temp.tell(:'dealer_a', pg_temp.event('transferred', 'C0', '2026-01-13', '{"to": "8-56-307-01-7L-72673"}')), 'recorded', 'sent to another dealer');
SELECT is(pg_temp.stands('C0'), 'in_transit Dealer B', 'on its way to him');
SELECT is(pg_temp.tell(:'dealer_a', pg_temp.event('lost', 'C0', '2026-01-12')), 'rows_refused date_out_of_order /events/0/date', 'nothing before the last event');
SELECT is(pg_temp.tell(:'dealer_b', pg_temp.event('received', 'C0', '2026-01-14')), 'recorded', 'who receives it');
SELECT is((SELECT f.name FROM registry.custody_event e JOIN api.party f ON f.id = e.from_party
           JOIN registry.firearm g ON g.id = e.firearm_id WHERE g.serial = 'C0' AND e.seq = 4), 'Dealer A', 'from who sent it, when he does not say');
SELECT is(pg_temp.tell(:'dealer_a', pg_temp.event('stolen', 'C0', '2026-01-15')), 'rows_refused not_in_custody /events/0/firearm',
          'the first dealer still sees it, and has it no more');
SELECT is(pg_temp.tell(:'dealer_b', pg_temp.event('stolen', 'C0', '2026-01-15', '{"document": "R-77"}')), 'recorded', 'stolen');
SELECT is(pg_temp.stands('C0'), 'stolen Dealer B', 'from him');
SELECT is(pg_temp.tell(:'dealer_b', pg_temp.event('destroyed', 'C0', '2026-01-16')), 'rows_refused not_in_custody /events/0/firearm', 'gone, it cannot be destroyed');
SELECT is(pg_temp.tell(:'dealer_b', pg_temp.event('recovered', 'C0', '2026-01-16')), 'recorded', 'recovered');
SELECT is(pg_temp.tell(:'dealer_b', pg_temp.event('returned', 'C0', '2026-01-17', '{"to": "RDG"}')), 'recorded', 'returned to its maker');
SELECT is(pg_temp.stands('C0'), 'in_transit Ridgeline Arms', 'who is to receive it');
SELECT is(pg_temp.tell(:'ridge', pg_temp.event('received', 'C0', '2026-01-18')), 'recorded', 'does');
SELECT is(pg_temp.tell(:'ridge', pg_temp.event('exported', 'C0', '2026-01-19', '{"to": "Elsewhere & Co", "document": "X-1"}')), 'recorded', 'exports it');
SELECT is(pg_temp.stands('C0'), 'exported', 'and nobody holds it');
SELECT is(pg_temp.tell(v.account, pg_temp.event(v.kind, 'C0', '2026-02-01', '{"to": "8-56-307-01-7L-72673"}')),
          'rows_refused not_in_custody /events/0/firearm', 'after that, ' || v.kind)
FROM (VALUES (:'ridge'::uuid, 'shipped'), (:'ridge', 'received'), (:'dealer_b', 'lost'), (:'ridge', 'recovered'), (:'ridge', 'destroyed'),
             (:'ridge', 'exported'), (:'ridge', 'sold_to_law_enforcement'), (:'ridge', 'returned')) AS v(account, kind);
SELECT is((SELECT jsonb_agg(e - 'date') FROM jsonb_array_elements(t.found -> 'custody') e), '[
    {"kind": "shipped", "from": "Ridgeline Arms", "to": "Dealer A"}, {"kind": "received", "from": "Ridgeline Arms", "to": "Dealer A"},
    {"kind": "transferred", "from": "Dealer A", "to": "Dealer B"}, {"kind": "received", "from": "Dealer A", "to": "Dealer B"},
    {"kind": "stolen", "from": "Dealer B", "to": null}, {"kind": "recovered", "from": null, "to": "Dealer B"},
    {"kind": "returned", "from": "Dealer B", "to": "Ridgeline Arms"}, {"kind": "received", "from": "Dealer B", "to": "Ridgeline Arms"},
    {"kind": "exported", "from": "Ridgeline Arms", "to": "Elsewhere & Co"}]'::jsonb, 'a trace shows the chain')
FROM pg_temp.look('00000000') t;
SELECT is(pg_temp.tell(:'dealer_a', pg_temp.event('received', 'C2', '2026-01-12')), 'recorded', 'a distributor''s way: received');
SELECT is(pg_temp.tell(:'dealer_a', pg_temp.event('shipped', 'C2', '2026-01-13', '{"to": "9-77-777-01-9A-77777"}')), 'recorded', 'shipped to who takes no part');
SELECT is(pg_temp.stands('C2'), 'in_transit 9-77-777-01-9A-77777', 'known by his licence');
SELECT pg_temp.member('Newcomer', 'dealer', '9-77-777-01-9A-77777') AS newcomer \gset
SELECT is(pg_temp.tell(:'newcomer', pg_temp.event('received', 'C2', '2026-01-20')), 'recorded', 'until he takes part: then it is his');
SELECT is(pg_temp.stands('C2'), 'held Newcomer', 'under his name');
SELECT is((SELECT chain_complete FROM registry.firearm_state WHERE serial = 'C2'), true, 'and both sides of each move are recorded');
SELECT is(pg_temp.tell(:'dealer_a', pg_temp.event('stolen', 'C3', '2026-01-12')), 'recorded', 'stolen on its way, says who missed it');
SELECT is(pg_temp.tell(:'ridge', pg_temp.event('lost', 'C4', '2026-01-12')), 'recorded', 'lost on its way, says who sent it');

-- several ------------------------------------------------------------------------------------------------

SELECT is(a.outcome || ' ' || (a.answer ->> 'accepted'), 'ok 4', 'several events of one firearm in a request, one after the other')
FROM pg_temp.ask('record_custody_events', :'dealer_a', pg_temp.events(
    pg_temp.event('received', 'C5', '2026-01-12'), pg_temp.event('lost', 'C5', '2026-01-13'), pg_temp.event('recovered', 'C5', '2026-01-14'),
    pg_temp.event('received', 'C6', '2026-01-12'))) a;
SELECT is(pg_temp.stands('C5') || ', ' || pg_temp.stands('C6'), 'held Dealer A, held Dealer A', 'end where the last one ends');
SELECT is(a.outcome || ' ' || (SELECT string_agg(e ->> 'pointer', ' ') FROM jsonb_array_elements(a.answer -> 'errors') e),
          'rows_refused /events/2/firearm', 'atomic: a later event that cannot be undoes all')
FROM pg_temp.ask('record_custody_events', :'dealer_a', pg_temp.events(
    pg_temp.event('lost', 'C5', '2026-02-01'), pg_temp.event('received', 'C7', '2026-01-12'), pg_temp.event('lost', 'C5', '2026-02-02'))) a;
SELECT is(pg_temp.stands('C5') || ', ' || pg_temp.stands('C7'), 'held Dealer A, in_transit Dealer A', 'as it was');
SELECT is((SELECT string_agg(r ->> 'state', ' ' ORDER BY n) FROM jsonb_array_elements(a.answer -> 'rows') WITH ORDINALITY AS e(r, n)),
          'recorded recorded refused refused refused existing refused', 'partial: each for itself')
FROM pg_temp.ask('record_custody_events', :'dealer_a', jsonb_set(pg_temp.events(
    pg_temp.event('lost', 'C5', '2026-02-01'), pg_temp.event('received', 'C7', '2026-01-12'), pg_temp.event('lost', 'C5', '2026-02-02'),
    pg_temp.event('lost', 'C6', '2026-02-02', '{"external_id": "R9"}'), pg_temp.event('received', 'C8', '2026-02-02', '{"external_id": "R9"}'),
    pg_temp.event('lost', 'C6', '2026-02-02', '{"external_id": "R1"}'), pg_temp.event('lost', 'ZZ', '2026-02-02')), '{body,mode}', '"partial"')) a;
SELECT is(array_agg(a.outcome ORDER BY a.ordinal), '{ok,rows_refused,ok}', 'in a batch, a request that begins again leaves the others')
FROM pg_temp.ask_all('record_custody_events', ARRAY[:'dealer_a', :'newcomer', :'ridge']::uuid[], ARRAY[
    pg_temp.events(pg_temp.event('received', 'C8', '2026-03-01'), pg_temp.event('lost', 'C8', '2026-03-02')),
    pg_temp.events(pg_temp.event('lost', 'C2', '2026-03-01'), pg_temp.event('lost', 'C2', '2026-03-02')),
    pg_temp.events(pg_temp.event('recovered', 'C4', '2026-03-01'))]) a;
SELECT is(pg_temp.stands('C8') || ', ' || pg_temp.stands('C2') || ', ' || pg_temp.stands('C4'),
          'lost Dealer A, held Newcomer, held Ridgeline Arms', 'each as it should');
SELECT is((SELECT count(*)::int FROM (SELECT firearm_id FROM registry.custody_event GROUP BY 1 HAVING max(seq) <> count(*)) g), 0, 'no event is numbered twice or left out');
SELECT throws_ok(format($$SELECT * FROM pg_temp.ask_all('record_custody_events', ARRAY[%L, %L]::uuid[], ARRAY[
    pg_temp.events(pg_temp.event('lost', 'C9', '2026-03-01', '{"external_id": "X"}')), pg_temp.events(%s)])$$, :'dealer_a', v.other, v.sent),
    'CT003', NULL, 'two requests of a batch: ' || v.name)
FROM (VALUES (:'ridge'::uuid, $$pg_temp.event('lost', 'c-9', '2026-03-01')$$, 'one firearm'),
             (:'dealer_a', $$pg_temp.event('lost', 'C6', '2026-03-01', '{"external_id": "X"}')$$, 'one external id')) AS v(other, sent, name);
SELECT is(a.answer #>> '{errors,0,code}', 'ambiguous', 'a serial that two importers'' firearms have')
FROM (SELECT count(*) FROM pg_temp.ask('register_firearms', :'ridge', pg_temp.registration('atomic',
          pg_temp.row('I1', 'IMP1', '0000000A'), pg_temp.row('I2', 'IMP1', '0000000C', '{"importer": "3-33-333-08-9A-33333"}')))) made
CROSS JOIN LATERAL pg_temp.ask('record_custody_events', :'dealer_a', pg_temp.events(pg_temp.event('received', 'IMP1', '2026-03-01'))) a;
SELECT is(pg_temp.tell(:'dealer_a', pg_temp.event('received', 'x', '2026-03-01', '{"firearm": {"maker": "RDG", "importer": "3-33-333-08-9A-33333",
          "serial": "IMP1"}}')), 'recorded', 'is told apart by the importer');
SELECT is(pg_temp.tell(:'dealer_a', pg_temp.event('received', 'x', '2026-03-01', jsonb_build_object('firearm', jsonb_build_object('id', api.public_id('frm', f.id))))),
          'recorded', 'or by the id') FROM registry.firearm f WHERE f.external_id = 'I1';

SELECT is_empty('SELECT * FROM pg_temp.state_differs()', 'the derived rows are those that follow from the records');
SELECT * FROM finish();
ROLLBACK;
