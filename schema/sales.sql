-- SPDX-License-Identifier: Apache-2.0
-- Retail sales. The purchaser comes sealed and goes into sale_purchaser;
-- nothing here reads it.

-- answers -------------------------------------------------------------------------------

CREATE VIEW api.sale_answer AS
SELECT s.id, s.organization_id, s.external_id, s.transaction_number, s.recorded_at, n.state, n.delivered_on, n.firearm_id,
       jsonb_build_object(
           'id', api.public_id('sal', s.id),
           'external_id', s.external_id,
           'state', n.state,
           'matched', EXISTS (SELECT FROM registry.custody_event e
                              WHERE e.firearm_id = n.firearm_id AND e.kind IN ('received', 'returned', 'recovered')
                                AND e.to_party = s.organization_id),
           'firearm', jsonb_build_object(
               'id', api.public_id('frm', n.firearm_id),
               'maker', coalesce(f.maker, s.maker_written),
               'importer', CASE WHEN n.firearm_id IS NULL THEN s.importer_written ELSE f.importer END,
               'serial', coalesce(f.serial, s.serial)),
           'transaction_number', s.transaction_number,
           'condition', s.condition,
           'delivered_on', n.delivered_on,
           'recorded_at', api.time_text(s.recorded_at)) AS answer
FROM registry.sale s
JOIN api.sale_now n ON n.id = s.id
LEFT JOIN registry.firearm_state f ON f.firearm_id = n.firearm_id;
COMMENT ON VIEW api.sale_answer IS 'sales as their dealer sees them; organization_id is whose they are';

-- a sale that came before its firearm ----------------------------------------------------

CREATE FUNCTION api.sales_bind(batch uuid, firearms uuid[], ordinals integer[]) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
    bound record;
BEGIN
    -- The oldest unmatched sale of each firearm by the dealer that it is with,
    -- or on its way to.
    SELECT array_agg(b.sale_id ORDER BY b.firearm_id) AS sales, array_agg(b.firearm_id ORDER BY b.firearm_id) AS firearms,
           array_agg(b.ordinal ORDER BY b.firearm_id) AS ordinals
    INTO bound
    FROM (
        SELECT DISTINCT ON (f.id) f.id AS firearm_id, s.id AS sale_id, u.ordinal
        FROM (SELECT v.id, min(v.ordinal) AS ordinal FROM unnest(firearms, ordinals) AS v(id, ordinal) GROUP BY v.id) u
        JOIN registry.firearm f ON f.id = u.id
        JOIN registry.sale s ON s.firearm_id IS NULL AND s.serial_key = f.serial_key
        JOIN registry.firearm_state t ON t.firearm_id = f.id
        WHERE t.standing_sale IS NULL AND t.status IN ('in_transit', 'held')
          AND api.party_now(t.holder) = s.organization_id
          AND NOT EXISTS (SELECT FROM registry.sale_event e WHERE e.sale_id = s.id AND e.kind IN ('bound', 'void', 'corrected'))
          AND EXISTS (SELECT FROM api.parties(ARRAY[s.maker_written]) p WHERE p.maker_id = f.maker_id)
          AND (s.importer_written IS NULL
               OR EXISTS (SELECT FROM api.parties(ARRAY[s.importer_written]) p WHERE p.maker_id = f.importer_id))
        ORDER BY f.id, s.recorded_at, s.id
    ) b;
    IF bound.sales IS NULL THEN
        RETURN;
    END IF;
    BEGIN
        INSERT INTO registry.sale_event (sale_id, seq, kind, firearm_id, account_id, batch_id, ordinal)
        SELECT b.sale_id, (SELECT max(e.seq) + 1 FROM registry.sale_event e WHERE e.sale_id = b.sale_id), 'bound',
               b.firearm_id, s.account_id, batch, b.ordinal
        FROM unnest(bound.sales, bound.firearms, bound.ordinals) AS b(sale_id, firearm_id, ordinal)
        JOIN registry.sale s ON s.id = b.sale_id;
    EXCEPTION WHEN unique_violation THEN
        RAISE EXCEPTION 'another batch changed one of the sales at the same time' USING ERRCODE = '40001';
    END;
    PERFORM api.sale_custody(batch, bound.sales, bound.ordinals);
    PERFORM api.firearm_state_refresh(batch, bound.firearms, bound.ordinals);
END $$;
COMMENT ON FUNCTION api.sales_bind(uuid, uuid[], integer[]) IS
    'binds unmatched sales to firearms that were just registered, sent or received; the ordinal is that of the request';

CREATE FUNCTION api.sale_custody(batch uuid, sales uuid[], ordinals integer[]) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    INSERT INTO registry.custody_event (id, firearm_id, seq, kind, occurred_on, from_party, sale_id, organization_id,
                                        account_id, batch_id, ordinal)
    SELECT gen_random_uuid(), n.firearm_id, t.events + 1, 'sold', n.delivered_on, n.organization_id, n.id,
           n.organization_id, s.account_id, batch, u.ordinal
    FROM unnest(sales, ordinals) AS u(id, ordinal)
    JOIN registry.sale s ON s.id = u.id
    JOIN api.sale_now n ON n.id = u.id
    JOIN registry.firearm_state t ON t.firearm_id = n.firearm_id
    WHERE n.state = 'delivered';
END $$;
COMMENT ON FUNCTION api.sale_custody(uuid, uuid[], integer[]) IS
    'puts those of the sales that are delivered and have their firearm into its chain; the caller holds the locks';

-- recording -------------------------------------------------------------------------------

CREATE FUNCTION api.sale_refusal(organization uuid, condition text, status text, holder uuid, standing_sale uuid,
                                 last_on date, delivered_on date)
    RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN CASE
        WHEN delivered_on > api.today() THEN 'date_in_future'
        WHEN standing_sale IS NOT NULL AND (status <> 'sold' OR condition = 'new') THEN 'already_sold'
        -- A used firearm comes back to a dealer without anybody having recorded it.
        WHEN status <> 'sold' AND (status NOT IN ('held', 'in_transit') OR holder IS DISTINCT FROM organization)
            THEN 'not_in_custody'
        WHEN status = 'sold' AND condition = 'new' THEN 'not_in_custody'
        WHEN delivered_on < last_on THEN 'date_out_of_order'
    END;
COMMENT ON FUNCTION api.sale_refusal(uuid, text, text, uuid, uuid, date, date) IS
    'why a dealer cannot sell a firearm in that state; null if he can, and for one that is not found (all null)';

CREATE FUNCTION api.sale_refused(outcome text, choices jsonb) RETURNS jsonb
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE outcome
        WHEN 'ok' THEN NULL
        WHEN 'ambiguous' THEN jsonb_build_object('detail', 'name the importer or the id', 'errors', choices)
        WHEN 'not_found' THEN api.refusal('/firearm/id', 'there is no such firearm, or it is somebody else''s')
        WHEN 'date_in_future' THEN api.refusal('/delivered_on', 'not after today')
        WHEN 'date_out_of_order' THEN api.refusal('/delivered_on', 'not before the last event of the firearm')
        WHEN 'already_sold' THEN api.refusal('/firearm', 'a sale of it stands')
        WHEN 'not_in_custody' THEN api.refusal('/firearm', 'it is not in one''s hands')
        WHEN 'sale_not_pending' THEN jsonb_build_object('detail', 'the sale was delivered, voided or corrected') END;
COMMENT ON FUNCTION api.sale_refused(text, jsonb) IS 'answer of a refused sale or delivery';

CREATE FUNCTION api.create_sale(batch uuid, ordinals integer[], accounts uuid[], organizations uuid[], requests jsonb[])
    RETURNS TABLE (ordinal integer, outcome text, answer jsonb, subject jsonb)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    refs     CONSTANT jsonb[] := ARRAY(SELECT u.r #> '{body,firearm}' FROM unnest(requests) WITH ORDINALITY AS u(r, n) ORDER BY n);
    known    uuid[]; -- sales that the dealer's external id names already
    found    record;
    outcomes text[];
BEGIN
    SELECT array_agg(s.id ORDER BY u.n) INTO known
    FROM unnest(organizations, requests) WITH ORDINALITY AS u(organization, request, n)
    LEFT JOIN registry.sale s ON s.organization_id = u.organization AND s.external_id = u.request #>> '{body,external_id}';

    found := api.sale_firearms(organizations, refs);
    IF EXISTS (SELECT FROM unnest(found.counts, refs, known) AS u(found, ref, known)
               WHERE u.found = 0 AND NOT u.ref ? 'id' AND u.known IS NULL) THEN
        -- A registration that is being committed may bring the firearm: wait for
        -- it, then look again. Registrations hold this lock shared at their end.
        PERFORM pg_advisory_xact_lock(4849523, 6);
        found := api.sale_firearms(organizations, refs);
    END IF;

    -- The same sale or the same firearm twice in a batch: one after the other.
    IF EXISTS (SELECT FROM unnest(organizations, requests) AS u(organization, request)
               WHERE u.request #> '{body,external_id}' IS NOT NULL
               GROUP BY u.organization, u.request #>> '{body,external_id}' HAVING count(*) > 1)
       OR EXISTS (SELECT FROM unnest(found.firearms) AS u(id) WHERE u.id IS NOT NULL GROUP BY u.id HAVING count(*) > 1)
       OR EXISTS (SELECT FROM unnest(found.serial_keys) AS u(key) WHERE u.key IS NOT NULL GROUP BY u.key HAVING count(*) > 1) THEN
        RAISE EXCEPTION 'two sales of one batch touch one firearm or external id' USING ERRCODE = 'CT003';
    END IF;
    PERFORM api.firearm_state_lock(found.firearms);

    SELECT array_agg(CASE WHEN u.known IS NOT NULL THEN 'known'
                          WHEN u.found = 0 AND u.ref ? 'id' THEN 'not_found'
                          WHEN u.found > 1 THEN 'ambiguous'
                          ELSE coalesce(api.sale_refusal(u.organization, coalesce(u.request #>> '{body,condition}', 'new'),
                                   t.status, api.party_now(t.holder), t.standing_sale, t.last_on,
                                   (u.request #>> '{body,delivered_on}')::date), 'ok') END ORDER BY u.n)
    INTO outcomes
    FROM unnest(organizations, requests, refs, known, found.firearms, found.counts) WITH ORDINALITY
             AS u(organization, request, ref, known, firearm_id, found, n)
    LEFT JOIN registry.firearm_state t ON t.firearm_id = u.firearm_id;

    BEGIN
        INSERT INTO registry.sale (id, organization_id, firearm_id, maker_written, importer_written, serial, serial_key,
                                   transaction_number, condition, external_id, account_id, batch_id, ordinal)
        SELECT (u.request ->> 'sale_id')::uuid, u.organization, u.firearm_id,
               coalesce(u.ref ->> 'maker', t.maker), CASE WHEN u.ref ? 'id' THEN t.importer ELSE u.ref ->> 'importer' END,
               coalesce(u.ref ->> 'serial', t.serial), coalesce(u.key, api.normalise_serial(t.serial)),
               u.request #>> '{body,transaction_number}', coalesce(u.request #>> '{body,condition}', 'new'),
               u.request #>> '{body,external_id}', u.account, batch, u.ordinal
        FROM unnest(ordinals, accounts, organizations, requests, refs, outcomes, found.firearms, found.serial_keys)
                 AS u(ordinal, account, organization, request, ref, outcome, firearm_id, key)
        LEFT JOIN registry.firearm_state t ON t.firearm_id = u.firearm_id
        WHERE u.outcome = 'ok';
    EXCEPTION WHEN unique_violation THEN
        RAISE EXCEPTION 'another batch recorded the sale at the same time' USING ERRCODE = '40001';
    END;
    INSERT INTO registry.sale_purchaser (sale_id, kind, key_id, sealed, batch_id, ordinal)
    SELECT (u.request ->> 'sale_id')::uuid, u.request ->> 'purchaser_kind', u.request ->> 'seal_key',
           decode(u.request ->> 'sealed', 'hex'), batch, u.ordinal
    FROM unnest(ordinals, requests, outcomes) AS u(ordinal, request, outcome) WHERE u.outcome = 'ok';
    INSERT INTO registry.sale_event (sale_id, seq, kind, occurred_on, account_id, batch_id, ordinal)
    SELECT (u.request ->> 'sale_id')::uuid, 1,
           CASE WHEN u.request #> '{body,delivered_on}' IS NULL THEN 'pending' ELSE 'delivered' END,
           (u.request #>> '{body,delivered_on}')::date, u.account, batch, u.ordinal
    FROM unnest(ordinals, accounts, requests, outcomes) AS u(ordinal, account, request, outcome) WHERE u.outcome = 'ok';

    PERFORM api.sale_custody(batch, array_agg((u.request ->> 'sale_id')::uuid), array_agg(u.ordinal))
    FROM unnest(ordinals, requests, outcomes, found.firearms) AS u(ordinal, request, outcome, firearm_id)
    WHERE u.outcome = 'ok' AND u.firearm_id IS NOT NULL;
    PERFORM api.firearm_state_refresh(batch, array_agg(u.firearm_id), array_agg(u.ordinal))
    FROM unnest(ordinals, outcomes, found.firearms) AS u(ordinal, outcome, firearm_id)
    WHERE u.outcome = 'ok' AND u.firearm_id IS NOT NULL;

    RETURN QUERY
    SELECT u.ordinal, CASE WHEN u.outcome = 'known' THEN 'ok' ELSE u.outcome END,
           coalesce(s.answer, api.sale_refused(u.outcome, u.choices)),
           jsonb_strip_nulls(jsonb_build_object(
               'sale', s.answer -> 'id',
               'firearm', coalesce(s.answer #>> '{firearm,id}', api.public_id('frm', u.firearm_id), u.ref ->> 'id'),
               'maker', u.ref -> 'maker', 'serial', coalesce(s.answer #> '{firearm,serial}', u.ref -> 'serial'),
               'existing', CASE WHEN u.outcome = 'known' THEN true END))
    FROM unnest(ordinals, requests, refs, outcomes, known, found.choices, found.firearms)
             AS u(ordinal, request, ref, outcome, known, choices, firearm_id)
    LEFT JOIN api.sale_answer s
        ON s.id = CASE u.outcome WHEN 'known' THEN u.known WHEN 'ok' THEN (u.request ->> 'sale_id')::uuid END;
END $$;
COMMENT ON FUNCTION api.create_sale(uuid, integer[], uuid[], uuid[], jsonb[]) IS
    'operation create_sale: of a firearm that the dealer holds or is to get, or unmatched; a second one is refused; '
    'raises CT003 when two sales of the batch touch one firearm, serial or external id';

CREATE FUNCTION api.sale_firearms(organizations uuid[], refs jsonb[], OUT firearms uuid[], OUT counts integer[],
                                  OUT choices jsonb[], OUT serial_keys text[])
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    SELECT array_agg(r.firearm_id ORDER BY r.place), array_agg(r.found ORDER BY r.place),
           array_agg(r.choices ORDER BY r.place), array_agg(r.serial_key ORDER BY r.place)
    INTO firearms, counts, choices, serial_keys
    FROM api.firearm_refs(organizations, refs) r;
END $$;
COMMENT ON FUNCTION api.sale_firearms(uuid[], jsonb[]) IS 'api.firearm_refs as arrays';

CREATE FUNCTION api.deliver_sale(batch uuid, ordinals integer[], accounts uuid[], organizations uuid[], requests jsonb[])
    RETURNS TABLE (ordinal integer, outcome text, answer jsonb, subject jsonb)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    sales    uuid[];
    firearms uuid[];
    outcomes text[];
BEGIN
    SELECT array_agg(n.id ORDER BY u.n), array_agg(n.firearm_id ORDER BY u.n) INTO sales, firearms
    FROM unnest(organizations, requests) WITH ORDINALITY AS u(organization, request, n)
    LEFT JOIN api.sale_now n ON n.id = api.parse_id('sal', u.request #>> '{path,id}') AND n.organization_id = u.organization;
    IF EXISTS (SELECT FROM unnest(sales) AS u(id) WHERE u.id IS NOT NULL GROUP BY u.id HAVING count(*) > 1)
       OR EXISTS (SELECT FROM unnest(firearms) AS u(id) WHERE u.id IS NOT NULL GROUP BY u.id HAVING count(*) > 1) THEN
        RAISE EXCEPTION 'two deliveries of one batch touch one sale or firearm' USING ERRCODE = 'CT003';
    END IF;
    PERFORM api.firearm_state_lock(firearms);

    SELECT array_agg(CASE WHEN n.id IS NULL THEN 'not_found'
                          WHEN n.state <> 'pending' THEN 'sale_not_pending'
                          -- The sale that stands is this one.
                          ELSE coalesce(api.sale_refusal(n.organization_id, n.condition, t.status, api.party_now(t.holder),
                                                         NULL, t.last_on, u.delivered_on), 'ok') END ORDER BY u.n)
    INTO outcomes
    FROM (SELECT v.id, (v.request #>> '{body,delivered_on}')::date AS delivered_on, v.n
          FROM unnest(sales, requests) WITH ORDINALITY AS v(id, request, n)) u
    LEFT JOIN api.sale_now n ON n.id = u.id
    LEFT JOIN registry.firearm_state t ON t.firearm_id = n.firearm_id;

    BEGIN
        INSERT INTO registry.sale_event (sale_id, seq, kind, occurred_on, account_id, batch_id, ordinal)
        SELECT u.id, (SELECT max(e.seq) + 1 FROM registry.sale_event e WHERE e.sale_id = u.id), 'delivered',
               (u.request #>> '{body,delivered_on}')::date, u.account, batch, u.ordinal
        FROM unnest(sales, ordinals, accounts, requests, outcomes) AS u(id, ordinal, account, request, outcome)
        WHERE u.outcome = 'ok';
    EXCEPTION WHEN unique_violation THEN
        RAISE EXCEPTION 'another batch changed the sale at the same time' USING ERRCODE = '40001';
    END;
    PERFORM api.sale_custody(batch, array_agg(u.id), array_agg(u.ordinal))
    FROM unnest(sales, firearms, ordinals, outcomes) AS u(id, firearm_id, ordinal, outcome)
    WHERE u.outcome = 'ok' AND u.firearm_id IS NOT NULL;
    PERFORM api.firearm_state_refresh(batch, array_agg(u.firearm_id), array_agg(u.ordinal))
    FROM unnest(firearms, ordinals, outcomes) AS u(firearm_id, ordinal, outcome)
    WHERE u.outcome = 'ok' AND u.firearm_id IS NOT NULL;

    RETURN QUERY
    SELECT u.ordinal, u.outcome, CASE u.outcome WHEN 'ok' THEN s.answer WHEN 'not_found' THEN NULL ELSE api.sale_refused(u.outcome, NULL) END,
           jsonb_strip_nulls(jsonb_build_object('sale', u.request #> '{path,id}', 'firearm', s.answer #> '{firearm,id}',
                                                'serial', s.answer #> '{firearm,serial}'))
    FROM unnest(ordinals, requests, outcomes, sales) AS u(ordinal, request, outcome, id)
    LEFT JOIN api.sale_answer s ON s.id = u.id;
END $$;
COMMENT ON FUNCTION api.deliver_sale(uuid, integer[], uuid[], uuid[], jsonb[]) IS
    'operation deliver_sale: the caller''s own pending sale; raises CT003 when two of the batch are of one sale or firearm';

-- reading ---------------------------------------------------------------------------------

CREATE FUNCTION api.get_sale(batch uuid, ordinals integer[], accounts uuid[], organizations uuid[], requests jsonb[])
    RETURNS TABLE (ordinal integer, outcome text, answer jsonb, subject jsonb)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT a.ordinal, CASE WHEN s.id IS NULL THEN 'not_found' ELSE 'ok' END, s.answer,
           jsonb_strip_nulls(jsonb_build_object('sale', a.request #> '{path,id}', 'firearm', s.answer #> '{firearm,id}'))
    FROM unnest(ordinals, organizations, requests) AS a(ordinal, organization, request)
    LEFT JOIN api.sale_answer s
        ON s.id = api.parse_id('sal', a.request #>> '{path,id}') AND s.organization_id = a.organization;
END $$;
COMMENT ON FUNCTION api.get_sale(uuid, integer[], uuid[], uuid[], jsonb[]) IS
    'operation get_sale: one of the caller''s own; any other is not_found';

CREATE FUNCTION api.list_sales(batch uuid, ordinals integer[], accounts uuid[], organizations uuid[], requests jsonb[])
    RETURNS TABLE (ordinal integer, outcome text, answer jsonb, subject jsonb)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT a.ordinal,
           CASE WHEN a.cursor_wrong THEN 'invalid_request' ELSE 'ok' END,
           CASE WHEN a.cursor_wrong THEN api.refusal('/query/cursor', 'not a cursor of this list')
                ELSE jsonb_build_object('data', coalesce(p.data, '[]'::jsonb),
                                        'next_cursor', CASE WHEN p.found > a.page THEN p.last END) END,
           jsonb_build_object('rows', least(coalesce(p.found, 0), a.page))
    FROM (
        SELECT u.ordinal, u.organization, u.request -> 'query' AS query, api.page_limit(u.request) AS page,
               (u.request #>> '{query,from}')::date AS from_on, (u.request #>> '{query,to}')::date AS to_on,
               coalesce(c.recorded_at, 'infinity') AS before_at, coalesce(c.id, u.organization) AS before_id,
               u.request #> '{query,cursor}' IS NOT NULL AND c.id IS NULL AS cursor_wrong
        FROM unnest(ordinals, organizations, requests) AS u(ordinal, organization, request)
        -- Somebody else's sale is no cursor either.
        LEFT JOIN registry.sale c ON c.id = api.cursor_uuid(u.request) AND c.organization_id = u.organization
    ) a
    LEFT JOIN LATERAL (
        SELECT jsonb_agg(r.answer ORDER BY r.place) FILTER (WHERE r.place <= a.page) AS data,
               count(*) AS found,
               max(replace(r.id::text, '-', '')) FILTER (WHERE r.place = a.page) AS last
        FROM (
            SELECT w.id, w.answer, row_number() OVER (ORDER BY w.recorded_at DESC, w.id DESC) AS place
            FROM (
                SELECT s.id, s.recorded_at, s.answer
                FROM api.sale_answer s
                WHERE s.organization_id = a.organization AND (s.recorded_at, s.id) < (a.before_at, a.before_id)
                  AND (a.query ->> 'state' IS NULL OR s.state = a.query ->> 'state')
                  AND (a.query ->> 'transaction_number' IS NULL OR s.transaction_number = a.query ->> 'transaction_number')
                  AND (a.query ->> 'external_id' IS NULL OR s.external_id = a.query ->> 'external_id')
                  AND (a.from_on IS NULL OR coalesce(s.delivered_on, (s.recorded_at AT TIME ZONE 'UTC')::date) >= a.from_on)
                  AND (a.to_on IS NULL OR coalesce(s.delivered_on, (s.recorded_at AT TIME ZONE 'UTC')::date) <= a.to_on)
                ORDER BY s.recorded_at DESC, s.id DESC
                LIMIT a.page + 1
            ) w
        ) r
    ) p ON NOT a.cursor_wrong;
END $$;
COMMENT ON FUNCTION api.list_sales(uuid, integer[], uuid[], uuid[], jsonb[]) IS
    'operation list_sales: the caller''s own, the newest first, a page at a time';
