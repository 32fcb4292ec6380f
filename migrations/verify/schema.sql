-- SPDX-License-Identifier: Apache-2.0
-- Verify casetrace:schema on pg
BEGIN;
SELECT 1 / count(*) FROM registry.schema_ready WHERE id = 1;
SELECT change, applied_at FROM registry.applied_change WHERE false;
ROLLBACK;
