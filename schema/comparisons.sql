-- SPDX-License-Identifier: Apache-2.0
-- Comparisons: does what was read fit this firearm? What is looked up here goes
-- to the keeper; what it answers holds no code and no purchaser.

CREATE FUNCTION api.comparison_lookup(organizations uuid[], refs jsonb[])
    RETURNS TABLE (lookup integer, found integer, choices jsonb, firearm_id uuid, caliber text, serial text, shipped_on date,
                   marks jsonb, recent integer)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
    makers CONSTANT jsonb := (
        SELECT jsonb_object_agg(p.written, p.maker_id)
        FROM api.parties(ARRAY(SELECT r ->> 'maker' FROM unnest(refs) r
                               UNION SELECT r ->> 'importer' FROM unnest(refs) r)) p);
BEGIN
    RETURN QUERY
    SELECT r.place::integer, h.found::integer, h.choices, f.id, f.caliber, f.serial, s.shipped_on, k.marks,
           (SELECT count(*)::integer FROM registry.comparison c
            WHERE c.firearm_id = f.id AND c.organization_id = r.organization AND c.at > now() - interval '24 hours')
    FROM unnest(organizations, refs) WITH ORDINALITY AS r(organization, ref, place)
    CROSS JOIN LATERAL (
        SELECT count(*) AS found, (array_agg(b.id))[1] AS id,
               jsonb_agg(jsonb_build_object('pointer', '/firearm', 'detail',
                             api.public_id('frm', b.id) || coalesce(', importer ' || m.name, ', no importer'))
                         ORDER BY b.id) AS choices
        FROM (
            SELECT c.id, c.importer_id
            FROM (
                SELECT f.id, f.importer_id, 1 AS rank FROM registry.firearm f WHERE f.id = api.parse_id('frm', r.ref ->> 'id')
                UNION ALL
                SELECT f.id, f.importer_id, array_position(k.keys, f.serial_key)
                FROM (SELECT api.serial_keys(r.ref ->> 'serial') AS keys) k
                JOIN registry.firearm f ON f.serial_key = ANY (k.keys)
                    AND f.maker_id = (makers ->> (r.ref ->> 'maker'))::uuid
                WHERE NOT r.ref ? 'importer' OR f.importer_id = (makers ->> (r.ref ->> 'importer'))::uuid
            ) c
            ORDER BY c.rank FETCH FIRST 1 ROW WITH TIES
        ) b
        LEFT JOIN api.maker_known m ON m.id = b.importer_id
    ) h
    LEFT JOIN registry.firearm f ON h.found = 1 AND f.id = h.id
    LEFT JOIN registry.firearm_state s ON s.firearm_id = f.id
    LEFT JOIN LATERAL (
        SELECT jsonb_agg(jsonb_build_object(
                   'placement', m.placement, 'scheme', m.scheme, 'word', m.word, 'valid_from', m.valid_from,
                   'valid_to', (SELECT n.valid_from FROM registry.mark n WHERE n.supersedes = m.id))
                   ORDER BY m.valid_from, m.placement, m.id) AS marks
        FROM registry.mark m WHERE m.firearm_id = f.id
    ) k ON true;
END $$;
COMMENT ON FUNCTION api.comparison_lookup(uuid[], jsonb[]) IS
    'the firearm that each {id} or {maker, importer?, serial} means, whosever it is, with all its marks; nothing of its sales. '
    'found: how many fit; where it is not 1, choices says which. recent: comparisons with it by that organization in 24 hours';

CREATE FUNCTION api.comparison_record(batch uuid, ordinals integer[], ids uuid[], accounts uuid[], organizations uuid[],
                                      firearms uuid[], states text[], unread integer[], case_numbers text[], requests text[],
                                      answers text[], fired integer[], specimens integer[], marks integer[], codes text[],
                                      readings text[])
    RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO registry.comparison (id, batch_id, account_id, organization_id, firearm_id, ordinal, state, unread, case_number,
                                     request, answer)
    SELECT u.id, batch, u.account, u.organization, u.firearm, u.ordinal, u.state, u.unread, u.case_number,
           u.request::json, u.answer::json
    FROM unnest(ordinals, ids, accounts, organizations, firearms, states, unread, case_numbers, requests, answers)
             AS u(ordinal, id, account, organization, firearm, state, unread, case_number, request, answer);
    -- The keeper sends only specimens of kind test_fire; what the request says is held against it.
    INSERT INTO registry.test_fire (comparison_id, specimen, mark, code, reading, batch_id, ordinal)
    SELECT ids[u.place], u.specimen, u.mark, u.code, u.reading, batch, ordinals[u.place]
    FROM unnest(fired, specimens, marks, codes, readings) AS u(place, specimen, mark, code, reading)
    WHERE requests[u.place]::jsonb #>> ARRAY['specimens', u.specimen::text, 'kind'] = 'test_fire'
      -- What was fired from another firearm by mistake teaches nothing.
      AND states[u.place] = 'supports';
END $$;
COMMENT ON FUNCTION api.comparison_record(uuid, integer[], uuid[], uuid[], uuid[], uuid[], text[], integer[], text[], text[], text[],
                                          integer[], integer[], integer[], text[], text[]) IS
    'records the comparisons of a batch; the last five are readings of test fires, fired being the place of their comparison';

CREATE FUNCTION api.get_comparison(batch uuid, ordinals integer[], accounts uuid[], organizations uuid[], requests jsonb[])
    RETURNS TABLE (ordinal integer, outcome text, answer jsonb, subject jsonb)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT a.ordinal, CASE WHEN c.id IS NULL THEN 'not_found' ELSE 'ok' END,
           CASE WHEN c.id IS NOT NULL
                THEN c.answer::jsonb || jsonb_build_object('recorded_at', api.time_text(b.at), 'request', c.request::jsonb) END,
           jsonb_strip_nulls(jsonb_build_object('comparison', a.request #> '{path,id}', 'firearm', api.public_id('frm', c.firearm_id)))
    FROM unnest(ordinals, organizations, requests) AS a(ordinal, organization, request)
    LEFT JOIN registry.comparison c ON c.id = api.parse_id('cmp', a.request #>> '{path,id}') AND c.organization_id = a.organization
    LEFT JOIN registry.log_batch b ON b.batch_id = c.batch_id;
END $$;
COMMENT ON FUNCTION api.get_comparison(uuid, integer[], uuid[], uuid[], jsonb[]) IS
    'operation get_comparison: one of the caller''s organization; any other is not_found';
