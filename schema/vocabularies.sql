-- SPDX-License-Identifier: Apache-2.0
-- The words that fields may hold.

CREATE FUNCTION api.fold_word(written text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN regexp_replace(lower(written), '[^a-z0-9.&]', '', 'g');
COMMENT ON FUNCTION api.fold_word(text) IS
    'what is compared of a word: lower case, without blanks, hyphens and other signs but dot and ampersand';

-- Here and in the files that follow, what is called often and reads tables is
-- in plpgsql: that keeps its plan for the connection.
CREATE FUNCTION api.vocabulary_words(of_kind text) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- A value comes after the aliases of others, because the last one of a key stays.
    RETURN (SELECT coalesce(jsonb_object_agg(w.folded, w.value ORDER BY w.is_value), '{}'::jsonb)
            FROM (SELECT api.fold_word(v.value) AS folded, v.value, true AS is_value
                  FROM registry.vocabulary v WHERE v.kind = of_kind
                  UNION ALL
                  SELECT api.fold_word(a.alias), v.value, false
                  FROM registry.vocabulary v, unnest(v.aliases) AS a(alias) WHERE v.kind = of_kind) w);
END $$;
COMMENT ON FUNCTION api.vocabulary_words(text) IS
    'a vocabulary as an object from each word and alias, folded, to the word that answers show';

CREATE FUNCTION api.get_vocabulary(batch uuid, ordinals integer[], accounts uuid[], organizations uuid[],
                                   requests jsonb[])
    RETURNS TABLE (ordinal integer, outcome text, answer jsonb, subject jsonb)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT a.ordinal, CASE WHEN v.data IS NULL THEN 'not_found' ELSE 'ok' END,
           CASE WHEN v.data IS NOT NULL
                THEN jsonb_build_object('kind', a.request #> '{path,kind}', 'data', v.data, 'next_cursor', NULL) END,
           jsonb_build_object('vocabulary', a.request #> '{path,kind}')
    FROM unnest(ordinals, requests) AS a(ordinal, request)
    CROSS JOIN LATERAL (
        SELECT jsonb_agg(jsonb_build_object('value', w.value, 'title', w.title, 'aliases', to_jsonb(w.aliases))
                         ORDER BY w.place) AS data
        FROM registry.vocabulary w WHERE w.kind = a.request #>> '{path,kind}'
    ) v;
END $$;
COMMENT ON FUNCTION api.get_vocabulary(uuid, integer[], uuid[], uuid[], jsonb[]) IS
    'operation get_vocabulary: one vocabulary, whole';
