-- SPDX-License-Identifier: Apache-2.0
-- The first statement of every batch, and the outcomes stored under
-- Idempotency-Keys. In plpgsql, because it keeps its plans for the connection;
-- a function in SQL would plan its body on every call.

CREATE FUNCTION api.schema_digest() RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    RETURN (SELECT r.digest FROM registry.schema_ready r WHERE r.id = 1 AND r.ready);
COMMENT ON FUNCTION api.schema_digest() IS
    'digest of the schema that the keeper passes to batch_open; null while it is not ready';

CREATE FUNCTION api.batch_open(digest text, key_digests bytea[], operations text[], idem_keys text[])
    RETURNS TABLE (ordinal integer, credential uuid, account uuid, organization uuid,
                   organization_name text, organization_kind text, licence text, roles text,
                   replay_mac bytea, replay_outcome text, replay_answer json, replay_resource uuid,
                   replay_entry bigint)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    -- Held to the end of the batch: casetrace migrate waits for it, so a batch
    -- sees the functions of one version or fails here.
    PERFORM pg_advisory_xact_lock_shared(4849523, 2);
    IF NOT EXISTS (SELECT FROM registry.schema_ready r
                   WHERE r.id = 1 AND r.ready AND r.digest = batch_open.digest) THEN
        RAISE EXCEPTION 'the schema is not the one that the batch was prepared for' USING ERRCODE = 'CT001';
    END IF;
    RETURN QUERY
    WITH live AS MATERIALIZED (
        SELECT a.position::integer AS position, c.id AS credential_id, c.account_id, acc.organization_id,
               a.operation, a.idem_key
        FROM unnest(key_digests, operations, idem_keys)
                 WITH ORDINALITY AS a(key_digest, operation, idem_key, position)
        JOIN registry.credential c ON c.key_digest = a.key_digest
            AND c.revoked_at IS NULL AND (c.expires_at IS NULL OR c.expires_at > now())
        JOIN registry.account acc ON acc.id = c.account_id
    ), standing_account AS MATERIALIZED (
        SELECT d.account_id,
               (SELECT string_agg(r.role, ',' ORDER BY r.role)
                FROM registry.account_role r
                WHERE r.account_id = d.account_id
                  AND NOT EXISTS (SELECT FROM registry.account_role_end e WHERE e.account_role_id = r.id)) AS roles
        FROM (SELECT DISTINCT account_id FROM live) d
        WHERE coalesce((SELECT s.state FROM registry.account_standing s
                        WHERE s.account_id = d.account_id ORDER BY s.seq DESC LIMIT 1), 'active') = 'active'
    ), standing_organization AS MATERIALIZED (
        SELECT o.id, o.name, o.kind,
               (SELECT l.number FROM registry.organization_licence l
                WHERE l.organization_id = o.id
                  AND coalesce(l.valid_from, '-infinity') <= api.today()
                  AND coalesce(l.valid_to, 'infinity') >= api.today()
                ORDER BY l.kind, l.valid_from NULLS FIRST, l.key LIMIT 1) AS licence
        FROM (SELECT DISTINCT organization_id FROM live) d
        JOIN registry.organization o ON o.id = d.organization_id
        WHERE coalesce((SELECT s.state FROM registry.organization_standing s
                        WHERE s.organization_id = o.id ORDER BY s.seq DESC LIMIT 1), 'active') = 'active'
    )
    SELECT live.position, live.credential_id, live.account_id, o.id, o.name, o.kind, o.licence,
           coalesce(a.roles, ''), i.mac, i.outcome, i.answer, i.resource,
           api.entry_index(b.first_idx, i.ordinal)
    FROM live
    JOIN standing_account a ON a.account_id = live.account_id
    JOIN standing_organization o ON o.id = live.organization_id
    LEFT JOIN registry.idempotency i ON live.idem_key IS NOT NULL
        AND i.account_id = live.account_id AND i.operation = live.operation AND i.key = live.idem_key
        AND i.recorded_at > now() - interval '24 hours'
    LEFT JOIN registry.log_batch b ON b.batch_id = i.batch_id
    ORDER BY live.position;
END $$;
COMMENT ON FUNCTION api.batch_open(text, bytea[], text[], text[]) IS
    'resolves the credentials of a batch and finds stored outcomes: one row per live credential; '
    'raises CT001 when the schema is not ready or not the one of that digest';

CREATE FUNCTION api.idempotency_store(batch uuid, ordinals integer[], accounts uuid[], operations text[],
                                      keys text[], macs bytea[], outcomes text[], answers json[], resources uuid[])
    RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    stored bigint;
BEGIN
    INSERT INTO registry.idempotency AS i (account_id, operation, key, mac, outcome, answer, resource, batch_id, ordinal)
    SELECT u.account, u.operation, u.key, u.mac, u.outcome, u.answer, u.resource, batch, u.ordinal
    FROM unnest(ordinals, accounts, operations, keys, macs, outcomes, answers, resources)
             AS u(ordinal, account, operation, key, mac, outcome, answer, resource)
    -- A key that is over 24 hours old counts as absent, whether maintain()
    -- has come by or not.
    ON CONFLICT (account_id, operation, key) DO UPDATE
        SET mac = excluded.mac, outcome = excluded.outcome, answer = excluded.answer, resource = excluded.resource,
            batch_id = excluded.batch_id, ordinal = excluded.ordinal, recorded_at = excluded.recorded_at
        WHERE i.recorded_at <= now() - interval '24 hours';
    GET DIAGNOSTICS stored = ROW_COUNT;
    IF stored <> cardinality(ordinals) THEN
        RAISE EXCEPTION 'an Idempotency-Key is in use by another batch' USING ERRCODE = 'CT003';
    END IF;
END $$;
COMMENT ON FUNCTION api.idempotency_store(uuid, integer[], uuid[], text[], text[], bytea[], text[], json[], uuid[]) IS
    'keeps outcomes for 24 hours under (account, operation, key); raises CT003 when a key is held already';
