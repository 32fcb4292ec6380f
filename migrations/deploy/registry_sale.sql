-- SPDX-License-Identifier: Apache-2.0
-- Deploy casetrace:registry_sale to pg
BEGIN;

\set change registry_sale
\ir ../guard.sql
\if :applied
COMMIT;
\quit
\endif

CREATE TABLE registry.sale (
    id                 uuid PRIMARY KEY,
    organization_id    uuid NOT NULL,
    firearm_id         uuid REFERENCES registry.firearm,
    maker_written      text NOT NULL CHECK (length(maker_written) BETWEEN 1 AND 200),
    importer_written   text CHECK (length(importer_written) BETWEEN 1 AND 200),
    serial             text NOT NULL CHECK (length(serial) BETWEEN 1 AND 64),
    serial_key         text COLLATE "C" NOT NULL CHECK (length(serial_key) BETWEEN 1 AND 64),
    transaction_number text COLLATE "C" NOT NULL CHECK (length(transaction_number) BETWEEN 1 AND 40),
    condition          text NOT NULL CHECK (condition IN ('new', 'used')),
    external_id        text COLLATE "C" CHECK (length(external_id) BETWEEN 1 AND 64),
    account_id         uuid NOT NULL,
    batch_id           uuid NOT NULL,
    ordinal            integer NOT NULL CHECK (ordinal >= 1),
    recorded_at        timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX sale_external ON registry.sale (organization_id, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX sale_recorded ON registry.sale (organization_id, recorded_at, id);
CREATE INDEX sale_transaction ON registry.sale (organization_id, transaction_number);
CREATE INDEX sale_firearm ON registry.sale (firearm_id) WHERE firearm_id IS NOT NULL;
CREATE INDEX sale_unmatched ON registry.sale (serial_key) WHERE firearm_id IS NULL;
COMMENT ON TABLE registry.sale IS
    'a retail sale as the dealer recorded it; insert-only, what follows is in sale_event, the purchaser in sale_purchaser';
COMMENT ON COLUMN registry.sale.id IS 'random; shown as sal_…; chosen by the keeper, because the purchaser is sealed with it';
COMMENT ON COLUMN registry.sale.organization_id IS 'the dealer';
COMMENT ON COLUMN registry.sale.firearm_id IS
    'the firearm; null when it was not registered, or not recorded as sent to the dealer: a sale_event binds it later';
COMMENT ON COLUMN registry.sale.maker_written IS 'maker as the dealer wrote it, or as registered when the firearm was named by its id';
COMMENT ON COLUMN registry.sale.importer_written IS 'importer in the same way; null when none was written';
COMMENT ON COLUMN registry.sale.serial IS 'serial number in the same way';
COMMENT ON COLUMN registry.sale.serial_key IS 'the serial''s key, as in firearm; finds the registration that comes later';
COMMENT ON COLUMN registry.sale.transaction_number IS 'number of the state''s background check; several firearms may share one';
COMMENT ON COLUMN registry.sale.condition IS 'new or used; only a sale as new makes a first purchaser';
COMMENT ON COLUMN registry.sale.external_id IS 'the dealer''s own name of the sale, unique in its organization for ever';
COMMENT ON COLUMN registry.sale.account_id IS 'account that recorded it';
COMMENT ON COLUMN registry.sale.batch_id IS 'batch that recorded the row; with ordinal it names the log entry';
COMMENT ON COLUMN registry.sale.ordinal IS 'position of the request in its batch, from 1';
COMMENT ON COLUMN registry.sale.recorded_at IS 'when the row was recorded, UTC; set by the database';

CREATE TABLE registry.sale_event (
    sale_id     uuid NOT NULL REFERENCES registry.sale,
    seq         integer NOT NULL CHECK (seq >= 1),
    kind        text NOT NULL CHECK (kind IN ('pending', 'delivered', 'void', 'corrected', 'bound')),
    occurred_on date,
    firearm_id  uuid REFERENCES registry.firearm,
    reason      text CHECK (length(reason) BETWEEN 1 AND 200),
    account_id  uuid NOT NULL,
    batch_id    uuid NOT NULL,
    ordinal     integer NOT NULL CHECK (ordinal >= 1),
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (sale_id, seq),
    CHECK ((kind = 'bound') = (firearm_id IS NOT NULL)),
    CHECK ((kind = 'delivered') = (occurred_on IS NOT NULL))
);
CREATE UNIQUE INDEX sale_event_bound ON registry.sale_event (sale_id) WHERE kind = 'bound';
CREATE INDEX sale_event_firearm ON registry.sale_event (firearm_id) WHERE firearm_id IS NOT NULL;
COMMENT ON TABLE registry.sale_event IS 'what became of a sale; insert-only, the last one that is not bound is its state';
COMMENT ON COLUMN registry.sale_event.sale_id IS 'the sale';
COMMENT ON COLUMN registry.sale_event.seq IS 'from 1 for each sale, so that two batches cannot both write the next one';
COMMENT ON COLUMN registry.sale_event.kind IS
    'pending, delivered, void, corrected, or bound (the firearm of an unmatched sale was found)';
COMMENT ON COLUMN registry.sale_event.occurred_on IS 'day of hand-over, not of payment; of delivered only';
COMMENT ON COLUMN registry.sale_event.firearm_id IS 'the firearm that was found; of bound only';
COMMENT ON COLUMN registry.sale_event.reason IS 'why; of void and corrected';
COMMENT ON COLUMN registry.sale_event.account_id IS 'account that recorded it; of bound, that whose record brought the firearm';
COMMENT ON COLUMN registry.sale_event.batch_id IS 'batch that recorded the row; with ordinal it names the log entry';
COMMENT ON COLUMN registry.sale_event.ordinal IS 'position of the request in its batch, from 1';
COMMENT ON COLUMN registry.sale_event.recorded_at IS 'when the row was recorded, UTC; set by the database';

CREATE TABLE registry.sale_purchaser (
    sale_id     uuid PRIMARY KEY REFERENCES registry.sale,
    kind        text NOT NULL CHECK (kind IN ('person', 'organization', 'agency')),
    key_id      text CHECK (length(key_id) BETWEEN 1 AND 60),
    sealed      bytea CHECK (octet_length(sealed) BETWEEN 1 AND 16384),
    batch_id    uuid NOT NULL,
    ordinal     integer NOT NULL CHECK (ordinal >= 1),
    recorded_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((sealed IS NULL) = (key_id IS NULL))
);
-- Sealed bytes do not compress; trying costs time.
ALTER TABLE registry.sale_purchaser ALTER COLUMN sealed SET STORAGE EXTERNAL;
COMMENT ON TABLE registry.sale_purchaser IS
    'the purchaser of a sale, sealed; reached from the sale alone, there is no index over people. Cleared only by casetrace_erase';
COMMENT ON COLUMN registry.sale_purchaser.sale_id IS 'the sale; associated data of the seal';
COMMENT ON COLUMN registry.sale_purchaser.kind IS 'person, organization or agency; shown for later holders, without a name';
COMMENT ON COLUMN registry.sale_purchaser.key_id IS 'key of the keyring that sealed it; null once expunged';
COMMENT ON COLUMN registry.sale_purchaser.sealed IS
    'XChaCha20-Poly1305 of the purchaser as one JSON document, written by the keeper; null once expunged by authority';
COMMENT ON COLUMN registry.sale_purchaser.batch_id IS 'batch that recorded the row; with ordinal it names the log entry';
COMMENT ON COLUMN registry.sale_purchaser.ordinal IS 'position of the request in its batch, from 1';
COMMENT ON COLUMN registry.sale_purchaser.recorded_at IS 'when the row was recorded, UTC; set by the database';

INSERT INTO registry.applied_change (change) VALUES (:'change');
COMMIT;
