-- SPDX-License-Identifier: Apache-2.0
-- Traces: looked up, ranked by the keeper, recorded; read again; listed.

-- The hot path: for each word at most four index look-ups (code, mark,
-- firearm_state, sale_purchaser) and nothing computed. In plpgsql with a generic
-- plan, because that is made once for the connection. LATERAL with OFFSET 0
-- fixes the order of the look-ups, and without sequential scans each of them is
-- by index, also when the plan was made while the tables were empty. The code
-- comes first: most words of a reading with unread characters were never
-- issued, and cost one look-up then.
CREATE FUNCTION api.trace_lookup(schemes text[], words text[])
    RETURNS TABLE (lookup integer, code_state text, block_id uuid, block_holder text, block_contact text, mark_id uuid, placement text,
                   valid_from date, valid_to date, firearm_id uuid, maker text, importer text, model text, serial text,
                   caliber text, firearm_type text, shipped_on date, custody json, basis text, no_purchaser_reason text,
                   chain_complete boolean, returned_on date, later_holders json, sale_id uuid, sale_dealer text,
                   sale_delivered_on date, sale_transaction_number text, purchaser_sealed bytea, purchaser_key text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off SET enable_memoize = off SET plan_cache_mode = force_generic_plan
    ROWS 256
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT u.place::integer,
           coalesce(h.state, 'registered'), c.block_id, h.name, h.contact, m.id, m.placement, m.valid_from, m.valid_to, m.firearm_id,
           s.maker, s.importer, s.model, s.serial, s.caliber, s.firearm_type, s.shipped_on, s.custody,
           s.basis, s.no_purchaser, s.chain_complete, s.returned_on, s.later_holders,
           s.first_sale, s.first_dealer, s.first_delivered_on, s.first_transaction, p.sealed, p.key_id
    FROM unnest(words, schemes) WITH ORDINALITY AS u(word, scheme, place)
    CROSS JOIN LATERAL (
        SELECT k.block_id FROM registry.code k WHERE k.word = u.word AND k.scheme = u.scheme OFFSET 0
    ) c
    LEFT JOIN LATERAL (
        SELECT k.id, k.firearm_id, k.placement, k.valid_from,
               (SELECT n.valid_from FROM registry.mark n WHERE n.supersedes = k.id) AS valid_to
        FROM registry.mark k WHERE k.word = u.word AND k.scheme = u.scheme OFFSET 0
    ) m ON true
    LEFT JOIN LATERAL (
        SELECT t.* FROM registry.firearm_state t WHERE t.firearm_id = m.firearm_id OFFSET 0
    ) s ON true
    LEFT JOIN LATERAL (
        SELECT t.sealed, t.key_id FROM registry.sale_purchaser t WHERE t.sale_id = s.first_sale OFFSET 0
    ) p ON true
    -- Whom to ask about a code that is on no firearm.
    LEFT JOIN LATERAL (
        SELECT o.name, o.contact, coalesce((SELECT e.state FROM registry.code_event e
                                 WHERE e.word = u.word AND e.scheme = u.scheme ORDER BY e.seq DESC LIMIT 1), 'issued') AS state
        FROM registry.code_block b JOIN registry.organization o ON o.id = b.organization_id
        WHERE m.firearm_id IS NULL AND b.id = c.block_id OFFSET 0
    ) h ON true;
END $$;
COMMENT ON FUNCTION api.trace_lookup(text[], text[]) IS
    'what is recorded of each word, with its position from 1; no row for a word that was never issued';

-- An exhibit's first traced reading is locked: whoever reads it again may know
-- the answer by then.
CREATE FUNCTION api.trace_exhibits(organizations uuid[], case_numbers text[], exhibits text[])
    RETURNS TABLE (place integer, trace_id uuid, reading_digest bytea, recorded_at timestamptz)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
    SET enable_memoize = off SET plan_cache_mode = force_generic_plan
    ROWS 16
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT u.place::integer, e.trace_id, e.reading_digest, e.recorded_at
    FROM unnest(organizations, case_numbers, exhibits) WITH ORDINALITY AS u(organization, case_number, exhibit, place)
    -- OFFSET 0 fixes the order, as in trace_lookup: planned while the table is
    -- empty, the whole of it would be compared with every element.
    CROSS JOIN LATERAL (
        SELECT x.trace_id, x.reading_digest, x.recorded_at FROM registry.exhibit x
        WHERE x.organization_id = u.organization AND x.case_number = u.case_number AND x.exhibit = u.exhibit OFFSET 0
    ) e;
END $$;
COMMENT ON FUNCTION api.trace_exhibits(uuid[], text[], text[]) IS
    'which of these exhibits were traced before, with their positions from 1 and the digest of the reading that is locked';

-- Where a trace stands before a new version of it is made: any version's id leads there.
CREATE FUNCTION api.trace_newest(ids uuid[], organizations uuid[])
    RETURNS TABLE (place integer, root uuid, newest uuid, version integer, case_number text, request text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT u.place::integer, coalesce(t.root, t.id), v.id, v.version, v.case_number, v.request
    FROM unnest(ids, organizations) WITH ORDINALITY AS u(id, organization, place)
    CROSS JOIN LATERAL (
        SELECT x.id, x.root FROM registry.trace x WHERE x.id = u.id AND x.organization_id = u.organization OFFSET 0
    ) t
    CROSS JOIN LATERAL (
        SELECT w.id, w.version, w.case_number, w.request
        FROM (SELECT n.* FROM registry.trace n WHERE n.root = coalesce(t.root, t.id)
              UNION ALL SELECT n.* FROM registry.trace n WHERE n.id = coalesce(t.root, t.id)) w
        ORDER BY w.version DESC LIMIT 1
    ) v;
END $$;
COMMENT ON FUNCTION api.trace_newest(uuid[], uuid[]) IS
    'the first and the newest version of a trace of that agency, and what the newest was asked; no row for any other';

CREATE FUNCTION api.trace_record(batch uuid, ordinals integer[], ids uuid[], accounts uuid[], organizations uuid[],
                                 case_numbers text[], states text[], requests text[], answers text[],
                                 disclosed_sales uuid[], exhibits text[], purposes text[], urgencies text[],
                                 candidates integer[], unread integer[],
                                 lock_traces uuid[], lock_organizations uuid[], lock_case_numbers text[],
                                 lock_exhibits text[], lock_digests bytea[], revised jsonb)
    RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    recorded bigint;
BEGIN
    IF revised IS NULL THEN
        INSERT INTO registry.trace (id, batch_id, account_id, organization_id, disclosed_sale, ordinal, state, case_number,
                                    request, answer)
        SELECT u.id, batch, u.account, u.organization, u.disclosed_sale, u.ordinal, u.state, u.case_number, u.request, u.answer
        FROM unnest(ids, accounts, organizations, disclosed_sales, ordinals, states, case_numbers, requests, answers)
                 AS u(id, account, organization, disclosed_sale, ordinal, state, case_number, request, answer);
    ELSE
        INSERT INTO registry.trace (id, batch_id, account_id, organization_id, disclosed_sale, ordinal, state, case_number,
                                    request, answer, root, version, supersedes, after_answer, reason, withheld_sale, withheld)
        SELECT u.id, batch, u.account, u.organization, u.disclosed_sale, u.ordinal, u.state, u.case_number, u.request, u.answer,
               r.root, coalesce(r.version, 1), r.supersedes, coalesce(r.after_answer, false), r.reason, r.withheld_sale, r.withheld
        FROM unnest(ids, accounts, organizations, disclosed_sales, ordinals, states, case_numbers, requests, answers)
                 WITH ORDINALITY AS u(id, account, organization, disclosed_sale, ordinal, state, case_number, request, answer, place)
        LEFT JOIN jsonb_to_recordset(revised) AS r(place bigint, root uuid, version integer, supersedes uuid,
                                                   after_answer boolean, reason text, withheld_sale uuid, withheld json)
               ON r.place = u.place
        ON CONFLICT (root, version) WHERE root IS NOT NULL DO NOTHING;
        GET DIAGNOSTICS recorded = ROW_COUNT;
        IF recorded <> cardinality(ids) THEN
            RAISE EXCEPTION 'a trace was given two new versions at once' USING ERRCODE = 'CT003';
        END IF;
    END IF;
    INSERT INTO registry.trace_batch (batch_id, ids, accounts, organizations, case_numbers, exhibits, states, purposes,
                                      urgencies, candidates, unread)
    VALUES (batch, ids, accounts, organizations, case_numbers, exhibits, states, purposes, urgencies, candidates, unread);
    IF cardinality(lock_traces) > 0 THEN
        INSERT INTO registry.exhibit (organization_id, trace_id, batch_id, reading_digest, case_number, exhibit)
        SELECT u.organization, u.trace, batch, u.digest, u.case_number, u.exhibit
        FROM unnest(lock_organizations, lock_traces, lock_digests, lock_case_numbers, lock_exhibits)
                 AS u(organization, trace, digest, case_number, exhibit)
        ON CONFLICT DO NOTHING;
        GET DIAGNOSTICS recorded = ROW_COUNT;
        -- The scheduler keeps requests on one exhibit apart. What it cannot know must not pass as a first reading.
        IF recorded <> cardinality(lock_traces) THEN
            RAISE EXCEPTION 'an exhibit was traced twice at once' USING ERRCODE = 'CT003';
        END IF;
    END IF;
END $$;
COMMENT ON FUNCTION api.trace_record(uuid, integer[], uuid[], uuid[], uuid[], text[], text[], text[], text[], uuid[],
                                     text[], text[], text[], integer[], integer[], uuid[], uuid[], text[], text[], bytea[], jsonb) IS
    'records the traces of a batch, at most once in each batch. lock_…: exhibits that are traced for the first time, one row '
    'each. revised: of those that are a later version or came after an answer, by place in ids from 1; null when none is. '
    'Raises CT003 when another batch has locked an exhibit or made a version meanwhile';

-- reading -------------------------------------------------------------------------------

-- The versions of a trace, the oldest first, and their ids in that order. The id of a trace is that of its first version.
CREATE FUNCTION api.trace_versions(of_root uuid, OUT ids uuid[], OUT list jsonb)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    SELECT array_agg(v.id ORDER BY v.version),
           jsonb_agg(jsonb_build_object(
               'id', api.public_id('trc', v.id), 'version', v.version, 'recorded_at', api.time_text(b.at), 'state', v.state,
               'after_answer', v.after_answer, 'account', api.public_id('acc', v.account_id)) ORDER BY v.version)
    INTO ids, list
    FROM (SELECT t.* FROM registry.trace t WHERE t.id = of_root
          UNION ALL SELECT t.* FROM registry.trace t WHERE t.root = of_root) v
    LEFT JOIN registry.log_batch b ON b.batch_id = v.batch_id;
END $$;
COMMENT ON FUNCTION api.trace_versions(uuid) IS 'all versions of the trace whose first version that is; ids[n] is version n';

-- What a version answers when it is read: as recorded, but for a purchaser that a second examiner has released.
CREATE FUNCTION api.trace_shown(t registry.trace, versions jsonb, newest boolean, at timestamptz, released boolean)
    RETURNS jsonb
    LANGUAGE sql STABLE
    RETURN CASE WHEN released AND t.withheld IS NOT NULL
                THEN jsonb_set(t.answer::jsonb, '{candidates,0,first_purchaser}', t.withheld::jsonb)
                ELSE t.answer::jsonb END
        || jsonb_build_object('recorded_at', api.time_text(at), 'request', t.request::jsonb, 'versions', versions,
                              'version', t.version, 'superseded', NOT newest, 'after_answer', t.after_answer)
        || CASE WHEN t.reason IS NULL THEN '{}'::jsonb ELSE jsonb_build_object('reason', t.reason) END;
COMMENT ON FUNCTION api.trace_shown(registry.trace, jsonb, boolean, timestamptz, boolean) IS
    'the answer of a version with what is known of it since; without the person';

CREATE FUNCTION api.trace_firearms(recorded text) RETURNS jsonb
    LANGUAGE sql STABLE
    RETURN nullif(jsonb_path_query_array(recorded::jsonb, '$.candidates[*].firearm.id'), '[]'::jsonb);
COMMENT ON FUNCTION api.trace_firearms(text) IS 'ids of the firearms that a recorded answer shows; null if none';

-- `exact` is set by the keeper: a repeated Idempotency-Key leads to the version that it made.
CREATE FUNCTION api.get_trace(batch uuid, ordinals integer[], accounts uuid[], organizations uuid[], requests jsonb[])
    RETURNS TABLE (ordinal integer, outcome text, answer jsonb, subject jsonb)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT a.ordinal, CASE WHEN t.id IS NULL THEN 'not_found' ELSE 'ok' END,
           CASE WHEN t.id IS NOT NULL THEN jsonb_build_object(
               'answer', api.trace_shown(t, s.list, t.id = s.ids[cardinality(s.ids)], b.at, d.trace_id IS NOT NULL),
               'sealed', encode(p.sealed, 'hex'), 'seal_key', p.key_id, 'sale_id', coalesce(t.disclosed_sale, d.sale_id)) END,
           jsonb_strip_nulls(jsonb_build_object('trace', coalesce(api.public_id('trc', t.id), a.request #>> '{path,id}'),
                                                'firearms', api.trace_firearms(t.answer),
                                                'disclosed', api.public_id('sal', coalesce(t.disclosed_sale, d.sale_id))))
    FROM unnest(ordinals, organizations, requests) AS a(ordinal, organization, request)
    LEFT JOIN registry.trace n ON n.id = api.parse_id('trc', a.request #>> '{path,id}') AND n.organization_id = a.organization
    LEFT JOIN LATERAL api.trace_versions(coalesce(n.root, n.id)) s ON n.id IS NOT NULL
    LEFT JOIN registry.trace t ON t.id = CASE
        WHEN a.request #> '{query,version}' IS NOT NULL THEN s.ids[(a.request #>> '{query,version}')::integer]
        WHEN a.request ? 'exact' OR n.root IS NOT NULL THEN n.id
        ELSE s.ids[cardinality(s.ids)] END
    LEFT JOIN registry.log_batch b ON b.batch_id = t.batch_id
    LEFT JOIN registry.disclosure d ON d.trace_id = t.id
    LEFT JOIN registry.sale_purchaser p ON p.sale_id = coalesce(t.disclosed_sale, d.sale_id);
END $$;
COMMENT ON FUNCTION api.get_trace(uuid, integer[], uuid[], uuid[], jsonb[]) IS
    'operation get_trace: one of the caller''s agency, with what the keeper unseals after the commit; any other is not_found. '
    'The id of the trace shows its newest version, that of a later version shows that one';

CREATE FUNCTION api.list_traces(batch uuid, ordinals integer[], accounts uuid[], organizations uuid[], requests jsonb[])
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
                                        'next_cursor', CASE WHEN p.found > a.page THEN p.last END,
                                        'complete_to', api.time_text(f.at)) END,
           jsonb_strip_nulls(jsonb_build_object('case_number', a.query -> 'case_number', 'exhibit', a.query -> 'exhibit',
                                                'rows', least(coalesce(p.found, 0), a.page)))
    FROM (
        SELECT u.ordinal, u.account, u.organization, u.request -> 'query' AS query, api.page_limit(u.request) AS page,
               u.request #>> '{query,scope}' IS NOT DISTINCT FROM 'agency' AS of_agency,
               coalesce(c.at, 'infinity') AS before_at, coalesce(c.trace_id, u.organization) AS before_id,
               u.request #> '{query,cursor}' IS NOT NULL AND c.trace_id IS NULL AS cursor_wrong
        FROM unnest(ordinals, accounts, organizations, requests) AS u(ordinal, account, organization, request)
        -- Another agency's trace is no cursor either.
        LEFT JOIN registry.trace_search c ON c.trace_id = api.cursor_uuid(u.request) AND c.organization_id = u.organization
    ) a
    JOIN registry.fill_state f ON f.name = 'trace_search'
    LEFT JOIN LATERAL (
        SELECT jsonb_agg(jsonb_build_object(
                   'id', api.public_id('trc', r.trace_id), 'state', r.state, 'case_number', r.case_number,
                   'exhibit', r.exhibit, 'purpose', r.purpose, 'urgency', r.urgency,
                   'account', api.public_id('acc', r.account_id), 'candidates', r.candidates,
                   'recorded_at', api.time_text(r.at)) ORDER BY r.place) FILTER (WHERE r.place <= a.page) AS data,
               count(*) AS found,
               max(replace(r.trace_id::text, '-', '')) FILTER (WHERE r.place = a.page) AS last
        FROM (
            SELECT w.*, row_number() OVER (ORDER BY w.at DESC, w.trace_id DESC) AS place
            FROM (
                SELECT t.*
                FROM registry.trace_search t
                WHERE t.organization_id = a.organization AND (t.at, t.trace_id) < (a.before_at, a.before_id)
                  AND (a.of_agency OR t.account_id = a.account)
                  AND (a.query ->> 'case_number' IS NULL OR t.case_number = a.query ->> 'case_number')
                  AND (a.query ->> 'exhibit' IS NULL OR t.exhibit = a.query ->> 'exhibit')
                  AND (a.query ->> 'state' IS NULL OR t.state = a.query ->> 'state')
                ORDER BY t.at DESC, t.trace_id DESC
                LIMIT a.page + 1
            ) w
        ) r
    ) p ON NOT a.cursor_wrong;
END $$;
COMMENT ON FUNCTION api.list_traces(uuid, integer[], uuid[], uuid[], jsonb[]) IS
    'operation list_traces: the caller''s own or those of its agency, the newest first, a page at a time';
