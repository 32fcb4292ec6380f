// SPDX-License-Identifier: Apache-2.0
#include "keeper/oversight.h"

#include "keeper/limits.h"

#include <stdlib.h>

#define DAY_MS 86400000
#define SLICE_MS 600000

static enum ct_status call(struct store *store, enum api_sql statement,
                           const struct store_params *params, struct store_result **ret,
                           struct ct_error *err)
{
    enum ct_status status = store_queue(store, statement, params);
    if (status == CT_OK)
        status = store_run(store, ct_mono_ms() + LIMIT_BULK_STATEMENT_MS, ret, 1, err);
    return status;
}

enum column {
    COLUMN_ACCOUNT,
    COLUMN_ORGANIZATION,
    COLUMN_STATE,
    COLUMN_CANDIDATES,
    COLUMN_UNREAD,
    COLUMN_TIMES,
    COLUMN_FIRST,
    COLUMN_LAST,
};

static enum ct_status load_slice(struct budget *budget, struct store *store, int64_t day,
                                 int32_t slice, struct ct_error *err)
{
    struct store_params params;
    struct store_result *result = NULL;
    store_params_init(&params);
    store_param_int(&params, (int32_t)day);
    store_param_int(&params, slice);
    enum ct_status status = call(store, API_SQL_traces_of_day, &params, &result, err);
    for (size_t row = 0; status == CT_OK && row < store_rows(result); row++) {
        const uint8_t *account = store_get_uuid(result, row, COLUMN_ACCOUNT);
        const uint8_t *organization = store_get_uuid(result, row, COLUMN_ORGANIZATION);
        struct budget_use use = {.state = store_get_text(result, row, COLUMN_STATE),
                                 .candidates = store_get_int(result, row, COLUMN_CANDIDATES),
                                 .unread = store_get_int(result, row, COLUMN_UNREAD),
                                 .times = (uint32_t)store_get_bigint(result, row, COLUMN_TIMES),
                                 .first_entry = store_get_bigint(result, row, COLUMN_FIRST),
                                 .last_entry = store_get_bigint(result, row, COLUMN_LAST)};
        if (account != NULL && organization != NULL)
            status = budget_load(budget, account, organization, &use);
    }
    store_result_free(result);
    store_params_free(&params);
    return status;
}

enum ct_status oversight_load(struct budget *budget, struct store *store, struct ct_error *err)
{
    int64_t day = ct_now_ms() / DAY_MS;
    enum ct_status status = CT_OK;
    if (budget->loaded)
        return CT_OK;
    budget_begin(budget, day);
    for (int32_t slice = 0; slice < DAY_MS / SLICE_MS && status == CT_OK; slice++)
        status = load_slice(budget, store, day, slice, err);
    budget->loaded = status == CT_OK;
    return status;
}

static void add_entry(struct store_params *params, int64_t entry)
{
    if (entry < 0)
        store_element_null(params);
    else
        store_element_bigint(params, entry);
}

static void add_findings(struct store_params *params, const struct budget_finding *findings,
                         size_t count)
{
    store_array_open(params, STORE_TEXT);
    for (size_t i = 0; i < count; i++)
        store_element_text(params, findings[i].kind);
    store_array_close(params);
    store_array_open(params, STORE_UUID);
    for (size_t i = 0; i < count; i++) {
        if (findings[i].of_agency)
            store_element_null(params);
        else
            store_element_bytes(params, findings[i].account, CT_UUID_BYTES);
    }
    store_array_close(params);
    store_array_open(params, STORE_UUID);
    for (size_t i = 0; i < count; i++)
        store_element_bytes(params, findings[i].organization, CT_UUID_BYTES);
    store_array_close(params);
    store_array_open(params, STORE_INT);
    for (size_t i = 0; i < count; i++)
        store_element_int(params, (int32_t)findings[i].day);
    store_array_close(params);
    store_array_open(params, STORE_BIGINT);
    for (size_t i = 0; i < count; i++)
        store_element_bigint(params, findings[i].tally.count);
    store_array_close(params);
    store_array_open(params, STORE_BIGINT);
    for (size_t i = 0; i < count; i++)
        add_entry(params, findings[i].tally.first_entry);
    store_array_close(params);
    store_array_open(params, STORE_BIGINT);
    for (size_t i = 0; i < count; i++)
        add_entry(params, findings[i].tally.last_entry);
    store_array_close(params);
}

enum ct_status oversight_record(struct budget *budget, struct store *store, struct ct_error *err)
{
    struct store_params params;
    size_t count;
    struct budget_finding *findings = budget_findings_take(budget, &count);
    if (count == 0)
        return CT_OK;
    store_params_init(&params);
    add_findings(&params, findings, count);
    enum ct_status status = call(store, API_SQL_finding_record, &params, NULL, err);
    store_params_free(&params);
    if (status == CT_OK)
        free(findings);
    else
        budget_findings_return(budget, findings, count);
    return status;
}
