-- SPDX-License-Identifier: Apache-2.0
-- Retail sales: recorded, delivered, unmatched and bound, read back.
BEGIN;
SELECT plan(76);
\ir registry.psql

SELECT count(*) FROM pg_temp.ask('register_firearms', :'ridge', pg_temp.registration('atomic', VARIADIC ARRAY(
    SELECT pg_temp.row('S' || i, 'C' || i, '0000000' || i) FROM generate_series(0, 9) i))) \g /dev/null
SELECT count(*) FROM pg_temp.ask('record_custody_events', :'dealer_a', pg_temp.events(VARIADIC ARRAY(
    SELECT pg_temp.event('received', 'C' || i, '2026-01-12') FROM generate_series(0, 5) i))) \g /dev/null

-- ok and what stands, or why not and where.
CREATE FUNCTION pg_temp.tell(account uuid, sale jsonb) RETURNS text LANGUAGE sql
    RETURN (SELECT CASE a.outcome WHEN 'ok' THEN (a.answer ->> 'state') || CASE WHEN (a.answer -> 'matched')::boolean THEN ' matched' ELSE ' unmatched' END
                        ELSE a.outcome || coalesce(' ' || (a.answer #>> '{errors,0,pointer}'), '') END
            FROM pg_temp.ask('create_sale', account, sale) a);
CREATE FUNCTION pg_temp.deliver(account uuid, sale text, day text) RETURNS text LANGUAGE sql
    RETURN (SELECT a.outcome || coalesce(' ' || (a.answer ->> 'state'), ' ' || (a.answer #>> '{errors,0,pointer}'), '')
            FROM pg_temp.ask('deliver_sale', account, jsonb_build_object('path', jsonb_build_object('id', sale),
                             'body', jsonb_build_object('delivered_on', day))) a);

-- one ---------------------------------------------------------------------------------------------

SELECT a.outcome AS outcome, a.answer AS answer, a.subject AS subject
FROM pg_temp.ask('create_sale', :'dealer_a', pg_temp.sale('c-0', '2026-01-20', '{"external_id": "T1", "transaction_number": "DR 7"}')) a \gset
SELECT is(:'outcome'::text, 'ok', 'a sale, delivered at once');
SELECT is(:'answer'::jsonb - 'id' - 'recorded_at' #- '{firearm,id}', '{"external_id": "T1", "state": "delivered", "matched": true,
    "firearm": {"maker": "Ridgeline Arms", "importer": null, "serial": "C0"}, "transaction_number": "DR 7", "condition": "new",
    "delivered_on": "2026-01-20"}'::jsonb, 'as its dealer sees it');
SELECT is(pg_temp.members(:'subject'), 'firearm maker sale serial', 'the log says which');
SELECT :'answer'::jsonb ->> 'id' AS t1 \gset
SELECT is((SELECT row(p.kind, p.key_id, encode(p.sealed, 'hex'))::text FROM registry.sale_purchaser p
           WHERE api.public_id('sal', p.sale_id) = :'t1'), '(person,k1,5ea1ed00)', 'the purchaser is stored sealed');
SELECT is((SELECT row(status, holder IS NULL, api.public_id('sal', standing_sale), api.public_id('sal', first_sale))::text
           FROM registry.firearm_state WHERE serial = 'C0'), format('(sold,t,%s,%s)', :'t1', :'t1'), 'the sale stands');
SELECT is(a.outcome || ' ' || (a.answer ->> 'id'), 'ok ' || :'t1', 'the same external id gives the existing sale')
FROM pg_temp.ask('create_sale', :'dealer_a', pg_temp.sale('C1', '2026-02-20', '{"external_id": "T1"}')) a;
SELECT is((SELECT count(*)::int FROM registry.sale), 1, 'and makes none');
SELECT is(pg_temp.tell(:'dealer_b', pg_temp.sale('QQ', '2026-02-20', '{"external_id": "T1"}')), 'delivered unmatched', 'another dealer''s external ids are his own');

-- refused ------------------------------------------------------------------------------------------

SELECT is(pg_temp.tell(v.account, v.sale), v.told, v.name)
FROM (VALUES
    (:'dealer_a'::uuid, pg_temp.sale('C0', '2026-01-21'), 'already_sold /firearm', 'a second sale'),
    (:'dealer_a', pg_temp.sale('C0', NULL), 'already_sold /firearm', 'a second pending sale'),
    (:'dealer_a', pg_temp.sale('C1', (api.today() + 1)::text), 'date_in_future /delivered_on', 'tomorrow'),
    (:'dealer_a', pg_temp.sale('C1', '2026-01-11'), 'date_out_of_order /delivered_on', 'before it was received'),
    (:'dealer_a', pg_temp.sale('C1', '2026-01-21', '{"firearm": {"id": "frm_00000000000000000000000000000000"}}'), 'not_found /firearm/id', 'a missing id')
) AS v(account, sale, told, name);
SELECT is(pg_temp.tell(:'dealer_b', pg_temp.sale('x', '2026-01-21', jsonb_build_object('firearm', jsonb_build_object('id', api.public_id('frm', f.id))))),
          'not_found /firearm/id', 'somebody else''s id is a missing one') FROM registry.firearm f WHERE f.serial = 'C1';
SELECT is((SELECT count(*)::int FROM registry.sale_purchaser), 2, 'of a refused sale no purchaser is stored');
SELECT count(*) FROM pg_temp.ask('record_custody_events', :'dealer_a', pg_temp.events(
    pg_temp.event('transferred', 'C5', '2026-01-13', '{"to": "8-56-307-01-7L-72673"}'), pg_temp.event('stolen', 'C4', '2026-01-13'))) \g /dev/null
SELECT is(pg_temp.tell(:'dealer_a', pg_temp.sale('C5', '2026-01-21')), 'not_in_custody /firearm', 'what was sent away');
SELECT is(pg_temp.tell(:'dealer_a', pg_temp.sale('C4', '2026-01-21')), 'not_in_custody /firearm', 'what was stolen');

-- pending, delivered -----------------------------------------------------------------------------------

SELECT a.answer AS pending FROM pg_temp.ask('create_sale', :'dealer_a', pg_temp.sale('C1', NULL, '{"purchaser_kind": "agency"}')) a \gset
SELECT :'pending'::jsonb ->> 'id' AS p1 \gset
SELECT is((:'pending'::jsonb ->> 'state') || coalesce(:'pending'::jsonb ->> 'delivered_on', ''), 'pending', 'without a day it is pending');
SELECT is(pg_temp.tell(:'dealer_a', pg_temp.sale('C1', '2026-01-21')), 'already_sold /firearm', 'and stands');
SELECT is((SELECT row(status, no_purchaser, first_sale)::text FROM registry.firearm_state WHERE serial = 'C1'), '(held,unsold,)', 'but has no purchaser yet');
SELECT is(a.answer #>> '{errors,0,code}', 'already_sold', 'what is being sold is not sent away')
FROM pg_temp.ask('record_custody_events', :'dealer_a', pg_temp.events(pg_temp.event('destroyed', 'C1', '2026-01-21'))) a;
SELECT is(pg_temp.deliver(:'dealer_b', :'p1', '2026-01-22'), 'not_found', 'somebody else''s sale is missing');
SELECT is(pg_temp.deliver(:'dealer_a', 'sal_00000000000000000000000000000000', '2026-01-22'), 'not_found', 'as one that is not there');
SELECT is(pg_temp.deliver(:'dealer_a', :'p1', (api.today() + 1)::text), 'date_in_future /delivered_on', 'not tomorrow');
SELECT is(pg_temp.deliver(:'dealer_a', :'p1', '2026-01-11'), 'date_out_of_order /delivered_on', 'not before it was received');
SELECT is(pg_temp.deliver(:'dealer_a', :'p1', '2026-01-22'), 'ok delivered', 'delivered');
SELECT is(pg_temp.deliver(:'dealer_a', :'p1', '2026-01-22'), 'sale_not_pending', 'once');
SELECT is((SELECT row(status, first_delivered_on, api.public_id('sal', first_sale))::text FROM registry.firearm_state WHERE serial = 'C1'),
          format('(sold,2026-01-22,%s)', :'p1'), 'it has its first purchaser');
SELECT is((SELECT array_agg(e.kind || ' ' || e.seq ORDER BY e.seq) FROM registry.sale_event e WHERE api.public_id('sal', e.sale_id) = :'p1'),
          '{"pending 1","delivered 2"}', 'nothing was overwritten');
SELECT a.answer ->> 'id' AS p2 FROM pg_temp.ask('create_sale', :'dealer_a', pg_temp.sale('C2', NULL)) a \gset
SELECT count(*) FROM pg_temp.ask('record_custody_events', :'dealer_a', pg_temp.events(pg_temp.event('stolen', 'C2', '2026-01-25'))) \g /dev/null
SELECT is(pg_temp.deliver(:'dealer_a', :'p2', '2026-01-26'), 'not_in_custody /firearm', 'stolen meanwhile');

-- before the records ----------------------------------------------------------------------------------------

SELECT a.outcome || ' ' || (a.answer ->> 'matched') AS told, a.answer AS early
FROM pg_temp.ask('create_sale', :'dealer_a', pg_temp.sale('c-6', '2026-01-20')) a \gset
SELECT is(:'told'::text, 'ok false', 'a sale before its receipt is entered stands unmatched');
SELECT isnt(:'early'::jsonb #>> '{firearm,id}', NULL, 'the firearm is known: it was on its way to this dealer');
SELECT is((t.found ->> 'sale_id') || ' ' || (t.found ->> 'chain_complete'), (replace(:'early'::jsonb ->> 'id', 'sal_', '')::uuid) || ' false',
          'a trace finds its purchaser, and that the chain has a gap') FROM pg_temp.look('00000006') t;
SELECT is(a.answer #>> '{errors,0,code}', 'date_out_of_order', 'a receipt after the sale is not of this sale')
FROM pg_temp.ask('record_custody_events', :'dealer_a', pg_temp.events(pg_temp.event('received', 'C6', '2026-01-21'))) a;
SELECT is(a.answer #>> '{rows,0,state}', 'recorded', 'one before it is entered late')
FROM pg_temp.ask('record_custody_events', :'dealer_a', pg_temp.events(pg_temp.event('received', 'C6', '2026-01-20'))) a;
SELECT is((SELECT array_agg(e ->> 'kind') FROM jsonb_array_elements(t.found -> 'custody') e)::text || (t.found ->> 'chain_complete'),
          '{shipped,received,sold}true', 'in its place, and the chain is complete') FROM pg_temp.look('00000006') t;
SELECT is((SELECT status FROM registry.firearm_state WHERE serial = 'C6'), 'sold', 'and it is sold');
SELECT is(a.answer ->> 'matched', 'true', 'matched')
FROM pg_temp.ask('get_sale', :'dealer_a', jsonb_build_object('path', jsonb_build_object('id', :'early'::jsonb ->> 'id'))) a;

SELECT is(pg_temp.tell(:'dealer_a', pg_temp.sale('N 1', '2026-01-20')), 'delivered unmatched', 'a sale before the maker registered stands');
SELECT is(pg_temp.tell(:'dealer_a', pg_temp.sale('N2', NULL)), 'pending unmatched', 'a pending one too');
SELECT is(pg_temp.tell(:'dealer_b', pg_temp.sale('N1', '2026-01-19')), 'delivered unmatched', 'and another dealer''s of the same serial');
SELECT is(pg_temp.tell(:'dealer_b', pg_temp.sale('C7', '2026-01-19')), 'delivered unmatched', 'as one of what is somebody else''s');
SELECT is(a.answer #> '{firearm}', '{"id": null, "maker": "6-65-122-07-9G-87591", "importer": null, "serial": "C7"}'::jsonb,
          'of which it shows only what the dealer wrote')
FROM pg_temp.ask('list_sales', :'dealer_b', '{"query": {"limit": 200}}') l
CROSS JOIN LATERAL jsonb_array_elements(l.answer -> 'data') AS a(answer) WHERE a.answer #>> '{firearm,serial}' = 'C7';
SELECT is(a.outcome, 'ok', 'the registration comes')
FROM pg_temp.ask('register_firearms', :'ridge', pg_temp.registration('atomic', pg_temp.row('N1', 'N-1', '0000000A'), pg_temp.row('N2', 'N-2', '0000000C'))) a;
SELECT is((SELECT row(s.status, o.name, s.first_delivered_on, s.chain_complete)::text FROM registry.firearm_state s
           JOIN registry.sale x ON x.id = s.first_sale JOIN registry.organization o ON o.id = x.organization_id WHERE s.serial = 'N-1'),
          '(sold,"Dealer A",2026-01-20,f)', 'and binds the sale of the dealer it went to');
SELECT is((SELECT array_agg(e.kind ORDER BY e.seq) FROM registry.sale_event e JOIN registry.sale s ON s.id = e.sale_id
           JOIN registry.organization o ON o.id = s.organization_id WHERE s.serial = 'N 1' AND o.name = 'Dealer A'), '{delivered,bound}', 'by an event');
SELECT is((SELECT count(*)::int FROM registry.sale_event e JOIN registry.sale s ON s.id = e.sale_id JOIN registry.organization o ON o.id = s.organization_id
           WHERE o.name = 'Dealer B' AND e.kind = 'bound'), 0, 'and no other');
SELECT is((SELECT row(s.status, s.standing_sale IS NOT NULL, s.no_purchaser)::text FROM registry.firearm_state s WHERE s.serial = 'N-2'),
          '(in_transit,t,unsold)', 'a pending one stands and has no purchaser yet');
SELECT is(pg_temp.deliver(:'dealer_a', a.answer ->> 'id', '2026-01-30'), 'ok delivered', 'it is delivered as any other')
FROM api.sale_answer a WHERE a.answer #>> '{firearm,serial}' = 'N-2';
SELECT is((SELECT no_purchaser FROM registry.firearm_state WHERE serial = 'N-2'), NULL, 'and has its purchaser');
SELECT is(a.answer #>> '{rows,0,state}', 'recorded', 'a transfer, and the receipt of the dealer that had sold without it')
FROM pg_temp.ask('record_custody_events', :'dealer_b', pg_temp.events(pg_temp.event('received', 'C5', '2026-01-15'))) a;
SELECT is(pg_temp.tell(:'dealer_b', pg_temp.sale('U1', '2026-01-19', '{"firearm": {"maker": "Old & Sons", "serial": "U1"}}')), 'delivered unmatched',
          'a maker that nobody knows');
SELECT is(pg_temp.tell(:'dealer_b', pg_temp.sale('C9', '2026-01-19')), 'delivered unmatched', 'a sale before the firearm was sent to the dealer');
SELECT is(a.answer #>> '{rows,1,state}', 'recorded', 'it is received and sent on')
FROM pg_temp.ask('record_custody_events', :'dealer_a', pg_temp.events(pg_temp.event('received', 'C9', '2026-01-12'),
    pg_temp.event('transferred', 'C9', '2026-01-13', '{"to": "8-56-307-01-7L-72673"}'))) a;
SELECT is((SELECT status FROM registry.firearm_state WHERE serial = 'C9'), 'sold', 'which binds it');

-- one batch ---------------------------------------------------------------------------------------------------

SELECT throws_ok(format($$SELECT * FROM pg_temp.ask_all('create_sale', ARRAY[%L, %L]::uuid[], ARRAY[
    pg_temp.sale('C3', '2026-02-01', '{"external_id": "Z"}'), %s])$$, :'dealer_a', v.other, v.sent), 'CT003', NULL, 'two sales of a batch: ' || v.name)
FROM (VALUES (:'dealer_a'::uuid, $$pg_temp.sale('c 3', NULL)$$, 'one firearm'), (:'dealer_b', $$pg_temp.sale('C3', NULL)$$, 'one serial'),
             (:'dealer_a', $$pg_temp.sale('C8', NULL, '{"external_id": "Z"}')$$, 'one external id')) AS v(other, sent, name);
SELECT is(array_agg(a.outcome ORDER BY a.ordinal), '{ok,already_sold,ok}', 'several outcomes in one batch')
FROM pg_temp.ask_all('create_sale', ARRAY[:'dealer_a', :'dealer_a', :'dealer_b']::uuid[], ARRAY[
    pg_temp.sale('C3', NULL), pg_temp.sale('C0', '2026-02-01'), pg_temp.sale('M7', '2026-02-01')]) a;
SELECT throws_ok(format($$SELECT * FROM pg_temp.ask_all('deliver_sale', ARRAY[%1$L, %1$L]::uuid[], array_fill(jsonb_build_object(
    'path', jsonb_build_object('id', %2$L), 'body', '{"delivered_on": "2026-02-01"}'::jsonb), ARRAY[2]))$$, :'dealer_a', a.answer ->> 'id'),
    'CT003', NULL, 'two deliveries of one sale') FROM api.sale_answer a WHERE a.answer #>> '{firearm,serial}' = 'C3';

-- read back ---------------------------------------------------------------------------------------------------------

SELECT is(a.outcome, 'ok', 'one''s own sale') FROM pg_temp.ask('get_sale', :'dealer_a', jsonb_build_object('path', jsonb_build_object('id', :'t1'))) a;
SELECT is(array_agg(a.outcome || coalesce(a.answer::text, '')), '{not_found,not_found}', 'another''s and a missing one are answered alike')
FROM pg_temp.ask_all('get_sale', ARRAY[:'dealer_b', :'dealer_b']::uuid[], ARRAY[jsonb_build_object('path', jsonb_build_object('id', :'t1')),
    '{"path": {"id": "sal_00000000000000000000000000000000"}}']::jsonb[]) a;
SELECT unnest(ARRAY[is((SELECT array_agg(d #>> '{firearm,serial}' ORDER BY d #>> '{firearm,serial}')
                        FROM jsonb_array_elements(a.answer -> 'data') d), v.serials, 'sales ' || v.query),
                    is(a.answer -> 'next_cursor', 'null'::jsonb, 'on one page')])
FROM (VALUES ('{"external_id": "T1"}', '{C0}'::text[]), ('{"transaction_number": "DR 7"}', '{C0}'), ('{"state": "pending"}', '{C2,C3}'),
             ('{"from": "2026-01-21", "to": "2026-01-22"}', '{C1}'), ('{"state": "void"}', NULL)) AS v(query, serials)
CROSS JOIN LATERAL pg_temp.ask('list_sales', :'dealer_a', jsonb_build_object('query', v.query::jsonb)) a;
SELECT is(a.answer -> 'data', '[]'::jsonb, 'nothing of another dealer') FROM pg_temp.ask('list_sales', :'dealer_c', '{"query": {"external_id": "T1"}}') a;
SELECT is(a.outcome, 'invalid_request', 'another''s sale is no cursor')
FROM pg_temp.ask('list_sales', :'dealer_c', jsonb_build_object('query', jsonb_build_object('cursor', replace(:'t1', 'sal_', '')))) a;
WITH RECURSIVE page AS (
    SELECT 1 AS n, a.answer FROM pg_temp.ask('list_sales', :'dealer_a', '{"query": {"limit": 2}}') a
    UNION ALL
    SELECT p.n + 1, a.answer FROM page p CROSS JOIN LATERAL pg_temp.ask('list_sales', :'dealer_a', jsonb_build_object('query',
        jsonb_build_object('limit', 2, 'cursor', p.answer ->> 'next_cursor'))) a
    WHERE p.answer ->> 'next_cursor' IS NOT NULL
)
SELECT is((SELECT array_agg(d ->> 'id' ORDER BY p.n, e.n) FROM page p, jsonb_array_elements(p.answer -> 'data') WITH ORDINALITY AS e(d, n)),
          (SELECT array_agg(api.public_id('sal', s.id) ORDER BY s.recorded_at DESC, s.id DESC) FROM registry.sale s
           JOIN registry.account a ON a.organization_id = s.organization_id WHERE a.id = :'dealer_a'), 'pages hold each sale once, the newest first');

SELECT is_empty('SELECT * FROM pg_temp.state_differs()', 'the derived rows are those that follow from the records');
SELECT * FROM finish();
ROLLBACK;
