-- SPDX-License-Identifier: Apache-2.0
-- What the ranking knows of the registry as a whole: how many codes there are,
-- and which characters they have. Counted as they come, so that nobody counts
-- millions of rows; all of it can be made again from mark.

CREATE FUNCTION api.registry_counts()
    RETURNS TABLE (scheme text, length smallint, registered bigint, firearms bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT c.scheme, c.length, sum(c.registered)::bigint, sum(c.firearms)::bigint FROM registry.code_count c GROUP BY c.scheme, c.length
$$;
COMMENT ON FUNCTION api.registry_counts() IS
    'codes on registered firearms by scheme and length, and of how many firearms the first mark is such a code; for the ranking';

CREATE FUNCTION api.registry_frequencies()
    RETURNS TABLE (scheme text, length smallint, "position" smallint, "character" text, registered bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT f.scheme, f.length, f.position, f.character, f.registered FROM registry.code_frequency f
$$;
COMMENT ON FUNCTION api.registry_frequencies() IS
    'how many registered codes of schemes without structure have a character at a position (from 1), by scheme and length';

-- Filling, putting together and rebuilding exclude each other by this row.
CREATE FUNCTION api.counts_lock() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM 1 FROM registry.fill_state f WHERE f.name = 'code_count' FOR UPDATE;
END $$;
COMMENT ON FUNCTION api.counts_lock() IS 'lets one transaction at a time change code_count and code_frequency other than by adding to it';

CREATE FUNCTION api.code_frequency_fill() RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    requests_most CONSTANT integer := 10; -- of up to 10,000 firearms each
    taken         bigint;
BEGIN
    PERFORM api.counts_lock();
    WITH taken AS (
        DELETE FROM registry.code_uncounted u
        WHERE u.ctid = ANY (ARRAY(SELECT o.ctid FROM registry.code_uncounted o LIMIT requests_most))
        RETURNING u.scheme, u.words
    ), added AS (
        INSERT INTO registry.code_frequency AS f (scheme, length, position, character, registered)
        SELECT t.scheme, length(w.word), p.position, substr(w.word, p.position, 1), count(*)
        FROM taken t
        CROSS JOIN LATERAL unnest(t.words) AS w(word)
        CROSS JOIN LATERAL generate_series(1, length(w.word)) AS p(position)
        GROUP BY 1, 2, 3, 4
        ON CONFLICT (scheme, length, position, character) DO UPDATE SET registered = f.registered + excluded.registered
    )
    SELECT count(*) INTO taken FROM taken;
    RETURN taken;
END $$;
COMMENT ON FUNCTION api.code_frequency_fill() IS
    'counts the characters of codes that were registered since, of at most 10 requests; returns of how many, 0 when nothing changed';

CREATE FUNCTION api.code_count_compact() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM api.counts_lock();
    -- Worth it once most rows could be put together with another.
    IF (SELECT count(*) > 1000 + 2 * count(DISTINCT (c.scheme, c.length, c.caliber, c.maker_id, c.month))
        FROM registry.code_count c) THEN
        WITH old AS (
            DELETE FROM registry.code_count c RETURNING c.*
        )
        INSERT INTO registry.code_count (scheme, length, caliber, maker_id, month, registered, firearms, batch_id, ordinal)
        SELECT o.scheme, o.length, o.caliber, o.maker_id, o.month, sum(o.registered), sum(o.firearms),
               (array_agg(o.batch_id))[1], (array_agg(o.ordinal))[1]
        FROM old o
        GROUP BY o.scheme, o.length, o.caliber, o.maker_id, o.month;
    END IF;
END $$;
COMMENT ON FUNCTION api.code_count_compact() IS 'puts rows of code_count together; their sums stay';

CREATE FUNCTION api.counts_rebuild() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    characters jsonb;
BEGIN
    PERFORM api.counts_lock();
    -- One statement, so that what is taken away and what is counted are of one
    -- moment: a registration that commits meanwhile adds what is counted later.
    WITH old_count AS (
        DELETE FROM registry.code_count
    ), old_uncounted AS (
        DELETE FROM registry.code_uncounted
    ), marked AS MATERIALIZED (
        SELECT k.scheme, k.word, f.caliber, f.maker_id, date_trunc('month', k.valid_from)::date AS month, k.batch_id, k.ordinal,
               row_number() OVER (PARTITION BY k.firearm_id ORDER BY k.valid_from, k.id) AS nth
        FROM registry.mark k JOIN registry.firearm f ON f.id = k.firearm_id
    ), count AS (
        INSERT INTO registry.code_count (scheme, length, caliber, maker_id, month, registered, firearms, batch_id, ordinal)
        SELECT m.scheme, length(m.word), m.caliber, m.maker_id, m.month, count(*), count(*) FILTER (WHERE m.nth = 1),
               (array_agg(m.batch_id))[1], (array_agg(m.ordinal))[1]
        FROM marked m GROUP BY m.scheme, length(m.word), m.caliber, m.maker_id, m.month
    )
    SELECT jsonb_agg(c) INTO characters
    FROM (SELECT m.scheme, length(m.word) AS length, p.position, substr(m.word, p.position, 1) AS character, count(*) AS registered
          FROM marked m CROSS JOIN LATERAL generate_series(1, length(m.word)) AS p(position)
          WHERE m.scheme = 'opaque'
          GROUP BY 1, 2, 3, 4) c;
    DELETE FROM registry.code_frequency;
    INSERT INTO registry.code_frequency (scheme, length, position, character, registered)
    SELECT c.scheme, c.length, c.position, c.character, c.registered
    FROM jsonb_to_recordset(characters)
        AS c(scheme text, length smallint, position smallint, character text, registered bigint);
END $$;
COMMENT ON FUNCTION api.counts_rebuild() IS
    'makes code_count and code_frequency again from the marks; for casetrace_owner, by hand, while the daemon may run';
