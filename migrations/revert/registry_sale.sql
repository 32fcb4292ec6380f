-- SPDX-License-Identifier: Apache-2.0
-- Revert casetrace:registry_sale from pg
BEGIN;
\ir ../unready.sql
DROP TABLE registry.sale_purchaser, registry.sale_event, registry.sale;
DELETE FROM registry.applied_change WHERE change = 'registry_sale';
COMMIT;
