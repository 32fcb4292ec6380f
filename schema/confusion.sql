-- SPDX-License-Identifier: Apache-2.0
-- Confusion matrices: recorded as versions, put in force by an act of its own.
-- That rows sum to 1 and the like is checked by the keeper, which uses them.

CREATE FUNCTION api.confusion_active_name() RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN coalesce((SELECT a.name FROM registry.confusion_activation a ORDER BY a.seq DESC LIMIT 1), 'default-1');
END $$;
COMMENT ON FUNCTION api.confusion_active_name() IS 'the matrix in force';

CREATE FUNCTION api.confusion_active(known text)
    RETURNS TABLE (name text, rates json)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY SELECT m.name, m.rates FROM registry.confusion_matrix m
    WHERE m.name = api.confusion_active_name() AND m.name <> known;
END $$;
COMMENT ON FUNCTION api.confusion_active(text) IS
    'the matrix in force, unless it is the one that the keeper has; rates null: the software''s own';

CREATE FUNCTION api.confusion_json(matrix registry.confusion_matrix, active text) RETURNS jsonb
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN jsonb_build_object(
        'name', matrix.name, 'origin', matrix.origin, 'description', matrix.description, 'readings', matrix.readings,
        'digest', encode(matrix.digest, 'hex'), 'created_by', api.public_id('acc', matrix.account_id),
        'recorded_at', api.time_text(matrix.recorded_at), 'active', matrix.name = active,
        'active_from', (SELECT api.time_text(max(a.recorded_at)) FROM registry.confusion_activation a
                        WHERE a.name = matrix.name AND matrix.name = active));
END $$;
COMMENT ON FUNCTION api.confusion_json(registry.confusion_matrix, text) IS 'a matrix as lists show it, without its figures';

CREATE FUNCTION api.confusion_add(batch uuid, of_ordinal integer, account uuid, of_name text, of_origin text, of_description text,
                                  of_rates json, of_readings bigint) RETURNS jsonb
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    made registry.confusion_matrix;
BEGIN
    INSERT INTO registry.confusion_matrix (name, seq, origin, description, rates, digest, readings, account_id, batch_id, ordinal)
    SELECT of_name, max(m.seq) + 1, of_origin, of_description, of_rates, sha256(convert_to(of_rates::text, 'UTF8')), of_readings,
           account, batch, of_ordinal
    FROM registry.confusion_matrix m
    RETURNING * INTO made;
    RETURN api.confusion_json(made, api.confusion_active_name());
EXCEPTION WHEN unique_violation THEN
    RAISE EXCEPTION 'another batch recorded a matrix at the same time' USING ERRCODE = '40001';
END $$;
COMMENT ON FUNCTION api.confusion_add(uuid, integer, uuid, text, text, text, json, bigint) IS 'records a matrix; returns it as lists show it';

-- The three that follow stand alone in their batch, so one of a name is made at a time.
CREATE FUNCTION api.create_confusion_matrix(batch uuid, ordinals integer[], accounts uuid[], organizations uuid[], requests jsonb[])
    RETURNS TABLE (ordinal integer, outcome text, answer jsonb, subject jsonb)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT a.ordinal, coalesce(r.outcome, 'ok'),
           CASE WHEN r.outcome IS NOT NULL THEN api.refusal('/name', r.detail)
                ELSE api.confusion_add(batch, a.ordinal, a.account, a.name, 'loaded', a.request #>> '{body,description}',
                                       (a.request -> 'rates')::json, NULL) END,
           jsonb_build_object('matrix', a.name)
    FROM (SELECT u.ordinal, u.account, u.request, u.request #>> '{body,name}' AS name
          FROM unnest(ordinals, accounts, requests) AS u(ordinal, account, request)) a
    LEFT JOIN LATERAL (
        SELECT 'conflict' AS outcome, 'names of this kind are given here' AS detail WHERE a.name ~ '^(default|learned)-[0-9]+$'
        UNION ALL
        SELECT 'conflict', 'a matrix has this name; make it the next version'
        FROM registry.confusion_matrix m WHERE m.name = a.name
        LIMIT 1
    ) r ON true;
END $$;
COMMENT ON FUNCTION api.create_confusion_matrix(uuid, integer[], uuid[], uuid[], jsonb[]) IS
    'operation create_confusion_matrix: records what was loaded; it is not in force by that';

CREATE FUNCTION api.confusion_counts()
    RETURNS TABLE (true_character text, read_character text, readings bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT substr(f.code, p.place, 1), substr(f.reading, p.place, 1), count(*)
    FROM registry.test_fire f
    CROSS JOIN LATERAL generate_series(1, length(f.code)) AS p(place)
    WHERE substr(f.reading, p.place, 1) <> '?'
    GROUP BY 1, 2;
END $$;
COMMENT ON FUNCTION api.confusion_counts() IS 'how often which character of known firearms was read as which, on test fires alone';

CREATE FUNCTION api.learn_confusion_matrix(batch uuid, ordinals integer[], accounts uuid[], organizations uuid[], requests jsonb[])
    RETURNS TABLE (ordinal integer, outcome text, answer jsonb, subject jsonb)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT a.ordinal, CASE WHEN a.readings > 0 THEN 'ok' ELSE 'nothing_to_learn' END,
           CASE WHEN a.readings > 0
                THEN api.confusion_add(batch, a.ordinal, a.account, a.name, 'learned', a.request #>> '{body,description}',
                                       (a.request -> 'rates')::json, a.readings)
                ELSE jsonb_build_object('detail', 'no test fire of a known firearm was compared yet') END,
           jsonb_build_object('matrix', CASE WHEN a.readings > 0 THEN a.name END, 'readings', a.readings)
    FROM (SELECT u.ordinal, u.account, u.request, (u.request ->> 'readings')::bigint AS readings,
                 'learned-' || (SELECT count(*) + 1 FROM registry.confusion_matrix m WHERE m.origin = 'learned') AS name
          FROM unnest(ordinals, accounts, requests) AS u(ordinal, account, request)) a;
END $$;
COMMENT ON FUNCTION api.learn_confusion_matrix(uuid, integer[], uuid[], uuid[], jsonb[]) IS
    'operation learn_confusion_matrix: records what the keeper made of confusion_counts(); it is not in force by that';

CREATE FUNCTION api.activate_confusion_matrix(batch uuid, ordinals integer[], accounts uuid[], organizations uuid[], requests jsonb[])
    RETURNS TABLE (ordinal integer, outcome text, answer jsonb, subject jsonb)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    INSERT INTO registry.confusion_activation (seq, name, reason, account_id, batch_id, ordinal)
    SELECT (SELECT coalesce(max(a.seq), 0) FROM registry.confusion_activation a) + row_number() OVER (ORDER BY u.ordinal),
           m.name, u.request #>> '{body,reason}', u.account, batch, u.ordinal
    FROM unnest(ordinals, accounts, requests) AS u(ordinal, account, request)
    JOIN registry.confusion_matrix m ON m.name = u.request #>> '{path,name}'
    -- What is in force already stays as it is, and since when.
    WHERE m.name <> api.confusion_active_name();
    RETURN QUERY
    SELECT u.ordinal, CASE WHEN m.name IS NULL THEN 'not_found' ELSE 'ok' END,
           CASE WHEN m.name IS NOT NULL THEN api.confusion_json(m, m.name) END,
           jsonb_build_object('matrix', u.request #> '{path,name}', 'reason', u.request #> '{body,reason}')
    FROM unnest(ordinals, requests) AS u(ordinal, request)
    LEFT JOIN registry.confusion_matrix m ON m.name = u.request #>> '{path,name}';
EXCEPTION WHEN unique_violation THEN
    RAISE EXCEPTION 'another batch put a matrix in force at the same time' USING ERRCODE = '40001';
END $$;
COMMENT ON FUNCTION api.activate_confusion_matrix(uuid, integer[], uuid[], uuid[], jsonb[]) IS
    'operation activate_confusion_matrix: traces use it from now on, within a second or two';

CREATE FUNCTION api.list_confusion_matrices(batch uuid, ordinals integer[], accounts uuid[], organizations uuid[], requests jsonb[])
    RETURNS TABLE (ordinal integer, outcome text, answer jsonb, subject jsonb)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    active CONSTANT text := api.confusion_active_name();
BEGIN
    RETURN QUERY
    SELECT a.ordinal,
           CASE WHEN a.cursor_wrong THEN 'invalid_request' ELSE 'ok' END,
           CASE WHEN a.cursor_wrong THEN api.refusal('/query/cursor', 'not a cursor of this list')
                ELSE jsonb_build_object('data', coalesce(p.data, '[]'::jsonb),
                                        'next_cursor', CASE WHEN p.found > a.page THEN p.last::text END) END,
           jsonb_build_object('rows', least(coalesce(p.found, 0), a.page))
    FROM (SELECT u.ordinal, api.page_limit(u.request) AS page, coalesce(api.cursor_index(u.request), 9223372036854775807) AS before,
                 u.request #> '{query,cursor}' IS NOT NULL AND api.cursor_index(u.request) IS NULL AS cursor_wrong
          FROM unnest(ordinals, requests) AS u(ordinal, request)) a
    LEFT JOIN LATERAL (
        SELECT jsonb_agg(api.confusion_json(r.matrix, active) ORDER BY r.place) FILTER (WHERE r.place <= a.page) AS data,
               count(*) AS found, max((r.matrix).seq) FILTER (WHERE r.place = a.page) AS last
        FROM (SELECT w.matrix, row_number() OVER (ORDER BY (w.matrix).seq DESC) AS place
              FROM (SELECT m AS matrix FROM registry.confusion_matrix m WHERE m.seq < a.before
                    ORDER BY m.seq DESC LIMIT a.page + 1) w) r
    ) p ON NOT a.cursor_wrong;
END $$;
COMMENT ON FUNCTION api.list_confusion_matrices(uuid, integer[], uuid[], uuid[], jsonb[]) IS
    'operation list_confusion_matrices: the newest first, without their figures';

CREATE FUNCTION api.get_confusion_matrix(batch uuid, ordinals integer[], accounts uuid[], organizations uuid[], requests jsonb[])
    RETURNS TABLE (ordinal integer, outcome text, answer jsonb, subject jsonb)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT u.ordinal, CASE WHEN m.name IS NULL THEN 'not_found' ELSE 'ok' END,
           CASE WHEN m.name IS NOT NULL
                THEN api.confusion_json(m, api.confusion_active_name())
                     || jsonb_build_object('opaque', m.rates::jsonb -> 'opaque', 'r29', m.rates::jsonb -> 'r29') END,
           jsonb_build_object('matrix', u.request #> '{path,name}')
    FROM unnest(ordinals, requests) AS u(ordinal, request)
    LEFT JOIN registry.confusion_matrix m ON m.name = u.request #>> '{path,name}';
END $$;
COMMENT ON FUNCTION api.get_confusion_matrix(uuid, integer[], uuid[], uuid[], jsonb[]) IS
    'operation get_confusion_matrix: with its figures; those of the software''s own are added by the keeper';
