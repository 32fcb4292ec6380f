-- SPDX-License-Identifier: Apache-2.0
-- Codes: issued at random, or entered by an authority.

CREATE FUNCTION api.create_code_block(batch uuid, ordinals integer[], accounts uuid[], organizations uuid[],
                                      requests jsonb[])
    RETURNS TABLE (ordinal integer, outcome text, answer jsonb, subject jsonb)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    -- Every code is looked up in the key of all codes, whatever statistics say.
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
    given     boolean[]; -- codes that were issued elsewhere, all of which must be free
    holders   uuid[];
    blocks    uuid[];
    words     text[];    -- what is to be stored, in the order of the answer
    word_of   integer[]; -- and for which request
    taken     jsonb[];   -- errors at codes that cannot be stored
    outcomes  text[];
    counts    integer[];
    schemes   text[];
BEGIN
    SELECT array_agg(a.request -> 'body' ? 'codes' ORDER BY a.position),
           array_agg(CASE WHEN a.request -> 'body' ? 'codes' THEN p.organization_id ELSE a.organization END
                     ORDER BY a.position),
           array_agg(gen_random_uuid() ORDER BY a.position)
    INTO given, holders, blocks
    FROM unnest(organizations, requests) WITH ORDINALITY AS a(organization, request, position)
    LEFT JOIN api.parties(ARRAY(SELECT r #>> '{body,organization}' FROM unnest(requests) r)) p
        ON p.written = a.request #>> '{body,organization}';

    -- Drawn codes: the first ones that nobody has, within the batch as well.
    -- Given codes: all of them, or an error at each that cannot be.
    WITH code AS MATERIALIZED (
        SELECT a.position, c.place, c.word, a.scheme, a.given, a.holder, a.wanted,
               count(*) OVER same AS times, row_number() OVER (same ORDER BY a.position, c.place) AS nth
        FROM (SELECT u.position, u.given, u.holder, u.request -> 'codes' AS codes, u.request #>> '{body,scheme}' AS scheme,
                     (u.request #>> '{body,count}')::integer AS wanted
              FROM unnest(requests, given, holders) WITH ORDINALITY AS u(request, given, holder, position)
              OFFSET 0) a -- or the sort would carry each request along with each of its codes
        CROSS JOIN LATERAL jsonb_array_elements_text(a.codes) WITH ORDINALITY AS c(word, place)
        WINDOW same AS (PARTITION BY c.word, a.scheme)
    ), looked AS MATERIALIZED (
        SELECT k.*, b.organization_id AS owner,
               b.organization_id IS NULL AND CASE WHEN k.given THEN k.times = 1 ELSE k.nth = 1 END AS free
        FROM code k
        LEFT JOIN LATERAL (SELECT b.organization_id FROM registry.code x JOIN registry.code_block b ON b.id = x.block_id
                           WHERE x.word = k.word AND x.scheme = k.scheme LIMIT 1) b ON true
    ), chosen AS (
        SELECT l.*, row_number() OVER (PARTITION BY l.position ORDER BY l.place) AS nth_free
        FROM looked l WHERE l.free
    ), kept AS (
        SELECT array_agg(c.word ORDER BY c.position, c.place) AS words,
               array_agg(c.position::integer ORDER BY c.position, c.place) AS word_of
        FROM chosen c WHERE c.given OR c.nth_free <= c.wanted
    ), refused AS (
        SELECT array_agg(e.errors ORDER BY a.position) AS errors
        FROM generate_subscripts(requests, 1) AS a(position)
        LEFT JOIN LATERAL (
            SELECT jsonb_agg(jsonb_build_object(
                       'pointer', '/codes/' || l.place - 1,
                       'code', CASE WHEN l.times > 1 THEN 'code_repeated' ELSE 'conflict' END,
                       'detail', CASE WHEN l.times > 1 THEN 'the code appears twice'
                                      WHEN l.owner = l.holder THEN 'the organization holds this code already'
                                      ELSE 'another organization holds this code' END) ORDER BY l.place) AS errors
            FROM looked l WHERE l.position = a.position AND l.given AND NOT l.free
        ) e ON true
    )
    SELECT k.words, k.word_of, r.errors INTO words, word_of, taken FROM kept k, refused r;

    SELECT array_agg(CASE WHEN a.given AND NOT a.request -> 'roles' ? 'authority' THEN 'forbidden'
                          WHEN a.holder IS NULL THEN 'unknown_organization'
                          WHEN a.taken -> 0 ->> 'code' = 'code_repeated' THEN 'code_repeated'
                          WHEN a.taken IS NOT NULL THEN 'conflict'
                          WHEN NOT a.given AND a.kept < (a.request #>> '{body,count}')::integer THEN 'codes_exhausted'
                          ELSE 'ok' END ORDER BY a.position),
           array_agg(a.kept ORDER BY a.position),
           array_agg(a.request #>> '{body,scheme}' ORDER BY a.position)
    INTO outcomes, counts, schemes
    FROM (SELECT u.*, (SELECT count(*) FROM unnest(word_of) w(owner) WHERE w.owner = u.position)::integer AS kept
          FROM unnest(requests, given, holders, taken) WITH ORDINALITY AS u(request, given, holder, taken, position)) a;

    BEGIN
        INSERT INTO registry.code_block (id, organization_id, scheme, origin, count, account_id, batch_id, ordinal)
        SELECT a.block, a.holder, a.scheme, CASE WHEN a.given THEN 'elsewhere' ELSE 'issued' END, a.count, a.account,
               batch, a.ordinal
        FROM unnest(blocks, holders, schemes, given, counts, accounts, ordinals, outcomes)
                 AS a(block, holder, scheme, given, count, account, ordinal, outcome)
        WHERE a.outcome = 'ok';
        INSERT INTO registry.code (word, scheme, block_id)
        SELECT w.word, schemes[w.owner], blocks[w.owner]
        FROM unnest(words, word_of) AS w(word, owner) WHERE outcomes[w.owner] = 'ok';
    EXCEPTION WHEN unique_violation THEN
        RAISE EXCEPTION 'another batch took one of the codes at the same time' USING ERRCODE = '40001';
    END;

    RETURN QUERY
    SELECT a.ordinal, a.outcome,
           CASE a.outcome
               WHEN 'ok' THEN jsonb_build_object(
                   'id', api.public_id('cbk', a.block), 'scheme', a.scheme, 'count', a.count,
                   'codes', (SELECT jsonb_agg(w.word ORDER BY w.place)
                             FROM unnest(words, word_of) WITH ORDINALITY AS w(word, owner, place)
                             WHERE w.owner = a.position))
               WHEN 'unknown_organization' THEN api.refusal('/organization', 'licence number or id of an organization')
               WHEN 'forbidden' THEN jsonb_build_object('detail', 'only an authority enters codes issued elsewhere')
               WHEN 'codes_exhausted' THEN jsonb_build_object('detail', 'too few free codes were drawn')
               ELSE jsonb_build_object('detail', 'codes that cannot be entered', 'errors', a.taken) END,
           CASE WHEN a.outcome = 'ok'
                THEN jsonb_build_object('code_block', api.public_id('cbk', a.block), 'codes', a.count,
                                        'organization', api.public_id('org', a.holder))
                ELSE '{}'::jsonb END
    FROM unnest(ordinals, outcomes, blocks, schemes, counts, taken, holders) WITH ORDINALITY
             AS a(ordinal, outcome, block, scheme, count, taken, holder, position);
END $$;
COMMENT ON FUNCTION api.create_code_block(uuid, integer[], uuid[], uuid[], jsonb[]) IS
    'operation create_code_block: stores the first count of the drawn codes that are free, or all of the given ones';
