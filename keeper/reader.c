// SPDX-License-Identifier: Apache-2.0
#include "keeper/reader.h"

#include "api/codes.h"
#include "api/confusion.h"

#include <stdlib.h>
#include <string.h>

static enum ct_status call(struct store *store, enum api_sql statement,
                           const struct store_params *params, struct store_result **ret,
                           struct ct_error *err)
{
    enum ct_status status = store_queue(store, statement, params);
    if (status == CT_OK)
        status = store_run(store, ct_mono_ms() + LIMIT_BULK_STATEMENT_MS, ret, 1, err);
    return status;
}

static enum ct_status call_plain(struct store *store, enum api_sql statement,
                                 struct store_result **ret, struct ct_error *err)
{
    struct store_params none;
    store_params_init(&none);
    return call(store, statement, &none, ret, err);
}

static enum ct_status read_counts(struct store *store, struct knowledge_counts *counts,
                                  struct ct_error *err)
{
    struct store_result *result = NULL;
    enum ct_status status = call_plain(store, API_SQL_registry_counts, &result, err);
    counts->firearms = counts->r29 = 0;
    memset(counts->opaque, 0, sizeof counts->opaque);
    for (size_t row = 0; status == CT_OK && row < store_rows(result); row++) {
        const char *scheme = store_get_text(result, row, 0);
        int32_t length = store_get_int(result, row, 1);
        int64_t registered = store_get_bigint(result, row, 2);
        counts->firearms += store_get_bigint(result, row, 3);
        if (scheme != NULL && strcmp(scheme, MICROSTAMP_R29_NAME) == 0)
            counts->r29 += registered;
        else if (scheme != NULL && strcmp(scheme, API_OPAQUE_NAME) == 0 && length >= 0 &&
                 length <= MICROSTAMP_LENGTH_MAX)
            counts->opaque[length] += registered;
    }
    store_result_free(result);
    return status;
}

static int symbol_of(const char *character)
{
    return character == NULL ? -1 : microstamp_symbol(MICROSTAMP_OPAQUE, character[0]);
}

static enum ct_status read_frequencies(struct store *store, struct knowledge_counts *counts,
                                       struct ct_error *err)
{
    struct store_result *result = NULL;
    enum ct_status status = call_plain(store, API_SQL_registry_frequencies, &result, err);
    memset(counts->character, 0, sizeof counts->character);
    for (size_t row = 0; status == CT_OK && row < store_rows(result); row++) {
        const char *scheme = store_get_text(result, row, 0);
        int32_t length = store_get_int(result, row, 1);
        int32_t position = store_get_int(result, row, 2);
        int symbol = symbol_of(store_get_text(result, row, 3));
        if (scheme != NULL && strcmp(scheme, API_OPAQUE_NAME) == 0 && length >= 1 &&
            length <= MICROSTAMP_LENGTH_MAX && position >= 1 && position <= length && symbol >= 0)
            counts->character[length][position - 1][symbol] = store_get_bigint(result, row, 4);
    }
    store_result_free(result);
    return status;
}

enum ct_status reader_count(struct reader *reader, struct keeper *keeper, struct store *store,
                            struct ct_error *err)
{
    struct store_result *result = NULL;
    struct knowledge_counts *counts = malloc(sizeof *counts);
    if (counts == NULL)
        return CT_NO_MEMORY;
    *counts = reader->counts;
    enum ct_status status = call_plain(store, API_SQL_code_frequency_fill, &result, err);
    bool filled = status == CT_OK && store_get_bigint(result, 0, 0) > 0;
    store_result_free(result);
    if (status == CT_OK)
        status = read_counts(store, counts, err);
    if (status == CT_OK && (filled || !reader->has_frequencies)) {
        status = read_frequencies(store, counts, err);
        reader->has_frequencies = status == CT_OK;
    }
    if (status == CT_OK && memcmp(counts, &reader->counts, sizeof *counts) != 0) {
        status = knowledge_renew(&keeper->knowledge, counts, NULL);
        if (status == CT_OK) {
            int64_t registered = counts->r29;
            for (size_t length = 0; length <= MICROSTAMP_LENGTH_MAX; length++)
                registered += counts->opaque[length];
            atomic_store(&keeper->registered, registered);
            reader->counts = *counts;
        } else {
            reader->has_frequencies = false;
        }
    }
    free(counts);
    return status;
}

static struct microstamp_matrix *matrix_of(const char *name, const char *figures)
{
    struct microstamp_matrix *matrix = NULL;
    struct microstamp_rates *rates = malloc(sizeof *rates);
    json_t *json = figures == NULL ? NULL : json_loads(figures, 0, NULL);
    if (figures == NULL) { /* the software's own */
        if (microstamp_matrix_make_default(&matrix) != MICROSTAMP_OK)
            matrix = NULL;
    } else if (rates != NULL && api_rates_read(json, rates)) {
        if (microstamp_matrix_make(name, rates, &matrix, NULL) != MICROSTAMP_OK)
            matrix = NULL;
    }
    json_decref(json);
    free(rates);
    return matrix;
}

/* Asks for the confusion matrix in force by naming the one in use, so that nearly always nothing
 * comes back. */
enum ct_status reader_use_matrix(struct reader *reader, struct keeper *keeper, struct store *store,
                                 struct ct_error *err)
{
    struct store_result *result = NULL;
    struct store_params params;
    store_params_init(&params);
    store_param_text(&params, reader->matrix);
    enum ct_status status = call(store, API_SQL_confusion_active, &params, &result, err);
    store_params_free(&params);
    if (status == CT_OK && store_rows(result) == 1) {
        const char *name = store_get_text(result, 0, 0);
        struct microstamp_matrix *matrix = matrix_of(name, store_get_text(result, 0, 1));
        if (matrix == NULL) {
            ct_error_set(err, "the confusion matrix in force cannot be used");
            status = CT_DB;
        } else {
            status = knowledge_renew(&keeper->knowledge, &reader->counts, matrix);
        }
        if (status == CT_OK) {
            (void)snprintf(reader->matrix, sizeof reader->matrix, "%s", name);
            ct_log(CT_LOG_NOTICE, "uses the confusion matrix %s", name);
        }
    }
    store_result_free(result);
    return status;
}
