-- SPDX-License-Identifier: Apache-2.0
-- Look-ups of traces that are not the usual one: api.trace_lookup in traces.sql
-- is the hot path, and nothing here makes it slower.

-- An opaque code has no structure: what was read of it is either written out as
-- whole words, or the half that was read better is looked up here. The bound is
-- there because codes of one maker may all begin alike; `more` says that it was
-- met, so that nobody takes what is here for all there is.
CREATE FUNCTION api.trace_lookup_halves(schemes text[], words text[], halves integer[], lengths integer[])
    RETURNS TABLE (lookup integer, code_state text, block_id uuid, block_holder text, block_contact text, mark_id uuid, placement text,
                   valid_from date, valid_to date, firearm_id uuid, maker text, importer text, model text, serial text,
                   caliber text, firearm_type text, shipped_on date, custody json, basis text, no_purchaser_reason text,
                   chain_complete boolean, returned_on date, later_holders json, sale_id uuid, sale_dealer text,
                   sale_delivered_on date, sale_transaction_number text, purchaser_sealed bytea, purchaser_key text,
                   word text, more boolean)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
    SET enable_memoize = off SET plan_cache_mode = force_generic_plan
    ROWS 1024
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT u.place::integer,
           'registered', NULL::uuid, NULL::text, NULL::text, m.id, m.placement, m.valid_from, m.valid_to, m.firearm_id,
           s.maker, s.importer, s.model, s.serial, s.caliber, s.firearm_type, s.shipped_on, s.custody,
           s.basis, s.no_purchaser, s.chain_complete, s.returned_on, s.later_holders,
           s.first_sale, s.first_dealer, s.first_delivered_on, s.first_transaction, p.sealed, p.key_id,
           m.word, m.found > 1024
    FROM unnest(words, schemes, halves, lengths) WITH ORDINALITY AS u(half_word, scheme, half, length, place)
    CROSS JOIN LATERAL (
        SELECT h.*, row_number() OVER () AS nth, count(*) OVER () AS found,
               (SELECT n.valid_from FROM registry.mark n WHERE n.supersedes = h.id) AS valid_to
        FROM (
            (SELECT k.id, k.firearm_id, k.word, k.placement, k.valid_from
             FROM registry.mark k
             WHERE u.scheme = 'opaque' AND u.half = 1 AND k.scheme = 'opaque' AND length(k.word) = u.length
               AND left(k.word, length(k.word) / 2) = u.half_word
             ORDER BY k.word LIMIT 1025)
            UNION ALL
            (SELECT k.id, k.firearm_id, k.word, k.placement, k.valid_from
             FROM registry.mark k
             WHERE u.scheme = 'opaque' AND u.half = 2 AND k.scheme = 'opaque' AND length(k.word) = u.length
               AND substr(k.word, length(k.word) / 2 + 1) = u.half_word
             ORDER BY k.word LIMIT 1025)
        ) h
    ) m
    JOIN registry.firearm_state s ON s.firearm_id = m.firearm_id
    LEFT JOIN LATERAL (
        SELECT t.sealed, t.key_id FROM registry.sale_purchaser t WHERE t.sale_id = s.first_sale OFFSET 0
    ) p ON true
    WHERE m.nth <= 1024;
END $$;
COMMENT ON FUNCTION api.trace_lookup_halves(text[], text[], integer[], integer[]) IS
    'what is recorded of opaque codes of a length that have a half (1: the first length/2 characters, 2: the rest): the columns '
    'of trace_lookup, then the code; at most 1,024 of each look-up, in the order of codes, and whether there were more';

CREATE FUNCTION api.marks_of_firearms(firearm_ids uuid[])
    RETURNS TABLE (firearm_id uuid, mark_id uuid, placement text, scheme text, word text, valid_from date, valid_to date)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_memoize = off
    SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT k.firearm_id, k.id, k.placement, k.scheme, k.word, k.valid_from,
           (SELECT n.valid_from FROM registry.mark n WHERE n.supersedes = k.id)
    FROM unnest(firearm_ids) WITH ORDINALITY AS u(id, place)
    JOIN registry.mark k ON k.firearm_id = u.id
    ORDER BY u.place, k.valid_from, k.placement, k.id;
END $$;
COMMENT ON FUNCTION api.marks_of_firearms(uuid[]) IS
    'all marks of firearms that were found, also replaced ones, for traces that read several; in the order of the ids given';
