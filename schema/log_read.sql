-- SPDX-License-Identifier: Apache-2.0
-- The access log as auditors read it. Filters use the columns filled behind the
-- batch; what is shown comes from the headers themselves.

CREATE FUNCTION api.list_log_entries(batch uuid, ordinals integer[], accounts uuid[], organizations uuid[],
                                     requests jsonb[])
    RETURNS TABLE (ordinal integer, outcome text, answer jsonb, subject jsonb)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    -- Planned anew for the filters that are given, so that each finds its index.
    SET plan_cache_mode = force_custom_plan
AS $$
#variable_conflict use_variable
DECLARE
    request      jsonb;
    query        jsonb;
    page         integer;
    last_at      timestamptz;
    last_idx     bigint;
    complete_to  CONSTANT bigint := (SELECT f.complete_to FROM registry.fill_state f WHERE f.name = 'log_search');
    from_at      timestamptz;
    to_at        timestamptz;
    of_account   uuid;
    of_organization uuid;
    of_case      text;
    of_operation text;
    of_outcome   text;
BEGIN
    FOR ordinal, request IN SELECT a.ordinal, a.request FROM unnest(ordinals, requests) AS a(ordinal, request) LOOP
        query := request -> 'query';
        page := api.page_limit(request);
        last_at := 'infinity';
        last_idx := NULL;
        subject := coalesce(query, '{}'::jsonb) - 'cursor' - 'limit';
        IF query ? 'cursor' THEN
            SELECT s.at, s.idx INTO last_at, last_idx FROM registry.log_search s WHERE s.idx = api.cursor_index(request);
            IF NOT FOUND THEN
                outcome := 'invalid_request';
                answer := api.refusal('/query/cursor', 'not a cursor of this list');
                RETURN NEXT;
                CONTINUE;
            END IF;
        END IF;
        from_at := query ->> 'from';
        to_at := query ->> 'to';
        -- An id that is not one is nobody's: it finds nothing rather than everything.
        of_account := CASE WHEN query ? 'account' THEN coalesce(api.parse_id('acc', query ->> 'account'),
                                                                '00000000-0000-0000-0000-000000000000') END;
        of_organization := CASE WHEN query ? 'organization' THEN coalesce(api.parse_id('org', query ->> 'organization'),
                                                                '00000000-0000-0000-0000-000000000000') END;
        of_case := query ->> 'case_number';
        of_operation := query ->> 'operation';
        of_outcome := query ->> 'outcome';
        outcome := 'ok';
        SELECT jsonb_build_object(
                   'data', coalesce(jsonb_agg(r.item ORDER BY r.place) FILTER (WHERE r.place <= page), '[]'::jsonb),
                   'next_cursor', CASE WHEN count(*) > page THEN max(r.idx) FILTER (WHERE r.place = page) END::text,
                   'complete_to', complete_to)
        INTO answer
        FROM (
            SELECT w.idx, row_number() OVER (ORDER BY w.at DESC, w.idx DESC) AS place, api.log_item(w.idx, convert_from(e.header, 'UTF8')::jsonb) AS item
            FROM (
                SELECT s.idx, s.at
                FROM registry.log_search s
                WHERE (last_idx IS NULL OR (s.at, s.idx) < (last_at, last_idx))
                  AND (from_at IS NULL OR s.at >= from_at)
                  AND (to_at IS NULL OR s.at < to_at)
                  AND (of_account IS NULL OR s.account_id = of_account)
                  AND (of_organization IS NULL OR s.organization_id = of_organization)
                  AND (of_case IS NULL OR s.case_number = of_case)
                  AND (of_operation IS NULL OR s.operation = of_operation)
                  AND (of_outcome IS NULL OR s.outcome = of_outcome)
                ORDER BY s.at DESC, s.idx DESC
                LIMIT page + 1
            ) w
            JOIN registry.log_entry e ON e.idx = w.idx
        ) r;
        RETURN NEXT;
    END LOOP;
END $$;
COMMENT ON FUNCTION api.list_log_entries(uuid, integer[], uuid[], uuid[], jsonb[]) IS
    'operation list_log_entries: the newest first, a page at a time; entries below complete_to are in it';

CREATE FUNCTION api.get_log_entry(batch uuid, ordinals integer[], accounts uuid[], organizations uuid[],
                                  requests jsonb[])
    RETURNS TABLE (ordinal integer, outcome text, answer jsonb, subject jsonb)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT a.ordinal,
           CASE WHEN e.idx IS NULL THEN 'not_found' ELSE 'ok' END,
           CASE WHEN e.idx IS NOT NULL THEN jsonb_build_object(
               'index', e.idx,
               'at', convert_from(e.header, 'UTF8')::jsonb -> 'time',
               'header', convert_from(e.header, 'UTF8'),
               'header_salt', encode(e.header_salt, 'hex'),
               'd_subject', encode(e.d_subject, 'hex'),
               'leaf_hash', encode(e.leaf_hash, 'hex'),
               'subject_sealed', encode(e.subject_sealed, 'hex'),
               'subject_salt_sealed', encode(e.subject_salt_sealed, 'hex'),
               'batch_id', b.batch_id,
               'batch', jsonb_build_object('first', b.first_idx, 'count', b.count, 'size', b.size)) END,
           jsonb_build_object('index', a.idx)
    FROM (SELECT u.ordinal, CASE WHEN u.request #>> '{path,index}' ~ '^[0-9]{1,18}$'
                                 THEN (u.request #>> '{path,index}')::bigint END AS idx
          FROM unnest(ordinals, requests) AS u(ordinal, request)) a
    LEFT JOIN registry.log_entry e ON e.idx = a.idx
    LEFT JOIN LATERAL (SELECT b.* FROM registry.log_batch b WHERE b.size > e.idx ORDER BY b.size LIMIT 1) b ON true
$$;
COMMENT ON FUNCTION api.get_log_entry(uuid, integer[], uuid[], uuid[], jsonb[]) IS
    'operation get_log_entry: the keeper replaces subject_sealed and subject_salt_sealed by what they hold and takes batch_id out';

CREATE FUNCTION api.get_log_receipt(batch uuid, ordinals integer[], accounts uuid[], organizations uuid[],
                                    requests jsonb[])
    RETURNS TABLE (ordinal integer, outcome text, answer jsonb, subject jsonb)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT g.ordinal, g.outcome, g.answer, g.subject
    FROM api.get_log_entry(batch, ordinals, accounts, organizations, requests) g
$$;
COMMENT ON FUNCTION api.get_log_receipt(uuid, integer[], uuid[], uuid[], jsonb[]) IS
    'operation get_log_receipt: the entry; the keeper makes the proof from log_hashes';
