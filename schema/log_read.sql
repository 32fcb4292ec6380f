-- SPDX-License-Identifier: Apache-2.0
-- The access log as auditors read it. Filters use the columns filled behind the
-- batch; what is shown comes from the headers themselves.

-- What a search asks for, in one place for both orders. It is planned inline, for
-- the filters that are given, so that each finds its index.
CREATE FUNCTION api.log_matches(first_idx bigint, before_idx bigint, from_at timestamptz, to_at timestamptz, of_account uuid,
                                of_organization uuid, of_case text, of_operation text, of_outcome text, among bigint[])
    RETURNS SETOF bigint
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT s.idx
    FROM registry.log_search s
    WHERE s.idx >= first_idx AND s.idx < before_idx
      AND (from_at IS NULL OR s.at >= from_at)
      AND (to_at IS NULL OR s.at < to_at)
      AND (of_account IS NULL OR s.account_id = of_account)
      AND (of_organization IS NULL OR s.organization_id = of_organization)
      AND (of_case IS NULL OR s.case_number = of_case)
      AND (of_operation IS NULL OR s.operation = of_operation)
      AND (of_outcome IS NULL OR s.outcome = of_outcome)
      AND (among IS NULL OR s.idx = ANY (among));
END;
COMMENT ON FUNCTION api.log_matches(bigint, bigint, timestamptz, timestamptz, uuid, uuid, text, text, text, bigint[]) IS
    'indexes of the entries from first_idx to before before_idx for which all holds that is not null';

-- A registration or a list of events names more firearms than the log's subject
-- does; those are found by what they recorded.
CREATE FUNCTION api.log_of_firearm(of_token bytea, firearm uuid, first_idx bigint, before_idx bigint) RETURNS bigint[]
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
    RETURN ARRAY(
        SELECT t.idx FROM registry.log_touched t
        WHERE t.token = of_token AND t.idx >= first_idx AND t.idx < before_idx
        UNION
        SELECT api.entry_index(b.first_idx, r.ordinal)
        FROM (SELECT f.batch_id, f.ordinal FROM registry.firearm f WHERE f.id = firearm
              UNION SELECT e.batch_id, e.ordinal FROM registry.custody_event e WHERE e.firearm_id = firearm) r
        JOIN registry.log_batch b ON b.batch_id = r.batch_id);
END $$;
COMMENT ON FUNCTION api.log_of_firearm(bytea, uuid, bigint, bigint) IS
    'indexes of the entries of that range that touched a firearm: by its token, which the keeper makes, and by its records';

-- The clock of the database and that of the keeper may differ by as much.
CREATE FUNCTION api.log_range(from_at timestamptz, to_at timestamptz, OUT first_idx bigint, OUT before_idx bigint)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    margin CONSTANT interval := interval '10 minutes';
BEGIN
    first_idx := 0;
    before_idx := 9223372036854775807;
    IF from_at IS NOT NULL THEN
        SELECT coalesce(min(b.first_idx), 9223372036854775807) INTO first_idx FROM registry.log_batch b WHERE b.at >= from_at - margin;
    END IF;
    IF to_at IS NOT NULL THEN
        SELECT coalesce(max(b.size), 0) INTO before_idx FROM registry.log_batch b WHERE b.at < to_at + margin;
    END IF;
END $$;
COMMENT ON FUNCTION api.log_range(timestamptz, timestamptz) IS
    'a range of indexes outside of which no entry is of these times; null: any time';

CREATE FUNCTION api.list_log_entries(batch uuid, ordinals integer[], accounts uuid[], organizations uuid[],
                                     requests jsonb[])
    RETURNS TABLE (ordinal integer, outcome text, answer jsonb, subject jsonb)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_custom_plan
AS $$
#variable_conflict use_variable
DECLARE
    request      jsonb;
    query        jsonb;
    page         integer;
    oldest       boolean;
    after        bigint;
    complete_to  CONSTANT bigint := (SELECT f.complete_to FROM registry.fill_state f WHERE f.name = 'log_search');
    log_size     CONSTANT bigint := (SELECT h.size FROM registry.log_head h WHERE h.id = 1);
    range        record;
    from_at      timestamptz;
    to_at        timestamptz;
    of_account   uuid;
    of_organization uuid;
    among        bigint[];
    found        bigint[];
    -- An id that is not one is nobody's: it finds nothing rather than everything.
    nobody       CONSTANT uuid := '00000000-0000-0000-0000-000000000000';
BEGIN
    FOR ordinal, request IN SELECT a.ordinal, a.request FROM unnest(ordinals, requests) AS a(ordinal, request) LOOP
        query := request -> 'query';
        page := api.page_limit(request);
        oldest := query ->> 'order' IS NOT DISTINCT FROM 'oldest';
        after := api.cursor_index(request);
        -- To search for a firearm is not to touch it, so its id is only where all that was asked is.
        subject := coalesce(query, '{}'::jsonb) - 'cursor' - 'limit' - 'firearm';
        IF query ? 'cursor' AND (after IS NULL OR after >= log_size) THEN
            outcome := 'invalid_request';
            answer := api.refusal('/query/cursor', 'not a cursor of this list');
            RETURN NEXT;
            CONTINUE;
        END IF;
        from_at := query ->> 'from';
        to_at := query ->> 'to';
        of_account := CASE WHEN query ? 'account' THEN coalesce(api.parse_id('acc', query ->> 'account'), nobody) END;
        of_organization := CASE WHEN query ? 'organization' THEN coalesce(api.parse_id('org', query ->> 'organization'), nobody) END;
        range := api.log_range(from_at, to_at);
        IF after IS NOT NULL AND oldest THEN
            range.first_idx := greatest(range.first_idx, after + 1);
        ELSIF after IS NOT NULL THEN
            range.before_idx := least(range.before_idx, after);
        END IF;
        among := CASE WHEN query ? 'firearm'
                      THEN api.log_of_firearm(decode(request ->> 'token', 'hex'),
                                              coalesce(api.parse_id('frm', query ->> 'firearm'), nobody),
                                              range.first_idx, range.before_idx) END;
        IF oldest THEN
            found := ARRAY(
                SELECT m FROM api.log_matches(range.first_idx, range.before_idx, from_at, to_at, of_account, of_organization,
                                              query ->> 'case_number', query ->> 'operation', query ->> 'outcome', among) m
                ORDER BY m LIMIT page + 1);
        ELSE
            found := ARRAY(
                SELECT m FROM api.log_matches(range.first_idx, range.before_idx, from_at, to_at, of_account, of_organization,
                                              query ->> 'case_number', query ->> 'operation', query ->> 'outcome', among) m
                ORDER BY m DESC LIMIT page + 1);
        END IF;
        outcome := 'ok';
        answer := jsonb_build_object(
            'data', coalesce((SELECT jsonb_agg(api.log_item(e.idx, convert_from(e.header, 'UTF8')::jsonb) ORDER BY u.place)
                              FROM unnest(found[:page]) WITH ORDINALITY AS u(idx, place)
                              JOIN registry.log_entry e ON e.idx = u.idx), '[]'::jsonb),
            'next_cursor', CASE WHEN cardinality(found) > page THEN found[page]::text END,
            'complete_to', complete_to);
        RETURN NEXT;
    END LOOP;
END $$;
COMMENT ON FUNCTION api.list_log_entries(uuid, integer[], uuid[], uuid[], jsonb[]) IS
    'operation list_log_entries: in the order of the index, a page at a time; entries below complete_to are in it. '
    'The keeper adds the token of the firearm that is searched for';

CREATE FUNCTION api.log_entry_parts(e registry.log_entry, b registry.log_batch) RETURNS jsonb
    LANGUAGE sql STABLE
    RETURN jsonb_build_object(
        'index', e.idx,
        'header', convert_from(e.header, 'UTF8'),
        'header_salt', encode(e.header_salt, 'hex'),
        'd_subject', encode(e.d_subject, 'hex'),
        'leaf_hash', encode(e.leaf_hash, 'hex'),
        'subject_sealed', encode(e.subject_sealed, 'hex'),
        'subject_salt_sealed', encode(e.subject_salt_sealed, 'hex'),
        'batch_id', b.batch_id,
        'batch', jsonb_build_object('first', b.first_idx, 'count', b.count, 'size', b.size));
COMMENT ON FUNCTION api.log_entry_parts(registry.log_entry, registry.log_batch) IS
    'an entry with what is needed to rebuild its leaf, sealed parts sealed';

CREATE FUNCTION api.log_read_by(of_token bytea, most integer) RETURNS jsonb
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
    RETURN (SELECT coalesce(jsonb_agg(jsonb_build_object('index', r.idx, 'at', h.header -> 'time', 'account', h.header -> 'account')
                                      ORDER BY r.idx DESC), '[]'::jsonb)
            FROM (SELECT t.idx FROM registry.log_touched t WHERE t.token = of_token ORDER BY t.idx DESC LIMIT most) r
            JOIN registry.log_entry e ON e.idx = r.idx
            CROSS JOIN LATERAL (SELECT convert_from(e.header, 'UTF8')::jsonb AS header OFFSET 0) h);
END $$;
COMMENT ON FUNCTION api.log_read_by(bytea, integer) IS 'who has read the entry with that token, the newest readings first';

CREATE FUNCTION api.get_log_entry(batch uuid, ordinals integer[], accounts uuid[], organizations uuid[],
                                  requests jsonb[])
    RETURNS TABLE (ordinal integer, outcome text, answer jsonb, subject jsonb)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT a.ordinal,
           CASE WHEN e.idx IS NULL THEN 'not_found' ELSE 'ok' END,
           CASE WHEN e.idx IS NOT NULL
                THEN api.log_entry_parts(e, b) || jsonb_build_object('at', convert_from(e.header, 'UTF8')::jsonb -> 'time')
                     || CASE WHEN a.token IS NULL THEN '{}'::jsonb
                             ELSE jsonb_build_object('read_by', api.log_read_by(a.token, 100), 'complete_to',
                                  (SELECT f.complete_to FROM registry.fill_state f WHERE f.name = 'log_search')) END END,
           jsonb_build_object('index', a.idx)
    FROM (SELECT u.ordinal, decode(u.request ->> 'token', 'hex') AS token,
                 CASE WHEN u.request #>> '{path,index}' ~ '^[0-9]{1,18}$' THEN (u.request #>> '{path,index}')::bigint END AS idx
          FROM unnest(ordinals, requests) AS u(ordinal, request)) a
    LEFT JOIN registry.log_entry e ON e.idx = a.idx
    LEFT JOIN LATERAL (SELECT b.* FROM registry.log_batch b WHERE b.size > e.idx ORDER BY b.size LIMIT 1) b ON true
$$;
COMMENT ON FUNCTION api.get_log_entry(uuid, integer[], uuid[], uuid[], jsonb[]) IS
    'operation get_log_entry: the keeper replaces subject_sealed and subject_salt_sealed by what they hold and takes batch_id '
    'out. With the token of the entry, which the keeper adds, also who has read it';

CREATE FUNCTION api.export_log(batch uuid, ordinals integer[], accounts uuid[], organizations uuid[], requests jsonb[])
    RETURNS TABLE (ordinal integer, outcome text, answer jsonb, subject jsonb)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
    -- Of a page as it is sent, where every second character may need another one before it.
    bytes_most CONSTANT bigint := 4000000;
BEGIN
    RETURN QUERY
    SELECT a.ordinal, 'ok', jsonb_build_object('lines', coalesce(p.lines, '[]'::jsonb)),
           jsonb_build_object('first', a.first, 'count', coalesce(p.count, 0))
    FROM (SELECT u.ordinal, (u.request #>> '{query,from}')::bigint AS first, (u.request ->> 'complete_to')::bigint AS complete_to,
                 least(greatest(coalesce((u.request #>> '{query,limit}')::integer, 1000), 1), 1000) AS page
          FROM unnest(ordinals, requests) AS u(ordinal, request)) a
    CROSS JOIN LATERAL (
        SELECT jsonb_agg(api.log_entry_parts(e, b) ORDER BY e.idx) AS lines, count(*) AS count
        FROM (SELECT w.idx, sum(2 * (length(w.header) + coalesce(length(w.subject_sealed), 0)) + 512) OVER (ORDER BY w.idx) AS bytes
              FROM registry.log_entry w
              WHERE w.idx >= a.first AND w.idx < least(a.first + a.page, a.complete_to)) w
        JOIN registry.log_entry e ON e.idx = w.idx
        CROSS JOIN LATERAL (SELECT b.* FROM registry.log_batch b WHERE b.size > e.idx ORDER BY b.size LIMIT 1) b
        WHERE w.bytes <= bytes_most OR w.idx = a.first
    ) p;
END $$;
COMMENT ON FUNCTION api.export_log(uuid, integer[], uuid[], uuid[], jsonb[]) IS
    'operation export_log: entries as get_log_entry gives them, from an index on and below complete_to, which the keeper adds';

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
