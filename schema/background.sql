-- SPDX-License-Identifier: Apache-2.0
-- What the keeper does behind its batches, on a connection of its own, in
-- short transactions.

CREATE FUNCTION api.log_search_fill(max_rows integer) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    done  bigint;
    upto  bigint;
BEGIN
    SELECT f.complete_to INTO done FROM registry.fill_state f WHERE f.name = 'log_search' FOR UPDATE;
    -- Entries below the head's size are all committed: the head is moved last.
    SELECT least(h.size, done + max_rows) INTO upto FROM registry.log_head h WHERE h.id = 1;
    IF upto <= done THEN
        RETURN done;
    END IF;
    INSERT INTO registry.log_search (idx, at, account_id, organization_id, operation, outcome, case_number)
    SELECT e.idx, h.time, substr(nullif(h.account, ''), 5)::uuid, substr(nullif(h.organization, ''), 5)::uuid,
           h.operation, h.outcome, h.case_number
    FROM registry.log_entry e
    CROSS JOIN LATERAL json_to_record(convert_from(e.header, 'UTF8')::json)
        AS h(time timestamptz, account text, organization text, operation text, outcome text, case_number text)
    WHERE e.idx >= done AND e.idx < upto;
    UPDATE registry.fill_state SET complete_to = upto, at = clock_timestamp() WHERE name = 'log_search';
    RETURN upto;
END $$;
COMMENT ON FUNCTION api.log_search_fill(integer) IS
    'copies what auditors filter by from at most max_rows headers, in order; returns the index below which all is there';

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
BEGIN
    SELECT h.size / 10000000 INTO part FROM registry.log_head h WHERE h.id = 1;
    PERFORM registry.log_partition_ensure(part);
    PERFORM registry.log_partition_ensure(part + 1);
    DELETE FROM registry.idempotency i
    WHERE i.ctid = ANY (ARRAY(SELECT o.ctid FROM registry.idempotency o
                              WHERE o.recorded_at < now() - interval '25 hours' LIMIT rows_most));
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END $$;
COMMENT ON FUNCTION api.maintain() IS
    'has the log''s next partition ready and removes old idempotency rows, at most 10,000 a call; returns how many, so '
    'the caller knows whether to come again soon';
