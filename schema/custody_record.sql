-- SPDX-License-Identifier: Apache-2.0
-- What licensees record about firearms in their hands.

CREATE FUNCTION api.custody_refusal(kind text, organization uuid, status text, holder uuid, sold_by uuid, pending boolean,
                                    last_on date, last_from uuid, late_from date, late_to date, occurred_on date,
                                    to_given boolean, to_party uuid)
    RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN CASE
        WHEN occurred_on > api.today() THEN 'date_in_future'
        WHEN kind IN ('shipped', 'transferred') AND NOT to_given THEN 'validation_failed'
        WHEN kind IN ('shipped', 'transferred', 'returned') AND to_given AND to_party IS NULL THEN 'unknown_organization'
        -- Entered after the sale: it belongs between the shipment and the sale.
        WHEN kind = 'received' AND late_to IS NOT NULL
            THEN CASE WHEN occurred_on BETWEEN late_from AND late_to THEN NULL ELSE 'date_out_of_order' END
        WHEN kind = 'received' AND status = 'held' AND holder = organization THEN 'already_received'
        WHEN CASE
                 WHEN kind = 'received' THEN status = 'in_transit' AND holder = organization
                      -- Traded in by whoever bought it here.
                      OR status = 'sold' AND sold_by = organization
                 WHEN kind = 'returned' THEN status = 'sold' AND sold_by = organization
                      OR status = 'held' AND holder = organization AND to_given
                 WHEN kind IN ('lost', 'stolen') THEN status = 'held' AND holder = organization
                      -- On its way, either side may miss it.
                      OR status = 'in_transit' AND organization IN (holder, last_from)
                 WHEN kind = 'recovered' THEN status IN ('lost', 'stolen') AND holder = organization
                 ELSE status = 'held' AND holder = organization
             END IS NOT TRUE THEN 'not_in_custody'
        WHEN pending AND kind IN ('shipped', 'transferred', 'returned', 'destroyed', 'exported', 'sold_to_law_enforcement')
            THEN 'already_sold'
        WHEN occurred_on < last_on THEN 'date_out_of_order'
    END;
COMMENT ON FUNCTION api.custody_refusal(text, uuid, text, uuid, uuid, boolean, date, uuid, date, date, date, boolean, uuid) IS
    'why an organization cannot record an event of a firearm in that state; null if it can';

CREATE FUNCTION api.custody_error(index integer, outcome text, choices jsonb) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN CASE WHEN outcome = 'ambiguous' THEN (
            SELECT jsonb_agg(c || jsonb_build_object('pointer', '/events/' || index || '/firearm', 'code', outcome))
            FROM jsonb_array_elements(choices) c)
        ELSE jsonb_build_array(jsonb_build_object(
            'pointer', '/events/' || index || CASE
                WHEN outcome IN ('date_in_future', 'date_out_of_order') THEN '/date'
                WHEN outcome IN ('validation_failed', 'unknown_organization') THEN '/to'
                WHEN outcome = 'external_id_repeated' THEN '/external_id'
                ELSE '/firearm' END,
            'code', outcome,
            'detail', CASE outcome
                WHEN 'date_in_future' THEN 'not after today'
                WHEN 'date_out_of_order' THEN 'not before the event that it follows'
                WHEN 'validation_failed' THEN 'whom the firearm went to'
                WHEN 'unknown_organization' THEN 'licence number or id of an organization'
                WHEN 'external_id_repeated' THEN 'the external id appears twice'
                WHEN 'not_found' THEN 'there is no such firearm, or it is somebody else''s'
                WHEN 'already_received' THEN 'its receipt is recorded'
                WHEN 'already_sold' THEN 'a sale of it is pending'
                ELSE 'it is not in one''s hands' END)) END;
END $$;
COMMENT ON FUNCTION api.custody_error(integer, text, jsonb) IS 'errors of one refused event of a request, by its index from 0';

CREATE FUNCTION api.custody_judge(n integer, organization uuid, firearm uuid, event jsonb, parties jsonb)
    RETURNS TABLE (n integer, refusal text, from_party uuid, to_party uuid, sale_id uuid, before_seq integer, seq integer)
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT custody_judge.n,
           api.custody_refusal(e.kind, organization, s.status, api.party_now(s.holder), t.organization_id,
               s.standing_sale IS NOT NULL AND s.status <> 'sold', s.last_on, last.from_party, late.from_on, late.to_on,
               e.occurred_on, e.to_written IS NOT NULL, e.to_party),
           CASE WHEN e.kind = 'received' THEN coalesce(e.from_party, CASE
                         WHEN late.seq IS NOT NULL THEN late.from_party
                         WHEN s.status = 'in_transit' THEN last.from_party END)
                -- From the purchaser, who is nobody's party.
                WHEN e.kind = 'recovered' OR e.kind = 'returned' AND s.status = 'sold' THEN NULL
                ELSE organization END,
           CASE WHEN e.kind IN ('received', 'recovered') OR e.kind = 'returned' AND s.status = 'sold' THEN organization
                WHEN e.kind NOT IN ('lost', 'stolen') THEN e.to_party END,
           CASE WHEN e.kind = 'returned' AND s.status = 'sold' THEN s.standing_sale END,
           CASE WHEN e.kind = 'received' THEN late.seq END,
           s.events + 1
    FROM (SELECT event ->> 'kind' AS kind, (event ->> 'date')::date AS occurred_on, event ->> 'to' AS to_written,
                 ((parties -> (event ->> 'from')) ->> 'party')::uuid AS from_party,
                 ((parties -> (event ->> 'to')) ->> 'party')::uuid AS to_party) e
    JOIN registry.firearm_state s ON s.firearm_id = firearm
    LEFT JOIN registry.sale t ON t.id = s.standing_sale
    LEFT JOIN LATERAL (
        SELECT c.from_party FROM api.custody_chain c WHERE c.firearm_id = firearm ORDER BY c.place DESC LIMIT 1
    ) last ON true
    -- The sale that went before its receipt, and the shipment before that sale.
    LEFT JOIN LATERAL (
        SELECT g.seq, g.occurred_on AS to_on, g.previous_on AS from_on, g.previous_from AS from_party
        FROM (SELECT c.seq, c.kind, c.occurred_on, c.from_party, c.place, lag(c.occurred_on) OVER o AS previous_on,
                     lag(c.from_party) OVER o AS previous_from, lag(c.to_party) OVER o AS previous_to,
                     api.custody_status(lag(c.kind) OVER o, lag(c.from_party) OVER o) AS previous_status
              FROM api.custody_chain c WHERE c.firearm_id = firearm WINDOW o AS (ORDER BY c.place)) g
        WHERE e.kind = 'received' AND g.kind = 'sold' AND g.from_party = organization
          AND g.previous_status = 'in_transit' AND g.previous_to = organization
        ORDER BY g.place DESC LIMIT 1
    ) late ON true;
END;
COMMENT ON FUNCTION api.custody_judge(integer, uuid, uuid, jsonb, jsonb) IS
    'one event against the firearm as it stands: why it is refused, or what it is recorded with';

CREATE FUNCTION api.custody_dropped(modes text[], positions integer[], refusals text[]) RETURNS integer[]
    LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN ARRAY(SELECT DISTINCT u.position FROM unnest(positions, refusals) AS u(position, refusal)
                 WHERE u.refusal IS NOT NULL AND modes[u.position] = 'atomic');
END $$;
COMMENT ON FUNCTION api.custody_dropped(text[], integer[], text[]) IS
    'positions of the requests in mode atomic that have a refused event';

CREATE FUNCTION api.record_custody_events(batch uuid, ordinals integer[], accounts uuid[], organizations uuid[],
                                          requests jsonb[])
    RETURNS TABLE (ordinal integer, outcome text, answer jsonb, subject jsonb)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    modes     CONSTANT text[] := ARRAY(SELECT coalesce(r #>> '{body,mode}', 'atomic')
                                       FROM unnest(requests) WITH ORDINALITY AS u(r, n) ORDER BY n);
    -- One element for each event of the batch, in the order sent.
    positions integer[]; -- of its request
    owners    uuid[];
    events    jsonb[];
    ids       uuid[];
    firearms  uuid[];
    ranks     integer[]; -- among the events of its firearm; null if nothing is to be done
    refusals  text[];
    errors    jsonb[];
    parties   jsonb;
    dropped   integer[] := '{}'; -- requests in mode atomic with a refused event
    judged    record;
    undo      boolean;
BEGIN
    SELECT array_agg(a.position::integer ORDER BY a.position, e.place), array_agg(a.organization ORDER BY a.position, e.place),
           array_agg(e.event || jsonb_build_object('index', e.place - 1) ORDER BY a.position, e.place),
           array_agg(coalesce(k.id, gen_random_uuid()) ORDER BY a.position, e.place),
           array_agg(CASE WHEN k.id IS NOT NULL THEN 0 END ORDER BY a.position, e.place)
    INTO positions, owners, events, ids, ranks
    FROM unnest(organizations, requests) WITH ORDINALITY AS a(organization, request, position)
    CROSS JOIN LATERAL jsonb_array_elements(a.request #> '{body,events}') WITH ORDINALITY AS e(event, place)
    LEFT JOIN registry.custody_event k
        ON k.organization_id = a.organization AND k.external_id = e.event ->> 'external_id';

    parties := api.parties_map(ARRAY(SELECT e ->> 'from' FROM unnest(events) e UNION SELECT e ->> 'to' FROM unnest(events) e));

    -- What is refused before anything else is looked at; and the order of the rest.
    SELECT array_agg(i.firearm_id ORDER BY i.n), array_agg(i.refusal ORDER BY i.n), array_agg(i.errors ORDER BY i.n),
           array_agg(CASE WHEN i.rank IS NULL AND i.refusal IS NULL THEN i.nth END ORDER BY i.n)
    INTO firearms, refusals, errors, ranks
    FROM (
        SELECT r.*, row_number() OVER (PARTITION BY r.firearm_id, r.refusal IS NULL AND r.rank IS NULL ORDER BY r.n)::integer AS nth,
               CASE WHEN r.refusal IS NOT NULL THEN api.custody_error(r.index, r.refusal, r.choices) END AS errors
        FROM (
            SELECT u.n, u.rank, f.firearm_id, f.choices, (u.event ->> 'index')::integer AS index,
                   CASE WHEN u.rank IS NOT NULL THEN NULL
                        WHEN u.event ? 'external_id'
                             AND count(*) OVER (PARTITION BY u.owner, u.event ->> 'external_id') > 1 THEN 'external_id_repeated'
                        WHEN f.found = 0 THEN 'not_found'
                        WHEN f.found > 1 THEN 'ambiguous' END AS refusal
            FROM unnest(owners, events, ranks) WITH ORDINALITY AS u(owner, event, rank, n)
            JOIN api.firearm_refs(owners, ARRAY(SELECT v.e -> 'firearm' FROM unnest(events) WITH ORDINALITY AS v(e, n)
                                                ORDER BY v.n)) f ON f.place = u.n
        ) r
    ) i;

    IF EXISTS (SELECT FROM unnest(firearms, positions) AS u(firearm_id, position)
               WHERE u.firearm_id IS NOT NULL GROUP BY u.firearm_id HAVING count(DISTINCT u.position) > 1)
       OR EXISTS (SELECT FROM unnest(owners, events, positions) AS u(owner, event, position)
                  WHERE u.event ? 'external_id'
                  GROUP BY u.owner, u.event ->> 'external_id' HAVING count(DISTINCT u.position) > 1) THEN
        RAISE EXCEPTION 'two requests of one batch touch one firearm or external id' USING ERRCODE = 'CT003';
    END IF;
    PERFORM api.firearm_state_lock(firearms);
    dropped := api.custody_dropped(modes, positions, refusals);

    -- Events of one firearm one after the other, those of different firearms
    -- together. When a later one refuses its whole request, all begins again
    -- without that request.
    LOOP
        undo := false;
        BEGIN
            FOR nth IN 1 .. coalesce((SELECT max(r) FROM unnest(ranks) r), 0) LOOP
                SELECT array_agg(j.n) AS n, array_agg(j.refusal) AS refusal, array_agg(j.from_party) AS from_party,
                       array_agg(j.to_party) AS to_party, array_agg(j.sale_id) AS sale_id,
                       array_agg(j.before_seq) AS before_seq, array_agg(j.seq) AS seq
                INTO judged
                FROM unnest(positions, owners, events, firearms, ranks) WITH ORDINALITY
                         AS u(position, owner, event, firearm_id, rank, n)
                CROSS JOIN LATERAL api.custody_judge(u.n::integer, u.owner, u.firearm_id, u.event, parties) j
                WHERE u.rank = nth AND u.position <> ALL (dropped);
                CONTINUE WHEN judged.n IS NULL;

                FOR i IN 1 .. cardinality(judged.n) LOOP
                    refusals[judged.n[i]] := judged.refusal[i];
                    errors[judged.n[i]] := CASE WHEN judged.refusal[i] IS NOT NULL THEN api.custody_error(
                        (events[judged.n[i]] ->> 'index')::integer, judged.refusal[i], NULL) END;
                END LOOP;
                undo := nth > 1 AND cardinality(dropped) < cardinality(api.custody_dropped(modes, positions, refusals));
                dropped := api.custody_dropped(modes, positions, refusals);
                IF undo THEN
                    RAISE EXCEPTION USING ERRCODE = 'CT900';
                END IF;

                INSERT INTO registry.custody_event (id, firearm_id, seq, before_seq, kind, occurred_on, from_party, to_party,
                    from_written, to_written, document, sale_id, external_id, organization_id, account_id, batch_id, ordinal)
                SELECT ids[j.n], firearms[j.n], j.seq, j.before_seq, v.event ->> 'kind', (v.event ->> 'date')::date,
                       j.from_party, j.to_party, v.event ->> 'from', v.event ->> 'to', v.event ->> 'document', j.sale_id,
                       v.event ->> 'external_id', owners[j.n], accounts[positions[j.n]], batch, ordinals[positions[j.n]]
                FROM unnest(judged.n, judged.refusal, judged.from_party, judged.to_party, judged.sale_id,
                            judged.before_seq, judged.seq) AS j(n, refusal, from_party, to_party, sale_id, before_seq, seq)
                CROSS JOIN LATERAL (SELECT events[j.n] AS event OFFSET 0) v
                WHERE j.refusal IS NULL AND positions[j.n] <> ALL (dropped);
                PERFORM api.external_parties_enter(batch, parties, array_agg(w.written), array_agg(ordinals[positions[j]]))
                FROM unnest(judged.n) AS j
                CROSS JOIN LATERAL (SELECT events[j] AS event OFFSET 0) v
                CROSS JOIN LATERAL (VALUES (v.event ->> 'from'), (v.event ->> 'to')) AS w(written)
                WHERE refusals[j] IS NULL AND positions[j] <> ALL (dropped) AND w.written IS NOT NULL;
                PERFORM api.firearm_state_refresh(batch, array_agg(firearms[j]), array_agg(ordinals[positions[j]]))
                FROM unnest(judged.n) AS j WHERE refusals[j] IS NULL AND positions[j] <> ALL (dropped);
            END LOOP;
        EXCEPTION
            WHEN SQLSTATE 'CT900' THEN
                NULL; -- what was written is undone, the variables are not
            WHEN unique_violation THEN
                RAISE EXCEPTION 'another batch recorded one of the events at the same time' USING ERRCODE = '40001';
        END;
        EXIT WHEN NOT undo;
    END LOOP;

    PERFORM api.sales_bind(batch, array_agg(u.firearm_id), array_agg(ordinals[u.position]))
    FROM unnest(positions, firearms, ranks, refusals) AS u(position, firearm_id, rank, refusal)
    WHERE u.rank IS NOT NULL AND u.refusal IS NULL AND u.position <> ALL (dropped);

    RETURN QUERY
    SELECT ordinals[q.position],
           CASE WHEN q.position = ANY (dropped) THEN 'rows_refused' ELSE 'ok' END,
           CASE WHEN q.position = ANY (dropped)
                THEN jsonb_build_object('detail', q.refused || ' of ' || q.all_events || ' events were refused; nothing was recorded',
                                        'errors', q.errors)
                ELSE jsonb_build_object('mode', modes[q.position],
                                        'accepted', q.all_events - q.refused, 'refused', q.refused, 'rows', q.answers) END,
           jsonb_build_object('events', q.all_events, 'firearms', q.touched)
    FROM (
        SELECT u.position, count(*) AS all_events, count(u.errors) AS refused,
               jsonb_agg(jsonb_build_object(
                   'external_id', u.event -> 'external_id',
                   'state', CASE WHEN u.errors IS NOT NULL THEN 'refused' WHEN u.rank IS NULL THEN 'existing' ELSE 'recorded' END,
                   'id', CASE WHEN u.errors IS NULL THEN api.public_id('evt', u.id) END,
                   'errors', coalesce(u.errors, '[]'::jsonb)) ORDER BY u.n) AS answers,
               (SELECT jsonb_agg(e.value) FROM unnest(array_agg(u.errors ORDER BY u.n)) x, jsonb_array_elements(x) e(value)) AS errors,
               coalesce((jsonb_agg(DISTINCT api.public_id('frm', u.firearm_id))
                         FILTER (WHERE u.firearm_id IS NOT NULL AND u.n_in_request <= 200)), '[]'::jsonb) AS touched
        FROM (SELECT v.*, row_number() OVER (PARTITION BY v.position ORDER BY v.n) AS n_in_request
              FROM unnest(positions, events, ids, firearms, ranks, errors) WITH ORDINALITY
                       AS v(position, event, id, firearm_id, rank, errors, n)) u
        GROUP BY u.position
    ) q;
END $$;
COMMENT ON FUNCTION api.record_custody_events(uuid, integer[], uuid[], uuid[], jsonb[]) IS
    'operation record_custody_events: what the caller may record of each firearm in the state it is in; '
    'raises CT003 when two requests of the batch touch one firearm or external id';
