-- SPDX-License-Identifier: Apache-2.0
-- Deploy casetrace:registry_custody to pg
BEGIN;

\set change registry_custody
\ir ../guard.sql
\if :applied
COMMIT;
\quit
\endif

CREATE TABLE registry.custody_event (
    id              uuid PRIMARY KEY,
    firearm_id      uuid NOT NULL REFERENCES registry.firearm,
    seq             integer NOT NULL CHECK (seq >= 1),
    before_seq      integer CHECK (before_seq >= 1 AND before_seq < seq),
    kind            text NOT NULL CHECK (kind IN ('shipped', 'received', 'sold', 'returned', 'transferred', 'lost', 'stolen',
                        'recovered', 'destroyed', 'exported', 'sold_to_law_enforcement')),
    occurred_on     date NOT NULL,
    from_party      uuid,
    to_party        uuid,
    from_written    text CHECK (length(from_written) BETWEEN 1 AND 120),
    to_written      text CHECK (length(to_written) BETWEEN 1 AND 120),
    document        text CHECK (length(document) BETWEEN 1 AND 120),
    sale_id         uuid,
    supersedes      uuid REFERENCES registry.custody_event,
    reason          text CHECK (length(reason) BETWEEN 1 AND 200),
    external_id     text COLLATE "C" CHECK (length(external_id) BETWEEN 1 AND 64),
    organization_id uuid NOT NULL,
    account_id      uuid NOT NULL,
    batch_id        uuid NOT NULL,
    ordinal         integer NOT NULL CHECK (ordinal >= 1),
    recorded_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT custody_event_seq UNIQUE (firearm_id, seq),
    CHECK ((supersedes IS NULL) = (reason IS NULL))
);
CREATE INDEX custody_event_to ON registry.custody_event (to_party, firearm_id) WHERE to_party IS NOT NULL;
CREATE UNIQUE INDEX custody_event_external ON registry.custody_event (organization_id, external_id)
    WHERE external_id IS NOT NULL;
CREATE UNIQUE INDEX custody_event_supersedes ON registry.custody_event (supersedes) WHERE supersedes IS NOT NULL;
COMMENT ON TABLE registry.custody_event IS
    'who had a firearm, from the maker to its first purchaser and on; insert-only, a correction is a row that supersedes';
COMMENT ON COLUMN registry.custody_event.id IS 'random; shown as evt_…';
COMMENT ON COLUMN registry.custody_event.firearm_id IS 'the firearm';
COMMENT ON COLUMN registry.custody_event.seq IS 'from 1 for each firearm, in the order of recording';
COMMENT ON COLUMN registry.custody_event.before_seq IS
    'recorded late: in the chain it stands before the event of that seq, such as a receipt entered after the sale; otherwise null';
COMMENT ON COLUMN registry.custody_event.kind IS 'word of the vocabulary custody_kind';
COMMENT ON COLUMN registry.custody_event.occurred_on IS 'the day it happened, as written by who recorded it';
COMMENT ON COLUMN registry.custody_event.from_party IS 'organization or external party that gave it; null for a person';
COMMENT ON COLUMN registry.custody_event.to_party IS 'organization or external party that got it; null for a person or none';
COMMENT ON COLUMN registry.custody_event.from_written IS 'who gave it, as written by who recorded it; null when not written';
COMMENT ON COLUMN registry.custody_event.to_written IS 'who got it, as written by who recorded it; null when not written';
COMMENT ON COLUMN registry.custody_event.document IS 'number of an invoice, a police report or an export document';
COMMENT ON COLUMN registry.custody_event.sale_id IS 'the sale that was delivered, or whose purchaser returned the firearm; otherwise null';
COMMENT ON COLUMN registry.custody_event.supersedes IS 'earlier event that this one corrects; it no longer counts, and stays readable';
COMMENT ON COLUMN registry.custody_event.reason IS 'why the earlier event was wrong; null when there is none';
COMMENT ON COLUMN registry.custody_event.external_id IS 'the recorder''s own name of the event, unique in its organization for ever';
COMMENT ON COLUMN registry.custody_event.organization_id IS 'who recorded it';
COMMENT ON COLUMN registry.custody_event.account_id IS 'account that recorded it';
COMMENT ON COLUMN registry.custody_event.batch_id IS 'batch that recorded the row; with ordinal it names the log entry';
COMMENT ON COLUMN registry.custody_event.ordinal IS 'position of the request in its batch, from 1';
COMMENT ON COLUMN registry.custody_event.recorded_at IS 'when the row was recorded, UTC; set by the database';

INSERT INTO registry.applied_change (change) VALUES (:'change');
COMMIT;
