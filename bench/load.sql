-- SPDX-License-Identifier: Apache-2.0
-- Fills a migrated database with firearms, for benchmarks only: the rows have no
-- entries in the log.
--   psql -v n=1000000 -f bench/load.sql
-- n       firearms, each with one code, shipped and received; default 1,000,000
-- opaque  per cent of them with a code that its maker brought, without structure;
--         default 0. The others have one of scheme R29-8.
-- sold    per cent of them sold and delivered; default 70
-- sealed  hex of the sealed purchaser of every sale, and
-- key     id of the key that it is said to be sealed with. Without them a
--         placeholder that does not open.
-- Run by the owner or a superuser; the latter is faster, because nothing that is
-- made here right is checked again. May be run on a database with other records,
-- and more than once.
\set ON_ERROR_STOP on
\timing off
\if :{?n}
\else
\set n 1000000
\endif
\if :{?opaque}
\else
\set opaque 0
\endif
\if :{?sold}
\else
\set sold 70
\endif
\if :{?key}
\else
\set key load
\endif
\if :{?sealed}
\else
SELECT repeat('5ea1', 210) AS sealed \gset
\endif
SET client_min_messages = warning;
SET jit = off;
SET synchronous_commit = off;
SET maintenance_work_mem = '512MB';
SET work_mem = '256MB';
SELECT gen_random_uuid() AS batch, rolsuper AS superuser FROM pg_roles WHERE rolname = current_user \gset
\if :superuser
SET session_replication_role = replica; -- no foreign key checks
\endif

-- who takes part ---------------------------------------------------------------------------

-- A number that no earlier run has used, so that licences differ.
SELECT count(*) / 205 AS run FROM registry.organization WHERE name ~ '^Load (maker|dealer) ' \gset
CREATE TEMP TABLE load_party AS
SELECT gen_random_uuid() AS id, gen_random_uuid() AS account, gen_random_uuid() AS maker,
       CASE WHEN i < 5 THEN 'manufacturer' ELSE 'dealer' END AS kind, CASE WHEN i < 5 THEN i ELSE i - 5 END AS nth,
       'Load ' || CASE WHEN i < 5 THEN 'maker ' || :run * 5 + i ELSE 'dealer ' || :run * 200 + i - 5 END AS name,
       '9-9' || :run % 10 || '-001-' || CASE WHEN i < 5 THEN '07' ELSE '01' END || '-9A-'
           || lpad((:run / 10 * 205 + i)::text, 5, '0') AS licence
FROM generate_series(0, 204) i;
INSERT INTO registry.organization (id, name, kind, batch_id, ordinal)
SELECT id, name, kind, :'batch', 1 FROM load_party;
INSERT INTO registry.organization_licence (organization_id, kind, number, key, place, batch_id, ordinal)
SELECT id, 'ffl', licence, left(replace(licence, '-', ''), 3) || right(licence, 5), 1, :'batch', 1 FROM load_party;
INSERT INTO registry.account (id, organization_id, name, kind, batch_id, ordinal)
SELECT account, id, 'Load machine', 'machine', :'batch', 1 FROM load_party;
INSERT INTO registry.maker (id, name, batch_id, ordinal)
SELECT maker, name, :'batch', 1 FROM load_party WHERE kind = 'manufacturer';
INSERT INTO registry.maker_key (kind, key, maker_id, written, batch_id, ordinal)
SELECT k.kind, k.key, p.maker, p.name, :'batch', 1
FROM load_party p CROSS JOIN LATERAL (VALUES ('organization', p.id::text), ('name', lower(p.name))) AS k(kind, key)
WHERE p.kind = 'manufacturer';
CREATE TEMP TABLE load_model AS
SELECT gen_random_uuid() AS id, p.maker, p.nth, m.m, 'Model ' || m.m AS name,
       (ARRAY['9mm', '.45 ACP', '.380 ACP', '9mm'])[m.m] AS caliber
FROM load_party p, generate_series(1, 4) AS m(m) WHERE p.kind = 'manufacturer';
INSERT INTO registry.model (id, maker_id, name, name_key, caliber, firearm_type, batch_id, ordinal)
SELECT id, maker, name, lower(name), caliber, 'pistol', :'batch', 1 FROM load_model;

-- firearms and their codes ---------------------------------------------------------------------
-- Six characters of a code are the digits of a number to base 29, the last two
-- make both check sums 0 mod 29. A step through all 29^6 numbers that shares no
-- factor with 29 meets each of them once, far from the one before.
CREATE TEMP TABLE load_firearm AS
WITH drawn AS (
    SELECT i, (i * 387420489::bigint + (SELECT (random() * 594823320)::bigint)) % 594823321 AS x
    FROM generate_series(1, :n + :n / 50 + 100) AS i
), digit AS (
    SELECT i, x % 29 AS c0, x / 29 % 29 AS c1, x / 841 % 29 AS c2, x / 24389 % 29 AS c3, x / 707281 % 29 AS c4,
           x / 20511149 % 29 AS c5
    FROM drawn
), checked AS (
    SELECT d.*, (5 * (c0 + 2 * c1 + 4 * c2 + 8 * c3 + 16 * c4 + 3 * c5 - 12 * (c0 + c1 + c2 + c3 + c4 + c5)) % 29 + 29) % 29 AS c6
    FROM digit d
), word AS (
    SELECT i, (SELECT string_agg(substr('0123456789ACDEFGHJKMNPRTUVWXY', c.c::integer + 1, 1), '' ORDER BY c.at)
               FROM (VALUES (0, c0), (1, c1), (2, c2), (3, c3), (4, c4), (5, c5), (6, c6),
                            (7, 2 * 29 * 29 - (c0 + c1 + c2 + c3 + c4 + c5 + c6))) AS v(at, s)
               CROSS JOIN LATERAL (SELECT v.at, v.s % 29 AS c) AS c) AS word
    FROM checked
), free AS (
    SELECT row_number() OVER (ORDER BY w.i) AS k, w.word FROM word w
    WHERE NOT EXISTS (SELECT FROM registry.code c WHERE c.word = w.word COLLATE "C" AND c.scheme = 'R29-8')
), start AS (
    SELECT (random() * 2821109907455)::bigint AS x
), brought AS (
    -- Eight digits to base 36, by a step that shares no factor with it.
    SELECT f.k, CASE WHEN f.k * 16807 % 2147483647 % 100 < :opaque THEN 'opaque' ELSE 'R29-8' END AS scheme, f.word,
           (f.k * 777767777777 + s.x) % 2821109907456 AS x
    FROM free f CROSS JOIN start s WHERE f.k <= :n
), registered AS (
    SELECT b.k, b.scheme, CASE WHEN b.scheme = 'R29-8' THEN b.word
                               ELSE (SELECT string_agg(substr('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ',
                                                              (b.x / (36 ^ d.at)::bigint % 36)::integer + 1, 1), '' ORDER BY d.at)
                                     FROM generate_series(0, 7) AS d(at)) END AS word
    FROM brought b
)
SELECT f.k, f.scheme, f.word, gen_random_uuid() AS id, gen_random_uuid() AS mark, gen_random_uuid() AS sale, f.k % 5 AS maker_nth,
       f.k * 1103515245 % 2147483647 % 200 AS dealer_nth, 1 + (f.k / 5) % 4 AS model, 'LD' || lpad((f.k * 48271 % 2147483647)::text, 10, '0') AS serial,
       date '2025-01-01' + (f.k % 400)::integer AS shipped_on, f.k * 1689211741 % 2147483647 % 100 < :sold AS sold
FROM registered f;
ANALYZE load_firearm;

CREATE TEMP TABLE load_block AS
SELECT gen_random_uuid() AS id, b.nth, b.part, b.count
FROM (SELECT maker_nth AS nth, k / 50000 AS part, count(*) AS count FROM load_firearm WHERE scheme = 'R29-8' GROUP BY 1, 2) b;
INSERT INTO registry.code_block (id, organization_id, scheme, origin, count, account_id, batch_id, ordinal)
SELECT b.id, p.id, 'R29-8', 'issued', b.count, p.account, :'batch', 1
FROM load_block b JOIN load_party p ON p.kind = 'manufacturer' AND p.nth = b.nth;
INSERT INTO registry.code (word, scheme, block_id)
SELECT f.word, f.scheme, CASE WHEN f.scheme = 'R29-8' THEN b.id END
FROM load_firearm f LEFT JOIN load_block b ON b.nth = f.maker_nth AND b.part = f.k / 50000;

INSERT INTO registry.firearm (id, organization_id, registered_by, maker_id, model_id, external_id, serial, serial_key, caliber,
                              firearm_type, account_id, batch_id, ordinal)
SELECT f.id, p.id, p.id, p.maker, m.id, 'L' || f.k, f.serial, f.serial, m.caliber, 'pistol', p.account, :'batch', 1
FROM load_firearm f
JOIN load_party p ON p.kind = 'manufacturer' AND p.nth = f.maker_nth
JOIN load_model m ON m.nth = f.maker_nth AND m.m = f.model;
INSERT INTO registry.mark (id, firearm_id, word, scheme, placement, valid_from, batch_id, ordinal)
SELECT mark, id, word, scheme, 'firing_pin', shipped_on, :'batch', 1 FROM load_firearm;
INSERT INTO registry.code_count (scheme, length, caliber, maker_id, month, registered, firearms, batch_id, ordinal)
SELECT f.scheme, 8, m.caliber, m.maker, date_trunc('month', f.shipped_on)::date, count(*), count(*), :'batch', 1
FROM load_firearm f JOIN load_model m ON m.nth = f.maker_nth AND m.m = f.model GROUP BY 1, 3, 4, 5;
INSERT INTO registry.code_frequency AS q (scheme, length, position, character, registered)
SELECT f.scheme, 8, p.at, substr(f.word, p.at, 1), count(*)
FROM load_firearm f CROSS JOIN generate_series(1, 8) AS p(at) WHERE f.scheme = 'opaque' GROUP BY f.scheme, p.at, 4
ON CONFLICT (scheme, length, position, character) DO UPDATE SET registered = q.registered + excluded.registered;

-- custody and sales ------------------------------------------------------------------------------

INSERT INTO registry.sale (id, organization_id, firearm_id, maker_written, serial, serial_key, transaction_number, condition,
                           external_id, account_id, batch_id, ordinal)
SELECT f.sale, d.id, f.id, m.name, f.serial, f.serial, 'LT' || f.k, 'new', 'L' || f.k, d.account, :'batch', 1
FROM load_firearm f
JOIN load_party m ON m.kind = 'manufacturer' AND m.nth = f.maker_nth
JOIN load_party d ON d.kind = 'dealer' AND d.nth = f.dealer_nth
WHERE f.sold;
INSERT INTO registry.sale_event (sale_id, seq, kind, occurred_on, account_id, batch_id, ordinal)
SELECT f.sale, 1, 'delivered', f.shipped_on + 5 + (f.k % 90)::integer, d.account, :'batch', 1
FROM load_firearm f JOIN load_party d ON d.kind = 'dealer' AND d.nth = f.dealer_nth WHERE f.sold;
INSERT INTO registry.sale_purchaser (sale_id, kind, key_id, sealed, batch_id, ordinal)
SELECT f.sale, 'person', :'key', decode(:'sealed', 'hex'), :'batch', 1 FROM load_firearm f WHERE f.sold;
INSERT INTO registry.custody_event (id, firearm_id, seq, kind, occurred_on, from_party, to_party, to_written, sale_id,
                                    organization_id, account_id, batch_id, ordinal)
SELECT gen_random_uuid(), f.id, e.seq, e.kind, f.shipped_on + e.days, e.from_party, e.to_party, e.written, e.sale,
       e.by_organization, e.by_account, :'batch', 1
FROM load_firearm f
JOIN load_party m ON m.kind = 'manufacturer' AND m.nth = f.maker_nth
JOIN load_party d ON d.kind = 'dealer' AND d.nth = f.dealer_nth
CROSS JOIN LATERAL (VALUES (1, 'shipped', 0, m.id, d.id, d.licence, NULL::uuid, m.id, m.account),
                           (2, 'received', 3, m.id, d.id, NULL, NULL, d.id, d.account),
                           (3, 'sold', 5 + (f.k % 90)::integer, d.id, NULL, NULL, f.sale, d.id, d.account))
    AS e(seq, kind, days, from_party, to_party, written, sale, by_organization, by_account)
WHERE e.kind <> 'sold' OR f.sold;

-- What api.firearm_state_derive makes of these records, in one statement.
INSERT INTO registry.firearm_state (firearm_id, holder, standing_sale, first_sale, batch_id, ordinal, events, last_on,
    shipped_on, first_delivered_on, chain_complete, status, maker, model, serial, caliber, firearm_type, basis, no_purchaser,
    first_dealer, first_transaction, custody)
SELECT f.id, CASE WHEN NOT f.sold THEN d.id END, s.sale, s.sale, :'batch', 1, CASE WHEN f.sold THEN 3 ELSE 2 END,
       CASE WHEN f.sold THEN o.delivered_on ELSE f.shipped_on + 3 END, f.shipped_on, s.delivered_on, true,
       CASE WHEN f.sold THEN 'sold' ELSE 'held' END, m.name, k.name, f.serial, k.caliber, 'pistol',
       CASE WHEN f.sold THEN 'sale' END, CASE WHEN NOT f.sold THEN 'unsold' END, CASE WHEN f.sold THEN d.name END,
       CASE WHEN f.sold THEN 'LT' || f.k END,
       (SELECT json_agg(json_build_object('kind', e.kind, 'date', e.day, 'from', e.from_name, 'to', e.to_name) ORDER BY e.seq)
        FROM (VALUES (1, 'shipped', f.shipped_on, m.name, d.name), (2, 'received', f.shipped_on + 3, m.name, d.name),
                     (3, 'sold', o.delivered_on, d.name, NULL)) AS e(seq, kind, day, from_name, to_name)
        WHERE e.kind <> 'sold' OR f.sold)
FROM load_firearm f
JOIN load_party m ON m.kind = 'manufacturer' AND m.nth = f.maker_nth
JOIN load_party d ON d.kind = 'dealer' AND d.nth = f.dealer_nth
JOIN load_model k ON k.nth = f.maker_nth AND k.m = f.model
CROSS JOIN LATERAL (SELECT f.shipped_on + 5 + (f.k % 90)::integer AS delivered_on) o
CROSS JOIN LATERAL (SELECT CASE WHEN f.sold THEN f.sale END AS sale, CASE WHEN f.sold THEN o.delivered_on END AS delivered_on) s;

\if :superuser
RESET session_replication_role;
\endif
VACUUM (ANALYZE) registry.organization, registry.organization_licence, registry.maker_key, registry.model, registry.code_block,
    registry.code, registry.firearm, registry.mark, registry.firearm_state, registry.custody_event, registry.sale,
    registry.sale_event, registry.sale_purchaser;
SELECT count(*) AS firearms, count(*) FILTER (WHERE sold) AS sales FROM load_firearm;
