-- SPDX-License-Identifier: Apache-2.0
-- Deploy casetrace:registry_firearm to pg
BEGIN;

\set change registry_firearm
\ir ../guard.sql
\if :applied
COMMIT;
\quit
\endif

-- No foreign keys to organizations, makers, models and codes, here and in the
-- tables that follow: every check would lock and so write a row that thousands
-- of others refer to. The functions look each one up in the same transaction,
-- and nothing may delete them.
CREATE TABLE registry.firearm (
    id              uuid PRIMARY KEY,
    organization_id uuid NOT NULL,
    registered_by   uuid NOT NULL,
    maker_id        uuid NOT NULL,
    importer_id     uuid,
    model_id        uuid NOT NULL,
    external_id     text COLLATE "C" NOT NULL CHECK (length(external_id) BETWEEN 1 AND 64),
    serial          text NOT NULL CHECK (length(serial) BETWEEN 1 AND 64),
    serial_key      text COLLATE "C" NOT NULL CHECK (serial_key ~ '^[0-9A-NP-Z]{1,64}$'),
    caliber         text NOT NULL CHECK (length(caliber) BETWEEN 1 AND 40),
    firearm_type    text NOT NULL CHECK (length(firearm_type) BETWEEN 1 AND 40),
    account_id      uuid NOT NULL,
    batch_id        uuid NOT NULL,
    ordinal         integer NOT NULL CHECK (ordinal >= 1),
    recorded_at     timestamptz NOT NULL DEFAULT now(),
    -- The serial first: it is what look-ups bring.
    CONSTRAINT firearm_serial UNIQUE NULLS NOT DISTINCT (serial_key, maker_id, importer_id),
    CONSTRAINT firearm_external UNIQUE (registered_by, external_id)
);
CREATE INDEX firearm_organization ON registry.firearm (organization_id, id);
COMMENT ON TABLE registry.firearm IS 'a firearm as registered at shipment; insert-only';
COMMENT ON COLUMN registry.firearm.id IS 'random; shown as frm_…';
COMMENT ON COLUMN registry.firearm.organization_id IS 'whose record it is: the maker, or who registered it when the maker takes no part';
COMMENT ON COLUMN registry.firearm.registered_by IS 'organization that sent the registration; its external ids are its own';
COMMENT ON COLUMN registry.firearm.maker_id IS 'maker; part of the key of the serial';
COMMENT ON COLUMN registry.firearm.importer_id IS 'importer, a row of maker; null when made here; part of the key of the serial';
COMMENT ON COLUMN registry.firearm.model_id IS 'model of the maker';
COMMENT ON COLUMN registry.firearm.external_id IS 'the sender''s own name of the record, unique in its organization for ever';
COMMENT ON COLUMN registry.firearm.serial IS 'as marked on the firearm';
COMMENT ON COLUMN registry.firearm.serial_key IS 'what is compared: upper case, A–Z and 0–9 only, letter O as 0';
COMMENT ON COLUMN registry.firearm.caliber IS 'word of the vocabulary caliber, also where the sender wrote an alias';
COMMENT ON COLUMN registry.firearm.firearm_type IS 'word of the vocabulary firearm_type';
COMMENT ON COLUMN registry.firearm.account_id IS 'account that sent it';
COMMENT ON COLUMN registry.firearm.batch_id IS 'batch that recorded the row; with ordinal it names the log entry';
COMMENT ON COLUMN registry.firearm.ordinal IS 'position of the request in its batch, from 1';
COMMENT ON COLUMN registry.firearm.recorded_at IS 'when the row was recorded, UTC; set by the database';

CREATE TABLE registry.mark (
    id          uuid PRIMARY KEY,
    firearm_id  uuid REFERENCES registry.firearm,
    word        text COLLATE "C" NOT NULL,
    scheme      text COLLATE "C" NOT NULL,
    seq         smallint NOT NULL DEFAULT 1 CHECK (seq >= 1),
    placement   text NOT NULL CHECK (length(placement) BETWEEN 1 AND 40),
    valid_from  date NOT NULL,
    supersedes  uuid REFERENCES registry.mark,
    reason      text CHECK (length(reason) BETWEEN 1 AND 200),
    batch_id    uuid NOT NULL,
    ordinal     integer NOT NULL CHECK (ordinal >= 1),
    recorded_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT mark_code UNIQUE (word, scheme, seq),
    CHECK ((supersedes IS NULL) = (reason IS NULL))
);
CREATE INDEX mark_firearm ON registry.mark (firearm_id) WHERE firearm_id IS NOT NULL;
-- Few marks follow another one, so finding the follower costs next to nothing.
CREATE UNIQUE INDEX mark_supersedes ON registry.mark (supersedes) WHERE supersedes IS NOT NULL;
COMMENT ON TABLE registry.mark IS
    'a code on a part, on a firearm from a date; what replaces it is a new row that names it; insert-only';
COMMENT ON COLUMN registry.mark.id IS 'random; shown as mrk_…';
COMMENT ON COLUMN registry.mark.firearm_id IS 'firearm that the part is on; null while a part is marked and on none yet';
COMMENT ON COLUMN registry.mark.word IS 'the code';
COMMENT ON COLUMN registry.mark.scheme IS 'its scheme';
COMMENT ON COLUMN registry.mark.seq IS 'from 1 for each code, so that two batches cannot both put one code on a part';
COMMENT ON COLUMN registry.mark.placement IS 'word of the vocabulary placement';
COMMENT ON COLUMN registry.mark.valid_from IS 'first day on the firearm; the day of shipment for the marks of a registration';
COMMENT ON COLUMN registry.mark.supersedes IS
    'earlier mark that ends where this one begins: the part it replaces, or the same part on another firearm';
COMMENT ON COLUMN registry.mark.reason IS 'why the earlier mark ended; null when there is none';
COMMENT ON COLUMN registry.mark.batch_id IS 'batch that recorded the row; with ordinal it names the log entry';
COMMENT ON COLUMN registry.mark.ordinal IS 'position of the request in its batch, from 1';
COMMENT ON COLUMN registry.mark.recorded_at IS 'when the row was recorded, UTC; set by the database';

-- Everything that a trace shows of a firearm stands in this one row, so that a
-- trace reads code, mark, this and the sealed purchaser, and nothing else.
CREATE TABLE registry.firearm_state (
    firearm_id         uuid PRIMARY KEY,
    holder             uuid,
    standing_sale      uuid,
    first_sale         uuid,
    batch_id           uuid NOT NULL,
    ordinal            integer NOT NULL CHECK (ordinal >= 1),
    events             integer NOT NULL CHECK (events >= 0),
    last_on            date,
    shipped_on         date,
    first_delivered_on date,
    returned_on        date,
    chain_complete     boolean NOT NULL,
    status             text NOT NULL CHECK (status IN ('in_transit', 'held', 'sold', 'lost', 'stolen', 'destroyed',
                           'exported', 'sold_to_law_enforcement')),
    maker              text NOT NULL,
    importer           text,
    model              text NOT NULL,
    serial             text NOT NULL,
    caliber            text NOT NULL,
    firearm_type       text NOT NULL,
    basis              text CHECK (basis IN ('sale', 'warranty')),
    no_purchaser       text CHECK (no_purchaser IN ('unsold', 'first_sale_not_recorded', 'stolen_before_sale',
                           'lost_before_sale', 'exported', 'destroyed', 'expunged')),
    first_dealer       text,
    first_transaction  text,
    custody            json,
    later_holders      json,
    CHECK ((first_sale IS NULL) = (basis IS NULL)),
    CHECK (first_sale IS NOT NULL OR no_purchaser IS NOT NULL)
) WITH (fillfactor = 85);
COMMENT ON TABLE registry.firearm_state IS
    'one row per firearm, derived from firearm, custody_event and sale by api.firearm_state_derive, which can make it again; '
    'its row lock orders all changes of a firearm: one sale stands';
COMMENT ON COLUMN registry.firearm_state.firearm_id IS 'the firearm';
COMMENT ON COLUMN registry.firearm_state.holder IS
    'organization or external party that holds it, or that it is on its way to; null once it is with none';
COMMENT ON COLUMN registry.firearm_state.standing_sale IS 'sale that is pending, or delivered and not returned; another is refused';
COMMENT ON COLUMN registry.firearm_state.first_sale IS 'earliest delivered sale as new that stands: whose purchaser a trace shows';
COMMENT ON COLUMN registry.firearm_state.batch_id IS 'batch that last changed the row; with ordinal it names the log entry';
COMMENT ON COLUMN registry.firearm_state.ordinal IS 'position of the request in that batch, from 1';
COMMENT ON COLUMN registry.firearm_state.events IS 'highest seq among the firearm''s custody events';
COMMENT ON COLUMN registry.firearm_state.last_on IS 'day of the last event of the chain; none is recorded before it';
COMMENT ON COLUMN registry.firearm_state.shipped_on IS 'day of the first shipment';
COMMENT ON COLUMN registry.firearm_state.first_delivered_on IS 'day of hand-over of first_sale';
COMMENT ON COLUMN registry.firearm_state.returned_on IS 'day on which the purchaser of first_sale returned it; null if not';
COMMENT ON COLUMN registry.firearm_state.chain_complete IS 'every move from the maker up to first_sale, or up to now, is recorded by both sides';
COMMENT ON COLUMN registry.firearm_state.status IS 'what the last event of the chain left';
COMMENT ON COLUMN registry.firearm_state.maker IS 'name of the maker, as answers show it';
COMMENT ON COLUMN registry.firearm_state.importer IS 'name of the importer, as answers show it; null when made here';
COMMENT ON COLUMN registry.firearm_state.model IS 'name of the model';
COMMENT ON COLUMN registry.firearm_state.serial IS 'as marked';
COMMENT ON COLUMN registry.firearm_state.caliber IS 'word of the vocabulary caliber';
COMMENT ON COLUMN registry.firearm_state.firearm_type IS 'word of the vocabulary firearm_type';
COMMENT ON COLUMN registry.firearm_state.basis IS 'why first_sale counts: a sale as new, or a warranty replacement';
COMMENT ON COLUMN registry.firearm_state.no_purchaser IS 'why there is no first purchaser to show; null when there is one';
COMMENT ON COLUMN registry.firearm_state.first_dealer IS 'name of the dealer of first_sale';
COMMENT ON COLUMN registry.firearm_state.first_transaction IS 'transaction number of first_sale';
COMMENT ON COLUMN registry.firearm_state.custody IS 'the chain as a trace shows it: kind, date, from, to of each event, the oldest first';
COMMENT ON COLUMN registry.firearm_state.later_holders IS 'later deliveries without names: kind, condition, dealer, delivered_on; null when none';

INSERT INTO registry.applied_change (change) VALUES (:'change');
COMMIT;
