-- SPDX-License-Identifier: Apache-2.0
-- Deploy casetrace:rule to pg
BEGIN;

\set change rule
\ir ../guard.sql
\if :applied
COMMIT;
\quit
\endif

CREATE TABLE registry.rule (
    id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    jurisdiction text NOT NULL CHECK (jurisdiction ~ '^[A-Z]{2}$'),
    name         text NOT NULL CHECK (name ~ '^[a-z][a-z0-9_]{0,59}$'),
    value        jsonb NOT NULL,
    instrument   text NOT NULL,
    state        text NOT NULL CHECK (state IN ('in_force', 'stayed', 'enjoined', 'repealed')),
    court        text,
    docket       text,
    valid_from   date NOT NULL,
    valid_to     date,
    supersedes   uuid UNIQUE REFERENCES registry.rule,
    reason       text NOT NULL,
    recorded_at  timestamptz NOT NULL DEFAULT now(),
    CHECK (valid_to IS NULL OR valid_to >= valid_from)
);
CREATE INDEX rule_name ON registry.rule (jurisdiction, name, valid_from);

COMMENT ON TABLE registry.rule IS 'law as dated rows that an authority maintains, never constants in code; insert-only';
COMMENT ON COLUMN registry.rule.id IS 'random';
COMMENT ON COLUMN registry.rule.jurisdiction IS 'state whose law it is, two letters';
COMMENT ON COLUMN registry.rule.name IS 'what the rule decides, such as disclose_at_once';
COMMENT ON COLUMN registry.rule.value IS 'the rule''s parameter; its type belongs to the name';
COMMENT ON COLUMN registry.rule.instrument IS 'statute, chapter or finding that it comes from';
COMMENT ON COLUMN registry.rule.state IS 'in_force, stayed, enjoined or repealed in that time';
COMMENT ON COLUMN registry.rule.court IS 'court that stayed or enjoined it; otherwise null';
COMMENT ON COLUMN registry.rule.docket IS 'docket number there; otherwise null';
COMMENT ON COLUMN registry.rule.valid_from IS 'first day';
COMMENT ON COLUMN registry.rule.valid_to IS 'last day, inclusive; null while open';
COMMENT ON COLUMN registry.rule.supersedes IS 'earlier row that this one replaces; a row is replaced once';
COMMENT ON COLUMN registry.rule.reason IS 'why the row was written';
COMMENT ON COLUMN registry.rule.recorded_at IS 'when the row was recorded, UTC; set by the database';

INSERT INTO registry.applied_change (change) VALUES (:'change');
COMMIT;
