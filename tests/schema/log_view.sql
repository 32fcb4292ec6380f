-- SPDX-License-Identifier: Apache-2.0
-- What is remembered of published checkpoints, and what bundles are made of.
BEGIN;
SELECT plan(20);
\ir first.psql
CREATE FUNCTION pg_temp.batches(VARIADIC sizes bigint[]) RETURNS void LANGUAGE sql AS $$
    INSERT INTO registry.log_batch (batch_id, first_idx, count, size, root, epoch)
    SELECT gen_random_uuid(), s - 1, 1, s, decode(repeat('00', 32), 'hex'), 0 FROM unnest(sizes) s
$$;

SELECT is_empty('SELECT * FROM api.log_published_last()', 'nothing was published');
SELECT pg_temp.batches(1, 100, 255, 256, 300, 70000) \g /dev/null
SELECT lives_ok($$SELECT api.log_publish(1, 'one'), api.log_publish(100, 'hundred'), api.log_publish(300, 'three hundred')$$, 'three are');
SELECT results_eq('SELECT size, note FROM api.log_published_last()', $$VALUES (300::bigint, 'three hundred')$$, 'the newest');
SELECT ok((SELECT age_ms BETWEEN 0 AND 60000 FROM api.log_published_last()), 'and how old it is');
SELECT lives_ok($$SELECT api.log_publish(300, 'again'), api.log_publish(256, 'back')$$, 'not larger');
SELECT results_eq('SELECT size, note FROM registry.log_published ORDER BY size',
                  $$VALUES (1::bigint, 'one'), (100, 'hundred'), (300, 'three hundred')$$, 'changes nothing');
SELECT throws_ok($$SELECT api.log_publish(301, 'x')$$, '23503', NULL, 'no batch ended there');
SELECT throws_ok($$SELECT api.log_publish(70000, '')$$, '23514', NULL, 'no note');

-- widths of the last tiles
SELECT is_empty('SELECT * FROM api.log_published_widths(0)', 'of nothing');
SELECT set_eq('SELECT * FROM api.log_published_widths(1)', 'VALUES (0, 1)', 'of one entry');
SELECT set_eq('SELECT * FROM api.log_published_widths(100)', 'VALUES (0, 1), (0, 100)', 'two of one tile');
SELECT set_eq('SELECT * FROM api.log_published_widths(300)', 'VALUES (0, 44), (1, 1)', 'a tile that was filled is not among them');
SELECT is_empty('SELECT * FROM api.log_published_widths(256)', 'a full tile has no width, and of larger sizes nothing is said');
SELECT lives_ok($$SELECT api.log_publish(70000, 'x')$$, 'a large one');
SELECT set_eq('SELECT * FROM api.log_published_widths(70000)', 'VALUES (0, 112), (1, 17), (2, 1)', 'at three levels');
SELECT pg_temp.batches(69889, 69990, 70001) \g /dev/null
INSERT INTO registry.log_published (size, note) VALUES (69889, 'x'), (69990, 'x'), (70001, 'x');
SELECT set_eq('SELECT * FROM api.log_published_widths(70000)', 'VALUES (0, 1), (0, 102), (0, 112), (1, 17), (2, 1)', 'each once');

-- leaves
INSERT INTO registry.log_entry (idx, leaf_hash, header, header_salt, d_subject)
SELECT i, sha256('l'), convert_to('h' || i, 'UTF8'), sha256('s'), sha256('d') FROM generate_series(0, 4) i;
SELECT results_eq('SELECT idx, header, header_salt, d_subject FROM api.log_leaves(1, 2)',
    $$VALUES (1::bigint, 'h1'::bytea, sha256('s'), sha256('d')), (2, 'h2', sha256('s'), sha256('d'))$$, 'what leaves are made of');
SELECT is((SELECT count(*)::int FROM api.log_leaves(3, 256)), 2, 'fewer where the log ends');
SELECT throws_ok('SELECT * FROM api.log_leaves(0, 257)', 'P0001', NULL, 'a bounded number at once');
SELECT throws_ok('SELECT * FROM api.log_leaves(0, -1)', 'P0001', NULL, 'and none below nothing');
SELECT * FROM finish();
ROLLBACK;
