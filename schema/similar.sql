-- SPDX-License-Identifier: Apache-2.0
-- The authority's report of opaque codes that a reading may take for each
-- other. Nobody else learns of them: a maker would learn another's codes.

CREATE FUNCTION api.characters_confusable(a text, b text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN EXISTS (SELECT FROM unnest('{0D,0OQD,1IL7T,2Z,5S,6G,8B3,UV,CG,MN,HN,KX,EF,PR,7TY}'::text[]) AS g(characters)
                   WHERE strpos(g.characters, a) > 0 AND strpos(g.characters, b) > 0);
COMMENT ON FUNCTION api.characters_confusable(text, text) IS
    'do a worn or smeared mark''s characters look alike: the groups that the default confusion matrix is made of';

CREATE FUNCTION api.mark_live(mark uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN NOT EXISTS (SELECT FROM registry.mark n WHERE n.supersedes = mark);
END $$;
COMMENT ON FUNCTION api.mark_live(uuid) IS 'nothing has replaced this mark';

-- Codes are gone through in the order of the index of first halves. Of each, the
-- codes that differ in one character are looked up one by one, and only with
-- characters that some code has at that place: some forty look-ups where makers
-- number their codes, four hundred at most, however alike all codes begin. The
-- one with the lesser character comes first, so a pair comes once.
CREATE FUNCTION api.similar_pairs(after_word text, after_other text, codes_most integer)
    RETURNS TABLE (place bigint, mark_id uuid, word text, "position" integer, other_id uuid, other_word text)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
    SET enable_memoize = off SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT c.place, c.id, c.word, n.position, n.id, n.word
    FROM (
        SELECT k.id, k.word, row_number() OVER (ORDER BY length(k.word), left(k.word, length(k.word) / 2), k.word) AS place
        FROM (SELECT m.id, m.word FROM registry.mark m
              WHERE m.scheme = 'opaque'
                AND (length(m.word), left(m.word, length(m.word) / 2), m.word)
                    >= (length(after_word), left(after_word, length(after_word) / 2), after_word)
                AND (m.word <> after_word OR after_other IS NOT NULL)
                AND api.mark_live(m.id)
              ORDER BY length(m.word), left(m.word, length(m.word) / 2), m.word
              LIMIT codes_most) k
    ) c
    -- A code without a pair is there as well: it says how far this went.
    LEFT JOIN LATERAL (
        SELECT f.position::integer, o.id, o.word
        FROM (
            SELECT v.position, overlay(c.word PLACING v.character FROM v.position FOR 1) AS word
            FROM registry.code_frequency v
            WHERE v.scheme = 'opaque' AND v.length = length(c.word) AND v.character > substr(c.word, v.position, 1)
            OFFSET 0
        ) f
        CROSS JOIN LATERAL (
            SELECT m.id, m.word FROM registry.mark m WHERE m.word = f.word AND m.scheme = 'opaque' OFFSET 0
        ) o
        WHERE (c.word <> after_word OR o.word > after_other) AND api.mark_live(o.id)
        OFFSET 0
    ) n ON true
    ORDER BY c.place, n.word;
END $$;
COMMENT ON FUNCTION api.similar_pairs(text, text, integer) IS
    'the next live opaque codes after that one (by length, then text), or from it on when another is given, each with the '
    'codes after that other that differ from it in one character; a row without another for a code that has none';

CREATE FUNCTION api.similar_side(mark uuid) RETURNS jsonb
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
    RETURN (
        SELECT jsonb_build_object(
                   'code', k.word, 'mark', api.public_id('mrk', k.id), 'placement', k.placement, 'valid_from', k.valid_from,
                   'organization', jsonb_build_object('id', api.public_id('org', o.id), 'name', o.name),
                   'firearm', jsonb_build_object('id', api.public_id('frm', s.firearm_id), 'maker', s.maker, 'importer', s.importer,
                                                 'model', s.model, 'serial', s.serial, 'caliber', s.caliber, 'type', s.firearm_type))
        FROM registry.mark k
        JOIN registry.firearm f ON f.id = k.firearm_id
        JOIN registry.firearm_state s ON s.firearm_id = f.id
        JOIN registry.organization o ON o.id = f.organization_id
        WHERE k.id = mark);
END $$;
COMMENT ON FUNCTION api.similar_side(uuid) IS 'one code of a pair: what it marks and whose record that is; no sale and no purchaser';

-- The cursor is the id of the mark that was gone through last, or, where a page
-- ended within its pairs, that and the id of the other one.
CREATE FUNCTION api.list_similar_codes(batch uuid, ordinals integer[], accounts uuid[], organizations uuid[], requests jsonb[])
    RETURNS TABLE (ordinal integer, outcome text, answer jsonb, subject jsonb)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
    codes_most CONSTANT integer := 500;
BEGIN
    RETURN QUERY
    SELECT a.ordinal,
           CASE WHEN a.cursor_wrong THEN 'invalid_request' ELSE 'ok' END,
           CASE WHEN a.cursor_wrong THEN api.refusal('/query/cursor', 'not a cursor of this list')
                ELSE jsonb_build_object('data', coalesce(p.data, '[]'::jsonb),
                                        'next_cursor', CASE WHEN p.found > a.page THEN p.last_pair
                                                            WHEN p.gone_through = codes_most THEN p.last_code END) END,
           jsonb_build_object('rows', least(coalesce(p.found, 0), a.page))
    FROM (
        SELECT u.ordinal, api.page_limit(u.request) AS page, coalesce(c.word, '') AS after_word, o.word AS after_other,
               u.request #> '{query,cursor}' IS NOT NULL
                   AND (c.word IS NULL OR (strpos(t.cursor, '-') > 0 AND o.word IS NULL)) AS cursor_wrong
        FROM unnest(ordinals, requests) AS u(ordinal, request)
        CROSS JOIN LATERAL (
            SELECT CASE WHEN u.request #>> '{query,cursor}' ~ '^[0-9a-f]{32}(-[0-9a-f]{32})?$'
                        THEN u.request #>> '{query,cursor}' END AS cursor
        ) t
        LEFT JOIN registry.mark c ON c.id = left(t.cursor, 32)::uuid AND c.scheme = 'opaque'
        LEFT JOIN registry.mark o ON strpos(t.cursor, '-') > 0 AND o.id = right(t.cursor, 32)::uuid AND o.scheme = 'opaque'
    ) a
    LEFT JOIN LATERAL (
        SELECT jsonb_agg(jsonb_build_object(
                   'position', r.position,
                   'confusable', api.characters_confusable(substr(r.word, r.position, 1), substr(r.other_word, r.position, 1)),
                   'codes', jsonb_build_array(api.similar_side(r.mark_id), api.similar_side(r.other_id)))
                   ORDER BY r.nth) FILTER (WHERE r.shown) AS data,
               count(r.other_id) AS found, max(r.place) AS gone_through,
               (array_agg(replace(r.mark_id::text, '-', '') ORDER BY r.place DESC))[1] AS last_code,
               (array_agg(replace(r.mark_id::text, '-', '') || '-' || replace(r.other_id::text, '-', '') ORDER BY r.nth DESC)
                   FILTER (WHERE r.shown))[1] AS last_pair
        FROM (
            SELECT n.*, n.nth <= a.page AND n.other_id IS NOT NULL AS shown
            FROM (SELECT s.*, count(s.other_id) OVER (ORDER BY s.place, s.other_word ROWS UNBOUNDED PRECEDING) AS nth
                  FROM api.similar_pairs(a.after_word, a.after_other, codes_most) s) n
        ) r
    ) p ON NOT a.cursor_wrong;
END $$;
COMMENT ON FUNCTION api.list_similar_codes(uuid, integer[], uuid[], uuid[], jsonb[]) IS
    'operation list_similar_codes: pairs of opaque codes on firearms that differ in one character; a page goes through 500 codes';
