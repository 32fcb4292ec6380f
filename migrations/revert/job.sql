-- SPDX-License-Identifier: Apache-2.0
-- Revert casetrace:job from pg
BEGIN;
\ir ../unready.sql
DROP TABLE registry.job_progress, registry.job;
DELETE FROM registry.applied_change WHERE change = 'job';
COMMIT;
