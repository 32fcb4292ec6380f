-- SPDX-License-Identifier: Apache-2.0
-- Small things that every file of this schema uses. All are plain expressions
-- (RETURN …): they are bound when they are created, so no search_path can bend
-- them, and the planner puts them inline, so they cost nothing per call. They
-- run with the rights of the function that uses them and nobody else gets them.

-- ids: three letters, underscore, 32 hex digits --------------------------------

CREATE FUNCTION api.public_id(prefix text, id uuid) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN prefix || '_' || replace(id::text, '-', '');
COMMENT ON FUNCTION api.public_id(text, uuid) IS 'id as clients see it, such as org_0123…; null for null';

CREATE FUNCTION api.parse_id(prefix text, public text) RETURNS uuid
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN public ~ ('^' || prefix || '_[0-9a-f]{32}$') THEN right(public, 32)::uuid END;
COMMENT ON FUNCTION api.parse_id(text, text) IS 'the uuid of an id with that prefix; null for anything else';

-- times and dates -----------------------------------------------------------------

CREATE FUNCTION api.time_text(at timestamptz) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');
COMMENT ON FUNCTION api.time_text(timestamptz) IS 'RFC 3339, UTC, milliseconds';

CREATE FUNCTION api.date_text(day date) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN to_char(day, 'YYYY-MM-DD');
COMMENT ON FUNCTION api.date_text(date) IS 'YYYY-MM-DD';

CREATE FUNCTION api.today() RETURNS date
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN (now() AT TIME ZONE 'UTC')::date;
COMMENT ON FUNCTION api.today() IS 'the day, UTC, whatever the session''s time zone is';

-- keys that look-ups compare --------------------------------------------------------

CREATE FUNCTION api.letters_digits(written text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN regexp_replace(upper(written), '[^A-Z0-9]', '', 'g');
COMMENT ON FUNCTION api.letters_digits(text) IS 'upper case, letters A–Z and digits only';

CREATE FUNCTION api.normalise_serial(written text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN replace(api.letters_digits(written), 'O', '0');
COMMENT ON FUNCTION api.normalise_serial(text) IS
    'the key of a serial number: letters and digits, upper case, letter O as digit 0';

CREATE FUNCTION api.licence_key(kind text, written text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN kind <> 'ffl' THEN api.letters_digits(written)
                WHEN length(api.letters_digits(written)) = 15
                THEN left(api.letters_digits(written), 3) || right(api.letters_digits(written), 5) END;
COMMENT ON FUNCTION api.licence_key(text, text) IS
    'the key of a licence: of an FFL its first 3 and last 5 characters (null unless it has 15), otherwise letters and digits';

-- the log entry of a recorded row -----------------------------------------------------

CREATE FUNCTION api.entry_index(first_idx bigint, ordinal integer) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN first_idx + ordinal - 1;
COMMENT ON FUNCTION api.entry_index(bigint, integer) IS
    'index of the log entry of the request at that position (from 1) of a batch';

-- refusals ------------------------------------------------------------------------------

CREATE FUNCTION api.refusal(pointer text, detail text) RETURNS jsonb
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN jsonb_build_object('detail', detail, 'errors',
        jsonb_build_array(jsonb_build_object('pointer', pointer, 'detail', detail)));
COMMENT ON FUNCTION api.refusal(text, text) IS 'answer of a refusal that points at one field of the request';

-- pages ---------------------------------------------------------------------------------
-- A cursor is the id (32 hex digits) or the index (decimal) of the last row of
-- the page before. It holds no value of the row, so it may be shown and logged.

CREATE FUNCTION api.page_limit(request jsonb) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN least(greatest(coalesce((request #>> '{query,limit}')::integer, 50), 1), 200);
COMMENT ON FUNCTION api.page_limit(jsonb) IS 'rows of a page: what was asked, at most 200; 50 when nothing was';

CREATE FUNCTION api.cursor_uuid(request jsonb) RETURNS uuid
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN (request #>> '{query,cursor}') ~ '^[0-9a-f]{32}$'
                THEN (request #>> '{query,cursor}')::uuid END;
COMMENT ON FUNCTION api.cursor_uuid(jsonb) IS 'cursor of a list whose rows have a uuid; null when absent or not one of ours';

CREATE FUNCTION api.cursor_index(request jsonb) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN (request #>> '{query,cursor}') ~ '^(0|[1-9][0-9]{0,17})$'
                THEN (request #>> '{query,cursor}')::bigint END;
COMMENT ON FUNCTION api.cursor_index(jsonb) IS 'cursor of a list by index; null when absent or not one of ours';

-- the log -------------------------------------------------------------------------------

CREATE FUNCTION api.log_item(idx bigint, header jsonb) RETURNS jsonb
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN jsonb_build_object(
        'index', idx,
        'at', header -> 'time',
        'operation', header -> 'operation',
        'outcome', header -> 'outcome',
        'status', header -> 'status',
        'account', nullif(header ->> 'account', ''),
        'organization', nullif(header ->> 'organization', ''),
        'licence', nullif(header ->> 'licence', ''),
        'role', nullif(header ->> 'role', ''),
        'case_number', header -> 'case_number',
        'purpose', header -> 'purpose',
        'request_id', nullif(header ->> 'request_id', ''));
COMMENT ON FUNCTION api.log_item(bigint, jsonb) IS 'an entry''s header as one row of the list of entries';
