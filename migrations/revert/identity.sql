-- SPDX-License-Identifier: Apache-2.0
-- Revert casetrace:identity from pg
BEGIN;
\ir ../unready.sql
DROP TABLE registry.credential, registry.account_standing, registry.organization_standing, registry.account,
    registry.organization_licence, registry.organization;
DELETE FROM registry.applied_change WHERE change = 'identity';
COMMIT;
