-- SPDX-License-Identifier: Apache-2.0
-- A purchaser that a trace withheld, because the reading came after an answer,
-- is shown once a second examiner has confirmed the reading.

CREATE FUNCTION api.create_trace_disclosure(batch uuid, ordinals integer[], accounts uuid[], organizations uuid[],
                                            requests jsonb[])
    RETURNS TABLE (ordinal integer, outcome text, answer jsonb, subject jsonb)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH asked AS (
        SELECT a.ordinal, a.account, a.organization, a.request, t AS trace, s.list, s.ids, r.account_id AS root_account,
               CASE WHEN t.id IS NULL THEN 'not_found'
                    WHEN t.id <> s.ids[cardinality(s.ids)] OR t.withheld_sale IS NULL THEN 'nothing_withheld'
                    WHEN d.trace_id IS NOT NULL THEN 'conflict'
                    WHEN a.account IN (t.account_id, r.account_id) THEN 'second_person_required'
                    ELSE 'ok' END AS outcome
        FROM unnest(ordinals, accounts, organizations, requests) AS a(ordinal, account, organization, request)
        LEFT JOIN registry.trace n ON n.id = api.parse_id('trc', a.request #>> '{path,id}') AND n.organization_id = a.organization
        LEFT JOIN LATERAL api.trace_versions(coalesce(n.root, n.id)) s ON n.id IS NOT NULL
        LEFT JOIN registry.trace r ON r.id = s.ids[1]
        LEFT JOIN registry.trace t ON t.id = CASE WHEN n.root IS NOT NULL THEN n.id ELSE s.ids[cardinality(s.ids)] END
        LEFT JOIN registry.disclosure d ON d.trace_id = t.id
    ), made AS (
        INSERT INTO registry.disclosure (trace_id, sale_id, organization_id, account_id, reason, batch_id, ordinal)
        SELECT (a.trace).id, (a.trace).withheld_sale, a.organization, a.account, a.request #>> '{body,reason}', batch, a.ordinal
        FROM asked a WHERE a.outcome = 'ok'
    )
    SELECT a.ordinal, a.outcome,
           CASE a.outcome
               WHEN 'ok' THEN jsonb_build_object(
                   'answer', api.trace_shown(a.trace, a.list, true, b.at, true),
                   'sealed', encode(p.sealed, 'hex'), 'seal_key', p.key_id, 'sale_id', (a.trace).withheld_sale)
               WHEN 'conflict' THEN jsonb_build_object('detail', 'the purchaser was released already: read the trace')
               WHEN 'nothing_withheld' THEN jsonb_build_object('detail',
                   'no purchaser of the newest version waits for a second examiner')
               WHEN 'second_person_required' THEN jsonb_build_object('detail', 'another account than the one that made the trace confirms it')
               END,
           jsonb_strip_nulls(jsonb_build_object(
               'trace', coalesce(api.public_id('trc', (a.trace).id), a.request #>> '{path,id}'),
               'firearms', api.trace_firearms((a.trace).answer),
               'disclosed', CASE WHEN a.outcome = 'ok' THEN api.public_id('sal', (a.trace).withheld_sale) END))
    FROM asked a
    LEFT JOIN registry.log_batch b ON b.batch_id = (a.trace).batch_id
    LEFT JOIN registry.sale_purchaser p ON p.sale_id = (a.trace).withheld_sale;
EXCEPTION WHEN unique_violation THEN
    -- Two confirm one trace at once: the second is decided again, and sees the first.
    RAISE EXCEPTION 'a purchaser was released twice at once' USING ERRCODE = 'CT003';
END $$;
COMMENT ON FUNCTION api.create_trace_disclosure(uuid, integer[], uuid[], uuid[], jsonb[]) IS
    'operation create_trace_disclosure: a second examiner of the agency confirms a reading that came after an answer, and '
    'the purchaser is shown; raises CT003 when another batch has released it meanwhile';
