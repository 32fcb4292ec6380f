-- SPDX-License-Identifier: Apache-2.0
-- What the keeper does behind its batches, on a connection of its own, in
-- short transactions. Plans are made once per connection, perhaps while the
-- tables are empty, so those that read much may only use indexes.

-- Where one filling ends: the last batch that fits in max_rows entries, at
-- least one. Entries of a batch that is there are all there, and so are those
-- of all batches before it, because each moved the head under its lock.
CREATE FUNCTION api.fill_range(of_name text, max_rows integer,
                               OUT done bigint, OUT upto bigint, OUT upto_at timestamptz)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    SELECT f.complete_to INTO done FROM registry.fill_state f WHERE f.name = of_name FOR UPDATE;
    SELECT b.size, b.at INTO upto, upto_at FROM registry.log_batch b
    WHERE b.size > done AND b.size <= done + max_rows ORDER BY b.size DESC LIMIT 1;
    IF upto IS NULL THEN
        SELECT b.size, b.at INTO upto, upto_at FROM registry.log_batch b
        WHERE b.size > done ORDER BY b.size LIMIT 1;
    END IF;
END $$;
COMMENT ON FUNCTION api.fill_range(text, integer) IS
    'locks the state of a table that is filled and says up to which index to fill it; upto null when it is complete';

CREATE FUNCTION api.log_headers(first bigint, upto bigint)
    RETURNS TABLE (idx bigint, at timestamptz, account uuid, organization uuid, operation text, outcome text, case_number text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT e.idx, h.time, substr(nullif(h.account, ''), 5)::uuid, substr(nullif(h.organization, ''), 5)::uuid,
           h.operation, h.outcome, h.case_number
    FROM registry.log_entry e
    CROSS JOIN LATERAL json_to_record(convert_from(e.header, 'UTF8')::json)
        AS h(time timestamptz, account text, organization text, operation text, outcome text, case_number text)
    WHERE e.idx >= first AND e.idx < upto
$$;
COMMENT ON FUNCTION api.log_headers(bigint, bigint) IS
    'rows of log_search as the headers say it, which are the truth, from index first to before upto';

CREATE FUNCTION api.log_search_fill(max_rows integer) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    f record;
BEGIN
    SELECT * INTO f FROM api.fill_range('log_search', max_rows);
    IF f.upto IS NULL THEN
        RETURN f.done;
    END IF;
    INSERT INTO registry.log_search (idx, at, account_id, organization_id, operation, outcome, case_number)
    SELECT b.first_idx + u.place - 1, s.at, u.account, u.organization, u.operation, u.outcome, u.case_number
    FROM registry.log_batch b
    CROSS JOIN LATERAL (SELECT t.* FROM registry.log_search_batch t WHERE t.size = b.size OFFSET 0) s
    CROSS JOIN LATERAL unnest(s.accounts, s.organizations, s.operations, s.outcomes, s.case_numbers) WITH ORDINALITY
        AS u(account, organization, operation, outcome, case_number, place)
    WHERE b.size > f.done AND b.size <= f.upto
    UNION ALL
    SELECT h.*
    FROM registry.log_batch b
    LEFT JOIN registry.log_search_batch s ON s.size = b.size
    CROSS JOIN LATERAL api.log_headers(b.first_idx, b.size) h
    WHERE b.size > f.done AND b.size <= f.upto AND s.size IS NULL;
    PERFORM api.log_touched_fill(f.done, f.upto);
    UPDATE registry.fill_state SET complete_to = f.upto, at = f.upto_at WHERE name = 'log_search';
    RETURN f.upto;
END $$;
COMMENT ON FUNCTION api.log_search_fill(integer) IS
    'copies what auditors filter by of about max_rows entries, in order; returns the index below which all is there';

CREATE FUNCTION api.log_touched_fill(done bigint, upto bigint) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
    -- In the order of the tokens, so that each page of the index is written to once.
    INSERT INTO registry.log_touched (token, idx)
    SELECT u.token, b.first_idx + u.place - 1
    FROM registry.log_batch b
    CROSS JOIN LATERAL (SELECT t.* FROM registry.log_search_batch t WHERE t.size = b.size OFFSET 0) s
    CROSS JOIN LATERAL unnest(s.touched, s.touched_places) AS u(token, place)
    WHERE b.size > done AND b.size <= upto
    ORDER BY u.token
    ON CONFLICT DO NOTHING;
END $$;
COMMENT ON FUNCTION api.log_touched_fill(bigint, bigint) IS
    'copies the tokens of the batches after which the log was larger than done and at most upto';

CREATE FUNCTION api.log_search_again() RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    done CONSTANT bigint := (SELECT f.complete_to FROM registry.fill_state f WHERE f.name = 'log_search' FOR UPDATE);
    last CONSTANT bigint := (SELECT max(s.size) FROM registry.log_search_batch s);
BEGIN
    -- What was touched is not in the headers: it is taken over from batches that were not filled yet. Those that come
    -- meanwhile stay as they are.
    PERFORM api.log_touched_fill(done, last);
    UPDATE registry.fill_state SET complete_to = 0 WHERE name = 'log_search';
    DELETE FROM registry.log_search_batch s WHERE s.size <= last;
    DELETE FROM registry.log_search;
END $$;
COMMENT ON FUNCTION api.log_search_again() IS
    'empties log_search, so that search_fill makes all of it again from the headers; log_touched stays; for the owner';

CREATE FUNCTION api.trace_search_fill(max_rows integer) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    f record;
BEGIN
    SELECT * INTO f FROM api.fill_range('trace_search', max_rows);
    IF f.upto IS NULL THEN
        RETURN f.done;
    END IF;
    -- The batch's time, not the trace's: times then follow the order of the log,
    -- and `at` of the last batch says up to when the lists are complete.
    INSERT INTO registry.trace_search (trace_id, organization_id, account_id, at, case_number, exhibit, state,
                                       purpose, urgency, candidates)
    SELECT u.id, u.organization, u.account, b.at, u.case_number, u.exhibit, u.state, u.purpose, u.urgency, u.candidates
    FROM registry.log_batch b
    CROSS JOIN LATERAL (SELECT t.* FROM registry.trace_batch t WHERE t.batch_id = b.batch_id OFFSET 0) i
    CROSS JOIN LATERAL unnest(i.ids, i.organizations, i.accounts, i.case_numbers, i.exhibits, i.states, i.purposes,
                              i.urgencies, i.candidates)
        AS u(id, organization, account, case_number, exhibit, state, purpose, urgency, candidates)
    WHERE b.size > f.done AND b.size <= f.upto;
    UPDATE registry.fill_state SET complete_to = f.upto, at = f.upto_at WHERE name = 'trace_search';
    RETURN f.upto;
END $$;
COMMENT ON FUNCTION api.trace_search_fill(integer) IS
    'copies what lists of traces show, of the batches of about max_rows log entries; returns the index it has reached';

CREATE FUNCTION api.search_fill(max_rows integer)
    RETURNS TABLE (log_complete_to bigint, log_size bigint, trace_lag_s double precision)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    trace_complete_to bigint;
BEGIN
    log_complete_to := api.log_search_fill(max_rows);
    trace_complete_to := api.trace_search_fill(max_rows);
    SELECT h.size INTO log_size FROM registry.log_head h WHERE h.id = 1;
    SELECT extract(epoch FROM clock_timestamp() - b.at) INTO trace_lag_s
    FROM registry.log_batch b
    WHERE b.size > least(log_complete_to, trace_complete_to) ORDER BY b.size LIMIT 1;
    trace_lag_s := greatest(coalesce(trace_lag_s, 0), 0);
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION api.search_fill(integer) IS
    'fills log_search and trace_search from about max_rows entries each; log_complete_to and log_size are indexes, '
    'trace_lag_s the age in seconds of the oldest batch that one of the two lacks, 0 when none does';

CREATE FUNCTION api.credentials_used(ids uuid[]) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE registry.credential c SET last_used_on = api.today()
    WHERE c.id = ANY (ids) AND c.last_used_on IS DISTINCT FROM api.today()
$$;
COMMENT ON FUNCTION api.credentials_used(uuid[]) IS 'notes the day on which credentials were used';

CREATE FUNCTION api.maintain() RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    rows_most CONSTANT integer := 10000;
    part      integer;
    removed   bigint;
    served    bigint;
BEGIN
    SELECT h.size / 10000000 INTO part FROM registry.log_head h WHERE h.id = 1;
    PERFORM registry.log_partition_ensure(part);
    PERFORM registry.log_partition_ensure(part + 1);
    PERFORM api.code_count_compact();
    DELETE FROM registry.idempotency i
    WHERE i.ctid = ANY (ARRAY(SELECT o.ctid FROM registry.idempotency o
                              WHERE o.recorded_at < now() - interval '25 hours' LIMIT rows_most));
    GET DIAGNOSTICS removed = ROW_COUNT;
    DELETE FROM registry.log_search_batch s
    WHERE s.size = ANY (ARRAY(SELECT o.size FROM registry.log_search_batch o
                              WHERE o.size <= (SELECT f.complete_to FROM registry.fill_state f WHERE f.name = 'log_search')
                              ORDER BY o.size LIMIT rows_most));
    GET DIAGNOSTICS served = ROW_COUNT;
    RETURN greatest(removed, served);
END $$;
COMMENT ON FUNCTION api.maintain() IS
    'has the log''s next partition ready, puts counts together and removes old idempotency rows and rows of log_search_batch '
    'that have served, at most 10,000 of each a call; returns how many of one, so the caller knows whether to come again soon';
