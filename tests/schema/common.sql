-- SPDX-License-Identifier: Apache-2.0
BEGIN;
SELECT plan(30);

SELECT is(api.public_id('org', '0123abcd-0000-4000-8000-00000000000f'), 'org_0123abcd00004000800000000000000f', 'id as shown');
SELECT is(api.public_id('org', NULL), NULL, 'no id, none shown');
SELECT is(api.parse_id('org', 'org_0123abcd00004000800000000000000f'), '0123abcd-0000-4000-8000-00000000000f'::uuid, 'and back');
SELECT is(api.parse_id('org', v.text), NULL, 'not an organization''s id: ' || coalesce(to_json(v.text)::text, 'null'))
FROM (VALUES ('acc_0123abcd00004000800000000000000f'), ('org_0123ABCD00004000800000000000000F'), ('org_0123'), (''), (NULL),
             ('org_0123abcd00004000800000000000000f0'), (E'org_0123abcd00004000800000000000000f\n')) AS v(text);

SET LOCAL timezone = 'America/Los_Angeles';
SELECT is(api.time_text('2026-03-08T10:30:00.1234Z'), '2026-03-08T10:30:00.123Z', 'times are UTC with milliseconds in any session');
SELECT is(api.today(), (now() AT TIME ZONE 'UTC')::date, 'today is that of UTC');
SELECT is(api.date_text('2026-01-02'), '2026-01-02', 'a date');

SELECT is(api.normalise_serial(v.text), v.key, 'serial ' || v.text)
FROM (VALUES ('TD 437381', 'TD437381'), ('b-005550', 'B005550'), ('O0o', '000'), ('S/N 12.3', 'SN123'), ('Ä12', '12')) AS v(text, key);

SELECT is(api.licence_key('ffl', '6-65-122-07-9G-87591'), '66587591', 'an FFL''s key: first 3 and last 5 characters');
SELECT is(api.licence_key('ffl', '6-65-122-01-0a-87591'), '66587591', 'the same after another type and expiry, in lower case');
SELECT is(api.licence_key('ffl', '6-65-122-07-9G-8759'), NULL, 'too short to be one');
SELECT is(api.licence_key('ffl', '6-65-122-07-9G-875911'), NULL, 'too long');
SELECT is(api.licence_key('ori', 'CA0194200'), 'CA0194200', 'an ORI''s key is itself');
SELECT is(api.entry_index(100, 1), 100::bigint, 'the first request of a batch has the batch''s first entry');

SELECT is(api.page_limit('{}'), 50, 'a page has 50 rows');
SELECT is(api.page_limit('{"query":{"limit":7}}'), 7, 'or as many as asked');
SELECT is(api.page_limit('{"query":{"limit":"9000"}}'), 200, 'at most 200');
SELECT is(api.cursor_uuid('{"query":{"cursor":"0123abcd00004000800000000000000f"}}'),
          '0123abcd-0000-4000-8000-00000000000f'::uuid, 'cursor of a list by id');
SELECT is(api.cursor_uuid('{"query":{"cursor":"zz"}}'), NULL, 'not a cursor');
SELECT is(api.cursor_index('{"query":{"cursor":"12"}}'), 12::bigint, 'cursor of a list by index');

SELECT finish();
ROLLBACK;
