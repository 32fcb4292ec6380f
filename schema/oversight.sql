-- SPDX-License-Identifier: Apache-2.0
-- What accounts did today, counted for budgets and for auditors. The keeper
-- counts as it answers; here is what it begins with, and what it finds.

-- By kind of answer, so that what an answer costs is known in one place, which
-- is the keeper's. Entries are those of the batches, whose rows are arrays.
CREATE FUNCTION api.traces_of_day(day_number integer, slice integer)
    RETURNS TABLE (account uuid, organization uuid, state text, candidates integer, unread integer, times bigint,
                   first_entry bigint, last_entry bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
    length CONSTANT interval := interval '10 minutes';
    begins CONSTANT timestamptz := ((date '1970-01-01' + day_number)::timestamp AT TIME ZONE 'UTC') + slice * length;
BEGIN
    RETURN QUERY
    SELECT u.account, u.organization, u.state, u.candidates, least(u.unread, 2), count(*), min(b.first_idx), max(b.size) - 1
    FROM registry.log_batch b
    JOIN registry.trace_batch t ON t.batch_id = b.batch_id
    CROSS JOIN LATERAL unnest(t.accounts, t.organizations, t.states, t.candidates, t.unread)
        AS u(account, organization, state, candidates, unread)
    WHERE b.at >= begins AND b.at < begins + length
    GROUP BY u.account, u.organization, u.state, u.candidates, least(u.unread, 2)
    UNION ALL
    -- A comparison costs what a trace costs, and one that does not fit is a guess that failed.
    SELECT c.account_id, c.organization_id, CASE WHEN c.state = 'against' THEN 'no_match' ELSE c.state END, -1, least(c.unread, 2),
           count(*), min(b.first_idx), max(b.size) - 1
    FROM registry.comparison c
    JOIN registry.log_batch b ON b.batch_id = c.batch_id
    WHERE c.at >= begins AND c.at < begins + length
    GROUP BY 1, 2, 3, 5;
END $$;
COMMENT ON FUNCTION api.traces_of_day(integer, integer) IS
    'the traces and comparisons of ten minutes (slice 0 to 143) of that day (since 1970-01-01, UTC) by account and by what was answered; '
    'unread is 2 for two characters and more. In slices, so that no day is too busy for one statement';

CREATE FUNCTION api.finding_record(kinds text[], accounts uuid[], organizations uuid[], days integer[], counts bigint[],
                                   first_entries bigint[], last_entries bigint[])
    RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    recorded integer;
BEGIN
    INSERT INTO registry.finding (kind, account_id, organization_id, day, count, first_entry, last_entry)
    SELECT u.kind, u.account, u.organization, date '1970-01-01' + u.day, u.count, u.first_entry, u.last_entry
    FROM unnest(kinds, accounts, organizations, days, counts, first_entries, last_entries)
             AS u(kind, account, organization, day, count, first_entry, last_entry)
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS recorded = ROW_COUNT;
    RETURN recorded;
END $$;
COMMENT ON FUNCTION api.finding_record(text[], uuid[], uuid[], integer[], bigint[], bigint[], bigint[]) IS
    'records findings, each once a day; returns how many were new';

CREATE FUNCTION api.list_findings(batch uuid, ordinals integer[], accounts uuid[], organizations uuid[], requests jsonb[])
    RETURNS TABLE (ordinal integer, outcome text, answer jsonb, subject jsonb)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT a.ordinal,
           CASE WHEN a.cursor_wrong THEN 'invalid_request' ELSE 'ok' END,
           CASE WHEN a.cursor_wrong THEN api.refusal('/query/cursor', 'not a cursor of this list')
                ELSE jsonb_build_object('data', coalesce(p.data, '[]'::jsonb),
                                        'next_cursor', CASE WHEN p.found > a.page THEN p.last END) END,
           jsonb_strip_nulls(jsonb_build_object('kind', a.query -> 'kind', 'account', a.query -> 'account',
                                                'organization', a.query -> 'organization',
                                                'rows', least(coalesce(p.found, 0), a.page)))
    FROM (
        SELECT u.ordinal, u.request -> 'query' AS query, api.page_limit(u.request) AS page,
               coalesce(api.cursor_index(u.request), 9223372036854775807) AS before,
               u.request #> '{query,cursor}' IS NOT NULL AND api.cursor_index(u.request) IS NULL AS cursor_wrong,
               -- An id that is not one is nobody's: it finds nothing rather than everything.
               api.parse_id('acc', u.request #>> '{query,account}') AS account,
               api.parse_id('org', u.request #>> '{query,organization}') AS organization
        FROM unnest(ordinals, requests) AS u(ordinal, request)
    ) a
    LEFT JOIN LATERAL (
        SELECT jsonb_agg(jsonb_build_object(
                   'number', r.number, 'kind', r.kind, 'account', api.public_id('acc', r.account_id),
                   'organization', api.public_id('org', r.organization_id), 'day', api.date_text(r.day), 'count', r.count,
                   'entries', CASE WHEN r.first_entry IS NOT NULL
                                   THEN jsonb_build_object('first', r.first_entry, 'last', r.last_entry) END,
                   'made_at', api.time_text(r.made_at)) ORDER BY r.place) FILTER (WHERE r.place <= a.page) AS data,
               count(*) AS found, max(r.number) FILTER (WHERE r.place = a.page)::text AS last
        FROM (
            SELECT w.*, row_number() OVER (ORDER BY w.number DESC) AS place
            FROM (
                SELECT f.*
                FROM registry.finding f
                WHERE f.number < a.before
                  AND (a.query ->> 'kind' IS NULL OR f.kind = a.query ->> 'kind')
                  AND (a.query ->> 'account' IS NULL OR f.account_id = a.account)
                  AND (a.query ->> 'organization' IS NULL OR f.organization_id = a.organization)
                ORDER BY f.number DESC
                LIMIT a.page + 1
            ) w
        ) r
    ) p ON NOT a.cursor_wrong;
END $$;
COMMENT ON FUNCTION api.list_findings(uuid, integer[], uuid[], uuid[], jsonb[]) IS
    'operation list_findings: what auditors should look at, the newest first, a page at a time';
