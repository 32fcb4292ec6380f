-- SPDX-License-Identifier: Apache-2.0
-- Registration at shipment: up to 10,000 firearms in a request, checked and
-- stored as a set.

CREATE FUNCTION api.row_error(index bigint, field text, code text, detail text) RETURNS jsonb
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN jsonb_build_object('pointer', '/firearms/' || index || field, 'code', code, 'detail', detail);
COMMENT ON FUNCTION api.row_error(bigint, text, text, text) IS 'one error of a row of a registration, by its index from 0';

-- The marks of one row: what is to be stored, and what is wrong with them.
CREATE FUNCTION api.registration_marks(index bigint, marks jsonb, placements jsonb, organization uuid, maker_organization uuid,
                                       authority boolean, repeated text[])
    RETURNS TABLE (words text[], schemes text[], places text[], seqs smallint[], errors jsonb)
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT array_agg(m.word ORDER BY m.place), array_agg(m.scheme ORDER BY m.place),
           array_agg(placements ->> api.fold_word(m.placement) ORDER BY m.place),
           array_agg(coalesce(used.seq, 0::smallint) + 1::smallint ORDER BY m.place),
           jsonb_agg(e.error ORDER BY m.place) FILTER (WHERE e.error IS NOT NULL)
    FROM (
        SELECT j.place - 1 AS place, j.mark ->> 'code' AS word, j.mark ->> 'scheme' AS scheme,
               j.mark ->> 'placement' AS placement, j.mark ->> 'code_error' AS code_error
        FROM jsonb_array_elements(marks) WITH ORDINALITY AS j(mark, place)
    ) m
    -- Whose the code is. Never issued, issued to another and on another's
    -- firearm are one answer, so that nobody learns of codes that are not his.
    LEFT JOIN LATERAL (
        SELECT b.organization_id IN (organization, CASE WHEN authority THEN maker_organization END) AS own
        FROM registry.code c JOIN registry.code_block b ON b.id = c.block_id
        WHERE c.word = m.word AND c.scheme = m.scheme LIMIT 1
    ) c ON true
    LEFT JOIN LATERAL (
        -- A code of ours is used once. An opaque one is free again when what
        -- bore it was replaced: who made the next part did not ask here.
        SELECT f.organization_id IN (organization, maker_organization) OR f.id IS NULL AS own, k.seq,
               m.scheme <> 'opaque' OR NOT EXISTS (SELECT FROM registry.mark n WHERE n.supersedes = k.id) AS live
        FROM registry.mark k LEFT JOIN registry.firearm f ON f.id = k.firearm_id
        WHERE k.word = m.word AND k.scheme = m.scheme ORDER BY k.seq DESC LIMIT 1
    ) used ON true
    LEFT JOIN LATERAL (
        SELECT v.state FROM registry.code_event v WHERE v.word = m.word AND v.scheme = m.scheme ORDER BY v.seq DESC LIMIT 1
    ) v ON c.own
    CROSS JOIN LATERAL (
        SELECT CASE
            WHEN m.scheme NOT IN ('R29-8', 'opaque') AND c.own IS NULL
                THEN api.row_error(index, '/marks/' || m.place || '/scheme', 'unknown_scheme', 'codes are of scheme R29-8 or opaque')
            WHEN m.code_error IS NOT NULL
                THEN api.row_error(index, '/marks/' || m.place || '/code', 'code_invalid', m.code_error)
            WHEN NOT placements ? api.fold_word(m.placement)
                THEN api.row_error(index, '/marks/' || m.place || '/placement', 'unknown_word', 'a word of the vocabulary placement')
            WHEN m.scheme || ' ' || m.word = ANY (repeated)
                THEN api.row_error(index, '/marks/' || m.place || '/code', 'code_repeated', 'the code appears twice in the request')
            -- Manufacturers bring opaque codes, on steel that is engraved already.
            WHEN c.own IS NOT TRUE AND m.scheme <> 'opaque'
                THEN api.row_error(index, '/marks/' || m.place || '/code', 'code_not_issued', 'a code of one''s own code block')
            WHEN used.live AND used.own
                THEN api.row_error(index, '/marks/' || m.place || '/code', 'code_in_use', 'the code is on another firearm')
            WHEN used.live
                THEN api.row_error(index, '/marks/' || m.place || '/code', 'unavailable', 'not available')
            WHEN v.state = 'spoiled'
                THEN api.row_error(index, '/marks/' || m.place || '/code', 'code_spoiled', 'the code was reported spoiled')
        END AS error
    ) e;
END;
COMMENT ON FUNCTION api.registration_marks(bigint, jsonb, jsonb, uuid, uuid, boolean, text[]) IS
    'marks of one row of a registration; errors null if all can be registered';

CREATE FUNCTION api.register_firearms(batch uuid, ordinals integer[], accounts uuid[], organizations uuid[],
                                      requests jsonb[])
    RETURNS TABLE (ordinal integer, outcome text, answer jsonb, subject jsonb)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    -- Look-ups go by index whatever statistics say: a plan made while the
    -- tables were small must not read them whole when they are not.
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET work_mem = '64MB'
AS $$
#variable_conflict use_column
DECLARE
    calibers   CONSTANT jsonb := api.vocabulary_words('caliber');
    types      CONSTANT jsonb := api.vocabulary_words('firearm_type');
    placements CONSTANT jsonb := api.vocabulary_words('placement');
    parties    jsonb; -- who is meant by each text
    makers     jsonb; -- maker id -> name and organization
    models     jsonb; -- maker id and name -> model
    own_makers jsonb; -- organization -> its maker
    owners     jsonb; -- organization -> its name
    repeated   text[]; -- codes that appear twice in a request
    done       record;
BEGIN
    SELECT array_agg(c.code) AS codes, bool_or(c.across) AS across INTO done
    FROM (SELECT (m.mark ->> 'scheme') || ' ' || (m.mark ->> 'code') AS code, min(a.position) <> max(a.position) AS across
          FROM unnest(requests) WITH ORDINALITY AS a(request, position)
          CROSS JOIN LATERAL jsonb_array_elements(a.request #> '{body,firearms}') AS r(row)
          CROSS JOIN LATERAL jsonb_array_elements(r.row -> 'marks') AS m(mark)
          GROUP BY 1 HAVING count(*) > 1) c;
    IF done.across THEN
        RAISE EXCEPTION 'two requests of one batch register one code' USING ERRCODE = 'CT003';
    END IF;
    repeated := coalesce(done.codes, '{}');

    SELECT array_agg(t.written) FILTER (WHERE t.written IS NOT NULL) AS texts,
           array_agg(t.written) FILTER (WHERE t.field = 'importer' AND t.written IS NOT NULL) AS importers,
           array_agg(t.organization) FILTER (WHERE t.field = 'maker' AND t.written IS NULL) AS own,
           array_agg(t.written) FILTER (WHERE t.field IN ('maker', 'importer') AND t.written IS NOT NULL) AS makers
    INTO done
    FROM (SELECT a.organization, k.field, r.row ->> k.field AS written
          FROM unnest(organizations, requests) AS a(organization, request)
          CROSS JOIN LATERAL jsonb_array_elements(a.request #> '{body,firearms}') AS r(row)
          CROSS JOIN (VALUES ('maker'), ('importer'), ('shipped_to')) AS k(field)
          GROUP BY 1, 2, 3) t;
    -- Whoever registers without naming a maker is one, and so is a maker or
    -- importer whose organization was entered without one.
    PERFORM api.makers_ensure(batch, array_agg(ordinals[1]), array_agg(o.id))
    FROM registry.organization o
    WHERE o.kind IN ('manufacturer', 'importer', 'component_producer')
      AND (o.id = ANY (done.own)
           OR o.id IN (SELECT p.organization_id FROM api.parties(done.makers) p WHERE p.maker_id IS NULL));
    parties := api.importers_map(api.parties_map(done.texts), done.importers);
    SELECT jsonb_object_agg(k.key, k.maker_id) INTO own_makers
    FROM registry.maker_key k WHERE k.kind = 'organization' AND k.key = ANY (organizations::text[]);
    SELECT jsonb_object_agg(m.id, jsonb_build_object('name', m.name, 'organization', m.organization_id)) INTO makers
    FROM (SELECT DISTINCT t.id FROM (SELECT (p.value ->> 'maker')::uuid FROM jsonb_each(parties) p
                                     UNION SELECT o.value::uuid FROM jsonb_each_text(own_makers) o) AS t(id)) u
    JOIN api.maker_known m ON m.id = u.id;
    SELECT jsonb_object_agg(o.id, o.name) INTO owners
    FROM registry.organization o
    WHERE o.id = ANY (organizations || ARRAY(SELECT (m.value ->> 'organization')::uuid FROM jsonb_each(makers) m));
    SELECT jsonb_object_agg(d.maker_id || ' ' || d.name_key, jsonb_build_object('id', d.id, 'name', d.name)) INTO models
    FROM registry.model d WHERE d.maker_id = ANY (ARRAY(SELECT k::uuid FROM jsonb_object_keys(makers) k));

    BEGIN
    WITH sent AS MATERIALIZED (
        SELECT a.position, a.ordinal, a.account, a.organization, a.authority, a.producer, a.atomic,
               r.place - 1 AS index, r.row ->> 'external_id' AS external_id, r.row ->> 'serial' AS serial,
               api.normalise_serial(r.row ->> 'serial') AS serial_key,
               r.row ? 'maker' AS maker_given, r.row ->> 'importer' AS importer,
               CASE WHEN r.row ? 'maker' THEN (parties -> (r.row ->> 'maker')) ->> 'maker'
                    ELSE own_makers ->> a.organization::text END AS maker,
               (parties -> (r.row ->> 'importer')) ->> 'maker' AS importer_maker,
               api.fold_name(r.row ->> 'model') AS model_key, calibers ->> api.fold_word(r.row ->> 'caliber') AS caliber_word,
               types ->> api.fold_word(r.row ->> 'type') AS type_word,
               r.row ->> 'shipped_to' AS shipped_to, (parties -> (r.row ->> 'shipped_to')) ->> 'party' AS party,
               (r.row ->> 'shipped_on')::date AS shipped_on, r.row -> 'marks' AS marks
        FROM (SELECT u.position, u.ordinal, u.account, u.organization, u.request #> '{body,firearms}' AS firearms,
                     u.request -> 'roles' ? 'authority' AS authority,
                     u.request -> 'roles' ?| ARRAY['authority', 'component_producer'] AS producer,
                     u.request #>> '{body,mode}' = 'atomic' AS atomic
              FROM unnest(ordinals, accounts, organizations, requests) WITH ORDINALITY
                       AS u(ordinal, account, organization, request, position)) a
        CROSS JOIN LATERAL jsonb_array_elements(a.firearms) WITH ORDINALITY AS r(row, place)
    ), counted AS (
        SELECT s.*, s.maker::uuid AS maker_id, s.importer_maker::uuid AS importer_id,
               ((makers -> s.maker) ->> 'organization')::uuid AS maker_organization,
               models -> (s.maker || ' ' || s.model_key) AS model,
               count(*) OVER external AS same_external, min(s.position) OVER external <> max(s.position) OVER external AS across_external,
               count(*) OVER serial AS same_serial, min(s.position) OVER serial <> max(s.position) OVER serial AS across_serial
        FROM sent s
        WINDOW external AS (PARTITION BY s.organization, s.external_id),
               serial AS (PARTITION BY s.serial_key, s.maker, s.importer_maker)
    ), looked AS (
        SELECT c.*, x.id AS existing, y.id AS same_id, y.organization_id AS same_owner,
               k.words, k.schemes, k.places, k.seqs, k.errors AS mark_errors,
               CASE WHEN c.authority THEN coalesce(c.maker_organization, c.organization) ELSE c.organization END AS owner
        FROM counted c
        LEFT JOIN LATERAL (SELECT f.id FROM registry.firearm f
                           WHERE f.registered_by = c.organization AND f.external_id = c.external_id LIMIT 1) x ON true
        LEFT JOIN LATERAL (SELECT f.id, f.organization_id FROM registry.firearm f
                           WHERE f.serial_key = c.serial_key AND f.maker_id = c.maker_id
                             AND f.importer_id IS NOT DISTINCT FROM c.importer_id LIMIT 1) y ON true
        CROSS JOIN LATERAL api.registration_marks(c.index, c.marks, placements, c.organization, c.maker_organization,
                                                  c.authority, repeated) k
    ), judged AS (
        SELECT l.*, CASE WHEN l.existing IS NOT NULL AND l.same_external = 1 THEN '[]'::jsonb
                         ELSE jsonb_path_query_array(jsonb_build_array(
            CASE WHEN l.same_external > 1 THEN
                api.row_error(l.index, '/external_id', 'external_id_repeated', 'the external id appears twice in the request') END,
            CASE WHEN l.same_serial > 1 THEN
                api.row_error(l.index, '/serial', 'serial_repeated', 'the serial appears twice in the request')
                 WHEN l.same_id IS NOT NULL AND l.same_owner = l.owner THEN
                api.row_error(l.index, '/serial', 'serial_in_use', 'the serial is on another firearm')
                 WHEN l.same_id IS NOT NULL THEN
                api.row_error(l.index, '/serial', 'unavailable', 'not available') END,
            CASE WHEN l.maker IS NULL THEN
                api.row_error(l.index, '/maker', 'unknown_maker', 'licence number or national code of a maker')
                 WHEN l.maker_given AND NOT l.producer AND l.maker_organization IS DISTINCT FROM l.organization THEN
                api.row_error(l.index, '/maker', 'maker_refused', 'only an authority or a producer of components names another')
                 WHEN l.model IS NULL THEN
                api.row_error(l.index, '/model', 'unknown_model', 'a model that the maker has entered') END,
            CASE WHEN l.importer IS NOT NULL AND l.importer_maker IS NULL THEN
                api.row_error(l.index, '/importer', 'unknown_maker', 'licence number or national code of an importer') END,
            CASE WHEN l.caliber_word IS NULL THEN
                api.row_error(l.index, '/caliber', 'unknown_word', 'a word of the vocabulary caliber') END,
            CASE WHEN l.type_word IS NULL THEN
                api.row_error(l.index, '/type', 'unknown_word', 'a word of the vocabulary firearm_type') END,
            CASE WHEN l.party IS NULL THEN
                api.row_error(l.index, '/shipped_to', 'unknown_organization', 'licence number or id of an organization') END,
            CASE WHEN l.shipped_on > api.today() THEN
                api.row_error(l.index, '/shipped_on', 'date_in_future', 'not after today') END),
            '$[*] ? (@ != null)') || coalesce(l.mark_errors, '[]') END AS errors
        FROM looked l
    ), row AS MATERIALIZED (
        SELECT j.*, j.existing IS NULL AND j.errors = '[]'
                    AND NOT (j.atomic AND bool_or(j.errors <> '[]') OVER (PARTITION BY j.position)) AS stored,
               gen_random_uuid() AS id
        FROM judged j
        -- In the order of four of the indexes that the rows go into.
        ORDER BY id
    ), firearm AS (
        INSERT INTO registry.firearm (id, organization_id, registered_by, maker_id, importer_id, model_id, external_id,
                                      serial, serial_key, caliber, firearm_type, account_id, batch_id, ordinal)
        SELECT r.id, r.owner, r.organization, r.maker_id, r.importer_id, (r.model ->> 'id')::uuid, r.external_id,
               r.serial, r.serial_key, r.caliber_word, r.type_word, r.account, batch, r.ordinal
        FROM row r WHERE r.stored
    ), mark AS (
        INSERT INTO registry.mark (id, firearm_id, word, scheme, seq, placement, valid_from, batch_id, ordinal)
        SELECT gen_random_uuid(), r.id, m.word, m.scheme, m.seq, m.placement, r.shipped_on, batch, r.ordinal
        FROM row r CROSS JOIN LATERAL unnest(r.words, r.schemes, r.seqs, r.places) AS m(word, scheme, seq, placement)
        WHERE r.stored
    ), code AS (
        -- Its key is what lets one of two batches bring a code.
        INSERT INTO registry.code (word, scheme)
        SELECT m.word, m.scheme
        FROM row r CROSS JOIN LATERAL unnest(r.words, r.schemes, r.seqs) AS m(word, scheme, seq)
        WHERE r.stored AND m.scheme = 'opaque' AND m.seq = 1
        ORDER BY m.word
    ), uncounted AS (
        INSERT INTO registry.code_uncounted (scheme, words, batch_id, ordinal)
        SELECT m.scheme, array_agg(m.word), batch, r.ordinal
        FROM row r CROSS JOIN LATERAL unnest(r.words, r.schemes) AS m(word, scheme)
        WHERE r.stored AND m.scheme = 'opaque'
        GROUP BY m.scheme, r.ordinal
    ), event AS (
        INSERT INTO registry.custody_event (id, firearm_id, seq, kind, occurred_on, from_party, to_party, to_written,
                                            organization_id, account_id, batch_id, ordinal)
        SELECT gen_random_uuid(), r.id, 1, 'shipped', r.shipped_on, r.owner, r.party::uuid, r.shipped_to,
               r.organization, r.account, batch, r.ordinal
        FROM row r WHERE r.stored
    ), state AS (
        -- What api.firearm_state_derive makes of a firearm that was just shipped.
        INSERT INTO registry.firearm_state (firearm_id, holder, batch_id, ordinal, events, last_on, shipped_on, chain_complete,
            status, maker, importer, model, serial, caliber, firearm_type, no_purchaser, custody)
        SELECT r.id, r.party::uuid, batch, r.ordinal, 1, r.shipped_on, r.shipped_on, true,
               'in_transit', (makers -> r.maker) ->> 'name',
               coalesce((makers -> r.importer_maker) ->> 'name', (parties -> r.importer) ->> 'name'),
               r.model ->> 'name', r.serial, r.caliber_word, r.type_word, 'unsold',
               json_build_array(json_build_object('kind', 'shipped', 'date', r.shipped_on,
                                                  'from', owners ->> r.owner::text, 'to', (parties -> r.shipped_to) ->> 'name'))
        FROM row r WHERE r.stored
    ), count AS (
        INSERT INTO registry.code_count (scheme, length, caliber, maker_id, month, registered, firearms, batch_id, ordinal)
        SELECT m.scheme, length(m.word), r.caliber_word, r.maker_id, date_trunc('month', r.shipped_on)::date, count(*),
               count(*) FILTER (WHERE m.place = 1), batch, r.ordinal
        FROM row r CROSS JOIN LATERAL unnest(r.words, r.schemes) WITH ORDINALITY AS m(word, scheme, place) WHERE r.stored
        GROUP BY m.scheme, length(m.word), r.caliber_word, r.maker_id, date_trunc('month', r.shipped_on)::date, r.ordinal
    )
    SELECT array_agg(q.outcome ORDER BY q.position) AS outcomes, array_agg(q.answer ORDER BY q.position) AS answers,
           array_agg(q.subject ORDER BY q.position) AS subjects, bool_or(q.across) AS across,
           (SELECT array_agg(r.id ORDER BY r.position, r.index) FROM row r WHERE r.stored) AS ids,
           (SELECT array_agg(r.ordinal ORDER BY r.position, r.index) FROM row r WHERE r.stored) AS ordinals,
           (SELECT array_agg(r.shipped_to ORDER BY r.position, r.index) FROM row r WHERE r.stored) AS shipped_to,
           (SELECT array_agg(r.importer ORDER BY r.position, r.index) FROM row r WHERE r.stored) AS importers
    INTO done
    FROM (
        SELECT g.position, g.across, CASE WHEN g.atomic AND g.refused > 0 THEN 'rows_refused' ELSE 'ok' END AS outcome,
               CASE WHEN g.atomic AND g.refused > 0
                    THEN jsonb_build_object('detail', g.refused || ' of ' || g.sent || ' rows were refused; nothing was stored',
                             'errors', (SELECT jsonb_agg(e.value)
                                        FROM (SELECT x.value FROM row r CROSS JOIN LATERAL jsonb_array_elements(r.errors) x
                                              WHERE r.position = g.position ORDER BY r.index LIMIT 10000) e))
                    ELSE jsonb_build_object('mode', CASE WHEN g.atomic THEN 'atomic' ELSE 'partial' END,
                             'accepted', g.sent - g.refused, 'refused', g.refused, 'rows', g.rows) END AS answer,
               jsonb_build_object('rows', g.sent, 'registered', g.stored, 'refused', g.refused, 'firearms', g.touched) AS subject
        FROM (
            SELECT r.position, r.atomic, bool_or(r.across_external OR r.across_serial) AS across, count(*) AS sent,
                   count(*) FILTER (WHERE r.errors <> '[]') AS refused, count(*) FILTER (WHERE r.stored) AS stored,
                   jsonb_agg(jsonb_build_object(
                       'external_id', r.external_id,
                       'state', CASE WHEN r.errors <> '[]' THEN 'refused' WHEN r.existing IS NOT NULL THEN 'existing' ELSE 'registered' END,
                       'id', CASE WHEN r.errors = '[]' THEN api.public_id('frm', coalesce(r.existing, r.id)) END,
                       'errors', r.errors) ORDER BY r.index) AS rows,
                   coalesce(jsonb_agg(jsonb_build_object('id', api.public_id('frm', coalesce(r.existing, r.id)), 'serial', r.serial)
                                      ORDER BY r.index) FILTER (WHERE r.index < 100 AND (r.stored OR r.existing IS NOT NULL)),
                            '[]'::jsonb) AS touched
            FROM row r GROUP BY r.position, r.atomic
        ) g
    ) q;
    EXCEPTION WHEN unique_violation THEN
        RAISE EXCEPTION 'another batch registered one of the rows at the same time' USING ERRCODE = '40001';
    END;
    IF done.across THEN
        RAISE EXCEPTION 'two requests of one batch register one serial or external id' USING ERRCODE = 'CT003';
    END IF;

    PERFORM api.external_parties_enter(batch, parties, done.shipped_to, done.ordinals);
    PERFORM api.importers_enter(batch, parties, done.importers, done.ordinals);
    -- Of a sale and a registration at the same moment, one sees the other: a sale
    -- that finds nothing looks again under this lock and keeps it until it is
    -- committed (create_sale); a registration looks for sales under it.
    PERFORM pg_advisory_xact_lock_shared(4849523, 6);
    PERFORM api.sales_bind(batch, done.ids, done.ordinals);

    RETURN QUERY SELECT u.ordinal, u.outcome, u.answer, u.subject
    FROM unnest(ordinals, done.outcomes, done.answers, done.subjects) AS u(ordinal, outcome, answer, subject);
END $$;
COMMENT ON FUNCTION api.register_firearms(uuid, integer[], uuid[], uuid[], jsonb[]) IS
    'operation register_firearms: rows with their marks and first shipment, atomic or partial; '
    'raises CT003 when two requests of the batch register one code, serial or external id';
