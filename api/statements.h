// SPDX-License-Identifier: Apache-2.0
#ifndef API_STATEMENTS_H
#define API_STATEMENTS_H

/* Every SQL statement that the keeper runs: one call of one function each. */

#include "store/store.h"

/* Functions of the one shape: rows in, one outcome row per request out. */
#define API_SQL_OPERATIONS(X)                                                                      \
    X(create_code_block)                                                                           \
    X(register_firearms)                                                                           \
    X(get_firearm)                                                                                 \
    X(find_firearms)                                                                               \
    X(list_similar_codes)                                                                          \
    X(record_custody_events)                                                                       \
    X(create_sale)                                                                                 \
    X(deliver_sale)                                                                                \
    X(list_sales)                                                                                  \
    X(get_sale)                                                                                    \
    X(list_traces)                                                                                 \
    X(get_trace)                                                                                   \
    X(create_trace_disclosure)                                                                     \
    X(create_confusion_matrix)                                                                     \
    X(learn_confusion_matrix)                                                                      \
    X(activate_confusion_matrix)                                                                   \
    X(list_confusion_matrices)                                                                     \
    X(get_confusion_matrix)                                                                        \
    X(get_comparison)                                                                              \
    X(get_me)                                                                                      \
    X(list_models)                                                                                 \
    X(create_model)                                                                                \
    X(get_vocabulary)                                                                              \
    X(list_log_entries)                                                                            \
    X(list_findings)                                                                               \
    X(get_log_entry)                                                                               \
    X(export_log)                                                                                  \
    X(get_log_receipt)                                                                             \
    X(get_log_consistency)                                                                         \
    X(create_organization)                                                                         \
    X(list_organizations)                                                                          \
    X(get_organization)                                                                            \
    X(create_account)                                                                              \
    X(list_accounts)                                                                               \
    X(get_account)                                                                                 \
    X(create_account_key)                                                                          \
    X(list_account_keys)                                                                           \
    X(revoke_account_key)

enum api_sql {
#define X(name) API_SQL_##name,
    API_SQL_OPERATIONS(X)
#undef X
        API_SQL_batch_open,
    API_SQL_schema_digest,
    API_SQL_trace_exhibits,
    API_SQL_trace_newest,
    API_SQL_trace_lookup,
    API_SQL_trace_lookup_halves,
    API_SQL_marks_of_firearms,
    API_SQL_comparison_lookup,
    API_SQL_comparison_record,
    API_SQL_trace_record,
    API_SQL_idempotency_store,
    API_SQL_log_append,
    API_SQL_log_head,
    API_SQL_log_take,
    API_SQL_log_resolve,
    API_SQL_session_end,
    API_SQL_log_batch_by_size,
    API_SQL_log_hashes,
    API_SQL_log_leaves,
    API_SQL_log_publish,
    API_SQL_log_published_last,
    API_SQL_log_published_widths,
    API_SQL_log_sign_store,
    API_SQL_log_last_signature,
    API_SQL_search_fill,
    API_SQL_credentials_used,
    API_SQL_maintain,
    API_SQL_registry_counts,
    API_SQL_traces_of_day,
    API_SQL_finding_record,
    API_SQL_registry_frequencies,
    API_SQL_code_frequency_fill,
    API_SQL_confusion_active,
    API_SQL_confusion_counts,
    API_SQL_writer_lock,
    API_SQL_COUNT,
    /* Not functions of the database: answered in C. */
    API_SQL_create_trace = API_SQL_COUNT,
    API_SQL_add_trace_readings,
    API_SQL_create_comparison,
    API_SQL_get_openapi,
    API_SQL_log_view,
    API_SQL_HANDLERS,
};

/* Indexed by enum api_sql, API_SQL_COUNT of them. */
extern const struct store_statement api_statements[];

#endif
