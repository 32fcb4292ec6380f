-- SPDX-License-Identifier: Apache-2.0
-- The first statement of every batch, and the outcomes kept under Idempotency-Keys.
BEGIN;
SELECT plan(33);
\ir first.psql
SELECT api.schema_digest() AS digest \gset

-- the schema's digest ---------------------------------------------------------------------

SELECT matches(:'digest'::text, '^[0-9a-f]{64}$', 'the schema is ready and has a digest');
SELECT throws_ok($$SELECT * FROM api.batch_open(repeat('0', 64), '{}', '{}', '{}')$$, 'CT001', NULL, 'another digest');
SELECT throws_ok($$SELECT * FROM api.batch_open(NULL, '{}', '{}', '{}')$$, 'CT001', NULL, 'none');
SAVEPOINT unready;
UPDATE registry.schema_ready SET ready = false;
SELECT throws_ok(format('SELECT * FROM api.batch_open(%L, %L, %L, %L)', :'digest', '{}', '{}', '{}'), 'CT001', NULL, 'not ready');
SELECT is(api.schema_digest(), NULL, 'and then has no digest');
ROLLBACK TO unready;
SELECT is((SELECT count(*)::int FROM api.batch_open(:'digest', '{}', '{}', '{}')), 0, 'an empty batch');
SELECT is((SELECT count(*)::int FROM pg_locks WHERE locktype = 'advisory' AND classid = 4849523 AND objid = 2
           AND mode = 'ShareLock' AND pid = pg_backend_pid()), 1, 'a batch holds the lock that a migration waits for');

-- credentials -------------------------------------------------------------------------------

-- An agency with two accounts: one has a live, a revoked and an expired key.
SELECT gen_random_uuid() AS agency, gen_random_uuid() AS officer, gen_random_uuid() AS chief, gen_random_uuid() AS batch \gset
INSERT INTO registry.organization (id, name, kind, batch_id, ordinal) VALUES (:'agency', 'Fresno PD', 'agency', :'batch', 1);
INSERT INTO registry.organization_licence (organization_id, kind, number, key, place, valid_from, valid_to, batch_id, ordinal)
VALUES (:'agency', 'ori', 'CA0000001', 'CA0000001', 1, NULL, api.today() - 1, :'batch', 1),
       (:'agency', 'ori', 'CA0000002', 'CA0000002', 2, api.today(), NULL, :'batch', 1),
       (:'agency', 'ori', 'CA0000003', 'CA0000003', 3, NULL, NULL, :'batch', 1);
INSERT INTO registry.account (id, organization_id, name, kind, batch_id, ordinal)
VALUES (:'officer', :'agency', 'Officer', 'person', :'batch', 2), (:'chief', :'agency', 'Chief', 'person', :'batch', 3);
INSERT INTO registry.account_standing (account_id, seq, state, roles, reason, batch_id, ordinal)
VALUES (:'officer', 1, 'active', '{investigator}', 'created', :'batch', 2),
       (:'chief', 1, 'active', '{investigator}', 'created', :'batch', 3),
       (:'chief', 2, 'active', '{reviewer,supervisor}', 'promoted', :'batch', 4);
CREATE FUNCTION pg_temp.digest(name text) RETURNS bytea LANGUAGE sql RETURN sha256(name::bytea);
INSERT INTO registry.credential (id, account_id, kind, key_digest, name, expires_at, batch_id, ordinal, revoked_at, revoke_batch_id, revoke_ordinal)
VALUES (gen_random_uuid(), :'officer', 'api_key', pg_temp.digest('live'), 'k', now() + interval '1 hour', :'batch', 1, NULL, NULL, NULL),
       (gen_random_uuid(), :'officer', 'api_key', pg_temp.digest('revoked'), 'k', NULL, :'batch', 1, now(), :'batch', 1),
       (gen_random_uuid(), :'officer', 'api_key', pg_temp.digest('expired'), 'k', now(), :'batch', 1, NULL, NULL, NULL),
       (gen_random_uuid(), :'chief', 'api_key', pg_temp.digest('chief'), 'k', NULL, :'batch', 1, NULL, NULL, NULL);

CREATE FUNCTION pg_temp.open(VARIADIC names text[]) RETURNS TABLE (ordinal int, account uuid, organization_name text, licence text, roles text)
    LANGUAGE sql AS $$
    SELECT o.ordinal, o.account, o.organization_name, o.licence, o.roles
    FROM api.batch_open(api.schema_digest(), (SELECT array_agg(pg_temp.digest(n.n) ORDER BY n.o) FROM unnest(names) WITH ORDINALITY AS n(n, o)),
                        array_fill('get_me'::text, ARRAY[cardinality(names)]), array_fill(NULL::text, ARRAY[cardinality(names)])) o
$$;
SELECT results_eq($$SELECT * FROM pg_temp.open('live', 'nobody', 'chief', 'revoked', 'live', 'expired')$$,
    format($$VALUES (1, %1$L::uuid, 'Fresno PD', 'CA0000002', 'investigator'), (3, %2$L, 'Fresno PD', 'CA0000002', 'reviewer,supervisor'),
                    (5, %1$L, 'Fresno PD', 'CA0000002', 'investigator')$$, :'officer', :'chief'),
    'live credentials in the order asked, with the present licence and the last roles; no revoked, expired or unknown one');
SELECT is((SELECT count(*)::int FROM api.batch_open(:'digest', ARRAY[NULL]::bytea[], '{get_me}', '{NULL}')), 0, 'no credential, no row');
SELECT is((SELECT o.organization_kind FROM api.batch_open(:'digest', ARRAY[pg_temp.digest('live')], '{get_me}', '{NULL}') o), 'agency',
          'the organization''s kind');
SAVEPOINT standing;
UPDATE registry.credential SET revoked_at = now(), revoke_batch_id = :'batch', revoke_ordinal = 1 WHERE key_digest = pg_temp.digest('live');
SELECT is_empty($$SELECT * FROM pg_temp.open('live')$$, 'a key that was revoked fails on the next request');
ROLLBACK TO standing;
INSERT INTO registry.account_standing (account_id, seq, state, roles, reason, batch_id, ordinal)
VALUES (:'officer', 2, 'disabled', '{investigator}', 'left', :'batch', 5);
SELECT is_empty($$SELECT * FROM pg_temp.open('live')$$, 'so does one of a disabled account');
INSERT INTO registry.account_standing (account_id, seq, state, roles, reason, batch_id, ordinal)
VALUES (:'officer', 3, 'active', '{}', 'back', :'batch', 5);
SELECT results_eq($$SELECT roles FROM pg_temp.open('live')$$, $$VALUES ('')$$, 'which may come back, here without a role');
INSERT INTO registry.organization_standing (organization_id, seq, state, reason, batch_id, ordinal)
VALUES (:'agency', 1, 'suspended', 'x', :'batch', 5);
SELECT is_empty($$SELECT * FROM pg_temp.open('live', 'chief')$$, 'no key of a suspended organization works');
INSERT INTO registry.organization_standing (organization_id, seq, state, reason, batch_id, ordinal)
VALUES (:'agency', 2, 'active', 'x', :'batch', 5);
SELECT is((SELECT count(*)::int FROM pg_temp.open('live', 'chief')), 2, 'until it is active again');
ROLLBACK TO standing;

-- Idempotency-Keys -----------------------------------------------------------------------------

SELECT api.log_take('test') \g /dev/null
SELECT h.epoch AS epoch, gen_random_uuid() AS made FROM api.log_head() h \gset
SELECT lives_ok(format($$SELECT api.idempotency_store(%L, '{1,2}', ARRAY[%L, %L]::uuid[], '{create_sale,create_sale}', '{k1,k1}',
    ARRAY[pg_temp.digest('m1'), pg_temp.digest('m2')], '{ok,ok}', ARRAY['{"a": 1}', NULL]::json[], ARRAY[NULL, %L]::uuid[])$$,
    :'batch', :'officer', :'chief', :'made'), 'idempotency_store: one key of two accounts');
SELECT lives_ok(format($$SELECT api.log_append('test', %s, 0, '', %L, %L, %L, ARRAY[%L, %L]::bytea[], ARRAY['{}', '{}']::bytea[], ARRAY[%L, %L]::bytea[],
    ARRAY[%L, %L]::bytea[], ARRAY[NULL, NULL]::bytea[], ARRAY[NULL, NULL]::bytea[], '{}', '{}', '{}')$$, :'epoch', pg_temp.digest('f'), pg_temp.digest('r'),
    :'batch', pg_temp.digest('1'), pg_temp.digest('2'), pg_temp.digest('1'), pg_temp.digest('2'), pg_temp.digest('1'), pg_temp.digest('2')), 'its batch is in the log');
CREATE FUNCTION pg_temp.replay(name text, operation text, key text)
    RETURNS TABLE (mac bytea, outcome text, answer text, resource uuid, entry bigint) LANGUAGE sql AS $$
    SELECT o.replay_mac, o.replay_outcome, o.replay_answer::text, o.replay_resource, o.replay_entry
    FROM api.batch_open(api.schema_digest(), ARRAY[pg_temp.digest(name)], ARRAY[operation], ARRAY[key]) o
$$;
SELECT results_eq($$SELECT * FROM pg_temp.replay('live', 'create_sale', 'k1')$$,
    $$VALUES (pg_temp.digest('m1'), 'ok', '{"a": 1}', NULL::uuid, 0::bigint)$$, 'found again, with the entry of the first request');
SELECT results_eq($$SELECT * FROM pg_temp.replay('chief', 'create_sale', 'k1')$$,
    format($$VALUES (pg_temp.digest('m2'), 'ok', NULL, %L::uuid, 1::bigint)$$, :'made'), 'the other account has its own');
SELECT is((SELECT r.mac FROM pg_temp.replay('live', v.operation, v.key) r), NULL, 'not found: ' || v.name)
FROM (VALUES ('create_trace', 'k1', 'another operation'), ('create_sale', 'k2', 'another key'), ('create_sale', NULL, 'no key'),
             ('create_sale', 'K1', 'case counts')) AS v(operation, key, name);
CREATE FUNCTION pg_temp.store(account uuid, key text, mac text) RETURNS void LANGUAGE sql AS $$
    SELECT api.idempotency_store(gen_random_uuid(), '{1}', ARRAY[account], '{create_sale}', ARRAY[key], ARRAY[pg_temp.digest(mac)],
                                 '{ok}', ARRAY[NULL]::json[], ARRAY[NULL]::uuid[])
$$;
SELECT throws_ok(format('SELECT pg_temp.store(%L, %L, %L)', :'officer', 'k1', 'm3'), 'CT003', NULL, 'a key that is held');
UPDATE registry.idempotency SET recorded_at = now() - interval '24 hours' WHERE account_id = :'officer';
SELECT is((SELECT r.mac FROM pg_temp.replay('live', 'create_sale', 'k1') r), NULL, 'after 24 hours it is not found');
SELECT lives_ok(format('SELECT pg_temp.store(%L, %L, %L)', :'officer', 'k1', 'm3'), 'and free');
SELECT is((SELECT r.mac FROM pg_temp.replay('live', 'create_sale', 'k1') r), pg_temp.digest('m3'), 'for another request');
SELECT lives_ok($$SELECT api.idempotency_store(gen_random_uuid(), '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}')$$, 'none to store');

INSERT INTO registry.idempotency (account_id, operation, key, mac, outcome, batch_id, ordinal, recorded_at)
SELECT :'chief', 'create_sale', 'old' || n, pg_temp.digest('m'), 'ok', :'batch', 1, now() - interval '26 hours' FROM generate_series(1, 10010) n;
SELECT is(api.maintain(), 10000::bigint, 'maintain removes old rows, a bounded number a call');
SELECT is(api.maintain(), 10::bigint, 'then the others');
SELECT is(api.maintain(), 0::bigint, 'and no more');
SELECT is((SELECT count(*)::int FROM registry.idempotency), 2, 'the young ones stay');
SELECT is((SELECT count(*)::int FROM pg_inherits WHERE inhparent = 'registry.log_entry'::regclass), 2,
          'two partitions of the log stand ready');

SELECT finish();
ROLLBACK;
