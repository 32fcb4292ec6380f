-- SPDX-License-Identifier: Apache-2.0
-- Deploy casetrace:registry_opaque to pg
BEGIN;

\set change registry_opaque
\ir ../guard.sql
\if :applied
COMMIT;
\quit
\endif

-- Codes that a manufacturer brings with a firearm come in no block.
ALTER TABLE registry.code ALTER COLUMN block_id DROP NOT NULL,
    ADD CONSTRAINT code_brought CHECK (block_id IS NOT NULL OR scheme = 'opaque');
COMMENT ON TABLE registry.code IS
    'every code ever issued, entered or brought; insert-only. Its state is derived: registered when a mark has it, '
    'otherwise what code_event says last, otherwise issued';
COMMENT ON COLUMN registry.code.word IS
    'characters in canonical form: upper case, no blanks; of R29-8 with look-alikes folded';
COMMENT ON COLUMN registry.code.block_id IS
    'the issue it came in, whose batch and entry are also the code''s; null for an opaque code, which came with its first mark';

-- A partly read opaque code is looked up by the half that was read better.
-- The first half is length/2 characters, rounded down. The word comes last, so
-- that the rows of a half have an order.
CREATE INDEX mark_opaque_first ON registry.mark (length(word), left(word, length(word) / 2), word) WHERE scheme = 'opaque';
CREATE INDEX mark_opaque_second ON registry.mark (length(word), substr(word, length(word) / 2 + 1), word) WHERE scheme = 'opaque';

-- Counted anew, since the rows there are do not say of how many firearms they are.
DELETE FROM registry.code_count;
ALTER TABLE registry.code_count ADD COLUMN length smallint NOT NULL CHECK (length BETWEEN 4 AND 12),
    ADD COLUMN firearms bigint NOT NULL;
COMMENT ON COLUMN registry.code_count.length IS 'characters of the codes';
COMMENT ON COLUMN registry.code_count.registered IS 'codes, to be added to what other rows say';
COMMENT ON COLUMN registry.code_count.firearms IS 'firearms whose first mark is among them; the sum of all rows is the number of firearms';
INSERT INTO registry.code_count (scheme, length, caliber, maker_id, month, registered, firearms, batch_id, ordinal)
SELECT m.scheme, length(m.word), m.caliber, m.maker_id, m.month, count(*), count(*) FILTER (WHERE m.nth = 1),
       (array_agg(m.batch_id))[1], (array_agg(m.ordinal))[1]
FROM (SELECT k.scheme, k.word, f.caliber, f.maker_id, date_trunc('month', k.valid_from)::date AS month, k.batch_id, k.ordinal,
             row_number() OVER (PARTITION BY k.firearm_id ORDER BY k.valid_from, k.id) AS nth
      FROM registry.mark k JOIN registry.firearm f ON f.id = k.firearm_id) m
GROUP BY m.scheme, length(m.word), m.caliber, m.maker_id, m.month;

CREATE TABLE registry.code_frequency (
    scheme     text COLLATE "C" NOT NULL,
    length     smallint NOT NULL CHECK (length BETWEEN 4 AND 12),
    position   smallint NOT NULL CHECK (position BETWEEN 1 AND length),
    character  text COLLATE "C" NOT NULL CHECK (length(character) = 1),
    registered bigint NOT NULL CHECK (registered >= 0),
    PRIMARY KEY (scheme, length, position, character)
);
COMMENT ON TABLE registry.code_frequency IS
    'which characters the codes of schemes without structure have at which position: ranking needs it to say what is '
    'chance. Filled behind the batch from code_uncounted by code_frequency_fill; can be made again from mark';
COMMENT ON COLUMN registry.code_frequency.scheme IS 'scheme of the codes';
COMMENT ON COLUMN registry.code_frequency.length IS 'characters of the codes; other lengths are counted apart';
COMMENT ON COLUMN registry.code_frequency.position IS 'place in the code, from 1';
COMMENT ON COLUMN registry.code_frequency.character IS 'character at that place';
COMMENT ON COLUMN registry.code_frequency.registered IS 'marks of registered firearms that have it there';

CREATE TABLE registry.code_uncounted (
    scheme   text COLLATE "C" NOT NULL,
    words    text[] NOT NULL,
    batch_id uuid NOT NULL,
    ordinal  integer NOT NULL CHECK (ordinal >= 1)
);
COMMENT ON TABLE registry.code_uncounted IS
    'codes that were registered and are not in code_frequency yet: a registration adds a row, code_frequency_fill takes it away';
COMMENT ON COLUMN registry.code_uncounted.scheme IS 'scheme of the codes';
COMMENT ON COLUMN registry.code_uncounted.words IS 'the codes';
COMMENT ON COLUMN registry.code_uncounted.batch_id IS 'batch that registered them';
COMMENT ON COLUMN registry.code_uncounted.ordinal IS 'position of the request in that batch, from 1';

INSERT INTO registry.applied_change (change) VALUES (:'change');
COMMIT;
