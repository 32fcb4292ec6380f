-- SPDX-License-Identifier: Apache-2.0
-- Deploy casetrace:registry_maker to pg
BEGIN;

\set change registry_maker
\ir ../guard.sql
\if :applied
COMMIT;
\quit
\endif

CREATE TABLE registry.external_party (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    key         text COLLATE "C" NOT NULL UNIQUE CHECK (length(key) BETWEEN 1 AND 40),
    written     text NOT NULL CHECK (length(written) BETWEEN 1 AND 120),
    batch_id    uuid NOT NULL,
    ordinal     integer NOT NULL CHECK (ordinal >= 1),
    recorded_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE registry.external_party IS
    'a licensee that takes no part here, known by a licence that others wrote; insert-only. '
    'When an organization with that licence is entered, what was sent to the licence is its own';
COMMENT ON COLUMN registry.external_party.id IS 'random; stands where an organization''s id would';
COMMENT ON COLUMN registry.external_party.key IS 'of the licence: first 3 and last 5 characters, as in organization_licence';
COMMENT ON COLUMN registry.external_party.written IS 'the licence as first written by a licensee';
COMMENT ON COLUMN registry.external_party.batch_id IS 'batch that recorded the row; with ordinal it names the log entry';
COMMENT ON COLUMN registry.external_party.ordinal IS 'position of the request in its batch, from 1';
COMMENT ON COLUMN registry.external_party.recorded_at IS 'when the row was recorded, UTC; set by the database';

CREATE TABLE registry.maker (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name        text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    batch_id    uuid NOT NULL,
    ordinal     integer NOT NULL CHECK (ordinal >= 1),
    recorded_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE registry.maker IS
    'who made or imported a firearm, as marked on it; half of every serial number''s key; insert-only';
COMMENT ON COLUMN registry.maker.id IS 'random; internal';
COMMENT ON COLUMN registry.maker.name IS 'as marked on firearms; the organization''s name, or the licence of one that takes no part';
COMMENT ON COLUMN registry.maker.batch_id IS 'batch that recorded the row; with ordinal it names the log entry';
COMMENT ON COLUMN registry.maker.ordinal IS 'position of the request in its batch, from 1';
COMMENT ON COLUMN registry.maker.recorded_at IS 'when the row was recorded, UTC; set by the database';

CREATE TABLE registry.maker_key (
    kind        text COLLATE "C" NOT NULL CHECK (kind IN ('organization', 'licence', 'national_code', 'name')),
    key         text COLLATE "C" NOT NULL CHECK (length(key) BETWEEN 1 AND 200),
    maker_id    uuid NOT NULL REFERENCES registry.maker,
    written     text NOT NULL CHECK (length(written) BETWEEN 1 AND 200),
    batch_id    uuid NOT NULL,
    ordinal     integer NOT NULL CHECK (ordinal >= 1),
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (kind, key, maker_id)
);
-- Two makers may share a name; nothing else.
CREATE UNIQUE INDEX maker_key_unique ON registry.maker_key (kind, key) WHERE kind <> 'name';
CREATE INDEX maker_key_maker ON registry.maker_key (maker_id);
COMMENT ON TABLE registry.maker_key IS 'what a maker is called or known by: each row is one way to find it; insert-only';
COMMENT ON COLUMN registry.maker_key.kind IS
    'organization (the maker is that organization), licence, national_code (NCIC MAK) or name (as marked, and aliases)';
COMMENT ON COLUMN registry.maker_key.key IS
    'what is compared: the organization''s uuid, the key of the licence, the three letters, or the name folded';
COMMENT ON COLUMN registry.maker_key.maker_id IS 'the maker that is found';
COMMENT ON COLUMN registry.maker_key.written IS 'as written by whoever entered it';
COMMENT ON COLUMN registry.maker_key.batch_id IS 'batch that recorded the row; with ordinal it names the log entry';
COMMENT ON COLUMN registry.maker_key.ordinal IS 'position of the request in its batch, from 1';
COMMENT ON COLUMN registry.maker_key.recorded_at IS 'when the row was recorded, UTC; set by the database';

CREATE TABLE registry.model (
    id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    maker_id     uuid NOT NULL REFERENCES registry.maker,
    name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    name_key     text COLLATE "C" NOT NULL CHECK (length(name_key) BETWEEN 1 AND 200),
    caliber      text CHECK (length(caliber) BETWEEN 1 AND 40),
    firearm_type text CHECK (length(firearm_type) BETWEEN 1 AND 40),
    batch_id     uuid NOT NULL,
    ordinal      integer NOT NULL CHECK (ordinal >= 1),
    recorded_at  timestamptz NOT NULL DEFAULT now(),
    UNIQUE (maker_id, name_key)
);
COMMENT ON TABLE registry.model IS 'a model of a maker; registrations name it, and an unknown one is refused; insert-only';
COMMENT ON COLUMN registry.model.id IS 'random; shown as mdl_…';
COMMENT ON COLUMN registry.model.maker_id IS 'who makes it';
COMMENT ON COLUMN registry.model.name IS 'as entered by the maker or the authority';
COMMENT ON COLUMN registry.model.name_key IS 'what is compared: the name in lower case with single blanks';
COMMENT ON COLUMN registry.model.caliber IS 'word of the vocabulary caliber; null when it comes in several';
COMMENT ON COLUMN registry.model.firearm_type IS 'word of the vocabulary firearm_type; null when not entered';
COMMENT ON COLUMN registry.model.batch_id IS 'batch that recorded the row; with ordinal it names the log entry';
COMMENT ON COLUMN registry.model.ordinal IS 'position of the request in its batch, from 1';
COMMENT ON COLUMN registry.model.recorded_at IS 'when the row was recorded, UTC; set by the database';

INSERT INTO registry.applied_change (change) VALUES (:'change');
COMMIT;
