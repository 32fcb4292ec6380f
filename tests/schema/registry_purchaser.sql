-- SPDX-License-Identifier: Apache-2.0
-- The first purchaser, case by case, as a trace finds it.
BEGIN;
SELECT plan(36);
\ir registry.psql

SELECT count(*) FROM pg_temp.ask('register_firearms', :'ridge', pg_temp.registration('atomic', VARIADIC ARRAY(
    SELECT pg_temp.row('S' || i, 'C' || i, '0000000' || i) FROM generate_series(0, 9) i))) \g /dev/null
SELECT count(*) FROM pg_temp.ask('record_custody_events', :'dealer_a', pg_temp.events(VARIADIC ARRAY(
    SELECT pg_temp.event('received', 'C' || i, '2026-01-12') FROM generate_series(0, 9) i))) \g /dev/null

CREATE FUNCTION pg_temp.sell(account uuid, serial text, day text, extra jsonb DEFAULT '{}') RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
    sold record;
BEGIN
    SELECT * INTO sold FROM pg_temp.ask('create_sale', account, pg_temp.sale(serial, day, extra));
    IF sold.outcome <> 'ok' THEN
        RAISE EXCEPTION '% %', serial, sold;
    END IF;
    RETURN replace(sold.answer ->> 'id', 'sal_', '')::uuid;
END $$;
CREATE FUNCTION pg_temp.happens(account uuid, VARIADIC events jsonb[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    done record;
BEGIN
    SELECT * INTO done FROM pg_temp.ask('record_custody_events', account, pg_temp.events(VARIADIC events));
    IF done.outcome <> 'ok' THEN
        RAISE EXCEPTION '%', done;
    END IF;
END $$;
-- The sale whose purchaser a trace shows, or why there is none.
CREATE FUNCTION pg_temp.first(code text) RETURNS text LANGUAGE sql
    RETURN (SELECT coalesce(t.found ->> 'no_purchaser_reason', (t.found ->> 'basis') || ' ' || (t.found ->> 'sale_id')) FROM pg_temp.look(code) t);

-- sold once ------------------------------------------------------------------------------------------

SELECT is(pg_temp.first('00000000'), 'unsold', 'unsold: none');
SELECT pg_temp.sell(:'dealer_a', 'C0', NULL) AS pending \gset
SELECT is(pg_temp.first('00000000'), 'unsold', 'a pending sale does not count');
SELECT count(*) FROM pg_temp.ask('deliver_sale', :'dealer_a', jsonb_build_object('path', jsonb_build_object('id', api.public_id('sal', :'pending')),
    'body', '{"delivered_on": "2026-02-01"}'::jsonb)) \g /dev/null
SELECT is(pg_temp.first('00000000'), 'sale ' || :'pending', 'delivered, it does');
SELECT is(t.found - ARRAY['lookup', 'block_id', 'mark_id', 'firearm_id', 'sale_id', 'custody'], '{
    "code_state": "registered", "block_holder": null, "block_contact": null, "placement": "firing_pin", "valid_from": "2026-01-10", "valid_to": null,
    "maker": "Ridgeline Arms", "importer": null, "model": "RL-9 Duty", "serial": "C0", "caliber": "9mm", "firearm_type": "pistol",
    "shipped_on": "2026-01-10", "basis": "sale", "no_purchaser_reason": null, "chain_complete": true, "returned_on": null,
    "later_holders": null, "sale_dealer": "Dealer A", "sale_delivered_on": "2026-02-01", "sale_transaction_number": "DR1",
    "purchaser_sealed": "\\x5ea1ed00", "purchaser_key": "k1"}'::jsonb, 'with all that a trace shows') FROM pg_temp.look('00000000') t;

-- void before delivery ---------------------------------------------------------------------------------

SELECT pg_temp.sell(:'dealer_a', 'C1', NULL) AS void \gset
INSERT INTO registry.sale_event (sale_id, seq, kind, reason, account_id, batch_id, ordinal)
VALUES (:'void', 2, 'void', 'no permit', :'dealer_a', gen_random_uuid(), 1);
SELECT api.firearm_state_refresh(gen_random_uuid(), array_agg(firearm_id), array_agg(1)) FROM registry.firearm_state WHERE serial = 'C1' \g /dev/null
SELECT is(pg_temp.first('00000001'), 'unsold', 'void before delivery: does not count');
SELECT pg_temp.sell(:'dealer_a', 'C1', '2026-02-03') AS c1 \gset
SELECT is(pg_temp.first('00000001'), 'sale ' || :'c1', 'the sale after it does');

-- returned, resold as new -------------------------------------------------------------------------------

SELECT pg_temp.sell(:'dealer_a', 'C2', '2026-02-01') AS c2 \gset
SELECT pg_temp.happens(:'dealer_a', pg_temp.event('returned', 'C2', '2026-02-04')) \g /dev/null
SELECT is(pg_temp.first('00000002'), 'sale ' || :'c2', 'returned: still the first recipient');
SELECT is(t.found ->> 'returned_on', '2026-02-04', 'with the day') FROM pg_temp.look('00000002') t;
SELECT is((SELECT row(status, standing_sale)::text FROM registry.firearm_state WHERE serial = 'C2'), '(held,)', 'the dealer holds it again');
SELECT pg_temp.sell(:'dealer_a', 'C2', '2026-02-10', '{"purchaser_kind": "organization"}') AS again \gset
SELECT is(pg_temp.first('00000002'), 'sale ' || :'c2', 'resold as new: the first recipient');
SELECT is(t.found -> 'later_holders', '[{"kind": "organization", "condition": "new", "dealer": "Dealer A", "delivered_on": "2026-02-10"}]'::jsonb,
          'the second one is a later holder, without a name') FROM pg_temp.look('00000002') t;
SELECT is((SELECT jsonb_agg(e ->> 'kind') FROM jsonb_array_elements(t.found -> 'custody') e), '["shipped", "received", "sold", "returned", "sold"]'::jsonb,
          'the chain tells it') FROM pg_temp.look('00000002') t;
SELECT pg_temp.happens(:'dealer_a', pg_temp.event('returned', 'C2', '2026-02-12')) \g /dev/null
SELECT is(t.found ->> 'returned_on', '2026-02-04', 'the second return is not the first one''s') FROM pg_temp.look('00000002') t;

-- used ------------------------------------------------------------------------------------------------------

SELECT pg_temp.sell(:'dealer_a', 'C3', '2026-02-01') AS c3 \gset
SELECT pg_temp.happens(:'dealer_a', pg_temp.event('received', 'C3', '2026-03-01')) \g /dev/null
SELECT is((SELECT from_party FROM registry.custody_event e JOIN registry.firearm f ON f.id = e.firearm_id WHERE f.serial = 'C3' AND e.seq = 4), NULL,
          'traded in by a person, who is nobody''s party');
SELECT pg_temp.sell(:'dealer_a', 'C3', '2026-03-05', '{"condition": "used"}') \g /dev/null
SELECT is(pg_temp.first('00000003'), 'sale ' || :'c3', 'a used sale never counts');
SELECT is(t.found #> '{later_holders,0,condition}', '"used"'::jsonb, 'and is listed') FROM pg_temp.look('00000003') t;
SELECT is(t.found ->> 'returned_on', NULL, 'a trade-in is no return') FROM pg_temp.look('00000003') t;
SELECT pg_temp.sell(:'dealer_a', 'C3', '2026-04-05', '{"condition": "used"}') \g /dev/null
SELECT is(jsonb_array_length(t.found -> 'later_holders'), 2, 'a private transfer through the dealer, with no receipt entered, too') FROM pg_temp.look('00000003') t;

SELECT pg_temp.sell(:'dealer_a', 'C4', '2026-02-01', '{"condition": "used"}') \g /dev/null
SELECT is(pg_temp.first('00000004'), 'first_sale_not_recorded', 'used, and no earlier sale here: first sale not recorded');
SELECT is(jsonb_array_length(t.found -> 'later_holders'), 1, 'its buyer is a later holder') FROM pg_temp.look('00000004') t;

-- an agency ---------------------------------------------------------------------------------------------------

SELECT pg_temp.sell(:'dealer_a', 'C5', '2026-02-01', '{"purchaser_kind": "agency"}') AS c5 \gset
SELECT pg_temp.happens(:'dealer_a', pg_temp.event('received', 'C5', '2026-06-01')) \g /dev/null
SELECT pg_temp.sell(:'dealer_a', 'C5', '2026-06-05', '{"condition": "used"}') \g /dev/null
SELECT is(pg_temp.first('00000005'), 'sale ' || :'c5', 'sold to an agency, traded in, resold: the agency');
SELECT pg_temp.happens(:'dealer_a', pg_temp.event('sold_to_law_enforcement', 'C6', '2026-02-01', '{"to": "CA0100500"}')) \g /dev/null
SELECT is(pg_temp.first('00000006'), 'first_sale_not_recorded', 'given to an agency without a retail sale: no purchaser to show');
SELECT is(t.found #>> '{custody,2,to}', 'Fresno Police', 'the chain names the agency') FROM pg_temp.look('00000006') t;

-- none, with the reason ------------------------------------------------------------------------------------------

SELECT pg_temp.happens(:'dealer_a', pg_temp.event('stolen', 'C7', '2026-02-01'), pg_temp.event('lost', 'C8', '2026-02-01'),
                       pg_temp.event('destroyed', 'C9', '2026-02-01')) \g /dev/null
SELECT is(pg_temp.first('0000000' || v.n), v.reason, v.reason || ': none')
FROM (VALUES (7, 'stolen_before_sale'), (8, 'lost_before_sale'), (9, 'destroyed')) AS v(n, reason);
SELECT pg_temp.happens(:'dealer_a', pg_temp.event('recovered', 'C7', '2026-02-02'), pg_temp.event('exported', 'C7', '2026-02-03')) \g /dev/null
SELECT is(pg_temp.first('00000007'), 'exported', 'exported: none');
UPDATE registry.sale_purchaser SET sealed = NULL, key_id = NULL WHERE sale_id = :'c1';
SELECT api.firearm_state_refresh(gen_random_uuid(), array_agg(firearm_id), array_agg(1)) FROM registry.firearm_state WHERE serial = 'C1' \g /dev/null
SELECT is(pg_temp.first('00000001'), 'expunged', 'expunged: none');

-- through several hands ---------------------------------------------------------------------------------------------

SELECT count(*) FROM pg_temp.ask('register_firearms', :'ridge', pg_temp.registration('atomic',
    pg_temp.row('SA', 'D1', '0000000A'), pg_temp.row('SB', 'D2', '0000000C'))) \g /dev/null
SELECT pg_temp.happens(:'dealer_a', pg_temp.event('received', 'D1', '2026-01-12'),
                       pg_temp.event('transferred', 'D1', '2026-01-13', '{"to": "8-56-307-01-7L-72673"}')) \g /dev/null
SELECT pg_temp.happens(:'dealer_b', pg_temp.event('received', 'D1', '2026-01-14')) \g /dev/null
SELECT pg_temp.sell(:'dealer_b', 'D1', '2026-01-20') AS d1 \gset
SELECT is(pg_temp.first('0000000A') || ' ' || (t.found ->> 'chain_complete'), 'sale ' || :'d1' || ' true', 'sold by the second dealer, all moves recorded')
FROM pg_temp.look('0000000A') t;
SELECT pg_temp.happens(:'dealer_a', pg_temp.event('received', 'D2', '2026-01-12'),
                       pg_temp.event('transferred', 'D2', '2026-01-13', '{"to": "8-56-307-01-7L-72673"}')) \g /dev/null
SELECT pg_temp.sell(:'dealer_b', 'D2', '2026-01-20') AS d2 \gset
SELECT is(pg_temp.first('0000000C') || ' ' || (t.found ->> 'chain_complete'), 'sale ' || :'d2' || ' false', 'without its receipt the chain has a gap')
FROM pg_temp.look('0000000C') t;

-- several under one number; who is recorded where ----------------------------------------------------------------------

SELECT is((SELECT count(*)::int FROM registry.sale WHERE transaction_number = 'DR1'),
          (SELECT count(*)::int FROM registry.sale), 'several firearms may share a transaction number');
SELECT is((SELECT count(*)::int FROM registry.sale s WHERE NOT EXISTS (SELECT FROM registry.sale_purchaser p WHERE p.sale_id = s.id)), 0,
          'every sale has its sealed purchaser');
-- Nothing starts from a person: the only way to a purchaser is the sale's id.
SELECT is((SELECT array_agg(i.indexdef) FROM pg_indexes i WHERE i.schemaname = 'registry' AND i.tablename = 'sale_purchaser'),
          '{"CREATE UNIQUE INDEX sale_purchaser_pkey ON registry.sale_purchaser USING btree (sale_id)"}', 'no index over purchasers');
SELECT is((SELECT array_agg(a.attname ORDER BY a.attname) FROM pg_attribute a WHERE a.attrelid = 'registry.sale_purchaser'::regclass AND a.attnum > 0
           AND NOT a.attisdropped), '{batch_id,key_id,kind,ordinal,recorded_at,sale_id,sealed}', 'and no column for one in clear');
SELECT is_empty($$SELECT p.proname FROM pg_proc p WHERE p.pronamespace = 'api'::regnamespace
                  AND p.prosrc ~ 'sale_purchaser' AND p.proname NOT IN ('create_sale', 'trace_lookup', 'trace_lookup_halves', 'get_trace', 'create_trace_disclosure', 'firearm_state_derive')$$,
                'no other function reaches it');

SELECT is_empty('SELECT * FROM pg_temp.state_differs()', 'the derived rows are those that follow from the records');
SELECT * FROM finish();
ROLLBACK;
