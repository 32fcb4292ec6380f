-- SPDX-License-Identifier: Apache-2.0
-- Deploy casetrace:job to pg
BEGIN;

\set change job
\ir ../guard.sql
\if :applied
COMMIT;
\quit
\endif

CREATE TABLE registry.job (
    id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    kind            text NOT NULL CHECK (length(kind) BETWEEN 1 AND 60),
    account_id      uuid REFERENCES registry.account,
    organization_id uuid REFERENCES registry.organization,
    batch_id        uuid NOT NULL,
    ordinal         integer NOT NULL CHECK (ordinal >= 1),
    recorded_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX job_organization ON registry.job (organization_id, recorded_at);

CREATE TABLE registry.job_progress (
    job_id     uuid PRIMARY KEY REFERENCES registry.job,
    state      text NOT NULL CHECK (state IN ('waiting', 'running', 'done', 'failed', 'cancelled')),
    rows_done  bigint NOT NULL DEFAULT 0 CHECK (rows_done >= 0),
    rows_total bigint CHECK (rows_total >= 0),
    result     json,
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX job_progress_open ON registry.job_progress (state) WHERE state IN ('waiting', 'running');

COMMENT ON TABLE registry.job IS 'a long work that somebody asked for, such as an import; insert-only';
COMMENT ON COLUMN registry.job.id IS 'random; chosen when the job is opened';
COMMENT ON COLUMN registry.job.kind IS 'what is done; written when the job is opened';
COMMENT ON COLUMN registry.job.account_id IS 'who asked; null for the system''s own work';
COMMENT ON COLUMN registry.job.organization_id IS 'for whom; null for the system''s own work';
COMMENT ON COLUMN registry.job.batch_id IS 'batch that recorded the row; with ordinal it names the log entry';
COMMENT ON COLUMN registry.job.ordinal IS 'position of the request in its batch, from 1';
COMMENT ON COLUMN registry.job.recorded_at IS 'when the row was recorded, UTC; set by the database';

COMMENT ON TABLE registry.job_progress IS 'how far a job is, so that it goes on after a restart; one row per job, updated by the bulk lane';
COMMENT ON COLUMN registry.job_progress.job_id IS 'the job';
COMMENT ON COLUMN registry.job_progress.state IS 'waiting, running, done, failed or cancelled; written by the bulk lane';
COMMENT ON COLUMN registry.job_progress.rows_done IS 'rows handled and committed; written by the bulk lane';
COMMENT ON COLUMN registry.job_progress.rows_total IS 'rows in all, null while not known; written by the bulk lane';
COMMENT ON COLUMN registry.job_progress.result IS 'counts and error positions, never values; written when the job ends';
COMMENT ON COLUMN registry.job_progress.updated_at IS 'when the row was last written, UTC';

INSERT INTO registry.applied_change (change) VALUES (:'change');
COMMIT;
