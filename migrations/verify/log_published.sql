-- SPDX-License-Identifier: Apache-2.0
-- Verify casetrace:log_published on pg
BEGIN;
SELECT size, note, at FROM registry.log_published WHERE false;
ROLLBACK;
