-- SPDX-License-Identifier: Apache-2.0
-- The access log as the keeper writes it and reads it back. The tree itself is
-- computed by the keeper: the database stores what it is given and refuses a
-- writer whose head is not the stored one.

CREATE FUNCTION api.log_append(writer text, epoch bigint, old_size bigint, old_frontier bytea,
                               new_frontier bytea, new_root bytea, batch uuid,
                               leaf_hashes bytea[], headers bytea[], header_salts bytea[], d_subjects bytea[],
                               subjects_sealed bytea[], subject_salts_sealed bytea[],
                               subtree_levels integer[], subtree_indexes bigint[], subtree_hashes bytea[],
                               at_ms bigint DEFAULT NULL, accounts uuid[] DEFAULT NULL, organizations uuid[] DEFAULT NULL,
                               operations text[] DEFAULT NULL, outcomes text[] DEFAULT NULL, case_numbers text[] DEFAULT NULL,
                               touched bytea[] DEFAULT '{}', touched_places integer[] DEFAULT '{}')
    RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    -- The head's table is one row and some dead ones: never read it whole.
    SET enable_seqscan = off
AS $$
#variable_conflict use_variable
DECLARE
    part_rows CONSTANT bigint := 10000000;
    entries   CONSTANT integer := cardinality(leaf_hashes);
    head      registry.log_head;
BEGIN
    SELECT h.* INTO head FROM registry.log_head h WHERE h.id = 1 FOR UPDATE;
    IF head.writer IS DISTINCT FROM writer OR head.epoch IS DISTINCT FROM epoch
       OR head.size IS DISTINCT FROM old_size OR head.frontier IS DISTINCT FROM old_frontier THEN
        RAISE EXCEPTION 'the log head is not the one that the batch was prepared for' USING ERRCODE = 'CT002',
            DETAIL = format('writer %s epoch %s size %s', head.writer, head.epoch, head.size);
    END IF;
    -- maintain() makes partitions long before; this only catches its absence.
    IF (old_size + entries) / part_rows > old_size / part_rows THEN
        PERFORM registry.log_partition_ensure(((old_size + entries) / part_rows)::integer);
    END IF;
    INSERT INTO registry.log_entry (idx, leaf_hash, header, header_salt, d_subject, subject_sealed, subject_salt_sealed)
    SELECT old_size + u.place - 1, u.leaf_hash, u.header, u.header_salt, u.d_subject,
           u.subject_sealed, u.subject_salt_sealed
    FROM unnest(leaf_hashes, headers, header_salts, d_subjects, subjects_sealed, subject_salts_sealed)
             WITH ORDINALITY AS u(leaf_hash, header, header_salt, d_subject, subject_sealed,
                                  subject_salt_sealed, place);
    IF cardinality(subtree_levels) > 0 THEN
        INSERT INTO registry.log_subtree (level, idx, hash)
        SELECT u.level, u.idx, u.hash
        FROM unnest(subtree_levels, subtree_indexes, subtree_hashes) AS u(level, idx, hash);
    END IF;
    INSERT INTO registry.log_batch (batch_id, first_idx, count, size, root, epoch)
    VALUES (batch, old_size, entries, old_size + entries, new_root, epoch);
    IF at_ms IS NOT NULL THEN
        INSERT INTO registry.log_search_batch (size, at, accounts, organizations, operations, outcomes, case_numbers, touched,
                                               touched_places)
        VALUES (old_size + entries, timestamptz 'epoch' + at_ms * interval '1 millisecond', accounts, organizations,
                operations, outcomes, case_numbers, touched, touched_places);
    END IF;
    UPDATE registry.log_head h SET size = old_size + entries, frontier = new_frontier WHERE h.id = 1;
END $$;
COMMENT ON FUNCTION api.log_append(text, bigint, bigint, bytea, bytea, bytea, uuid, bytea[], bytea[], bytea[],
                                   bytea[], bytea[], bytea[], integer[], bigint[], bytea[],
                                   bigint, uuid[], uuid[], text[], text[], text[], bytea[], integer[]) IS
    'locks the head and appends a batch of entries; raises CT002 unless writer, epoch, size and frontier are the stored ones; '
    'at_ms and what follows up to case_numbers repeat what the headers say, so that search_fill need not read them, null if not '
    'given; touched and touched_places are tokens of what was touched, each with the position of its entry from 1';

CREATE FUNCTION api.log_head()
    RETURNS TABLE (size bigint, frontier bytea, writer text, epoch bigint, last_root bytea, max_idx bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT h.size, h.frontier, h.writer, h.epoch,
           (SELECT b.root FROM registry.log_batch b ORDER BY b.size DESC LIMIT 1),
           (SELECT max(e.idx) FROM registry.log_entry e)
    FROM registry.log_head h WHERE h.id = 1
$$;
COMMENT ON FUNCTION api.log_head() IS
    'the head, the root that the last batch stored and the highest index there is; the last two null in an empty log';

CREATE FUNCTION api.log_take(writer text)
    RETURNS TABLE (size bigint, frontier bytea, epoch bigint)
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE registry.log_head h SET writer = log_take.writer, epoch = h.epoch + 1
    WHERE h.id = 1
    RETURNING h.size, h.frontier, h.epoch
$$;
COMMENT ON FUNCTION api.log_take(text) IS
    'makes that keeper the writer, under a new epoch; the former writer''s next append fails with CT002';

CREATE FUNCTION api.log_batch_by_id(batch uuid)
    RETURNS TABLE (batch_id uuid, first_idx bigint, count integer, size bigint, root bytea, at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT b.batch_id, b.first_idx, b.count, b.size, b.root, b.at
    FROM registry.log_batch b WHERE b.batch_id = log_batch_by_id.batch
$$;
COMMENT ON FUNCTION api.log_batch_by_id(uuid) IS 'did that batch commit, and where is it; no row if it did not';

CREATE FUNCTION api.log_resolve(batch uuid) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- Waits for a transaction that still commits. One that has not come to its
    -- log_append yet is not waited for: its session must have been ended before.
    PERFORM FROM registry.log_head h WHERE h.id = 1 FOR UPDATE;
    RETURN EXISTS (SELECT FROM registry.log_batch b WHERE b.batch_id = log_resolve.batch);
END $$;
COMMENT ON FUNCTION api.log_resolve(uuid) IS
    'whether a batch whose COMMIT got no answer has committed; final if the session to which it was sent has ended';

CREATE FUNCTION api.log_batch_by_size(of_size bigint)
    RETURNS TABLE (batch_id uuid, first_idx bigint, count integer, size bigint, root bytea, at timestamptz, epoch bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT b.batch_id, b.first_idx, b.count, b.size, b.root, b.at, b.epoch
    FROM registry.log_batch b WHERE b.size = of_size
$$;
COMMENT ON FUNCTION api.log_batch_by_size(bigint) IS 'the batch after which the log had that size; no row if none';

CREATE FUNCTION api.log_hashes(level integer, first bigint, count integer)
    RETURNS TABLE (idx bigint, hash bytea)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    -- One answer is bounded, whoever asks.
    IF log_hashes.count NOT BETWEEN 0 AND 65536 THEN
        RAISE EXCEPTION 'at most 65536 hashes at once, not %', log_hashes.count;
    END IF;
    IF log_hashes.level = 0 THEN
        RETURN QUERY SELECT e.idx, e.leaf_hash FROM registry.log_entry e
            WHERE e.idx >= first AND e.idx < first + log_hashes.count ORDER BY e.idx;
    ELSE
        RETURN QUERY SELECT s.idx, s.hash FROM registry.log_subtree s
            WHERE s.level = log_hashes.level AND s.idx >= first AND s.idx < first + log_hashes.count ORDER BY s.idx;
    END IF;
END $$;
COMMENT ON FUNCTION api.log_hashes(integer, bigint, integer) IS
    'count hashes from first on: leaves at level 0, roots of full subtrees at 8, 16, 24 …; fewer when the log ends';

CREATE FUNCTION api.log_sign_store(size bigint, name text, line text) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    INSERT INTO registry.log_signature (size, name, line) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING
$$;
COMMENT ON FUNCTION api.log_sign_store(bigint, text, text) IS
    'keeps a signature line under the checkpoint of that size; the first one of a name stays';

CREATE FUNCTION api.log_last_signature(name text)
    RETURNS TABLE (size bigint, line text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT s.size, s.line FROM registry.log_signature s
    WHERE s.name = log_last_signature.name ORDER BY s.size DESC LIMIT 1
$$;
COMMENT ON FUNCTION api.log_last_signature(text) IS 'the line under the largest checkpoint that the key of that name signed';
