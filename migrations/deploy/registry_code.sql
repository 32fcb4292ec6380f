-- SPDX-License-Identifier: Apache-2.0
-- Deploy casetrace:registry_code to pg
BEGIN;

\set change registry_code
\ir ../guard.sql
\if :applied
COMMIT;
\quit
\endif

CREATE TABLE registry.code_block (
    id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid NOT NULL REFERENCES registry.organization,
    scheme          text COLLATE "C" NOT NULL CHECK (length(scheme) BETWEEN 1 AND 20),
    origin          text NOT NULL CHECK (origin IN ('issued', 'elsewhere')),
    count           integer NOT NULL CHECK (count BETWEEN 1 AND 10000),
    account_id      uuid NOT NULL,
    batch_id        uuid NOT NULL,
    ordinal         integer NOT NULL CHECK (ordinal >= 1),
    recorded_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX code_block_organization ON registry.code_block (organization_id, recorded_at, id);
COMMENT ON TABLE registry.code_block IS 'one issue of codes to a manufacturer or a producer of components; insert-only';
COMMENT ON COLUMN registry.code_block.id IS 'random; shown as cbk_…';
COMMENT ON COLUMN registry.code_block.organization_id IS 'who holds the codes: it alone registers them, and is the lead when an unregistered one is read';
COMMENT ON COLUMN registry.code_block.scheme IS 'scheme of all its codes, such as R29-8';
COMMENT ON COLUMN registry.code_block.origin IS 'issued: drawn at random here; elsewhere: entered by an authority';
COMMENT ON COLUMN registry.code_block.count IS 'codes in the block';
COMMENT ON COLUMN registry.code_block.account_id IS 'account that asked for it';
COMMENT ON COLUMN registry.code_block.batch_id IS 'batch that recorded the row; with ordinal it names the log entry';
COMMENT ON COLUMN registry.code_block.ordinal IS 'position of the request in its batch, from 1';
COMMENT ON COLUMN registry.code_block.recorded_at IS 'when the row was recorded, UTC; set by the database';

-- The word comes first in the key: it tells codes apart at the first
-- comparison, whereas nearly all are of one scheme.
CREATE TABLE registry.code (
    word     text COLLATE "C" NOT NULL CHECK (length(word) BETWEEN 4 AND 12),
    scheme   text COLLATE "C" NOT NULL CHECK (length(scheme) BETWEEN 1 AND 20),
    block_id uuid NOT NULL REFERENCES registry.code_block,
    PRIMARY KEY (word, scheme)
);
COMMENT ON TABLE registry.code IS
    'every code ever issued or entered; never used twice, insert-only. Its state is derived: registered when a mark has it, '
    'otherwise what code_event says last, otherwise issued';
COMMENT ON COLUMN registry.code.word IS 'characters in canonical form: upper case, look-alikes folded, no blanks';
COMMENT ON COLUMN registry.code.scheme IS 'scheme that the word belongs to';
COMMENT ON COLUMN registry.code.block_id IS 'the issue it came in; batch and entry are the block''s';

CREATE TABLE registry.code_event (
    word        text COLLATE "C" NOT NULL,
    scheme      text COLLATE "C" NOT NULL,
    seq         integer NOT NULL CHECK (seq >= 1),
    state       text NOT NULL CHECK (state IN ('issued', 'engraved', 'spoiled')),
    reason      text NOT NULL CHECK (length(reason) BETWEEN 1 AND 200),
    account_id  uuid NOT NULL,
    batch_id    uuid NOT NULL,
    ordinal     integer NOT NULL CHECK (ordinal >= 1),
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (word, scheme, seq),
    FOREIGN KEY (word, scheme) REFERENCES registry.code
);
COMMENT ON TABLE registry.code_event IS 'what the holder reports of a code before it is on a firearm; insert-only, the highest seq holds';
COMMENT ON COLUMN registry.code_event.word IS 'the code';
COMMENT ON COLUMN registry.code_event.scheme IS 'its scheme';
COMMENT ON COLUMN registry.code_event.seq IS 'from 1 for each code';
COMMENT ON COLUMN registry.code_event.state IS 'engraved, spoiled (must not be registered any more), or issued again after a mistake';
COMMENT ON COLUMN registry.code_event.reason IS 'why, in the holder''s words';
COMMENT ON COLUMN registry.code_event.account_id IS 'account that reported it';
COMMENT ON COLUMN registry.code_event.batch_id IS 'batch that recorded the row; with ordinal it names the log entry';
COMMENT ON COLUMN registry.code_event.ordinal IS 'position of the request in its batch, from 1';
COMMENT ON COLUMN registry.code_event.recorded_at IS 'when the row was recorded, UTC; set by the database';

CREATE TABLE registry.code_count (
    scheme     text COLLATE "C" NOT NULL,
    caliber    text NOT NULL,
    maker_id   uuid NOT NULL,
    month      date NOT NULL CHECK (extract(day FROM month) = 1),
    registered bigint NOT NULL,
    batch_id   uuid NOT NULL,
    ordinal    integer NOT NULL CHECK (ordinal >= 1)
);
COMMENT ON TABLE registry.code_count IS
    'codes on registered firearms, so that ranking need not count them: a registration adds rows, their sum counts; '
    'maintain() puts rows together. Can be made again from mark';
COMMENT ON COLUMN registry.code_count.scheme IS 'scheme of the codes';
COMMENT ON COLUMN registry.code_count.caliber IS 'caliber of the firearms, as the vocabulary writes it';
COMMENT ON COLUMN registry.code_count.maker_id IS 'maker of the firearms';
COMMENT ON COLUMN registry.code_count.month IS 'first day of the month from which the marks hold';
COMMENT ON COLUMN registry.code_count.registered IS 'codes, to be added to what other rows say';
COMMENT ON COLUMN registry.code_count.batch_id IS 'batch that registered them; the last one where rows were put together';
COMMENT ON COLUMN registry.code_count.ordinal IS 'position of the request in that batch, from 1';

INSERT INTO registry.applied_change (change) VALUES (:'change');
COMMIT;
