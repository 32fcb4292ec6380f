// SPDX-License-Identifier: Apache-2.0
#include "api/api.h"

static const struct api_handler generic = {
    .start = api_generic_start,
    .finish = api_generic_finish,
};

/* Reads much: it must not stand in the way of others. */
static const struct api_handler generic_bulk = {
    .start = api_generic_start,
    .finish = api_generic_finish,
    .bulk = true,
};

/* Only operations in which C acts, or that need the bulk lane, stand here. */
static const struct api_handler *const handlers[API_SQL_HANDLERS] = {
    [API_SQL_create_code_block] = &api_code_blocks_create,
    [API_SQL_register_firearms] = &api_firearms_register,
    [API_SQL_list_similar_codes] = &generic_bulk,
    [API_SQL_record_custody_events] = &api_custody_record,
    [API_SQL_create_sale] = &api_sales_create,
    [API_SQL_create_trace] = &api_traces_create,
    [API_SQL_add_trace_readings] = &api_traces_revise,
    [API_SQL_get_trace] = &api_traces_get,
    [API_SQL_create_trace_disclosure] = &api_disclosures_create,
    [API_SQL_create_comparison] = &api_comparisons_create,
    [API_SQL_get_comparison] = &api_comparisons_get,
    [API_SQL_create_confusion_matrix] = &api_confusion_create,
    [API_SQL_learn_confusion_matrix] = &api_confusion_learn,
    [API_SQL_get_confusion_matrix] = &api_confusion_get,
    [API_SQL_create_account_key] = &api_keys_create,
    [API_SQL_list_log_entries] = &api_log_list,
    [API_SQL_get_log_entry] = &api_log_entry,
    [API_SQL_export_log] = &api_log_export,
    [API_SQL_get_log_receipt] = &api_log_receipt,
    [API_SQL_get_log_consistency] = &api_log_consistency,
    [API_SQL_log_view] = &api_log_view,
    [API_SQL_get_openapi] = &api_openapi_get,
};

const struct api_handler *api_handler_of(enum api_sql sql)
{
    return handlers[sql] != NULL ? handlers[sql] : &generic;
}
