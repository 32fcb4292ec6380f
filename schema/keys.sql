-- SPDX-License-Identifier: Apache-2.0
-- API keys of accounts. The secret is made and shown by the keeper; here is
-- only its keyed digest, and no answer shows that.

CREATE VIEW api.key_answer AS
SELECT c.id, c.account_id, c.recorded_at,
       c.revoked_at IS NULL AND coalesce(c.expires_at, 'infinity') > now() AS live,
       jsonb_build_object(
           'id', api.public_id('key', c.id),
           'account', api.public_id('acc', c.account_id),
           'name', c.name,
           'state', CASE WHEN c.revoked_at IS NOT NULL THEN 'revoked'
                         WHEN coalesce(c.expires_at, 'infinity') <= now() THEN 'expired' ELSE 'active' END,
           'created_at', api.time_text(c.recorded_at),
           'expires_at', api.time_text(c.expires_at),
           'revoked_at', api.time_text(c.revoked_at),
           'last_used_on', api.date_text(c.last_used_on)) AS answer
FROM registry.credential c
WHERE c.kind = 'api_key';
COMMENT ON VIEW api.key_answer IS 'API keys as clients see them, without their digests';

CREATE FUNCTION api.create_account_key(batch uuid, ordinals integer[], accounts uuid[], organizations uuid[],
                                       requests jsonb[])
    RETURNS TABLE (ordinal integer, outcome text, answer jsonb, subject jsonb)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    -- Against a program that makes keys in a loop. Two batches at once may pass
    -- it by a few, which does no harm.
    keys_most CONSTANT integer := 50;
    outcomes  text[];
    refusals  jsonb[];
BEGIN
    SELECT array_agg(coalesce(v.outcome, 'ok') ORDER BY a.place), array_agg(v.refusal ORDER BY a.place)
    INTO outcomes, refusals
    FROM (SELECT u.request, u.place, row_number() OVER (PARTITION BY u.request #>> '{path,id}'
                                                           ORDER BY u.place) AS nth
          FROM unnest(requests) WITH ORDINALITY AS u(request, place)) a
    LEFT JOIN api.account_answer c ON c.id = api.parse_id('acc', a.request #>> '{path,id}')
    LEFT JOIN api.organization_answer o ON o.id = c.organization_id
    LEFT JOIN LATERAL (
        SELECT 1 AS rank, 'not_found' AS outcome, NULL::jsonb AS refusal
        WHERE c.id IS NULL
        UNION ALL
        SELECT 2, 'inactive', jsonb_build_object('detail', 'the account or its organization is not active')
        WHERE c.state <> 'active' OR o.state <> 'active'
        UNION ALL
        SELECT 3, 'validation_failed', api.refusal('/expires_at', 'a time in the future')
        WHERE (a.request #>> '{body,expires_at}')::timestamptz <= now()
        UNION ALL
        SELECT 4, 'too_many_keys', NULL
        WHERE keys_most < a.nth + (SELECT count(*) FROM api.key_answer k WHERE k.account_id = c.id AND k.live)
        ORDER BY 1 LIMIT 1
    ) v ON true;

    INSERT INTO registry.credential (id, account_id, kind, key_digest, name, expires_at, created_by, batch_id, ordinal)
    SELECT (a.request ->> 'key_id')::uuid, api.parse_id('acc', a.request #>> '{path,id}'), 'api_key',
           decode(a.request ->> 'key_digest', 'hex'), a.request #>> '{body,name}',
           (a.request #>> '{body,expires_at}')::timestamptz, a.account, batch, a.ordinal
    FROM unnest(ordinals, accounts, requests, outcomes) AS a(ordinal, account, request, outcome)
    WHERE a.outcome = 'ok';

    RETURN QUERY
    SELECT a.ordinal, a.outcome,
           CASE WHEN a.outcome = 'ok' THEN k.answer - 'revoked_at' - 'last_used_on' ELSE a.refusal END,
           jsonb_strip_nulls(jsonb_build_object('account', a.request #> '{path,id}', 'key', k.answer -> 'id'))
    FROM unnest(ordinals, requests, outcomes, refusals) AS a(ordinal, request, outcome, refusal)
    LEFT JOIN api.key_answer k ON a.outcome = 'ok' AND k.id = (a.request ->> 'key_id')::uuid;
END $$;
COMMENT ON FUNCTION api.create_account_key(uuid, integer[], uuid[], uuid[], jsonb[]) IS
    'operation create_account_key: the keeper gives key_id and key_digest, and adds the secret to the answer';

CREATE FUNCTION api.list_account_keys(batch uuid, ordinals integer[], accounts uuid[], organizations uuid[],
                                      requests jsonb[])
    RETURNS TABLE (ordinal integer, outcome text, answer jsonb, subject jsonb)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT a.ordinal, a.outcome,
           CASE a.outcome WHEN 'invalid_request' THEN api.refusal('/query/cursor', 'not a cursor of this list')
                WHEN 'ok' THEN jsonb_build_object('data', coalesce(p.data, '[]'::jsonb),
                                   'next_cursor', CASE WHEN p.found > a.page THEN p.last END) END,
           jsonb_build_object('account', a.request #> '{path,id}')
    FROM (
        SELECT u.ordinal, u.request, api.page_limit(u.request) AS page, h.id AS account_id, c.recorded_at, c.id,
               CASE WHEN h.id IS NULL THEN 'not_found'
                    WHEN u.request #> '{query,cursor}' IS NOT NULL AND c.id IS NULL THEN 'invalid_request'
                    ELSE 'ok' END AS outcome
        FROM unnest(ordinals, requests) AS u(ordinal, request)
        LEFT JOIN registry.account h ON h.id = api.parse_id('acc', u.request #>> '{path,id}')
        LEFT JOIN registry.credential c ON c.id = api.cursor_uuid(u.request) AND c.account_id = h.id
    ) a
    LEFT JOIN LATERAL (
        SELECT jsonb_agg(r.answer ORDER BY r.place) FILTER (WHERE r.place <= a.page) AS data,
               count(*) AS found,
               max(replace(r.id::text, '-', '')) FILTER (WHERE r.place = a.page) AS last
        FROM (
            SELECT w.id, w.answer, row_number() OVER (ORDER BY w.recorded_at DESC, w.id DESC) AS place
            FROM (
                SELECT k.id, k.recorded_at, k.answer
                FROM api.key_answer k
                WHERE k.account_id = a.account_id
                  AND (a.id IS NULL OR (k.recorded_at, k.id) < (a.recorded_at, a.id))
                ORDER BY k.recorded_at DESC, k.id DESC
                LIMIT a.page + 1
            ) w
        ) r
    ) p ON a.outcome = 'ok'
$$;
COMMENT ON FUNCTION api.list_account_keys(uuid, integer[], uuid[], uuid[], jsonb[]) IS
    'operation list_account_keys: the newest first, a page at a time';

CREATE FUNCTION api.revoke_account_key(batch uuid, ordinals integer[], accounts uuid[], organizations uuid[],
                                       requests jsonb[])
    RETURNS TABLE (ordinal integer, outcome text, answer jsonb, subject jsonb)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    outcomes text[];
BEGIN
    -- One batch at a time, or two would each leave the other's key as the last.
    PERFORM pg_advisory_xact_lock(4849523, 9);
    WITH administrator_key AS (
        SELECT k.id FROM api.account_answer c JOIN api.key_answer k ON k.account_id = c.id AND k.live
        WHERE c.state = 'active' AND 'administrator' = ANY (c.roles)
    ), asked AS (
        SELECT u.place, k.id, k.id IN (SELECT id FROM administrator_key) AS administrator
        FROM unnest(requests) WITH ORDINALITY AS u(request, place)
        LEFT JOIN api.key_answer k ON k.id = api.parse_id('key', u.request #>> '{path,key}')
            AND k.account_id = api.parse_id('acc', u.request #>> '{path,id}')
    )
    SELECT array_agg(CASE
               WHEN a.id IS NULL THEN 'not_found'
               WHEN a.administrator AND NOT EXISTS (
                   SELECT FROM administrator_key l WHERE l.id NOT IN (SELECT b.id FROM asked b WHERE b.administrator))
               THEN 'last_administrator'
               ELSE 'ok' END ORDER BY a.place)
    INTO outcomes
    FROM asked a;
    -- Together they would take the last key, alone perhaps not.
    IF cardinality(requests) > 1 AND 'last_administrator' = ANY (outcomes) THEN
        RAISE EXCEPTION 'requests of one batch revoke the last administrator''s keys' USING ERRCODE = 'CT003';
    END IF;

    UPDATE registry.credential c
    SET revoked_at = clock_timestamp(), revoked_by = f.account, revoke_batch_id = batch, revoke_ordinal = f.ordinal
    FROM (SELECT DISTINCT ON (a.request #>> '{path,key}') a.ordinal, a.account,
                 api.parse_id('key', a.request #>> '{path,key}') AS id
          FROM unnest(ordinals, accounts, requests, outcomes) AS a(ordinal, account, request, outcome)
          WHERE a.outcome = 'ok'
          ORDER BY a.request #>> '{path,key}', a.ordinal) f
    WHERE c.id = f.id AND c.revoked_at IS NULL;

    RETURN QUERY
    SELECT a.ordinal, a.outcome, k.answer,
           jsonb_build_object('account', a.request #> '{path,id}', 'key', a.request #> '{path,key}')
    FROM unnest(ordinals, requests, outcomes) AS a(ordinal, request, outcome)
    LEFT JOIN api.key_answer k ON a.outcome = 'ok' AND k.id = api.parse_id('key', a.request #>> '{path,key}');
END $$;
COMMENT ON FUNCTION api.revoke_account_key(uuid, integer[], uuid[], uuid[], jsonb[]) IS
    'operation revoke_account_key: a key revoked already keeps its first time; raises CT003 when requests of the '
    'batch together would take the last administrator''s key';
