-- SPDX-License-Identifier: Apache-2.0
-- Deploy casetrace:confusion to pg
BEGIN;

\set change confusion
\ir ../guard.sql
\if :applied
COMMIT;
\quit
\endif

CREATE TABLE registry.confusion_matrix (
    name        text COLLATE "C" PRIMARY KEY CHECK (name ~ '^[a-z][a-z0-9]*(-[a-z0-9]+)*-[1-9][0-9]{0,5}$' AND length(name) <= 40),
    seq         integer NOT NULL UNIQUE CHECK (seq >= 1),
    origin      text NOT NULL CHECK (origin IN ('default', 'loaded', 'learned')),
    description text CHECK (length(description) BETWEEN 1 AND 200),
    rates       json,
    digest      bytea CHECK (length(digest) = 32),
    readings    bigint CHECK (readings >= 1),
    account_id  uuid,
    batch_id    uuid,
    ordinal     integer CHECK (ordinal >= 1),
    recorded_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((origin = 'default') = (rates IS NULL)),
    CHECK ((rates IS NULL) = (digest IS NULL)),
    CHECK ((origin = 'learned') = (readings IS NOT NULL)),
    CHECK ((origin = 'default') = (batch_id IS NULL) AND (batch_id IS NULL) = (ordinal IS NULL)
           AND (batch_id IS NULL) = (account_id IS NULL))
);
COMMENT ON TABLE registry.confusion_matrix IS
    'how often one character of a mark is read as another, as versions under names that are never used again; insert-only';
COMMENT ON COLUMN registry.confusion_matrix.name IS 'the version, as answers of traces name it';
COMMENT ON COLUMN registry.confusion_matrix.seq IS 'from 1, in the order of recording';
COMMENT ON COLUMN registry.confusion_matrix.origin IS
    'default: made by the software; loaded: sent by a laboratory or the authority; learned: from test fires of known firearms';
COMMENT ON COLUMN registry.confusion_matrix.description IS 'where the figures come from, in the sender''s words';
COMMENT ON COLUMN registry.confusion_matrix.rates IS
    '{"opaque": 36 rows of 36, "r29": 29 rows of 29}: by true character, then by character read; null for the software''s own';
COMMENT ON COLUMN registry.confusion_matrix.digest IS 'SHA-256 of the text of rates; null where that is null';
COMMENT ON COLUMN registry.confusion_matrix.readings IS 'characters of test fires that it was learned from; null unless learned';
COMMENT ON COLUMN registry.confusion_matrix.account_id IS 'account that sent it or had it learned; null for the software''s own';
COMMENT ON COLUMN registry.confusion_matrix.batch_id IS 'batch that recorded the row; with ordinal it names the log entry';
COMMENT ON COLUMN registry.confusion_matrix.ordinal IS 'position of the request in its batch, from 1';
COMMENT ON COLUMN registry.confusion_matrix.recorded_at IS 'when the row was recorded, UTC; set by the database';
INSERT INTO registry.confusion_matrix (name, seq, origin, description)
VALUES ('default-1', 1, 'default', 'an assumption: 2 % of characters are misread, four in five of these as look-alikes');

CREATE TABLE registry.confusion_activation (
    seq         integer PRIMARY KEY CHECK (seq >= 1),
    name        text COLLATE "C" NOT NULL REFERENCES registry.confusion_matrix,
    reason      text NOT NULL CHECK (length(reason) BETWEEN 1 AND 200),
    account_id  uuid NOT NULL,
    batch_id    uuid NOT NULL,
    ordinal     integer NOT NULL CHECK (ordinal >= 1),
    recorded_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE registry.confusion_activation IS
    'from when which matrix is used: the highest seq holds, default-1 while there is none; insert-only';
COMMENT ON COLUMN registry.confusion_activation.seq IS 'from 1';
COMMENT ON COLUMN registry.confusion_activation.name IS 'matrix that is used from now on';
COMMENT ON COLUMN registry.confusion_activation.reason IS 'why, in the authority''s words';
COMMENT ON COLUMN registry.confusion_activation.account_id IS 'account that decided it';
COMMENT ON COLUMN registry.confusion_activation.batch_id IS 'batch that recorded the row; with ordinal it names the log entry';
COMMENT ON COLUMN registry.confusion_activation.ordinal IS 'position of the request in its batch, from 1';
COMMENT ON COLUMN registry.confusion_activation.recorded_at IS 'when the row was recorded, UTC; set by the database. Answers follow within seconds';

CREATE TABLE registry.comparison (
    id              uuid PRIMARY KEY,
    batch_id        uuid NOT NULL,
    account_id      uuid NOT NULL,
    organization_id uuid NOT NULL,
    firearm_id      uuid NOT NULL,
    at              timestamptz NOT NULL DEFAULT now(),
    ordinal         integer NOT NULL CHECK (ordinal >= 1),
    state           text NOT NULL CHECK (state IN ('supports', 'neutral', 'against', 'insufficient')),
    unread          integer NOT NULL CHECK (unread >= 0),
    case_number     text NOT NULL,
    request         json NOT NULL,
    answer          json NOT NULL
);
CREATE INDEX comparison_at ON registry.comparison (at);
CREATE INDEX comparison_firearm ON registry.comparison (firearm_id, at);
COMMENT ON TABLE registry.comparison IS 'a casing held against a known firearm; insert-only';
COMMENT ON COLUMN registry.comparison.id IS 'random; shown as cmp_…; chosen by the keeper';
COMMENT ON COLUMN registry.comparison.batch_id IS 'batch that recorded the row; with ordinal it names the log entry';
COMMENT ON COLUMN registry.comparison.account_id IS 'who asked';
COMMENT ON COLUMN registry.comparison.organization_id IS 'the agency or laboratory, which alone reads it again';
COMMENT ON COLUMN registry.comparison.firearm_id IS 'the firearm';
COMMENT ON COLUMN registry.comparison.at IS 'when it was answered, UTC; set by the database';
COMMENT ON COLUMN registry.comparison.ordinal IS 'position of the request in its batch, from 1';
COMMENT ON COLUMN registry.comparison.state IS 'what was answered';
COMMENT ON COLUMN registry.comparison.unread IS 'most unread characters of one of its marks, for the findings';
COMMENT ON COLUMN registry.comparison.case_number IS 'the agency''s, as written';
COMMENT ON COLUMN registry.comparison.request IS 'what was asked, as sent';
COMMENT ON COLUMN registry.comparison.answer IS 'what was answered; neither a code nor a purchaser';

CREATE TABLE registry.test_fire (
    comparison_id uuid NOT NULL REFERENCES registry.comparison,
    specimen      integer NOT NULL CHECK (specimen >= 0),
    mark          integer NOT NULL CHECK (mark >= 0),
    code          text COLLATE "C" NOT NULL CHECK (length(code) BETWEEN 4 AND 12),
    reading       text COLLATE "C" NOT NULL CHECK (reading ~ '^[0-9A-Z?]+$' AND length(reading) = length(code)),
    batch_id      uuid NOT NULL,
    ordinal       integer NOT NULL CHECK (ordinal >= 1),
    PRIMARY KEY (comparison_id, specimen, mark)
);
COMMENT ON TABLE registry.test_fire IS
    'what was read on casings that were fired, as a test, from a firearm whose code is recorded: all that confusion matrices are '
    'learned from. Readings of casework are never here; insert-only';
COMMENT ON COLUMN registry.test_fire.comparison_id IS 'comparison with the firearm';
COMMENT ON COLUMN registry.test_fire.specimen IS 'which of its specimens, from 0';
COMMENT ON COLUMN registry.test_fire.mark IS 'which of the specimen''s marks, from 0';
COMMENT ON COLUMN registry.test_fire.code IS 'the code that is recorded at the mark''s placement';
COMMENT ON COLUMN registry.test_fire.reading IS
    'characters as written down, not folded; ? where none, or more than one, was written';
COMMENT ON COLUMN registry.test_fire.batch_id IS 'batch that recorded the row; with ordinal it names the log entry';
COMMENT ON COLUMN registry.test_fire.ordinal IS 'position of the request in its batch, from 1';

INSERT INTO registry.applied_change (change) VALUES (:'change');
COMMIT;
