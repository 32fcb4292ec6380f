-- SPDX-License-Identifier: Apache-2.0
-- Included by deploy/log.sql.
COMMENT ON TABLE registry.log_head IS
    'the one row that every batch locks last; the only row of the log that is ever updated';
COMMENT ON COLUMN registry.log_head.id IS 'always 1; keeps the table at one row';
COMMENT ON COLUMN registry.log_head.size IS 'number of entries in the log; written by log_append';
COMMENT ON COLUMN registry.log_head.frontier IS
    'hashes of the perfect subtrees that make up size, 32 bytes each, of the set bits of size from the lowest; written by log_append';
COMMENT ON COLUMN registry.log_head.writer IS 'name of the keeper that may append; written by log_take';
COMMENT ON COLUMN registry.log_head.epoch IS 'counts the takeovers; an append with another epoch is refused; written by log_take';

COMMENT ON TABLE registry.log_batch IS 'one row per transaction of the keeper: what its checkpoint says, unsigned; insert-only';
COMMENT ON COLUMN registry.log_batch.batch_id IS 'random, chosen by the keeper; found again after a lost connection; rows of the batch carry it';
COMMENT ON COLUMN registry.log_batch.first_idx IS 'index of the batch''s first entry, from 0; written by log_append';
COMMENT ON COLUMN registry.log_batch.count IS 'number of entries of the batch; written by log_append';
COMMENT ON COLUMN registry.log_batch.size IS 'size of the log after the batch; written by log_append';
COMMENT ON COLUMN registry.log_batch.root IS 'Merkle root of the log at that size, computed by the keeper; written by log_append';
COMMENT ON COLUMN registry.log_batch.epoch IS 'epoch of the writer; written by log_append';
COMMENT ON COLUMN registry.log_batch.at IS 'when the batch was appended, UTC; set by the database';

COMMENT ON TABLE registry.log_entry IS 'the access log, insert-only; an expunged entry loses its sealed columns and nothing else';
COMMENT ON COLUMN registry.log_entry.idx IS 'position in the log, from 0, taken from the head and never from a sequence; written by log_append';
COMMENT ON COLUMN registry.log_entry.leaf_hash IS 'SHA-256(00 || leaf bytes); written by log_append';
COMMENT ON COLUMN registry.log_entry.header IS 'the exact JSON bytes that were committed to; written by log_append';
COMMENT ON COLUMN registry.log_entry.header_salt IS 'key of the header''s HMAC, 32 random bytes; written by log_append';
COMMENT ON COLUMN registry.log_entry.d_subject IS 'HMAC-SHA256 of the subject under its salt; stays when the subject is expunged; written by log_append';
COMMENT ON COLUMN registry.log_entry.subject_sealed IS
    'what was asked and touched, sealed under a monthly subject key; null after expungement; written by log_append';
COMMENT ON COLUMN registry.log_entry.subject_salt_sealed IS 'key of the subject''s HMAC, sealed likewise; null after expungement; written by log_append';

COMMENT ON TABLE registry.log_subtree IS 'roots of full subtrees of 256 children, so that any tile is one range read; insert-only';
COMMENT ON COLUMN registry.log_subtree.level IS 'height above the leaves: 8, 16, 24 …; written by log_append';
COMMENT ON COLUMN registry.log_subtree.idx IS 'position among the subtrees of its level, from 0; written by log_append';
COMMENT ON COLUMN registry.log_subtree.hash IS 'root of the subtree; written by log_append';

COMMENT ON TABLE registry.log_signature IS 'signature lines under checkpoints, own and witnesses'', written after the batch''s commit; insert-only';
COMMENT ON COLUMN registry.log_signature.size IS 'size that the checkpoint states; written by log_sign_store';
COMMENT ON COLUMN registry.log_signature.name IS 'name of the key that signed; written by log_sign_store';
COMMENT ON COLUMN registry.log_signature.line IS 'the whole line of the signed note, without its line feed; written by log_sign_store';
COMMENT ON COLUMN registry.log_signature.at IS 'when the line was stored, UTC; set by the database';

COMMENT ON TABLE registry.log_search IS
    'columns of the headers that auditors filter by, filled behind the batch by search_fill, rebuilt at will; never evidence';
COMMENT ON COLUMN registry.log_search.idx IS 'index of the entry; written by search_fill, in order';
COMMENT ON COLUMN registry.log_search.at IS 'time that the header states, UTC; written by search_fill';
COMMENT ON COLUMN registry.log_search.account_id IS 'account that the header states, null for the system''s own entries; written by search_fill';
COMMENT ON COLUMN registry.log_search.organization_id IS 'organization that the header states; written by search_fill';
COMMENT ON COLUMN registry.log_search.operation IS 'operation that the header states; written by search_fill';
COMMENT ON COLUMN registry.log_search.outcome IS 'outcome that the header states; written by search_fill';
COMMENT ON COLUMN registry.log_search.case_number IS 'case number that the header states, where there is one; written by search_fill';
COMMENT ON COLUMN registry.log_search.firearm IS 'keyed blind index of the firearm touched, 32 bytes; null until it is filled from the subjects';

COMMENT ON TABLE registry.fill_state IS 'how far the tables that are filled behind the batch are complete';
COMMENT ON COLUMN registry.fill_state.name IS 'the table that is filled';
COMMENT ON COLUMN registry.fill_state.complete_to IS
    'every log entry below this index is reflected in the table; written by search_fill';
COMMENT ON COLUMN registry.fill_state.at IS 'time of the last batch that is reflected, UTC: what was committed to the log before it is in the table; written by search_fill';
