-- SPDX-License-Identifier: Apache-2.0
-- Firearms: whose they are, and how they are found. Registration is in
-- registration.sql.

-- whose record it is --------------------------------------------------------------------
-- Every function that shows or changes a firearm for a licensee joins one of
-- these, so that whose records they are is decided here alone.

CREATE VIEW api.firearm_party AS
SELECT f.id AS firearm_id, f.organization_id
FROM registry.firearm f
UNION ALL
SELECT e.firearm_id, e.to_party FROM registry.custody_event e WHERE e.to_party IS NOT NULL
UNION ALL
-- Sent to a licence before its holder was entered here.
SELECT e.firearm_id, l.organization_id
FROM registry.organization_licence l
JOIN registry.external_party x ON x.key = l.key
JOIN registry.custody_event e ON e.to_party = x.id
WHERE l.kind = 'ffl';
COMMENT ON VIEW api.firearm_party IS
    'who may see a firearm: the organization whose record it is, and every one that it was ever sent to';

CREATE FUNCTION api.firearm_seen(firearm uuid, organization uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN EXISTS (SELECT FROM api.firearm_party p WHERE p.firearm_id = firearm AND p.organization_id = organization);
END $$;
COMMENT ON FUNCTION api.firearm_seen(uuid, uuid) IS 'may that organization see that firearm';

-- how it is found -----------------------------------------------------------------------

CREATE FUNCTION api.serial_keys(written text) RETURNS text[]
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN ARRAY(
        SELECT k.key
        FROM (VALUES (1, api.normalise_serial(written)),
                     (2, api.normalise_serial(regexp_replace(written, '^\s*S/?N[\s.:#-]*', '', 'i'))),
                     (3, api.normalise_serial(regexp_replace(written, '^.*;', ''))),
                     (4, api.normalise_serial(regexp_replace(written, ';.*$', ''))),
                     (5, api.normalise_serial(regexp_replace(
                         written, '^\s*[0-9]-[0-9]{2}-[0-9]{3}-[0-9]{2}-[0-9][A-Z]-[0-9]{5}[\s;:-]*', '', 'i'))))
             AS k(place, key)
        WHERE k.key <> ''
        GROUP BY k.key ORDER BY min(k.place));
END $$;
COMMENT ON FUNCTION api.serial_keys(text) IS
    'keys to look a serial up by, the best first: as written, without S/N, after and before a semicolon, without a licence in front';

-- A firearm named by its id, or by maker and serial. Only those of one's own
-- are found; all others are missing.
CREATE FUNCTION api.firearm_refs(organizations uuid[], refs jsonb[])
    RETURNS TABLE (place integer, firearm_id uuid, found integer, choices jsonb, maker_id uuid, serial_key text)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
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
    SELECT r.place::integer, CASE WHEN h.found = 1 THEN h.ids[1] END, h.found::integer, h.choices,
           (makers ->> (r.ref ->> 'maker'))::uuid, (api.serial_keys(r.ref ->> 'serial'))[1]
    FROM unnest(organizations, refs) WITH ORDINALITY AS r(organization, ref, place)
    CROSS JOIN LATERAL (
        SELECT count(*) AS found, array_agg(b.id) AS ids,
               jsonb_agg(jsonb_build_object('pointer', '/firearm', 'detail',
                             api.public_id('frm', b.id) || coalesce(', importer ' || m.name, ', no importer'))
                         ORDER BY b.id) AS choices
        FROM (
            SELECT c.id, c.importer_id
            FROM (
                SELECT f.id, f.importer_id, 1 AS rank
                FROM registry.firearm f
                WHERE f.id = api.parse_id('frm', r.ref ->> 'id')
                UNION ALL
                SELECT f.id, f.importer_id, array_position(k.keys, f.serial_key)
                FROM (SELECT api.serial_keys(r.ref ->> 'serial') AS keys) k
                JOIN registry.firearm f ON f.serial_key = ANY (k.keys)
                    AND f.maker_id = (makers ->> (r.ref ->> 'maker'))::uuid
                WHERE NOT r.ref ? 'importer' OR f.importer_id = (makers ->> (r.ref ->> 'importer'))::uuid
            ) c
            WHERE api.firearm_seen(c.id, r.organization)
            -- All that fit as well as the best one does.
            ORDER BY c.rank FETCH FIRST 1 ROW WITH TIES
        ) b
        LEFT JOIN api.maker_known m ON m.id = b.importer_id
    ) h;
END $$;
COMMENT ON FUNCTION api.firearm_refs(uuid[], jsonb[]) IS
    'which firearm of its own each organization means by {id} or {maker, importer?, serial}; null when found is not 1';

-- answers -------------------------------------------------------------------------------

CREATE FUNCTION api.firearm_json(firearm uuid, organization uuid) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN (
        SELECT jsonb_build_object(
                   'id', api.public_id('frm', f.id),
                   'external_id', CASE WHEN f.registered_by = organization THEN f.external_id END,
                   'state', 'registered',
                   'maker', s.maker,
                   'importer', s.importer,
                   'model', s.model,
                   'caliber', s.caliber,
                   'type', s.firearm_type,
                   'serial', s.serial,
                   'marks', coalesce(m.marks, '[]'::jsonb),
                   'shipped_to', (SELECT coalesce(p.name, e.to_written)
                                  FROM registry.custody_event e LEFT JOIN api.party p ON p.id = e.to_party
                                  WHERE e.firearm_id = f.id AND e.kind = 'shipped' ORDER BY e.seq LIMIT 1),
                   'shipped_on', s.shipped_on,
                   'recorded_at', api.time_text(f.recorded_at))
        FROM registry.firearm f
        JOIN registry.firearm_state s ON s.firearm_id = f.id
        CROSS JOIN LATERAL (
            SELECT jsonb_agg(jsonb_build_object(
                       'id', api.public_id('mrk', k.id),
                       'placement', k.placement,
                       'scheme', k.scheme,
                       'code', CASE WHEN organization IN (f.organization_id, f.registered_by) THEN k.word END,
                       'valid_from', k.valid_from,
                       'valid_to', (SELECT n.valid_from FROM registry.mark n WHERE n.supersedes = k.id))
                       ORDER BY k.valid_from, k.placement, k.id) AS marks
            FROM registry.mark k WHERE k.firearm_id = f.id
        ) m
        WHERE f.id = firearm);
END $$;
COMMENT ON FUNCTION api.firearm_json(uuid, uuid) IS
    'a firearm as that organization sees it: codes and external id only if it registered the firearm';

CREATE FUNCTION api.get_firearm(batch uuid, ordinals integer[], accounts uuid[], organizations uuid[], requests jsonb[])
    RETURNS TABLE (ordinal integer, outcome text, answer jsonb, subject jsonb)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT a.ordinal, CASE WHEN g.answer IS NULL THEN 'not_found' ELSE 'ok' END, g.answer,
           jsonb_build_object('firearm', a.request #> '{path,id}')
               || CASE WHEN g.answer IS NULL THEN '{}' ELSE jsonb_build_object('serial', g.answer -> 'serial') END
    FROM unnest(ordinals, organizations, requests) AS a(ordinal, organization, request)
    CROSS JOIN LATERAL (
        SELECT api.parse_id('frm', a.request #>> '{path,id}') AS id
    ) i
    CROSS JOIN LATERAL (
        SELECT CASE WHEN api.firearm_seen(i.id, a.organization) THEN api.firearm_json(i.id, a.organization) END AS answer
        OFFSET 0
    ) g;
END $$;
COMMENT ON FUNCTION api.get_firearm(uuid, integer[], uuid[], uuid[], jsonb[]) IS
    'operation get_firearm: one of the caller''s own; any other is not_found';

CREATE FUNCTION api.find_firearms(batch uuid, ordinals integer[], accounts uuid[], organizations uuid[], requests jsonb[])
    RETURNS TABLE (ordinal integer, outcome text, answer jsonb, subject jsonb)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT a.ordinal,
           CASE WHEN a.cursor_wrong THEN 'invalid_request' ELSE 'ok' END,
           CASE WHEN a.cursor_wrong THEN api.refusal('/query/cursor', 'not a cursor of this list')
                ELSE jsonb_build_object('data', coalesce(p.data, '[]'::jsonb),
                                        'next_cursor', CASE WHEN p.found > a.page THEN p.last END) END,
           -- Whoever looks for a serial wants a firearm; whoever turns the pages of a list has none in mind.
           jsonb_strip_nulls(jsonb_build_object('serial', a.serial, 'rows', least(coalesce(p.found, 0), a.page), 'firearms',
               CASE WHEN a.serial IS NOT NULL THEN jsonb_path_query_array(p.data, '$[*].id') END))
    FROM (
        SELECT u.ordinal, u.organization, u.request #>> '{query,serial}' AS serial,
               api.serial_keys(u.request #>> '{query,serial}') AS keys,
               u.request #> '{query,maker}' IS NOT NULL AS of_maker, m.maker_id,
               api.page_limit(u.request) AS page,
               coalesce(api.cursor_uuid(u.request), '00000000-0000-0000-0000-000000000000') AS after,
               u.request #> '{query,cursor}' IS NOT NULL AND api.cursor_uuid(u.request) IS NULL AS cursor_wrong
        FROM unnest(ordinals, organizations, requests) AS u(ordinal, organization, request)
        LEFT JOIN api.parties(ARRAY(SELECT r #>> '{query,maker}' FROM unnest(requests) r)) m
            ON m.written = u.request #>> '{query,maker}'
    ) a
    LEFT JOIN LATERAL (
        SELECT jsonb_agg(api.firearm_json(r.id, a.organization) ORDER BY r.id) FILTER (WHERE r.place <= a.page) AS data,
               count(*) AS found,
               max(replace(r.id::text, '-', '')) FILTER (WHERE r.place = a.page) AS last
        FROM (
            SELECT w.id, row_number() OVER (ORDER BY w.id) AS place
            FROM (
                SELECT f.id
                FROM registry.firearm f
                WHERE a.serial IS NOT NULL AND f.serial_key = ANY (a.keys) AND f.id > a.after
                  AND (NOT a.of_maker OR f.maker_id = a.maker_id)
                  AND api.firearm_seen(f.id, a.organization)
                UNION
                SELECT l.id FROM api.firearm_list(a.organization, a.after, a.maker_id, a.of_maker,
                                                  CASE WHEN a.serial IS NULL THEN a.page + 1 ELSE 0 END) l
                ORDER BY 1
                LIMIT a.page + 1
            ) w
        ) r
    ) p ON NOT a.cursor_wrong;
END $$;
COMMENT ON FUNCTION api.find_firearms(uuid, integer[], uuid[], uuid[], jsonb[]) IS
    'operation find_firearms: the caller''s own, by serial or all, a page at a time in the order of ids';

CREATE FUNCTION api.firearm_list(organization uuid, after uuid, maker uuid, of_maker boolean, most integer)
    RETURNS TABLE (id uuid)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
    parties CONSTANT uuid[] := organization || ARRAY(
        SELECT x.id FROM registry.organization_licence l JOIN registry.external_party x ON x.key = l.key
        WHERE l.organization_id = organization AND l.kind = 'ffl');
BEGIN
    -- Each source is read in the order of ids from its index, and no further than needed.
    RETURN QUERY
    (SELECT f.id FROM registry.firearm f
     WHERE f.organization_id = organization AND f.id > after AND (NOT of_maker OR f.maker_id = maker)
     ORDER BY f.id LIMIT most)
    UNION
    SELECT s.firearm_id
    FROM unnest(parties) AS p(id)
    CROSS JOIN LATERAL (
        SELECT DISTINCT e.firearm_id FROM registry.custody_event e
        WHERE e.to_party = p.id AND e.firearm_id > after
          AND (NOT of_maker OR EXISTS (SELECT FROM registry.firearm f WHERE f.id = e.firearm_id AND f.maker_id = maker))
        ORDER BY e.firearm_id LIMIT most
    ) s
    ORDER BY 1 LIMIT most;
END $$;
COMMENT ON FUNCTION api.firearm_list(uuid, uuid, uuid, boolean, integer) IS
    'ids of the organization''s own firearms after that one, in order, at most so many';
