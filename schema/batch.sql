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
    -- The plan is made once per connection, perhaps while the tables are still
    -- empty. It must be the one that stays right: index look-ups, one by one.
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
    SET enable_material = off SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
    today CONSTANT date := api.today();
BEGIN
    -- Held to the end of the batch: casetrace migrate waits for it, so a batch
    -- sees the functions of one version or fails here.
    PERFORM pg_advisory_xact_lock_shared(4849523, 2);
    IF NOT EXISTS (SELECT FROM registry.schema_ready r
                   WHERE r.id = 1 AND r.ready AND r.digest = batch_open.digest) THEN
        RAISE EXCEPTION 'the schema is not the one that the batch was prepared for' USING ERRCODE = 'CT001';
    END IF;
    RETURN QUERY
    -- Requests of one credential are resolved together.
    SELECT r.place::integer, c.id, c.account_id, o.id, o.name, o.kind, l.number, array_to_string(s.roles, ','),
           i.mac, i.outcome, i.answer, i.resource, api.entry_index(b.first_idx, i.ordinal)
    FROM (SELECT u.key_digest, array_agg(u.place) AS places, array_agg(u.operation) AS operations,
                 array_agg(u.idem_key) AS idem_keys
          FROM unnest(key_digests, operations, idem_keys)
                   WITH ORDINALITY AS u(key_digest, operation, idem_key, place)
          GROUP BY u.key_digest) a
    JOIN registry.credential c ON c.key_digest = a.key_digest
        AND c.revoked_at IS NULL AND (c.expires_at IS NULL OR c.expires_at > now())
    JOIN registry.account h ON h.id = c.account_id
    JOIN registry.organization o ON o.id = h.organization_id
    JOIN LATERAL (SELECT t.state, t.roles FROM registry.account_standing t
                  WHERE t.account_id = c.account_id ORDER BY t.seq DESC LIMIT 1) s ON s.state = 'active'
    LEFT JOIN LATERAL (SELECT t.state FROM registry.organization_standing t
                       WHERE t.organization_id = o.id ORDER BY t.seq DESC LIMIT 1) p ON true
    LEFT JOIN LATERAL (SELECT n.number FROM registry.organization_licence n
                       WHERE n.organization_id = o.id
                         AND (n.valid_from IS NULL OR n.valid_from <= today)
                         AND (n.valid_to IS NULL OR n.valid_to >= today)
                       ORDER BY n.place LIMIT 1) l ON true
    CROSS JOIN LATERAL unnest(a.places, a.operations, a.idem_keys) AS r(place, operation, idem_key)
    LEFT JOIN registry.idempotency i ON r.idem_key IS NOT NULL
        AND i.account_id = c.account_id AND i.operation = r.operation AND i.key = r.idem_key
        AND i.recorded_at > now() - interval '24 hours'
    LEFT JOIN registry.log_batch b ON b.batch_id = i.batch_id
    WHERE p.state IS NULL OR p.state = 'active'
    ORDER BY r.place;
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
