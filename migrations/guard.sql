-- SPDX-License-Identifier: Apache-2.0
-- Included first by every deploy script, inside its transaction, with the
-- variable `change` set. A deploy script commits before sqitch records the
-- change; when the migration is killed between the two, the script runs a
-- second time. The mark below is written in the script's own transaction, so
-- the second run sees it and does nothing. The lock waits for the psql of a
-- killed migration that may still be running.
DO $$ BEGIN PERFORM pg_advisory_xact_lock(4849523, 3); END $$;
SELECT to_regclass('registry.applied_change') IS NOT NULL AS marks_exist \gset
\if :marks_exist
SELECT EXISTS (SELECT FROM registry.applied_change WHERE change = :'change') AS applied \gset
\else
\set applied false
\endif
