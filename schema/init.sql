-- SPDX-License-Identifier: Apache-2.0
-- The first organization and its administrator. Everybody else is entered
-- through the API, so authorised and logged; this one cannot be, and the log's
-- entry 0, appended in the same transaction, says so.

CREATE FUNCTION api.init_registry(batch uuid, organization_name text, account_name text,
                                  key_id uuid, key_digest bytea, key_name text)
    RETURNS TABLE (organization uuid, account uuid, credential uuid)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- Two at once: the second waits for the first, and then there is an organization.
    PERFORM pg_advisory_xact_lock(4849523, 5);
    IF EXISTS (SELECT FROM registry.organization) THEN
        RAISE EXCEPTION 'the registry has been initialised already';
    END IF;
    organization := gen_random_uuid();
    account := gen_random_uuid();
    credential := key_id;
    INSERT INTO registry.organization (id, name, kind, batch_id, ordinal)
    VALUES (organization, organization_name, 'authority', batch, 1);
    INSERT INTO registry.account (id, organization_id, name, kind, batch_id, ordinal)
    VALUES (account, organization, account_name, 'person', batch, 1);
    INSERT INTO registry.account_standing (account_id, seq, state, roles, reason, batch_id, ordinal)
    VALUES (account, 1, 'active', ARRAY['administrator', 'authority'], 'created by casetrace init', batch, 1);
    INSERT INTO registry.credential (id, account_id, kind, key_digest, name, batch_id, ordinal)
    VALUES (key_id, account, 'api_key', key_digest, key_name, batch, 1);
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION api.init_registry(uuid, text, text, uuid, bytea, text) IS
    'for casetrace init, as casetrace_owner: an authority, its first account (administrator, authority) and a key; once only';
