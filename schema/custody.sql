-- SPDX-License-Identifier: Apache-2.0
-- The chain of a firearm and what follows from it: who holds it, which sale
-- stands, who its first purchaser is.

CREATE VIEW api.custody_chain AS
SELECT e.id, e.firearm_id, e.seq, e.kind, e.occurred_on, e.sale_id,
       f.now_id AS from_party, t.now_id AS to_party,
       coalesce(f.name, e.from_written) AS from_name, coalesce(t.name, e.to_written) AS to_name,
       row_number() OVER (PARTITION BY e.firearm_id
                          ORDER BY coalesce(e.before_seq, e.seq), e.before_seq IS NULL, e.seq) AS place
FROM registry.custody_event e
LEFT JOIN api.party f ON f.id = e.from_party
LEFT JOIN api.party t ON t.id = e.to_party
WHERE NOT EXISTS (SELECT FROM registry.custody_event s WHERE s.supersedes = e.id);
COMMENT ON VIEW api.custody_chain IS
    'custody events that count, each in its place: in the order of recording, late ones before what they precede';

CREATE VIEW api.sale_now AS
SELECT s.id, s.organization_id, coalesce(s.firearm_id, b.firearm_id) AS firearm_id, s.condition, s.transaction_number,
       s.recorded_at, n.kind AS state, d.occurred_on AS delivered_on
FROM registry.sale s
LEFT JOIN registry.sale_event b ON b.sale_id = s.id AND b.kind = 'bound'
CROSS JOIN LATERAL (
    SELECT v.kind FROM registry.sale_event v WHERE v.sale_id = s.id AND v.kind <> 'bound' ORDER BY v.seq DESC LIMIT 1
) n
LEFT JOIN LATERAL (
    SELECT v.occurred_on FROM registry.sale_event v
    WHERE v.sale_id = s.id AND v.kind = 'delivered' ORDER BY v.seq DESC LIMIT 1
) d ON true;
COMMENT ON VIEW api.sale_now IS 'sales with the firearm that was found and what became of them';

CREATE FUNCTION api.custody_status(kind text, from_party uuid) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN kind IN ('shipped', 'transferred') THEN 'in_transit'
                -- A purchaser is nobody's party: what he returns is with the dealer at once.
                WHEN kind = 'returned' THEN CASE WHEN from_party IS NULL THEN 'held' ELSE 'in_transit' END
                WHEN kind IN ('received', 'recovered') THEN 'held'
                ELSE kind END;
COMMENT ON FUNCTION api.custody_status(text, uuid) IS 'status of a firearm after an event of that kind';

CREATE FUNCTION api.custody_holder(kind text, from_party uuid, to_party uuid) RETURNS uuid
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN kind IN ('lost', 'stolen') THEN from_party
                WHEN kind IN ('sold', 'destroyed', 'exported', 'sold_to_law_enforcement') THEN NULL
                ELSE to_party END;
COMMENT ON FUNCTION api.custody_holder(text, uuid, uuid) IS
    'who answers for a firearm after an event of that kind: who has it or is to get it, or from whom it was lost';

-- what follows from the records ---------------------------------------------------------------

CREATE FUNCTION api.firearm_state_derive(ids uuid[])
    RETURNS TABLE (firearm_id uuid, holder uuid, standing_sale uuid, first_sale uuid, events integer, last_on date,
                   shipped_on date, first_delivered_on date, returned_on date, chain_complete boolean, status text,
                   maker text, importer text, model text, serial text, caliber text, firearm_type text, basis text,
                   no_purchaser text, first_dealer text, first_transaction text, custody json, later_holders json)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_memoize = off
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT f.id,
           api.custody_holder(c.last_kind, c.last_from, c.last_to),
           coalesce(s.pending, CASE WHEN c.last_kind = 'sold' THEN c.last_sale END),
           s.first, c.events, c.last_on, c.shipped_on, first.delivered_on, c.returned_on,
           NOT coalesce(c.gap, false), api.custody_status(c.last_kind, c.last_from),
           m.name, i.name, d.name, f.serial, f.caliber, f.firearm_type,
           CASE WHEN s.first IS NOT NULL THEN 'sale' END,
           CASE WHEN s.first IS NOT NULL THEN CASE WHEN first.sealed IS NULL THEN 'expunged' END
                WHEN s.deliveries > 0 OR c.last_kind = 'sold_to_law_enforcement' THEN 'first_sale_not_recorded'
                WHEN c.last_kind = 'stolen' THEN 'stolen_before_sale'
                WHEN c.last_kind = 'lost' THEN 'lost_before_sale'
                WHEN c.last_kind IN ('exported', 'destroyed') THEN c.last_kind
                ELSE 'unsold' END,
           first.dealer, first.transaction_number, c.custody, later.holders
    FROM (SELECT DISTINCT u.id FROM unnest(ids) AS u(id)) n
    JOIN registry.firearm f ON f.id = n.id
    JOIN registry.model d ON d.id = f.model_id
    JOIN api.maker_known m ON m.id = f.maker_id
    LEFT JOIN api.maker_known i ON i.id = f.importer_id
    CROSS JOIN LATERAL (
        -- First is the earliest delivered sale as new that stands.
        SELECT (array_agg(t.id) FILTER (WHERE t.state = 'pending'))[1] AS pending,
               (array_agg(t.id ORDER BY t.delivered_on, t.recorded_at, t.id)
                   FILTER (WHERE t.state = 'delivered' AND t.condition = 'new'))[1] AS first,
               count(*) FILTER (WHERE t.state = 'delivered') AS deliveries
        FROM api.firearm_sales(f.id) t
    ) s
    LEFT JOIN LATERAL (
        SELECT t.delivered_on, t.transaction_number, o.name AS dealer, p.sealed
        FROM api.sale_now t
        JOIN registry.organization o ON o.id = t.organization_id
        LEFT JOIN registry.sale_purchaser p ON p.sale_id = t.id
        WHERE t.id = s.first
    ) first ON true
    CROSS JOIN LATERAL (
        SELECT coalesce(max(e.seq), 0) AS events, max(e.occurred_on) AS last_on,
               min(e.occurred_on) FILTER (WHERE e.kind = 'shipped') AS shipped_on,
               min(e.occurred_on) FILTER (WHERE e.kind = 'returned' AND e.sale_id = s.first) AS returned_on,
               (array_agg(e.kind ORDER BY e.place DESC))[1] AS last_kind,
               (array_agg(e.from_party ORDER BY e.place DESC))[1] AS last_from,
               (array_agg(e.to_party ORDER BY e.place DESC))[1] AS last_to,
               (array_agg(e.sale_id ORDER BY e.place DESC))[1] AS last_sale,
               -- A move that the other side never confirmed, up to the first sale.
               bool_or(api.custody_status(e.kind, e.from_party) = 'in_transit'
                       AND (e.next_kind <> 'received' OR e.next_to <> e.to_party)
                       AND e.place < coalesce(e.first_place, 2147483647)) AS gap,
               json_agg(json_build_object('kind', e.kind, 'date', e.occurred_on, 'from', e.from_name, 'to', e.to_name)
                        ORDER BY e.place) AS custody
        FROM (SELECT h.*, lead(h.kind) OVER w AS next_kind, lead(h.to_party) OVER w AS next_to,
                     max(h.place) FILTER (WHERE h.kind = 'sold' AND h.sale_id = s.first) OVER () AS first_place
              FROM api.custody_chain h WHERE h.firearm_id = f.id WINDOW w AS (ORDER BY h.place)) e
    ) c
    LEFT JOIN LATERAL (
        SELECT json_agg(json_build_object('kind', p.kind, 'condition', t.condition, 'dealer', o.name,
                                          'delivered_on', t.delivered_on)
                        ORDER BY t.delivered_on, t.recorded_at, t.id) AS holders
        FROM api.firearm_sales(f.id) t
        JOIN registry.organization o ON o.id = t.organization_id
        JOIN registry.sale_purchaser p ON p.sale_id = t.id
        WHERE s.deliveries > CASE WHEN s.first IS NULL THEN 0 ELSE 1 END
          AND t.state = 'delivered' AND t.id IS DISTINCT FROM s.first
    ) later ON true;
END $$;
COMMENT ON FUNCTION api.firearm_state_derive(uuid[]) IS
    'firearm_state as it follows from the records, without batch and ordinal; for refreshing and for rebuilding it';

CREATE FUNCTION api.firearm_sales(firearm uuid)
    RETURNS TABLE (id uuid, organization_id uuid, condition text, transaction_number text, recorded_at timestamptz,
                   state text, delivered_on date)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT n.id, n.organization_id, n.condition, n.transaction_number, n.recorded_at, n.state, n.delivered_on
    FROM (SELECT s.id FROM registry.sale s WHERE s.firearm_id = firearm
          UNION ALL
          SELECT b.sale_id FROM registry.sale_event b WHERE b.firearm_id = firearm) t
    JOIN api.sale_now n ON n.id = t.id;
END;
COMMENT ON FUNCTION api.firearm_sales(uuid) IS 'all sales of a firearm, also those that were bound to it later';

CREATE FUNCTION api.firearm_state_refresh(batch uuid, ids uuid[], ordinals integer[]) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    UPDATE registry.firearm_state s
    SET holder = d.holder, standing_sale = d.standing_sale, first_sale = d.first_sale, batch_id = batch,
        ordinal = c.ordinal, events = d.events, last_on = d.last_on, shipped_on = d.shipped_on,
        first_delivered_on = d.first_delivered_on, returned_on = d.returned_on, chain_complete = d.chain_complete,
        status = d.status, maker = d.maker, importer = d.importer, model = d.model, serial = d.serial,
        caliber = d.caliber, firearm_type = d.firearm_type, basis = d.basis, no_purchaser = d.no_purchaser,
        first_dealer = d.first_dealer, first_transaction = d.first_transaction, custody = d.custody,
        later_holders = d.later_holders
    FROM (SELECT u.id, max(u.ordinal) AS ordinal FROM unnest(ids, ordinals) AS u(id, ordinal) GROUP BY u.id) c,
         api.firearm_state_derive(ids) d
    WHERE d.firearm_id = c.id AND s.firearm_id = c.id;
END $$;
COMMENT ON FUNCTION api.firearm_state_refresh(uuid, uuid[], integer[]) IS
    'brings the rows of these firearms up to date; the caller holds their locks';

CREATE FUNCTION api.firearm_state_lock(ids uuid[]) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    -- One order for everybody, so that no two wait for each other.
    PERFORM 1 FROM registry.firearm_state s
    WHERE s.firearm_id = ANY (ids) ORDER BY s.firearm_id FOR NO KEY UPDATE;
END $$;
COMMENT ON FUNCTION api.firearm_state_lock(uuid[]) IS 'locks the rows of these firearms until the end of the batch';
