-- SPDX-License-Identifier: Apache-2.0
-- Organizations, accounts, keys: what administrators enter, as the API answers it.
BEGIN;
SELECT plan(89);

SELECT throws_ok($$SELECT api.init_registry(gen_random_uuid(), 'A', 'B', gen_random_uuid(), '\x00', 'k')$$, '23514',
                 NULL, 'a digest has 32 bytes');
\ir first.psql
SELECT throws_ok($$SELECT api.init_registry(gen_random_uuid(), 'A', 'B', gen_random_uuid(), decode(repeat('22', 32), 'hex'), 'k')$$,
                 'P0001', 'the registry has been initialised already', 'init works once');
SELECT is((SELECT answer ->> 'kind' FROM api.organization_answer WHERE id = :'authority'), 'authority',
          'the first organization is an authority');

-- who one is ---------------------------------------------------------------------------------

SELECT is(a.outcome, 'ok', 'get_me') FROM pg_temp.ask('get_me', :'admin', '{}') a;
SELECT is(a.answer - 'created_at', jsonb_build_object(
              'id', api.public_id('acc', :'admin'), 'name', 'First Administrator', 'kind', 'person', 'state', 'active',
              'roles', '["administrator", "authority"]'::jsonb, 'organization', jsonb_build_object(
                  'id', api.public_id('org', :'authority'), 'name', 'State Firearms Authority', 'kind', 'authority')),
          'get_me answers the account')
FROM pg_temp.ask('get_me', :'admin', '{}') a;
SELECT matches(a.answer ->> 'created_at', '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$', 'with its time')
FROM pg_temp.ask('get_me', :'admin', '{}') a;

-- organizations --------------------------------------------------------------------------------

SELECT a.outcome AS maker_outcome, a.answer AS maker, a.subject AS maker_subject
FROM pg_temp.ask('create_organization', :'admin', '{"body": {"name": "Ridgeline Arms", "kind": "manufacturer",
    "licence": "6-65-122-07-9G-87591", "contact": "codes@ridgeline.example",
    "licences": [{"number": "6-65-122-07-9G-87591", "from": "2020-01-01"},
                 {"number": "4-65-122-01-9G-00001", "from": "2001-01-01", "to": "2010-12-31"}]}}') a \gset
SELECT is(:'maker_outcome'::text, 'ok', 'a manufacturer with its licences');
SELECT is(pg_temp.members(:'maker'), 'contact created_at id kind licence licences maker_code name ori oris state',
          'the answer has the contract''s members');
SELECT is(:'maker'::jsonb ->> 'licence', '6-65-122-07-9G-87591', 'the present licence');
SELECT is(:'maker'::jsonb -> 'licences', '[{"number": "6-65-122-07-9G-87591", "from": "2020-01-01", "to": null},
    {"number": "4-65-122-01-9G-00001", "from": "2001-01-01", "to": "2010-12-31"}]'::jsonb, 'all licences, the dated form once');
SELECT is(:'maker'::jsonb -> 'oris', '[]'::jsonb, 'no ORI');
SELECT is(:'maker'::jsonb ->> 'state', 'active', 'active');
SELECT is(:'maker_subject'::jsonb, jsonb_build_object('organization', :'maker'::jsonb -> 'id'), 'the log says which');
SELECT is((SELECT count(*)::int FROM registry.organization_licence l
           WHERE api.public_id('org', l.organization_id) = :'maker'::jsonb ->> 'id' AND l.key IN ('66587591', '46500001')), 2,
          'stored under the licences'' keys');

SELECT a.answer AS agency FROM pg_temp.ask('create_organization', :'admin',
    '{"body": {"name": "Fresno Police Department", "kind": "agency", "ori": "CA0100500", "oris": ["CA0100501", "CA0100500"]}}') a \gset
SELECT is(:'agency'::jsonb ->> 'ori', 'CA0100500', 'an agency with its first ORI');
SELECT is(:'agency'::jsonb -> 'oris', '["CA0100500", "CA0100501"]'::jsonb, 'and all, each once');

SELECT unnest(ARRAY[is(a.outcome, v.outcome, v.name || ': outcome'),
                    is(a.answer #>> '{errors,0,pointer}', v.pointer, v.name || ': pointer')])
FROM (VALUES
    ('no licence', '{"name": "D", "kind": "dealer"}'::jsonb, 'licence_required', '/licence'),
    ('no ORI', '{"name": "P", "kind": "agency", "licence": "3-51-388-01-9F-79283"}', 'licence_required', '/ori'),
    ('held licence', '{"name": "D", "kind": "dealer", "licence": "6-65-122-01-0B-87591"}', 'licence_in_use', '/licence'),
    ('held ORI', '{"name": "P", "kind": "agency", "ori": "CA0999999", "oris": ["CA0100501"]}', 'licence_in_use', '/oris/0'),
    ('dates', '{"name": "D", "kind": "dealer", "licence": "3-51-388-01-9F-79283",
                "licences": [{"number": "3-51-388-01-9F-00009", "from": "2026-02-02", "to": "2026-02-01"}]}',
     'date_out_of_order', '/licences/0/to'),
    ('held once', '{"name": "D", "kind": "dealer", "licence": "3-51-388-01-9F-79283",
                    "licences": [{"number": "4-65-122-01-9G-00001", "from": "2010-12-31"}]}', 'licence_in_use', '/licences/0')
) AS v(name, body, outcome, pointer),
    pg_temp.ask('create_organization', :'admin', jsonb_build_object('body', v.body)) a;
SELECT is((SELECT count(*)::int FROM registry.organization), 3, 'refusals left nothing');
SELECT is(a.outcome, 'ok', 'a licence whose time with another is over can be taken up')
FROM pg_temp.ask('create_organization', :'admin', '{"body": {"name": "Heir", "kind": "dealer", "licence": "3-51-388-01-9F-79283",
    "licences": [{"number": "4-65-122-01-9G-00001", "from": "2011-01-01"}]}}') a;
SELECT throws_ok($$
    SELECT * FROM api.create_organization(gen_random_uuid(), ARRAY[1, 2], ARRAY[gen_random_uuid(), gen_random_uuid()],
        ARRAY[gen_random_uuid(), gen_random_uuid()],
        ARRAY['{"body": {"name": "A", "kind": "dealer", "licence": "8-56-307-01-7L-72673"}}'::jsonb,
              '{"body": {"name": "B", "kind": "dealer", "licence": "8-56-307-02-8L-72673"}}'])
$$, 'CT003', NULL, 'two requests of one batch for one licence: the keeper halves the batch');
SELECT results_eq($$
    SELECT a.ordinal, a.outcome, a.answer ->> 'name' FROM api.create_organization(gen_random_uuid(), ARRAY[3, 7, 9],
        array_fill(gen_random_uuid(), ARRAY[3]), array_fill(gen_random_uuid(), ARRAY[3]),
        ARRAY['{"body": {"name": "Lab", "kind": "laboratory"}}'::jsonb, '{"body": {"name": "D", "kind": "dealer"}}',
              '{"body": {"name": "Audit", "kind": "audit_office"}}']) a ORDER BY a.ordinal
$$, $$VALUES (3, 'ok', 'Lab'), (7, 'licence_required', NULL), (9, 'ok', 'Audit')$$, 'several in a batch, each with its outcome');
SELECT ok(o.batch_id IS NOT NULL AND o.ordinal = 9, 'the row carries its place in the batch')
FROM registry.organization o WHERE o.name = 'Audit';

SELECT is(a.answer, :'maker'::jsonb, 'get_organization')
FROM pg_temp.ask('get_organization', :'admin', jsonb_build_object('path', jsonb_build_object('id', :'maker'::jsonb -> 'id'))) a;
SELECT is(a.outcome, 'not_found', 'an organization that is not there')
FROM pg_temp.ask('get_organization', :'admin', '{"path": {"id": "org_00000000000000000000000000000001"}}') a;

SELECT is((SELECT string_agg(d ->> 'name', ', ' ORDER BY n) FROM jsonb_array_elements(a.answer -> 'data') WITH ORDINALITY AS e(d, n)),
          'Audit, Fresno Police Department, Heir, Lab, Ridgeline Arms, State Firearms Authority', 'list_organizations: by name')
FROM pg_temp.ask('list_organizations', :'admin', '{"query": {}}') a;
SELECT is(a.answer -> 'next_cursor', 'null'::jsonb, 'one page, no next')
FROM pg_temp.ask('list_organizations', :'admin', '{}') a;
WITH RECURSIVE page AS (
    SELECT 1 AS n, a.answer FROM pg_temp.ask('list_organizations', :'admin', '{"query": {"limit": 4}}') a
    UNION ALL
    SELECT p.n + 1, a.answer FROM page p, pg_temp.ask('list_organizations', :'admin', jsonb_build_object('query',
        jsonb_build_object('limit', 4, 'cursor', p.answer -> 'next_cursor'))) a
    WHERE p.answer ->> 'next_cursor' IS NOT NULL
)
SELECT is(string_agg(d ->> 'name', ', ' ORDER BY p.n, e.n),
          'Audit, Fresno Police Department, Heir, Lab, Ridgeline Arms, State Firearms Authority', 'two pages, nothing twice')
FROM page p, jsonb_array_elements(p.answer -> 'data') WITH ORDINALITY AS e(d, n);
SELECT is(jsonb_path_query_array(a.answer, '$.data[*].name'), v.names::jsonb, 'list_organizations by ' || v.query::text)
FROM (VALUES ('{"kind": "agency"}'::jsonb, '["Fresno Police Department"]'::jsonb),
             ('{"licence": "6-65-122-02-1C-87591"}', '["Ridgeline Arms"]'), ('{"ori": "CA0100501"}', '["Fresno Police Department"]'),
             ('{"ori": "CA0000000"}', '[]')) AS v(query, names),
    pg_temp.ask('list_organizations', :'admin', jsonb_build_object('query', v.query)) a;
SELECT is(a.outcome, 'invalid_request', 'a cursor that is none: ' || v.cursor)
FROM (VALUES ('x'), ('0123abcd00004000800000000000000f')) AS v(cursor),
    pg_temp.ask('list_organizations', :'admin', jsonb_build_object('query', jsonb_build_object('cursor', v.cursor))) a;

SELECT is(a.answer ->> 'maker_code', 'TRN', 'a manufacturer with its national code and models')
FROM pg_temp.ask('create_organization', :'admin', '{"body": {"name": "Tern Defense", "kind": "manufacturer",
    "licence": "8-91-265-07-8E-44117", "maker_code": "TRN", "models": ["T19", "T22"]}}') a;
SELECT is((SELECT count(*)::int FROM registry.model), 2, 'the models are there');
SELECT unnest(ARRAY[is(a.outcome, 'conflict', 'a national code that another has'), is(a.answer #>> '{errors,0,pointer}', '/maker_code', 'points at it')])
FROM pg_temp.ask('create_organization', :'admin', '{"body": {"name": "T", "kind": "manufacturer", "licence": "8-91-265-07-8E-44118",
    "maker_code": "TRN"}}') a;
SELECT is(a.outcome, 'ok', 'ZZZ is nobody''s: ' || v.licence)
FROM (VALUES ('8-91-265-07-8E-44120'), ('8-91-265-07-8E-44121')) AS v(licence), pg_temp.ask('create_organization', :'admin',
    jsonb_build_object('body', jsonb_build_object('name', 'Z', 'kind', 'manufacturer', 'licence', v.licence, 'maker_code', 'ZZZ'))) a;

-- accounts --------------------------------------------------------------------------------------

SELECT a.outcome AS erp_outcome, a.answer AS erp, a.subject AS erp_subject
FROM pg_temp.ask('create_account', :'admin', jsonb_build_object('body', jsonb_build_object(
    'organization', :'maker'::jsonb -> 'id', 'name', 'Ridgeline ERP', 'kind', 'machine', 'roles', '["manufacturer"]'::jsonb))) a \gset
SELECT is(:'erp_outcome'::text, 'ok', 'a machine of the manufacturer');
SELECT is(pg_temp.members(:'erp'), 'created_at id kind name organization roles state', 'the contract''s members');
SELECT is(:'erp'::jsonb -> 'roles', '["manufacturer"]'::jsonb, 'its roles');
SELECT is(:'erp'::jsonb -> 'organization' ->> 'name', 'Ridgeline Arms', 'its organization');
SELECT is(s.recorded_by, :'admin'::uuid, 'who gave the roles is recorded')
FROM registry.account_standing s WHERE api.public_id('acc', s.account_id) = :'erp'::jsonb ->> 'id';
SELECT unnest(ARRAY[is(a.outcome, v.outcome, v.name || ': outcome'),
                    is(a.answer #>> '{errors,0,pointer}', v.pointer, v.name || ': pointer')])
FROM (VALUES
    ('no organization', 'org_00000000000000000000000000000001', '["dealer"]'::jsonb, 'unknown_organization', '/organization'),
    ('an investigator at a manufacturer', :'maker'::jsonb ->> 'id', '["manufacturer", "investigator"]', 'role_not_allowed', '/roles/1'),
    ('an administrator at an agency', :'agency'::jsonb ->> 'id', '["administrator"]', 'role_not_allowed', '/roles/0'),
    ('an auditor who administers', api.public_id('org', :'authority'), '["auditor", "administrator"]', 'role_not_allowed', '/roles')
) AS v(name, organization, roles, outcome, pointer),
    pg_temp.ask('create_account', :'admin', jsonb_build_object('body', jsonb_build_object('organization', v.organization,
        'name', 'N', 'kind', 'person', 'roles', v.roles))) a;
INSERT INTO registry.organization_standing (organization_id, seq, state, reason, batch_id, ordinal)
SELECT api.parse_id('org', :'agency'::jsonb ->> 'id'), 1, 'suspended', 'test', gen_random_uuid(), 1;
SELECT is(a.outcome, 'inactive', 'no new account in a suspended organization')
FROM pg_temp.ask('create_account', :'admin', jsonb_build_object('body', jsonb_build_object('organization', :'agency'::jsonb -> 'id',
    'name', 'N', 'kind', 'person', 'roles', '["investigator"]'::jsonb))) a;
SELECT is(a.answer, :'erp'::jsonb, 'get_account')
FROM pg_temp.ask('get_account', :'admin', jsonb_build_object('path', jsonb_build_object('id', :'erp'::jsonb -> 'id'))) a;
SELECT is(a.outcome, 'not_found', 'an account that is not there')
FROM pg_temp.ask('get_account', :'admin', '{"path": {"id": "acc_00000000000000000000000000000001"}}') a;
SELECT is(jsonb_path_query_array(a.answer, '$.data[*].name'), '["Ridgeline ERP"]'::jsonb, 'list_accounts of an organization')
FROM pg_temp.ask('list_accounts', :'admin', jsonb_build_object('query', jsonb_build_object('organization', :'maker'::jsonb -> 'id'))) a;
SELECT is(jsonb_array_length(b.answer -> 'data') + jsonb_array_length(a.answer -> 'data'), 2, 'list_accounts in pages')
FROM pg_temp.ask('list_accounts', :'admin', '{"query": {"limit": 1}}') a,
    pg_temp.ask('list_accounts', :'admin', jsonb_build_object('query', jsonb_build_object('limit', 1, 'cursor', a.answer -> 'next_cursor'))) b
WHERE b.answer -> 'next_cursor' = 'null'::jsonb AND a.answer #> '{data,0,id}' <> b.answer #> '{data,0,id}';

-- keys --------------------------------------------------------------------------------------------

SELECT gen_random_uuid() AS key_id, jsonb_build_object('id', :'erp'::jsonb -> 'id') AS erp_path \gset
SELECT a.outcome AS key_outcome, a.answer AS key, a.subject AS key_subject
FROM pg_temp.ask('create_account_key', :'admin', jsonb_build_object('path', :'erp_path'::jsonb, 'key_id', :'key_id',
    'key_digest', repeat('ab', 32), 'body', '{"name": "dock 2", "expires_at": "2099-01-01T00:00:00Z"}'::jsonb)) a \gset
SELECT is(:'key_outcome'::text, 'ok', 'a key');
SELECT is(pg_temp.members(:'key'), 'account created_at expires_at id name state', 'the contract''s members but the secret, which the keeper adds');
SELECT is(:'key'::jsonb ->> 'expires_at', '2099-01-01T00:00:00.000Z', 'its end');
SELECT is(:'key_subject'::jsonb, jsonb_build_object('account', :'erp'::jsonb -> 'id', 'key', api.public_id('key', :'key_id')), 'the log says which');
SELECT unalike((:'key'::jsonb)::text || (:'key_subject'::jsonb)::text, '%abab%', 'the digest is in neither');
SELECT is(a.outcome, v.outcome, v.name)
FROM (VALUES ('an unknown account', 'acc_00000000000000000000000000000001', '{"name": "x"}'::jsonb, 'not_found'),
             ('a past end', :'erp'::jsonb ->> 'id', '{"name": "x", "expires_at": "2020-01-01T00:00:00Z"}', 'validation_failed'))
        AS v(name, account, body, outcome),
    pg_temp.ask('create_account_key', :'admin', jsonb_build_object('path', jsonb_build_object('id', v.account),
        'key_id', gen_random_uuid(), 'key_digest', md5(v.name) || md5(v.outcome), 'body', v.body)) a;
SELECT is(a.answer #> '{data,0}', :'key'::jsonb || '{"revoked_at": null, "last_used_on": null}', 'list_account_keys')
FROM pg_temp.ask('list_account_keys', :'admin', jsonb_build_object('path', :'erp_path'::jsonb)) a;
SELECT is(a.outcome, 'not_found', 'keys of an account that is not there')
FROM pg_temp.ask('list_account_keys', :'admin', '{"path": {"id": "acc_00000000000000000000000000000001"}}') a;
SELECT lives_ok(format('SELECT api.credentials_used(ARRAY[%L]::uuid[])', :'key_id'), 'credentials_used');
SELECT is(a.answer #>> '{data,0,last_used_on}', api.date_text(api.today()), 'is seen')
FROM pg_temp.ask('list_account_keys', :'admin', jsonb_build_object('path', :'erp_path'::jsonb)) a;

SELECT jsonb_build_object('id', :'erp'::jsonb -> 'id', 'key', api.public_id('key', :'key_id')) AS key_path \gset
SELECT is(a.outcome, 'not_found', 'a key is revoked under its own account only')
FROM pg_temp.ask('revoke_account_key', :'admin', jsonb_build_object('path', :'key_path'::jsonb || jsonb_build_object('id', api.public_id('acc', :'admin')))) a;
SELECT a.outcome AS revoke_outcome, a.answer AS revoked
FROM pg_temp.ask('revoke_account_key', :'admin', jsonb_build_object('path', :'key_path'::jsonb)) a \gset
SELECT is(:'revoke_outcome'::text, 'ok', 'revoke_account_key');
SELECT is(:'revoked'::jsonb ->> 'state', 'revoked', 'the key as it stands now');
SELECT is(a.answer, :'revoked'::jsonb, 'revoked again: the first time stays')
FROM pg_temp.ask('revoke_account_key', :'admin', jsonb_build_object('path', :'key_path'::jsonb)) a;
SELECT is(c.revoked_by, :'admin'::uuid, 'who revoked it is recorded') FROM registry.credential c WHERE c.id = :'key_id';

SELECT jsonb_build_object('path', jsonb_build_object('id', api.public_id('acc', :'admin'), 'key', api.public_id('key', :'admin_key'))) AS last \gset
SELECT is(a.outcome, 'last_administrator', 'the last administrator''s key stays') FROM pg_temp.ask('revoke_account_key', :'admin', :'last') a;
SELECT gen_random_uuid() AS second_key \gset
SELECT is(a.outcome, 'ok', 'a second key of the administrator') FROM pg_temp.ask('create_account_key', :'admin', jsonb_build_object(
    'path', jsonb_build_object('id', api.public_id('acc', :'admin')), 'key_id', :'second_key', 'key_digest', repeat('cd', 32), 'body', '{"name": "second"}'::jsonb)) a;
SELECT throws_ok(format($$SELECT * FROM api.revoke_account_key(gen_random_uuid(), ARRAY[1, 2], ARRAY[%1$L, %1$L]::uuid[], ARRAY[%2$L, %2$L]::uuid[],
        ARRAY[%3$L, jsonb_set(%3$L, '{path,key}', to_jsonb(%4$L::text))]::jsonb[])$$,
        :'admin', :'authority', :'last', api.public_id('key', :'second_key')), 'CT003', NULL, 'both in one batch: the keeper halves it');
SELECT is(a.outcome, 'ok', 'one of two can go') FROM pg_temp.ask('revoke_account_key', :'admin', :'last') a;

INSERT INTO registry.credential (id, account_id, kind, key_digest, name, batch_id, ordinal)
SELECT gen_random_uuid(), api.parse_id('acc', :'erp'::jsonb ->> 'id'), 'api_key', sha256(n::text::bytea), 'many', gen_random_uuid(), 1
FROM generate_series(1, 50) n;
SELECT is(a.outcome, 'too_many_keys', 'an account has at most 50 live keys')
FROM pg_temp.ask('create_account_key', :'admin', jsonb_build_object('path', :'erp_path'::jsonb, 'key_id', gen_random_uuid(),
    'key_digest', repeat('ef', 32), 'body', '{"name": "one more"}'::jsonb)) a;

SELECT finish();
ROLLBACK;
