-- SPDX-License-Identifier: Apache-2.0
-- Organizations: what administrators enter and read.

CREATE VIEW api.organization_answer AS
SELECT o.id, o.name, o.kind, s.state,
       jsonb_build_object(
           'id', api.public_id('org', o.id),
           'name', o.name,
           'kind', o.kind,
           'state', s.state,
           'licence', l.licence,
           'ori', l.ori,
           'licences', coalesce(l.licences, '[]'::jsonb),
           'oris', coalesce(l.oris, '[]'::jsonb),
           'maker_code', (SELECT c.key FROM registry.maker_key k
                          JOIN registry.maker_key c ON c.maker_id = k.maker_id AND c.kind = 'national_code'
                          WHERE k.kind = 'organization' AND k.key = o.id::text LIMIT 1),
           'contact', o.contact,
           'created_at', api.time_text(o.recorded_at)) AS answer
FROM registry.organization o
CROSS JOIN LATERAL (
    SELECT coalesce((SELECT t.state FROM registry.organization_standing t
                     WHERE t.organization_id = o.id ORDER BY t.seq DESC LIMIT 1), 'active') AS state
) s
CROSS JOIN LATERAL (
    SELECT (array_agg(n.number ORDER BY n.place) FILTER (WHERE n.kind = 'ffl'
                AND coalesce(n.valid_from, '-infinity') <= api.today()
                AND coalesce(n.valid_to, 'infinity') >= api.today()))[1] AS licence,
           (array_agg(n.number ORDER BY n.place) FILTER (WHERE n.kind = 'ori'))[1] AS ori,
           jsonb_agg(jsonb_build_object('number', n.number, 'from', api.date_text(n.valid_from),
                                        'to', api.date_text(n.valid_to))
                     ORDER BY n.place) FILTER (WHERE n.kind = 'ffl') AS licences,
           jsonb_agg(n.number ORDER BY n.place) FILTER (WHERE n.kind = 'ori') AS oris
    FROM registry.organization_licence n WHERE n.organization_id = o.id
) l;
COMMENT ON VIEW api.organization_answer IS 'organizations as clients see them';

-- What a request claims: its licence and ORI first, then the further ones. A
-- number that is given twice keeps the one with dates.
CREATE FUNCTION api.organization_claims(request jsonb)
    RETURNS TABLE (kind text, number text, key text, valid_from date, valid_to date, place integer, pointer text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT DISTINCT ON (c.kind, c.number, c.valid_from, c.valid_to)
           c.kind, c.number, api.licence_key(c.kind, c.number), c.valid_from, c.valid_to,
           c.place::integer, c.pointer
    FROM (
        SELECT 'ffl' AS kind, request #>> '{body,licence}' AS number, NULL::date AS valid_from, NULL::date AS valid_to,
               1 AS place, '/licence' AS pointer
        WHERE NOT EXISTS (SELECT FROM jsonb_array_elements(request #> '{body,licences}') d
                          WHERE d ->> 'number' = request #>> '{body,licence}')
        UNION ALL
        SELECT 'ori', request #>> '{body,ori}', NULL, NULL, 2, '/ori'
        UNION ALL
        -- The present licence comes first also when it is among the dated ones.
        SELECT 'ffl', d.value ->> 'number', (d.value ->> 'from')::date, (d.value ->> 'to')::date,
               CASE WHEN d.value ->> 'number' = request #>> '{body,licence}' THEN 1 ELSE 2 + d.place END,
               '/licences/' || d.place - 1
        FROM jsonb_array_elements(request #> '{body,licences}') WITH ORDINALITY AS d(value, place)
        UNION ALL
        SELECT 'ori', o.value, NULL, NULL, 2 + o.place, '/oris/' || o.place - 1
        FROM jsonb_array_elements_text(request #> '{body,oris}') WITH ORDINALITY AS o(value, place)
    ) c
    WHERE c.number IS NOT NULL
    ORDER BY c.kind, c.number, c.valid_from, c.valid_to, c.place
$$;
COMMENT ON FUNCTION api.organization_claims(jsonb) IS 'the licences and ORIs that a request to create an organization names';

CREATE FUNCTION api.create_organization(batch uuid, ordinals integer[], accounts uuid[], organizations uuid[],
                                        requests jsonb[])
    RETURNS TABLE (ordinal integer, outcome text, answer jsonb, subject jsonb)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    outcomes text[];
    refusals jsonb[];
    ids      uuid[];
BEGIN
    -- Who holds a licence or a code is decided by one batch at a time.
    PERFORM pg_advisory_xact_lock(4849523, 5);
    IF EXISTS (SELECT FROM unnest(ordinals, requests) AS a(ordinal, request), LATERAL (
                   SELECT c.kind, c.key FROM api.organization_claims(a.request) c
                   UNION ALL
                   SELECT 'national_code', a.request #>> '{body,maker_code}'
                   WHERE a.request #>> '{body,maker_code}' <> 'ZZZ') c
               GROUP BY c.kind, c.key HAVING count(DISTINCT a.ordinal) > 1) THEN
        RAISE EXCEPTION 'two organizations of one batch claim one licence or code' USING ERRCODE = 'CT003';
    END IF;

    SELECT array_agg(coalesce(v.outcome, 'ok') ORDER BY a.place), array_agg(v.refusal ORDER BY a.place),
           array_agg(gen_random_uuid() ORDER BY a.place)
    INTO outcomes, refusals, ids
    FROM unnest(requests) WITH ORDINALITY AS a(request, place)
    LEFT JOIN LATERAL (
        SELECT 1 AS rank, 'licence_required' AS outcome,
               api.refusal('/licence', 'this kind of organization needs a licence') AS refusal
        WHERE a.request #>> '{body,kind}' IN ('manufacturer', 'importer', 'distributor', 'dealer', 'gunsmith',
                                              'component_producer')
          AND a.request #> '{body,licence}' IS NULL
        UNION ALL
        SELECT 1, 'licence_required', api.refusal('/ori', 'an agency needs an ORI')
        WHERE a.request #>> '{body,kind}' = 'agency' AND a.request #> '{body,ori}' IS NULL
        UNION ALL
        SELECT 2, 'date_out_of_order', api.refusal(c.pointer || '/to', 'not before the first day')
        FROM api.organization_claims(a.request) c WHERE c.valid_to < c.valid_from
        UNION ALL
        SELECT 3, 'licence_in_use', api.refusal(c.pointer, 'another organization holds it in that time')
        FROM api.organization_claims(a.request) c
        JOIN registry.organization_licence l ON l.kind = c.kind AND l.key = c.key
            AND coalesce(l.valid_from, '-infinity') <= coalesce(c.valid_to, 'infinity')
            AND coalesce(l.valid_to, 'infinity') >= coalesce(c.valid_from, '-infinity')
        UNION ALL
        SELECT 4, 'conflict', api.refusal('/maker_code', 'another maker has this national code')
        FROM registry.maker_key k
        WHERE k.kind = 'national_code' AND k.key = a.request #>> '{body,maker_code}'
        ORDER BY 1 LIMIT 1
    ) v ON true;

    INSERT INTO registry.organization (id, name, kind, contact, batch_id, ordinal)
    SELECT a.id, a.request #>> '{body,name}', a.request #>> '{body,kind}', a.request #>> '{body,contact}', batch, a.ordinal
    FROM unnest(ordinals, requests, ids, outcomes) AS a(ordinal, request, id, outcome)
    WHERE a.outcome = 'ok';

    INSERT INTO registry.organization_licence (organization_id, kind, number, key, place, valid_from, valid_to,
                                               batch_id, ordinal)
    SELECT a.id, c.kind, c.number, c.key, c.place, c.valid_from, c.valid_to, batch, a.ordinal
    FROM unnest(ordinals, requests, ids, outcomes) AS a(ordinal, request, id, outcome),
         api.organization_claims(a.request) c
    WHERE a.outcome = 'ok';

    PERFORM api.organization_makers_enter(batch, array_agg(a.ordinal), array_agg(a.id), array_agg(a.request))
    FROM unnest(ordinals, requests, ids, outcomes) AS a(ordinal, request, id, outcome)
    WHERE a.outcome = 'ok'
    HAVING count(*) > 0;

    RETURN QUERY
    SELECT a.ordinal, a.outcome, coalesce(o.answer, a.refusal),
           CASE WHEN o.id IS NOT NULL THEN jsonb_build_object('organization', o.answer -> 'id')
                ELSE jsonb_strip_nulls(jsonb_build_object('licence', a.request #> '{body,licence}',
                                                          'ori', a.request #> '{body,ori}')) END
    FROM unnest(ordinals, requests, ids, outcomes, refusals) AS a(ordinal, request, id, outcome, refusal)
    LEFT JOIN api.organization_answer o ON o.id = a.id;
END $$;
COMMENT ON FUNCTION api.create_organization(uuid, integer[], uuid[], uuid[], jsonb[]) IS
    'operation create_organization; raises CT003 when two requests of the batch claim one licence or code';

CREATE FUNCTION api.list_organizations(batch uuid, ordinals integer[], accounts uuid[], organizations uuid[],
                                       requests jsonb[])
    RETURNS TABLE (ordinal integer, outcome text, answer jsonb, subject jsonb)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT a.ordinal,
           CASE WHEN a.cursor_wrong THEN 'invalid_request' ELSE 'ok' END,
           CASE WHEN a.cursor_wrong THEN api.refusal('/query/cursor', 'not a cursor of this list')
                ELSE jsonb_build_object('data', coalesce(p.data, '[]'::jsonb),
                                        'next_cursor', CASE WHEN p.found > a.page THEN p.last END) END,
           jsonb_build_object('rows', least(coalesce(p.found, 0), a.page))
    FROM (
        SELECT u.ordinal, u.request -> 'query' AS query, api.page_limit(u.request) AS page, c.name, c.id,
               u.request #> '{query,cursor}' IS NOT NULL AND c.id IS NULL AS cursor_wrong
        FROM unnest(ordinals, requests) AS u(ordinal, request)
        LEFT JOIN registry.organization c ON c.id = api.cursor_uuid(u.request)
    ) a
    LEFT JOIN LATERAL (
        SELECT jsonb_agg(r.answer ORDER BY r.place) FILTER (WHERE r.place <= a.page) AS data,
               count(*) AS found,
               max(replace(r.id::text, '-', '')) FILTER (WHERE r.place = a.page) AS last
        FROM (
            SELECT w.id, w.answer, row_number() OVER (ORDER BY w.name, w.id) AS place
            FROM (
                SELECT o.id, o.name, o.answer
                FROM api.organization_answer o
                WHERE (a.id IS NULL OR (o.name, o.id) > (a.name, a.id))
                  AND (a.query ->> 'kind' IS NULL OR o.kind = a.query ->> 'kind')
                  AND (a.query ->> 'licence' IS NULL OR o.id IN (
                      SELECT l.organization_id FROM registry.organization_licence l
                      WHERE l.kind = 'ffl' AND l.key = api.licence_key('ffl', a.query ->> 'licence')))
                  AND (a.query ->> 'ori' IS NULL OR o.id IN (
                      SELECT l.organization_id FROM registry.organization_licence l
                      WHERE l.kind = 'ori' AND l.key = api.licence_key('ori', a.query ->> 'ori')))
                ORDER BY o.name, o.id
                LIMIT a.page + 1
            ) w
        ) r
    ) p ON NOT a.cursor_wrong
$$;
COMMENT ON FUNCTION api.list_organizations(uuid, integer[], uuid[], uuid[], jsonb[]) IS
    'operation list_organizations: by name, a page at a time';

CREATE FUNCTION api.get_organization(batch uuid, ordinals integer[], accounts uuid[], organizations uuid[],
                                     requests jsonb[])
    RETURNS TABLE (ordinal integer, outcome text, answer jsonb, subject jsonb)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT a.ordinal, CASE WHEN o.id IS NULL THEN 'not_found' ELSE 'ok' END, o.answer,
           jsonb_build_object('organization', a.request #> '{path,id}')
    FROM unnest(ordinals, requests) AS a(ordinal, request)
    LEFT JOIN api.organization_answer o ON o.id = api.parse_id('org', a.request #>> '{path,id}')
$$;
COMMENT ON FUNCTION api.get_organization(uuid, integer[], uuid[], uuid[], jsonb[]) IS 'operation get_organization';
