-- SPDX-License-Identifier: Apache-2.0
-- The view of the log that outsiders see: which checkpoints were published, and
-- what their tiles are made of.

CREATE FUNCTION api.log_publish(size bigint, note text) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    INSERT INTO registry.log_published (size, note)
    SELECT $1, $2 WHERE NOT EXISTS (SELECT FROM registry.log_published p WHERE p.size >= $1)
$$;
COMMENT ON FUNCTION api.log_publish(bigint, text) IS
    'remembers a published checkpoint; one that is not larger than all before it changes nothing';

CREATE FUNCTION api.log_published_last()
    RETURNS TABLE (size bigint, note text, age_ms bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT p.size, p.note, (extract(epoch FROM clock_timestamp() - p.at) * 1000)::bigint
    FROM registry.log_published p ORDER BY p.size DESC LIMIT 1
$$;
COMMENT ON FUNCTION api.log_published_last() IS 'the newest published checkpoint and how long ago that was; no row if none';

CREATE FUNCTION api.log_published_widths(of_size bigint)
    RETURNS TABLE (level integer, width integer)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    -- One look into the index for each width: however many were published, it is as fast.
    SET enable_seqscan = off
AS $$
    SELECT l.level, w.width
    FROM generate_series(0, 7) AS l(level)
    CROSS JOIN LATERAL (SELECT of_size >> (8 * l.level) AS hashes) h
    CROSS JOIN LATERAL generate_series(1, (h.hashes & 255)::integer) AS w(width)
    CROSS JOIN LATERAL (SELECT (h.hashes - (h.hashes & 255) + w.width) << (8 * l.level) AS first) f
    CROSS JOIN LATERAL (SELECT FROM registry.log_published p
                        WHERE p.size BETWEEN f.first AND least(of_size, f.first + (1::bigint << (8 * l.level)) - 1)
                        ORDER BY p.size LIMIT 1) p
$$;
COMMENT ON FUNCTION api.log_published_widths(bigint) IS
    'of the last, incomplete tile at each level of a log of that size: the widths that it had when a checkpoint was published';

CREATE FUNCTION api.log_leaves(first bigint, count integer)
    RETURNS TABLE (idx bigint, header bytea, header_salt bytea, d_subject bytea)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    IF log_leaves.count NOT BETWEEN 0 AND 256 THEN
        RAISE EXCEPTION 'at most 256 leaves at once, not %', log_leaves.count;
    END IF;
    RETURN QUERY SELECT e.idx, e.header, e.header_salt, e.d_subject FROM registry.log_entry e
        WHERE e.idx >= first AND e.idx < first + log_leaves.count ORDER BY e.idx;
END $$;
COMMENT ON FUNCTION api.log_leaves(bigint, integer) IS
    'what the leaves from first on are made of; the keeper commits to it again for entry bundles, headers do not leave it';

CREATE FUNCTION api.get_log_consistency(batch uuid, ordinals integer[], accounts uuid[], organizations uuid[],
                                        requests jsonb[])
    RETURNS TABLE (ordinal integer, outcome text, answer jsonb, subject jsonb)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT u.ordinal, 'ok', jsonb_build_object('from', u.request -> 'from', 'to', u.request -> 'to'), '{}'::jsonb
    FROM unnest(ordinals, requests) AS u(ordinal, request)
$$;
COMMENT ON FUNCTION api.get_log_consistency(uuid, integer[], uuid[], uuid[], jsonb[]) IS
    'operation get_log_consistency: the sizes as the keeper has checked them; it makes the proof from log_hashes';
