// SPDX-License-Identifier: Apache-2.0
#include "api/confusion.h"

#include <stdlib.h>
#include <string.h>

#define FURTHER_MS 10000 /* for recording what was learned */

/* ---- figures as JSON ---------------------------------------------------------------------------
 */

static bool read_table(const json_t *rows, size_t size, double *ret)
{
    if (json_array_size(rows) != size)
        return false;
    for (size_t t = 0; t < size; t++) {
        const json_t *row = json_array_get(rows, t);
        if (json_array_size(row) != size)
            return false;
        for (size_t r = 0; r < size; r++)
            ret[t * size + r] = json_number_value(json_array_get(row, r));
    }
    return true;
}

/* A true character of R29-8 is engraved as it is; what was read of it is folded. */
static void derive_r29(struct microstamp_rates *rates)
{
    for (unsigned t = 0; t < MICROSTAMP_R29_SIZE; t++) {
        char engraved = microstamp_character(MICROSTAMP_R29, t);
        int raw = microstamp_symbol(MICROSTAMP_OPAQUE, engraved);
        memset(rates->r29[t], 0, sizeof rates->r29[t]);
        for (unsigned r = 0; r < MICROSTAMP_OPAQUE_SIZE; r++) {
            int folded =
                microstamp_symbol(MICROSTAMP_R29, microstamp_character(MICROSTAMP_OPAQUE, r));
            rates->r29[t][folded] += rates->opaque[raw][r];
        }
    }
}

bool api_rates_read(const json_t *figures, struct microstamp_rates *ret_rates)
{
    const json_t *r29 = json_object_get(figures, "r29");
    if (!read_table(json_object_get(figures, "opaque"), MICROSTAMP_OPAQUE_SIZE,
                    &ret_rates->opaque[0][0]))
        return false;
    if (r29 != NULL)
        return read_table(r29, MICROSTAMP_R29_SIZE, &ret_rates->r29[0][0]);
    derive_r29(ret_rates);
    return true;
}

static json_t *table_json(const double *rates, size_t size)
{
    json_t *rows = json_array();
    for (size_t t = 0; rows != NULL && t < size; t++) {
        json_t *row = json_array();
        for (size_t r = 0; row != NULL && r < size; r++) {
            if (json_array_append_new(row, json_real(rates[t * size + r])) != 0) {
                json_decref(row);
                row = NULL;
            }
        }
        if (json_array_append_new(rows, row) != 0) {
            json_decref(rows);
            rows = NULL;
        }
    }
    return rows;
}

json_t *api_rates_json(const struct microstamp_rates *rates)
{
    return json_pack("{s:o, s:o}", "opaque",
                     table_json(&rates->opaque[0][0], MICROSTAMP_OPAQUE_SIZE), "r29",
                     table_json(&rates->r29[0][0], MICROSTAMP_R29_SIZE));
}

/* ---- POST /v1/confusion-matrices ----------------------------------------------------------------
 */

/* The engine says which row is wrong; of a derived table it is the row that it comes from. */
static void refuse_rates(struct api_request *request, const struct microstamp_error *where)
{
    char pointer[32];
    bool r29_given = json_object_get(request->body, "r29") != NULL;
    size_t row = where->offset;
    if (row >= MICROSTAMP_R29_SIZE)
        (void)snprintf(pointer, sizeof pointer, "/opaque/%zu", row - MICROSTAMP_R29_SIZE);
    else if (r29_given)
        (void)snprintf(pointer, sizeof pointer, "/r29/%zu", row);
    else
        (void)snprintf(pointer, sizeof pointer, "/opaque/%d",
                       microstamp_symbol(MICROSTAMP_OPAQUE,
                                         microstamp_character(MICROSTAMP_R29, (unsigned)row)));
    api_refuse(request, API_ERROR_MATRIX_INVALID, pointer, where->text);
}

static void set_rates(struct api_request *request, const struct microstamp_rates *rates)
{
    request->input = json_pack("{s:o}", "rates", api_rates_json(rates));
    if (request->input == NULL)
        api_refuse(request, API_ERROR_INTERNAL, NULL, "out of memory");
}

static void create_before(struct api_context *context, struct api_request *request)
{
    (void)context;
    struct microstamp_matrix *matrix = NULL;
    struct microstamp_error where = {0};
    struct microstamp_rates *rates = malloc(sizeof *rates);
    const char *name = ct_json_string(request->body, "name");
    if (rates == NULL) {
        api_refuse(request, API_ERROR_INTERNAL, NULL, "out of memory");
        return;
    }
    if (!api_rates_read(request->body, rates)) {
        api_refuse(request, API_ERROR_MATRIX_INVALID, "/opaque", "expected a table");
    } else {
        enum microstamp_status status = microstamp_matrix_make(name, rates, &matrix, &where);
        if (status == MICROSTAMP_OK)
            set_rates(request, rates);
        else if (status == MICROSTAMP_BAD_INPUT)
            refuse_rates(request, &where);
        else
            api_refuse(request, API_ERROR_INTERNAL, NULL, "out of memory");
    }
    /* What is recorded is the figures; the request's own need not go along. */
    if (request->input != NULL)
        (void)json_object_set_new(request->input, "body",
                                  json_pack("{s:s, s:s}", "name", name, "description",
                                            ct_json_string(request->body, "description")));
    microstamp_matrix_free(matrix);
    free(rates);
}

const struct api_handler api_confusion_create = {
    .before = create_before,
    .start = api_generic_start,
    .finish = api_generic_finish,
    .bulk = true,
};

/* ---- POST /v1/confusion-matrices/learn ------------------------------------------------------- */

static enum ct_status learn_start(struct api_context *context, struct store *store,
                                  const uint8_t batch[CT_UUID_BYTES], struct api_request **requests,
                                  size_t count)
{
    (void)context;
    (void)requests;
    (void)count;
    struct store_params none;
    uint8_t *kept = malloc(CT_UUID_BYTES);
    if (kept == NULL)
        return CT_NO_MEMORY;
    /* The second statement, which records, needs it as well. */
    memcpy(kept, batch, CT_UUID_BYTES);
    requests[0]->own = kept;
    requests[0]->own_free = free;
    store_params_init(&none);
    return store_queue(store, API_SQL_confusion_counts, &none);
}

static int symbol_of(const char *character)
{
    return character == NULL ? -1 : microstamp_symbol(MICROSTAMP_OPAQUE, character[0]);
}

static int64_t add_up(const struct store_result *result, struct microstamp_counts *ret)
{
    int64_t readings = 0;
    memset(ret, 0, sizeof *ret);
    for (size_t row = 0; row < store_rows(result); row++) {
        int t = symbol_of(store_get_text(result, row, 0));
        int r = symbol_of(store_get_text(result, row, 1));
        int64_t count = store_get_bigint(result, row, 2);
        if (t < 0 || r < 0 || count < 0)
            continue;
        readings += count;
        ret->count[t][r] = count > UINT32_MAX ? UINT32_MAX : (uint32_t)count;
    }
    return readings;
}

/* Alone in its batch, so there is one request. */
static enum ct_status learn_finish(struct api_context *context, struct store *store,
                                   struct api_request **requests, size_t count,
                                   const struct store_result *result, struct ct_error *err)
{
    struct microstamp_counts *counts = malloc(sizeof *counts);
    struct microstamp_rates *rates = malloc(sizeof *rates);
    struct store_result *recorded = NULL;
    enum ct_status status = CT_NO_MEMORY;
    if (counts != NULL && rates != NULL) {
        int64_t readings = add_up(result, counts);
        microstamp_rates_learn(counts, rates);
        requests[0]->input = json_pack("{s:o, s:I}", "rates", api_rates_json(rates), "readings",
                                       (json_int_t)readings);
        status = requests[0]->input == NULL ? CT_NO_MEMORY : CT_OK;
    }
    if (status == CT_OK)
        status = api_generic_start(context, store, requests[0]->own, requests, count);
    if (status == CT_OK)
        status = store_run(store, ct_mono_ms() + FURTHER_MS, &recorded, 1, err);
    if (status == CT_OK)
        status = api_generic_finish(context, store, requests, count, recorded, err);
    store_result_free(recorded);
    free(rates);
    free(counts);
    return status;
}

const struct api_handler api_confusion_learn = {
    .start = learn_start,
    .finish = learn_finish,
    .bulk = true,
};

/* ---- GET /v1/confusion-matrices/{name} ------------------------------------------------------- */

/* The software's own figures are in no table. */
static enum ct_status get_finish(struct api_context *context, struct store *store,
                                 struct api_request **requests, size_t count,
                                 const struct store_result *result, struct ct_error *err)
{
    enum ct_status status = api_generic_finish(context, store, requests, count, result, err);
    for (size_t i = 0; i < count && status == CT_OK; i++) {
        json_t *answer = requests[i]->answer;
        if (requests[i]->error != API_ERROR_NONE ||
            !json_is_null(json_object_get(answer, "opaque")))
            continue;
        struct microstamp_rates *rates = malloc(sizeof *rates);
        if (rates == NULL)
            return CT_NO_MEMORY;
        microstamp_rates_default(MICROSTAMP_DEFAULT_ERROR_RATE, rates);
        json_t *figures = api_rates_json(rates);
        if (figures == NULL || json_object_update(answer, figures) != 0)
            status = CT_NO_MEMORY;
        json_decref(figures);
        free(rates);
    }
    return status;
}

const struct api_handler api_confusion_get = {
    .start = api_generic_start,
    .finish = get_finish,
};
