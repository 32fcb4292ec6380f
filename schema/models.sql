-- SPDX-License-Identifier: Apache-2.0
-- Who is meant by what people write: organizations, external parties, makers;
-- and the makers' models.

CREATE FUNCTION api.fold_name(written text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN lower(btrim(regexp_replace(written, '\s+', ' ', 'g')));
COMMENT ON FUNCTION api.fold_name(text) IS 'what is compared of a name in any script: lower case, single blanks';

-- parties -----------------------------------------------------------------------------

CREATE VIEW api.maker_known AS
SELECT m.id, coalesce(o.name, m.name) AS name, o.id AS organization_id, c.key AS national_code
FROM registry.maker m
LEFT JOIN registry.maker_key k ON k.maker_id = m.id AND k.kind = 'organization'
LEFT JOIN registry.organization o ON o.id = k.key::uuid
LEFT JOIN registry.maker_key c ON c.maker_id = m.id AND c.kind = 'national_code';
COMMENT ON VIEW api.maker_known IS 'makers with the organization that each one is, if it takes part';

CREATE FUNCTION api.organization_by_licence(licence_kind text, licence_key text) RETURNS uuid
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF licence_key IS NULL THEN
        RETURN NULL;
    END IF;
    -- Today's holder, or the last one there was.
    RETURN (SELECT l.organization_id FROM registry.organization_licence l
            WHERE l.kind = licence_kind AND l.key = licence_key
            ORDER BY coalesce(l.valid_from, '-infinity') <= api.today()
                     AND coalesce(l.valid_to, 'infinity') >= api.today() DESC,
                     l.valid_to DESC NULLS FIRST, l.organization_id
            LIMIT 1);
END $$;
COMMENT ON FUNCTION api.organization_by_licence(text, text) IS 'organization that holds the licence with that key; null if none does';

-- Each way of writing excludes the others by its form, so their order does not
-- matter: org_ and 32 digits, 15 characters of a licence, 9 of an ORI, 3 letters.
CREATE FUNCTION api.parties(texts text[])
    RETURNS TABLE (written text, organization_id uuid, external_id uuid, maker_id uuid, licence_key text)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT w.written, o.organization_id, x.id, m.maker_id, w.licence_key
    FROM (SELECT DISTINCT u.written, api.licence_key('ffl', u.written) AS licence_key
          FROM unnest(texts) AS u(written) WHERE u.written IS NOT NULL) w
    CROSS JOIN LATERAL (
        SELECT coalesce(
            (SELECT g.id FROM registry.organization g WHERE g.id = api.parse_id('org', w.written)),
            api.organization_by_licence('ffl', w.licence_key),
            CASE WHEN w.written ~ '^[A-Z]{2}[A-Z0-9]{7}$' THEN api.organization_by_licence('ori', w.written) END,
            CASE WHEN w.written ~ '^[A-Z]{3}$' THEN (
                SELECT k.organization_id FROM registry.maker_key c JOIN api.maker_known k ON k.id = c.maker_id
                WHERE c.kind = 'national_code' AND c.key = w.written) END) AS organization_id
    ) o
    LEFT JOIN registry.external_party x ON x.key = w.licence_key
    CROSS JOIN LATERAL (
        SELECT coalesce(
            (SELECT k.maker_id FROM registry.maker_key k
             WHERE k.kind = 'organization' AND k.key = o.organization_id::text),
            (SELECT k.maker_id FROM registry.maker_key k WHERE k.kind = 'licence' AND k.key = w.licence_key),
            (SELECT k.maker_id FROM registry.maker_key k WHERE k.kind = 'national_code' AND k.key = w.written),
            -- A name counts when it is one maker's only.
            (SELECT (array_agg(k.maker_id))[1] FROM registry.maker_key k
             WHERE k.kind = 'name' AND k.key = api.fold_name(w.written)
             HAVING count(*) = 1)) AS maker_id
    ) m;
END $$;
COMMENT ON FUNCTION api.parties(text[]) IS
    'who each text names: an organization (by id, licence, ORI or national code), an external party (by licence), '
    'a maker (in these ways or by name); one row for each text, null where nobody is known';

CREATE VIEW api.party AS
SELECT o.id, o.id AS now_id, o.name
FROM registry.organization o
UNION ALL
SELECT x.id, coalesce(h.id, x.id), coalesce(h.name, x.written)
FROM registry.external_party x
LEFT JOIN registry.organization h ON h.id = api.organization_by_licence('ffl', x.key);
COMMENT ON VIEW api.party IS
    'organizations and external parties; now_id and name are those of the organization that has an external party''s licence '
    'since it was entered';

-- An external party gets its id here and its row with the first record that
-- names it, so that a refused request leaves nothing.
CREATE FUNCTION api.parties_map(texts text[]) RETURNS jsonb
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN (WITH party AS MATERIALIZED (SELECT p.* FROM api.parties(texts) p),
    fresh AS MATERIALIZED (
        SELECT k.licence_key, k.written, gen_random_uuid() AS id
        FROM (SELECT p.licence_key, min(p.written) AS written FROM party p
              WHERE p.organization_id IS NULL AND p.external_id IS NULL
                AND upper(p.written) ~ '^[1345689]-?[0-9]{2}-?[0-9]{3}-?[0-9]{2}-?[0-9][A-HJ-M]-?[0-9]{5}$'
              GROUP BY p.licence_key) k
    )
    SELECT coalesce(jsonb_object_agg(p.written, jsonb_build_object(
               'organization', p.organization_id, 'party', coalesce(p.organization_id, p.external_id, f.id),
               'name', coalesce(n.name, f.written),
               'maker', p.maker_id, 'key', p.licence_key, 'fresh', f.id IS NOT NULL)), '{}'::jsonb)
    FROM party p
    LEFT JOIN fresh f ON f.licence_key = p.licence_key
    LEFT JOIN api.party n ON n.id = coalesce(p.organization_id, p.external_id));
END $$;
COMMENT ON FUNCTION api.parties_map(text[]) IS
    'api.parties as an object from each text; party is null only where the text is neither known nor a licence';

CREATE FUNCTION api.external_parties_enter(batch uuid, map jsonb, texts text[], ordinals integer[]) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    INSERT INTO registry.external_party (id, key, written, batch_id, ordinal)
    SELECT DISTINCT ON (p.id) p.id, p.value ->> 'key', p.value ->> 'name', batch, u.ordinal
    FROM unnest(texts, ordinals) WITH ORDINALITY AS u(written, ordinal, place)
    CROSS JOIN LATERAL (
        SELECT map -> u.written AS value, ((map -> u.written) ->> 'party')::uuid AS id OFFSET 0
    ) p
    WHERE (p.value -> 'fresh')::boolean AND NOT EXISTS (SELECT FROM registry.external_party x WHERE x.id = p.id)
    ORDER BY p.id, u.place;
EXCEPTION WHEN unique_violation THEN
    RAISE EXCEPTION 'another batch entered the licence at the same time' USING ERRCODE = '40001';
END $$;
COMMENT ON FUNCTION api.external_parties_enter(uuid, jsonb, text[], integer[]) IS
    'enters the external parties that a map has ids for and that these texts name';

CREATE FUNCTION api.importers_map(map jsonb, texts text[]) RETURNS jsonb
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN (WITH unknown AS MATERIALIZED (
        SELECT u.written, u.value ->> 'key' AS key
        FROM (SELECT DISTINCT w.written, map -> w.written AS value
              FROM unnest(texts) AS w(written) WHERE w.written IS NOT NULL) u
        WHERE u.value ->> 'maker' IS NULL AND u.value ->> 'organization' IS NULL AND u.value ->> 'party' IS NOT NULL
    ), fresh AS MATERIALIZED (SELECT k.key, gen_random_uuid() AS id FROM (SELECT DISTINCT u.key FROM unknown u) k)
    SELECT map || coalesce(jsonb_object_agg(u.written, (map -> u.written)
                               || jsonb_build_object('maker', f.id, 'fresh_maker', true)), '{}'::jsonb)
    FROM unknown u JOIN fresh f ON f.key = u.key);
END $$;
COMMENT ON FUNCTION api.importers_map(jsonb, text[]) IS
    'the map with a maker for each of these texts that is a licence which nobody here has: an importer that takes no part';

CREATE FUNCTION api.importers_enter(batch uuid, map jsonb, texts text[], ordinals integer[]) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    WITH fresh AS MATERIALIZED (
        SELECT DISTINCT ON (p.value ->> 'key') (p.value ->> 'maker')::uuid AS id, p.value ->> 'key' AS key,
               p.value ->> 'name' AS written, u.ordinal
        FROM unnest(texts, ordinals) WITH ORDINALITY AS u(written, ordinal, place)
        CROSS JOIN LATERAL (SELECT map -> u.written AS value OFFSET 0) p
        WHERE (p.value -> 'fresh_maker')::boolean
        ORDER BY p.value ->> 'key', u.place
    ), made AS (
        INSERT INTO registry.maker (id, name, batch_id, ordinal)
        SELECT f.id, f.written, batch, f.ordinal FROM fresh f
    )
    INSERT INTO registry.maker_key (kind, key, maker_id, written, batch_id, ordinal)
    SELECT 'licence', f.key, f.id, f.written, batch, f.ordinal FROM fresh f;
EXCEPTION WHEN unique_violation THEN
    RAISE EXCEPTION 'another batch entered the importer at the same time' USING ERRCODE = '40001';
END $$;
COMMENT ON FUNCTION api.importers_enter(uuid, jsonb, text[], integer[]) IS
    'enters the makers that importers_map has ids for and that these texts name';

CREATE FUNCTION api.party_now(party uuid) RETURNS uuid
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN (SELECT p.now_id FROM api.party p WHERE p.id = party);
END $$;
COMMENT ON FUNCTION api.party_now(uuid) IS
    'the same party, or the organization that has since been entered with an external party''s licence';

-- makers ------------------------------------------------------------------------------

CREATE FUNCTION api.makers_ensure(batch uuid, ordinals integer[], organizations uuid[]) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    IF NOT EXISTS (SELECT FROM unnest(organizations) AS w(id) WHERE w.id IS NOT NULL AND NOT EXISTS (
                       SELECT FROM registry.maker_key k WHERE k.kind = 'organization' AND k.key = w.id::text)) THEN
        RETURN;
    END IF;
    -- Two batches that find one missing: the second waits, then sees it.
    PERFORM pg_advisory_xact_lock(4849523, 7);
    WITH missing AS MATERIALIZED (
        SELECT o.id, o.name, w.ordinal,
               -- Others may have written its licence before it was entered here.
               (SELECT k.maker_id FROM registry.organization_licence l
                JOIN registry.maker_key k ON k.kind = 'licence' AND k.key = l.key
                WHERE l.organization_id = o.id AND l.kind = 'ffl'
                  AND NOT EXISTS (SELECT FROM registry.maker_key t
                                  WHERE t.maker_id = k.maker_id AND t.kind = 'organization')
                ORDER BY k.recorded_at LIMIT 1) AS adopted,
               gen_random_uuid() AS fresh
        FROM (SELECT u.id, min(u.ordinal) AS ordinal FROM unnest(organizations, ordinals) AS u(id, ordinal) GROUP BY u.id) w
        JOIN registry.organization o ON o.id = w.id
        WHERE NOT EXISTS (SELECT FROM registry.maker_key k WHERE k.kind = 'organization' AND k.key = o.id::text)
    ), made AS (
        INSERT INTO registry.maker (id, name, batch_id, ordinal)
        SELECT m.fresh, m.name, batch, m.ordinal FROM missing m WHERE m.adopted IS NULL
    )
    INSERT INTO registry.maker_key (kind, key, maker_id, written, batch_id, ordinal)
    SELECT k.kind, k.key, coalesce(m.adopted, m.fresh), k.written, batch, m.ordinal
    FROM missing m
    CROSS JOIN LATERAL (VALUES ('organization', m.id::text, m.name), ('name', api.fold_name(m.name), m.name))
        AS k(kind, key, written);
END $$;
COMMENT ON FUNCTION api.makers_ensure(uuid, integer[], uuid[]) IS
    'makes the maker of each of these organizations unless it is there; the maker that others knew by its licence is taken over';

CREATE FUNCTION api.organization_makers_enter(batch uuid, ordinals integer[], organizations uuid[], requests jsonb[])
    RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    kept CONSTANT text[] := ARRAY['manufacturer', 'importer', 'component_producer'];
BEGIN
    PERFORM api.makers_ensure(batch, array_agg(a.ordinal), array_agg(a.id))
    FROM unnest(ordinals, organizations, requests) AS a(ordinal, id, request)
    WHERE a.request #>> '{body,kind}' = ANY (kept)
       OR a.request #> '{body,maker_code}' IS NOT NULL OR a.request #> '{body,models}' IS NOT NULL;

    INSERT INTO registry.maker_key (kind, key, maker_id, written, batch_id, ordinal)
    SELECT 'national_code', a.request #>> '{body,maker_code}', k.maker_id, a.request #>> '{body,maker_code}', batch, a.ordinal
    FROM unnest(ordinals, organizations, requests) AS a(ordinal, id, request)
    JOIN registry.maker_key k ON k.kind = 'organization' AND k.key = a.id::text
    -- ZZZ means "other": it names nobody.
    WHERE a.request #>> '{body,maker_code}' <> 'ZZZ';

    INSERT INTO registry.model (maker_id, name, name_key, batch_id, ordinal)
    SELECT DISTINCT ON (a.ordinal, api.fold_name(n.name)) k.maker_id, n.name, api.fold_name(n.name), batch, a.ordinal
    FROM unnest(ordinals, organizations, requests) AS a(ordinal, id, request)
    JOIN registry.maker_key k ON k.kind = 'organization' AND k.key = a.id::text
    CROSS JOIN LATERAL jsonb_array_elements_text(a.request #> '{body,models}') WITH ORDINALITY AS n(name, place)
    ORDER BY a.ordinal, api.fold_name(n.name), n.place
    ON CONFLICT (maker_id, name_key) DO NOTHING;
END $$;
COMMENT ON FUNCTION api.organization_makers_enter(uuid, integer[], uuid[], jsonb[]) IS
    'part of create_organization: makers, national codes and models of the organizations that were just entered';

-- models ------------------------------------------------------------------------------

CREATE VIEW api.model_answer AS
SELECT d.id, d.maker_id, k.name AS maker, d.name_key,
       jsonb_build_object('id', api.public_id('mdl', d.id), 'maker', k.name, 'name', d.name,
                          'caliber', d.caliber, 'type', d.firearm_type) AS answer
FROM registry.model d JOIN api.maker_known k ON k.id = d.maker_id;
COMMENT ON VIEW api.model_answer IS 'models as clients see them';

CREATE FUNCTION api.create_model(batch uuid, ordinals integer[], accounts uuid[], organizations uuid[], requests jsonb[])
    RETURNS TABLE (ordinal integer, outcome text, answer jsonb, subject jsonb)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    calibers CONSTANT jsonb := api.vocabulary_words('caliber');
    types    CONSTANT jsonb := api.vocabulary_words('firearm_type');
    makers   uuid[];
    outcomes text[];
    refusals jsonb[];
    ids      uuid[];
BEGIN
    -- A manufacturer is a maker from its first model on.
    PERFORM api.makers_ensure(batch, array_agg(a.ordinal), array_agg(a.organization))
    FROM unnest(ordinals, organizations, requests) AS a(ordinal, organization, request)
    WHERE a.request #> '{body,maker}' IS NULL AND a.request -> 'roles' ? 'manufacturer';

    SELECT array_agg(a.maker_id ORDER BY a.position), array_agg(coalesce(v.outcome, 'ok') ORDER BY a.position),
           array_agg(v.refusal ORDER BY a.position), array_agg(gen_random_uuid() ORDER BY a.position)
    INTO makers, outcomes, refusals, ids
    FROM (
        SELECT u.position, u.request, u.request -> 'body' AS body,
               CASE WHEN u.request #> '{body,maker}' IS NULL THEN own.maker_id ELSE p.maker_id END AS maker_id,
               own.maker_id AS own_maker
        FROM unnest(organizations, requests) WITH ORDINALITY AS u(organization, request, position)
        LEFT JOIN registry.maker_key own ON own.kind = 'organization' AND own.key = u.organization::text
        LEFT JOIN api.parties(ARRAY(SELECT r #>> '{body,maker}' FROM unnest(requests) r)) p
            ON p.written = u.request #>> '{body,maker}'
    ) a
    LEFT JOIN LATERAL (
        SELECT 1 AS rank, 'maker_refused' AS outcome,
               api.refusal('/maker', 'only an authority names another maker') AS refusal
        WHERE a.body -> 'maker' IS NOT NULL AND a.maker_id IS DISTINCT FROM a.own_maker
          AND NOT a.request -> 'roles' ? 'authority'
        UNION ALL
        SELECT 2, 'unknown_maker', api.refusal('/maker', 'licence number or national code of a maker')
        WHERE a.maker_id IS NULL
        UNION ALL
        SELECT 3, 'unknown_word', api.refusal('/caliber', 'a word of the vocabulary caliber')
        WHERE a.body -> 'caliber' IS NOT NULL AND NOT calibers ? api.fold_word(a.body ->> 'caliber')
        UNION ALL
        SELECT 4, 'unknown_word', api.refusal('/type', 'a word of the vocabulary firearm_type')
        WHERE a.body -> 'type' IS NOT NULL AND NOT types ? api.fold_word(a.body ->> 'type')
        UNION ALL
        SELECT 5, 'model_in_use', api.refusal('/name', 'the maker has a model of this name')
        FROM registry.model d WHERE d.maker_id = a.maker_id AND d.name_key = api.fold_name(a.body ->> 'name')
        ORDER BY 1 LIMIT 1
    ) v ON true;

    IF EXISTS (SELECT FROM unnest(makers, outcomes, requests) AS a(maker_id, outcome, request)
               WHERE a.outcome = 'ok'
               GROUP BY a.maker_id, api.fold_name(a.request #>> '{body,name}') HAVING count(*) > 1) THEN
        RAISE EXCEPTION 'two requests of one batch enter one model' USING ERRCODE = 'CT003';
    END IF;
    BEGIN
        INSERT INTO registry.model (id, maker_id, name, name_key, caliber, firearm_type, batch_id, ordinal)
        SELECT a.id, a.maker_id, a.request #>> '{body,name}', api.fold_name(a.request #>> '{body,name}'),
               calibers ->> api.fold_word(a.request #>> '{body,caliber}'),
               types ->> api.fold_word(a.request #>> '{body,type}'), batch, a.ordinal
        FROM unnest(ids, makers, requests, ordinals, outcomes) AS a(id, maker_id, request, ordinal, outcome)
        WHERE a.outcome = 'ok';
    EXCEPTION WHEN unique_violation THEN
        RAISE EXCEPTION 'another batch entered the model at the same time' USING ERRCODE = '40001';
    END;

    RETURN QUERY
    SELECT a.ordinal, a.outcome, coalesce(d.answer, a.refusal),
           CASE WHEN d.id IS NOT NULL THEN jsonb_build_object('model', d.answer -> 'id') ELSE '{}'::jsonb END
    FROM unnest(ids, ordinals, outcomes, refusals) AS a(id, ordinal, outcome, refusal)
    LEFT JOIN api.model_answer d ON d.id = a.id;
END $$;
COMMENT ON FUNCTION api.create_model(uuid, integer[], uuid[], uuid[], jsonb[]) IS
    'operation create_model; raises CT003 when two requests of the batch enter one model';

CREATE FUNCTION api.list_models(batch uuid, ordinals integer[], accounts uuid[], organizations uuid[], requests jsonb[])
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
        SELECT u.ordinal, api.page_limit(u.request) AS page, c.id, c.maker, c.maker_id, c.name_key,
               u.request #> '{query,maker}' IS NOT NULL AS of_maker, m.maker_id AS asked_maker,
               u.request #> '{query,cursor}' IS NOT NULL AND c.id IS NULL AS cursor_wrong
        FROM unnest(ordinals, requests) AS u(ordinal, request)
        LEFT JOIN api.model_answer c ON c.id = api.cursor_uuid(u.request)
        LEFT JOIN api.parties(ARRAY(SELECT r #>> '{query,maker}' FROM unnest(requests) r)) m
            ON m.written = u.request #>> '{query,maker}'
    ) a
    LEFT JOIN LATERAL (
        SELECT jsonb_agg(r.answer ORDER BY r.place) FILTER (WHERE r.place <= a.page) AS data,
               count(*) AS found,
               max(replace(r.id::text, '-', '')) FILTER (WHERE r.place = a.page) AS last
        FROM (
            SELECT w.id, w.answer, row_number() OVER (ORDER BY w.maker, w.maker_id, w.name_key) AS place
            FROM (
                SELECT d.id, d.maker, d.maker_id, d.name_key, d.answer
                FROM api.model_answer d
                WHERE (a.id IS NULL OR (d.maker, d.maker_id, d.name_key) > (a.maker, a.maker_id, a.name_key))
                  AND (NOT a.of_maker OR d.maker_id = a.asked_maker)
                ORDER BY d.maker, d.maker_id, d.name_key
                LIMIT a.page + 1
            ) w
        ) r
    ) p ON NOT a.cursor_wrong;
END $$;
COMMENT ON FUNCTION api.list_models(uuid, integer[], uuid[], uuid[], jsonb[]) IS
    'operation list_models: by maker and name, a page at a time';
