-- SPDX-License-Identifier: Apache-2.0
-- Accounts of people and machines.

CREATE VIEW api.account_answer AS
SELECT a.id, a.organization_id, a.name, s.state, s.roles,
       jsonb_build_object(
           'id', api.public_id('acc', a.id),
           'name', a.name,
           'kind', a.kind,
           'state', s.state,
           'roles', to_jsonb(s.roles),
           'organization', jsonb_build_object('id', api.public_id('org', o.id), 'name', o.name, 'kind', o.kind),
           'created_at', api.time_text(a.recorded_at)) AS answer
FROM registry.account a
JOIN registry.organization o ON o.id = a.organization_id
JOIN LATERAL (
    SELECT t.state, t.roles FROM registry.account_standing t
    WHERE t.account_id = a.id ORDER BY t.seq DESC LIMIT 1
) s ON true;
COMMENT ON VIEW api.account_answer IS 'accounts as clients see them';

-- Which kinds of organization may have accounts with a role. Whoever asks about
-- casings sits in an agency, whoever manages accounts does not; so no single
-- account can be given both.
CREATE FUNCTION api.role_fits(role text, organization_kind text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN organization_kind = ANY (CASE role
        WHEN 'manufacturer' THEN ARRAY['manufacturer', 'importer', 'gunsmith']
        WHEN 'component_producer' THEN ARRAY['component_producer', 'manufacturer']
        WHEN 'distributor' THEN ARRAY['distributor', 'importer', 'manufacturer', 'dealer']
        WHEN 'dealer' THEN ARRAY['dealer', 'gunsmith', 'distributor', 'importer', 'manufacturer']
        WHEN 'gunsmith' THEN ARRAY['gunsmith', 'dealer', 'manufacturer']
        WHEN 'investigator' THEN ARRAY['agency']
        WHEN 'supervisor' THEN ARRAY['agency']
        WHEN 'examiner' THEN ARRAY['agency', 'laboratory']
        WHEN 'reviewer' THEN ARRAY['agency', 'audit_office', 'authority']
        WHEN 'auditor' THEN ARRAY['audit_office', 'authority']
        WHEN 'administrator' THEN ARRAY['authority']
        WHEN 'authority' THEN ARRAY['authority']
        ELSE ARRAY[]::text[] END);
COMMENT ON FUNCTION api.role_fits(text, text) IS 'may an account of an organization of that kind have the role';

CREATE FUNCTION api.create_account(batch uuid, ordinals integer[], accounts uuid[], organizations uuid[],
                                   requests jsonb[])
    RETURNS TABLE (ordinal integer, outcome text, answer jsonb, subject jsonb)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    outcomes text[];
    refusals jsonb[];
    ids      uuid[];
BEGIN
    SELECT array_agg(coalesce(v.outcome, 'ok') ORDER BY a.place), array_agg(v.refusal ORDER BY a.place),
           array_agg(gen_random_uuid() ORDER BY a.place)
    INTO outcomes, refusals, ids
    FROM unnest(requests) WITH ORDINALITY AS a(request, place)
    LEFT JOIN api.organization_answer o ON o.id = api.parse_id('org', a.request #>> '{body,organization}')
    LEFT JOIN LATERAL (
        SELECT 1 AS rank, 'unknown_organization' AS outcome,
               api.refusal('/organization', 'no organization has this id') AS refusal
        WHERE o.id IS NULL
        UNION ALL
        SELECT 2, 'inactive', api.refusal('/organization', 'the organization is not active')
        WHERE o.state <> 'active'
        UNION ALL
        SELECT 3, 'role_not_allowed', api.refusal('/roles/' || r.place - 1,
                                                  'not a role for an organization of this kind')
        FROM jsonb_array_elements_text(a.request #> '{body,roles}') WITH ORDINALITY AS r(role, place)
        WHERE NOT api.role_fits(r.role, o.kind)
        UNION ALL
        -- An auditor writes nothing, so he has no role that does.
        SELECT 4, 'role_not_allowed', api.refusal('/roles', 'an auditor has no role that changes records')
        WHERE a.request #> '{body,roles}' ? 'auditor'
          AND a.request #> '{body,roles}' ?| ARRAY['administrator', 'authority']
        ORDER BY 1, 3 LIMIT 1
    ) v ON true;

    INSERT INTO registry.account (id, organization_id, name, kind, batch_id, ordinal)
    SELECT a.id, api.parse_id('org', a.request #>> '{body,organization}'), a.request #>> '{body,name}',
           a.request #>> '{body,kind}', batch, a.ordinal
    FROM unnest(ordinals, requests, ids, outcomes) AS a(ordinal, request, id, outcome)
    WHERE a.outcome = 'ok';

    INSERT INTO registry.account_standing (account_id, seq, state, roles, reason, recorded_by, batch_id, ordinal)
    SELECT a.id, 1, 'active', ARRAY(SELECT jsonb_array_elements_text(a.request #> '{body,roles}') ORDER BY 1),
           'created', a.account, batch, a.ordinal
    FROM unnest(ordinals, accounts, requests, ids, outcomes) AS a(ordinal, account, request, id, outcome)
    WHERE a.outcome = 'ok';

    RETURN QUERY
    SELECT a.ordinal, a.outcome, coalesce(c.answer, a.refusal),
           jsonb_strip_nulls(jsonb_build_object('account', c.answer -> 'id',
                                                'organization', a.request #> '{body,organization}',
                                                'roles', a.request #> '{body,roles}'))
    FROM unnest(ordinals, requests, ids, outcomes, refusals) AS a(ordinal, request, id, outcome, refusal)
    LEFT JOIN api.account_answer c ON c.id = a.id;
END $$;
COMMENT ON FUNCTION api.create_account(uuid, integer[], uuid[], uuid[], jsonb[]) IS 'operation create_account';

CREATE FUNCTION api.list_accounts(batch uuid, ordinals integer[], accounts uuid[], organizations uuid[],
                                  requests jsonb[])
    RETURNS TABLE (ordinal integer, outcome text, answer jsonb, subject jsonb)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT a.ordinal,
           CASE WHEN a.cursor_wrong THEN 'invalid_request' ELSE 'ok' END,
           CASE WHEN a.cursor_wrong THEN api.refusal('/query/cursor', 'not a cursor of this list')
                ELSE jsonb_build_object('data', coalesce(p.data, '[]'::jsonb),
                                        'next_cursor', CASE WHEN p.found > a.page THEN p.last END) END,
           jsonb_build_object('rows', least(coalesce(p.found, 0), a.page))
    FROM (
        SELECT u.ordinal, u.request #>> '{query,organization}' AS organization, api.page_limit(u.request) AS page,
               c.organization_id, c.name, c.id, u.request #> '{query,cursor}' IS NOT NULL AND c.id IS NULL AS cursor_wrong
        FROM unnest(ordinals, requests) AS u(ordinal, request)
        LEFT JOIN registry.account c ON c.id = api.cursor_uuid(u.request)
    ) a
    LEFT JOIN LATERAL (
        SELECT jsonb_agg(r.answer ORDER BY r.place) FILTER (WHERE r.place <= a.page) AS data,
               count(*) AS found,
               max(replace(r.id::text, '-', '')) FILTER (WHERE r.place = a.page) AS last
        FROM (
            SELECT w.id, w.answer, row_number() OVER (ORDER BY w.organization_id, w.name, w.id) AS place
            FROM (
                SELECT c.id, c.organization_id, c.name, c.answer
                FROM api.account_answer c
                WHERE (a.id IS NULL OR (c.organization_id, c.name, c.id) > (a.organization_id, a.name, a.id))
                  AND (a.organization IS NULL OR c.organization_id = api.parse_id('org', a.organization))
                ORDER BY c.organization_id, c.name, c.id
                LIMIT a.page + 1
            ) w
        ) r
    ) p ON NOT a.cursor_wrong
$$;
COMMENT ON FUNCTION api.list_accounts(uuid, integer[], uuid[], uuid[], jsonb[]) IS
    'operation list_accounts: by organization and name, a page at a time';

CREATE FUNCTION api.get_account(batch uuid, ordinals integer[], accounts uuid[], organizations uuid[],
                                requests jsonb[])
    RETURNS TABLE (ordinal integer, outcome text, answer jsonb, subject jsonb)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT a.ordinal, CASE WHEN c.id IS NULL THEN 'not_found' ELSE 'ok' END, c.answer,
           jsonb_build_object('account', a.request #> '{path,id}')
    FROM unnest(ordinals, requests) AS a(ordinal, request)
    LEFT JOIN api.account_answer c ON c.id = api.parse_id('acc', a.request #>> '{path,id}')
$$;
COMMENT ON FUNCTION api.get_account(uuid, integer[], uuid[], uuid[], jsonb[]) IS 'operation get_account';

CREATE FUNCTION api.get_me(batch uuid, ordinals integer[], accounts uuid[], organizations uuid[], requests jsonb[])
    RETURNS TABLE (ordinal integer, outcome text, answer jsonb, subject jsonb)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT a.ordinal, CASE WHEN c.id IS NULL THEN 'not_found' ELSE 'ok' END, c.answer, '{}'::jsonb
    FROM unnest(ordinals, accounts) AS a(ordinal, account)
    LEFT JOIN api.account_answer c ON c.id = a.account
$$;
COMMENT ON FUNCTION api.get_me(uuid, integer[], uuid[], uuid[], jsonb[]) IS 'operation get_me: the caller''s own account';
