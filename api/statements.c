// SPDX-License-Identifier: Apache-2.0
#include "api/statements.h"

const struct store_statement api_statements[API_SQL_COUNT] = {
#define X(name)                                                                                    \
    [API_SQL_##name] = {#name, "SELECT ordinal, outcome, answer, subject FROM api." #name          \
                               "($1, $2, $3, $4, $5)"},
    API_SQL_OPERATIONS(X)
#undef X
        [API_SQL_batch_open] =
            {"batch_open", "SELECT ordinal, credential, account, organization, organization_kind, "
                           "licence, roles, replay_mac, replay_outcome, replay_answer, "
                           "replay_resource, replay_entry FROM api.batch_open($1, $2, $3, $4)"},
    [API_SQL_schema_digest] = {"schema_digest", "SELECT api.schema_digest()"},
    [API_SQL_trace_exhibits] = {"trace_exhibits", "SELECT place, reading_digest FROM "
                                                  "api.trace_exhibits($1, $2, $3)"},
    [API_SQL_trace_newest] = {"trace_newest",
                              "SELECT place, root, newest, version, case_number, request FROM "
                              "api.trace_newest($1, $2)"},
    [API_SQL_trace_lookup] =
        {"trace_lookup",
         "SELECT lookup, code_state, block_id, block_holder, block_contact, mark_id, placement, "
         "valid_from, "
         "valid_to, firearm_id, maker, importer, model, serial, caliber, firearm_type, shipped_on, "
         "custody, basis, no_purchaser_reason, chain_complete, returned_on, later_holders, "
         "sale_id, sale_dealer, sale_delivered_on, sale_transaction_number, purchaser_sealed, "
         "purchaser_key FROM api.trace_lookup($1, $2)"},
    [API_SQL_trace_lookup_halves] =
        {"trace_lookup_halves",
         "SELECT lookup, code_state, block_id, block_holder, block_contact, mark_id, placement, "
         "valid_from, "
         "valid_to, firearm_id, maker, importer, model, serial, caliber, firearm_type, shipped_on, "
         "custody, basis, no_purchaser_reason, chain_complete, returned_on, later_holders, "
         "sale_id, sale_dealer, sale_delivered_on, sale_transaction_number, purchaser_sealed, "
         "purchaser_key, word, more FROM api.trace_lookup_halves($1, $2, $3, $4)"},
    [API_SQL_marks_of_firearms] =
        {"marks_of_firearms", "SELECT firearm_id, mark_id, placement, scheme, word, valid_from, "
                              "valid_to FROM api.marks_of_firearms($1)"},
    [API_SQL_comparison_lookup] = {"comparison_lookup",
                                   "SELECT lookup, found, choices, firearm_id, caliber, serial, "
                                   "shipped_on, marks, recent FROM api.comparison_lookup($1, $2)"},
    [API_SQL_comparison_record] =
        {"comparison_record", "SELECT api.comparison_record($1, $2, $3, $4, $5, $6, $7, $8, $9, "
                              "$10, $11, $12, $13, $14, $15, $16)"},
    [API_SQL_trace_record] =
        {"trace_record", "SELECT api.trace_record($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, "
                         "$12, $13, $14, $15, $16, $17, $18, $19, $20, $21::text::jsonb)"},
    [API_SQL_idempotency_store] =
        {"idempotency_store", "SELECT api.idempotency_store($1, $2, $3, $4, $5, $6, $7, $8, $9)"},
    [API_SQL_log_append] = {"log_append",
                            "SELECT api.log_append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, "
                            "$12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24)"},
    [API_SQL_log_head] = {"log_head", "SELECT size, frontier, writer, epoch, last_root, max_idx "
                                      "FROM api.log_head()"},
    [API_SQL_log_take] = {"log_take", "SELECT size, frontier, epoch FROM api.log_take($1)"},
    [API_SQL_log_resolve] = {"log_resolve", "SELECT api.log_resolve($1)"},
    [API_SQL_log_batch_by_size] = {"log_batch_by_size",
                                   "SELECT root, epoch FROM api.log_batch_by_size($1)"},
    [API_SQL_log_hashes] = {"log_hashes", "SELECT idx, hash FROM api.log_hashes($1, $2, $3)"},
    [API_SQL_log_leaves] =
        {"log_leaves", "SELECT idx, header, header_salt, d_subject FROM api.log_leaves($1, $2)"},
    [API_SQL_log_publish] = {"log_publish", "SELECT api.log_publish($1, $2)"},
    [API_SQL_log_published_last] = {"log_published_last",
                                    "SELECT size, note, age_ms FROM api.log_published_last()"},
    [API_SQL_log_published_widths] = {"log_published_widths",
                                      "SELECT level, width FROM api.log_published_widths($1)"},
    [API_SQL_log_sign_store] = {"log_sign_store", "SELECT api.log_sign_store($1, $2, $3)"},
    [API_SQL_log_last_signature] = {"log_last_signature",
                                    "SELECT size, line FROM api.log_last_signature($1)"},
    [API_SQL_search_fill] = {"search_fill", "SELECT log_complete_to, log_size, trace_lag_s "
                                            "FROM api.search_fill($1)"},
    [API_SQL_confusion_active] = {"confusion_active",
                                  "SELECT name, rates FROM api.confusion_active($1)"},
    [API_SQL_confusion_counts] = {"confusion_counts", "SELECT true_character, read_character, "
                                                      "readings FROM api.confusion_counts()"},
    [API_SQL_credentials_used] = {"credentials_used", "SELECT api.credentials_used($1)"},
    [API_SQL_maintain] = {"maintain", "SELECT api.maintain()"},
    [API_SQL_traces_of_day] = {"traces_of_day",
                               "SELECT account, organization, state, candidates, unread, times, "
                               "first_entry, last_entry FROM api.traces_of_day($1, $2)"},
    [API_SQL_finding_record] = {"finding_record",
                                "SELECT api.finding_record($1, $2, $3, $4, $5, $6, $7)"},
    [API_SQL_registry_counts] = {"registry_counts",
                                 "SELECT scheme, length::integer, registered, firearms "
                                 "FROM api.registry_counts()"},
    [API_SQL_registry_frequencies] = {"registry_frequencies",
                                      "SELECT scheme, length::integer, position::integer, "
                                      "character, registered "
                                      "FROM api.registry_frequencies()"},
    [API_SQL_code_frequency_fill] = {"code_frequency_fill", "SELECT api.code_frequency_fill()"},
    /* No row: it has ended. True: it was made to. */
    [API_SQL_session_end] = {"session_end",
                             "SELECT pg_terminate_backend(pid, $3) FROM pg_stat_activity "
                             "WHERE pid = $1 AND backend_start = $2 AND pid <> pg_backend_pid()"},
    /* Session level: held by the writer for as long as its connection lives. */
    /* A writer that is stopped keeps its connection, and with it the lock, until it has been silent
     * for so long. */
    [API_SQL_writer_lock] = {"writer_lock", "SELECT pg_try_advisory_lock(4849523, 1), "
                                            "set_config('idle_session_timeout', $1, false)"},
};
