-- SPDX-License-Identifier: Apache-2.0
-- Deploy casetrace:identity to pg
BEGIN;

\set change identity
\ir ../guard.sql
\if :applied
COMMIT;
\quit
\endif

CREATE TABLE registry.organization (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name        text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    kind        text NOT NULL CHECK (kind IN ('agency', 'manufacturer', 'importer', 'distributor', 'dealer',
                    'gunsmith', 'component_producer', 'laboratory', 'audit_office', 'authority')),
    contact     text CHECK (length(contact) BETWEEN 1 AND 200),
    batch_id    uuid NOT NULL,
    ordinal     integer NOT NULL CHECK (ordinal >= 1),
    recorded_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX organization_name ON registry.organization (name, id);

CREATE TABLE registry.organization_licence (
    id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid NOT NULL REFERENCES registry.organization,
    kind            text NOT NULL CHECK (kind IN ('ffl', 'ori', 'state')),
    number          text NOT NULL CHECK (length(number) BETWEEN 1 AND 40),
    key             text NOT NULL CHECK (length(key) BETWEEN 1 AND 40),
    place           integer NOT NULL CHECK (place >= 1),
    valid_from      date,
    valid_to        date,
    batch_id        uuid NOT NULL,
    ordinal         integer NOT NULL CHECK (ordinal >= 1),
    recorded_at     timestamptz NOT NULL DEFAULT now(),
    CHECK (valid_to IS NULL OR valid_from IS NULL OR valid_to >= valid_from)
);
CREATE INDEX organization_licence_key ON registry.organization_licence (kind, key);
CREATE INDEX organization_licence_organization ON registry.organization_licence (organization_id, place);

CREATE TABLE registry.account (
    id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid NOT NULL REFERENCES registry.organization,
    name            text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    kind            text NOT NULL CHECK (kind IN ('person', 'machine')),
    batch_id        uuid NOT NULL,
    ordinal         integer NOT NULL CHECK (ordinal >= 1),
    recorded_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX account_organization ON registry.account (organization_id, name, id);

CREATE TABLE registry.organization_standing (
    organization_id uuid NOT NULL REFERENCES registry.organization,
    seq             integer NOT NULL CHECK (seq >= 1),
    state           text NOT NULL CHECK (state IN ('active', 'suspended', 'closed')),
    reason          text NOT NULL,
    recorded_by     uuid REFERENCES registry.account,
    batch_id        uuid NOT NULL,
    ordinal         integer NOT NULL CHECK (ordinal >= 1),
    recorded_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, seq)
);

CREATE TABLE registry.account_standing (
    account_id  uuid NOT NULL REFERENCES registry.account,
    seq         integer NOT NULL CHECK (seq >= 1),
    state       text NOT NULL CHECK (state IN ('active', 'disabled')),
    roles       text[] NOT NULL CHECK (roles <@ ARRAY['manufacturer', 'component_producer', 'distributor', 'dealer',
                    'gunsmith', 'investigator', 'examiner', 'supervisor', 'reviewer', 'auditor',
                    'administrator', 'authority'] AND cardinality(roles) <= 12),
    reason      text NOT NULL,
    recorded_by uuid REFERENCES registry.account,
    batch_id    uuid NOT NULL,
    ordinal     integer NOT NULL CHECK (ordinal >= 1),
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, seq)
);

CREATE TABLE registry.credential (
    id              uuid PRIMARY KEY,
    account_id      uuid NOT NULL REFERENCES registry.account,
    kind            text NOT NULL CHECK (kind IN ('api_key')),
    key_digest      bytea NOT NULL UNIQUE CHECK (octet_length(key_digest) = 32),
    name            text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    expires_at      timestamptz,
    created_by      uuid REFERENCES registry.account,
    batch_id        uuid NOT NULL,
    ordinal         integer NOT NULL CHECK (ordinal >= 1),
    recorded_at     timestamptz NOT NULL DEFAULT now(),
    revoked_at      timestamptz,
    revoked_by      uuid REFERENCES registry.account,
    revoke_batch_id uuid,
    revoke_ordinal  integer CHECK (revoke_ordinal >= 1),
    last_used_on    date,
    CHECK ((revoked_at IS NULL) = (revoke_batch_id IS NULL)),
    CHECK ((revoked_at IS NULL) = (revoke_ordinal IS NULL))
) WITH (fillfactor = 90);
CREATE INDEX credential_account ON registry.credential (account_id, recorded_at, id);

\ir ../comments/identity.sql

INSERT INTO registry.applied_change (change) VALUES (:'change');
COMMIT;
