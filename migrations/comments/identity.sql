-- SPDX-License-Identifier: Apache-2.0
-- Included by deploy/identity.sql.
COMMENT ON TABLE registry.organization IS
    'who takes part: agencies, licensees, laboratories, authorities; never deleted, standing is in organization_standing';
COMMENT ON COLUMN registry.organization.id IS 'random; shown as org_…; chosen by create_organization';
COMMENT ON COLUMN registry.organization.name IS 'as the administrator wrote it; written by create_organization';
COMMENT ON COLUMN registry.organization.kind IS
    'what it is in the trade or the state; decides what its records may be; written by create_organization';
COMMENT ON COLUMN registry.organization.contact IS 'whom an agency asks about its codes; null when none was given; written by create_organization';
COMMENT ON COLUMN registry.organization.batch_id IS 'batch that recorded the row; with ordinal it names the log entry';
COMMENT ON COLUMN registry.organization.ordinal IS 'position of the request in its batch, from 1; entry = first_idx + ordinal - 1';
COMMENT ON COLUMN registry.organization.recorded_at IS 'when the row was recorded, UTC; set by the database';

COMMENT ON TABLE registry.organization_standing IS
    'changes of an organization''s standing, insert-only; the highest seq holds, no row means active';
COMMENT ON COLUMN registry.organization_standing.organization_id IS 'whose standing; written with the change';
COMMENT ON COLUMN registry.organization_standing.seq IS 'from 1 in each organization, so that two changes cannot both be the last';
COMMENT ON COLUMN registry.organization_standing.state IS 'active, suspended (may come back) or closed (keeps its records)';
COMMENT ON COLUMN registry.organization_standing.reason IS 'why, in the administrator''s words';
COMMENT ON COLUMN registry.organization_standing.recorded_by IS 'account that decided; null when the system did';
COMMENT ON COLUMN registry.organization_standing.batch_id IS 'batch that recorded the row; with ordinal it names the log entry';
COMMENT ON COLUMN registry.organization_standing.ordinal IS 'position of the request in its batch, from 1';
COMMENT ON COLUMN registry.organization_standing.recorded_at IS 'when the row was recorded, UTC; set by the database';

COMMENT ON TABLE registry.organization_licence IS
    'licences and agency identifiers, dated: a chain has many, a move brings a new one; insert-only';
COMMENT ON COLUMN registry.organization_licence.id IS 'random; internal';
COMMENT ON COLUMN registry.organization_licence.organization_id IS 'holder of the licence; written by create_organization';
COMMENT ON COLUMN registry.organization_licence.kind IS 'ffl (federal licence), ori (agency identifier) or state (state licence)';
COMMENT ON COLUMN registry.organization_licence.number IS 'as written by the administrator';
COMMENT ON COLUMN registry.organization_licence.key IS
    'what look-ups compare: of an FFL its first 3 and last 5 characters, because type and expiry change; otherwise letters and digits';
COMMENT ON COLUMN registry.organization_licence.place IS 'place in the request that brought it, from 1: the first is the one to show';
COMMENT ON COLUMN registry.organization_licence.valid_from IS 'first day, as on the licence; null when not known';
COMMENT ON COLUMN registry.organization_licence.valid_to IS 'last day, inclusive; null while open';
COMMENT ON COLUMN registry.organization_licence.batch_id IS 'batch that recorded the row; with ordinal it names the log entry';
COMMENT ON COLUMN registry.organization_licence.ordinal IS 'position of the request in its batch, from 1';
COMMENT ON COLUMN registry.organization_licence.recorded_at IS 'when the row was recorded, UTC; set by the database';

COMMENT ON TABLE registry.account IS 'a person or a machine that may send requests, in one organization; never deleted';
COMMENT ON COLUMN registry.account.id IS 'random; shown as acc_…; chosen by create_account';
COMMENT ON COLUMN registry.account.organization_id IS 'the organization it acts for; never changes (a transfer is a new account)';
COMMENT ON COLUMN registry.account.name IS 'name of the person or the machine, as the administrator wrote it';
COMMENT ON COLUMN registry.account.kind IS 'person or machine; machines never get interactive log-ins';
COMMENT ON COLUMN registry.account.batch_id IS 'batch that recorded the row; with ordinal it names the log entry';
COMMENT ON COLUMN registry.account.ordinal IS 'position of the request in its batch, from 1';
COMMENT ON COLUMN registry.account.recorded_at IS 'when the row was recorded, UTC; set by the database';

COMMENT ON TABLE registry.account_standing IS
    'what an account may do, insert-only: every change of its state or roles is a new row with all of them; the highest seq holds';
COMMENT ON COLUMN registry.account_standing.account_id IS 'whose standing; written with the change';
COMMENT ON COLUMN registry.account_standing.seq IS 'from 1 in each account, so that two changes cannot both be the last';
COMMENT ON COLUMN registry.account_standing.state IS 'active or disabled';
COMMENT ON COLUMN registry.account_standing.roles IS 'all its roles from here on; what a role may do is the permission table of the API';
COMMENT ON COLUMN registry.account_standing.reason IS 'why, in the administrator''s words';
COMMENT ON COLUMN registry.account_standing.recorded_by IS 'account that decided; null for the first administrator';
COMMENT ON COLUMN registry.account_standing.batch_id IS 'batch that recorded the row; with ordinal it names the log entry';
COMMENT ON COLUMN registry.account_standing.ordinal IS 'position of the request in its batch, from 1';
COMMENT ON COLUMN registry.account_standing.recorded_at IS 'when the row was recorded, UTC; set by the database';

COMMENT ON TABLE registry.credential IS 'what an account shows to be known; only digests and public parts are stored';
COMMENT ON COLUMN registry.credential.id IS 'random; shown as key_…; chosen by the keeper before the row is written';
COMMENT ON COLUMN registry.credential.account_id IS 'whose credential; written by create_account_key';
COMMENT ON COLUMN registry.credential.kind IS 'api_key; other kinds come with their own columns';
COMMENT ON COLUMN registry.credential.key_digest IS
    'BLAKE2b-256 of the key''s 32 random bytes under the keyring''s credential key; written by create_account_key';
COMMENT ON COLUMN registry.credential.name IS 'the administrator''s own note, to tell keys apart';
COMMENT ON COLUMN registry.credential.expires_at IS 'from this time on it is refused, UTC; null = until revoked';
COMMENT ON COLUMN registry.credential.created_by IS 'account that made it; null for the first administrator''s';
COMMENT ON COLUMN registry.credential.batch_id IS 'batch that recorded the row; with ordinal it names the log entry';
COMMENT ON COLUMN registry.credential.ordinal IS 'position of the request in its batch, from 1';
COMMENT ON COLUMN registry.credential.recorded_at IS 'when the row was recorded, UTC; set by the database';
COMMENT ON COLUMN registry.credential.revoked_at IS 'when it was revoked, UTC; written once by revoke_account_key';
COMMENT ON COLUMN registry.credential.revoked_by IS 'account that revoked it; written once by revoke_account_key';
COMMENT ON COLUMN registry.credential.revoke_batch_id IS 'batch of the revocation; written once by revoke_account_key';
COMMENT ON COLUMN registry.credential.revoke_ordinal IS 'position of the revocation in its batch, from 1; written once by revoke_account_key';
COMMENT ON COLUMN registry.credential.last_used_on IS 'last day with a request, UTC; written behind the batch by credentials_used';
