// SPDX-License-Identifier: Apache-2.0
#include "api/rows.h"
#include "api/validate.h"

#include <stdlib.h>
#include <string.h>

/* 10,000 rows with all that is wrong in them would make an answer that fits no frame. */
#define ROW_ERRORS_SHOWN 2
#define ERRORS_SHOWN 200 /* of all rows of a request in mode atomic */

/* Rows put aside: an array as long as the request's, null where the row went to SQL. */
struct aside {
    json_t *rows;
    size_t count;
};

static void aside_free(void *own)
{
    struct aside *aside = own;
    json_decref(aside->rows);
    free(aside);
}

bool api_rows_partial(const struct api_request *request)
{
    const char *mode = ct_json_string(request->body, "mode");
    return mode != NULL && strcmp(mode, "partial") == 0;
}

static json_t *field_errors(const struct api_field_errors *errors, const char *code)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < errors->count && i < ROW_ERRORS_SHOWN; i++)
        (void)json_array_append_new(list,
                                    json_pack("{s:s, s:s, s:s}", "pointer", errors->at[i].pointer,
                                              "detail", errors->at[i].text, "code", code));
    return list;
}

/* The errors of one row, or NULL when it is as it should be. */
static json_t *row_errors(const struct api_request *request, json_t *row, size_t index,
                          api_row_check *check)
{
    struct api_field_errors errors = {0};
    const char *member = api_routes[request->operation].rows;
    char below[API_POINTER_TEXT / 2];
    if (api_rows_partial(request) &&
        api_validate_row(request->operation, row, index, &errors) != CT_OK)
        return field_errors(&errors, "validation_failed");
    if (check == NULL || check(row, below, sizeof below, errors.at[0].text, API_EXPECTED_TEXT))
        return NULL;
    errors.count = 1;
    (void)snprintf(errors.at[0].pointer, API_POINTER_TEXT, "/%s/%zu%s", member, index, below);
    return field_errors(&errors, "code_invalid");
}

static void refuse_all(struct api_request *request, json_t *refused)
{
    json_t *errors = json_array();
    size_t index;
    json_t *row;
    json_array_foreach(refused, index, row)
    {
        size_t place;
        json_t *error;
        json_array_foreach(json_object_get(row, "errors"), place, error)
        {
            if (json_array_size(errors) < ERRORS_SHOWN)
                (void)json_array_append(errors, error);
        }
    }
    api_refuse(request, API_ERROR_ROWS_REFUSED, NULL, "nothing was stored");
    (void)json_object_set_new(request->answer, "errors", errors);
}

void api_rows_before(struct api_request *request, api_row_check *check)
{
    const char *member = api_routes[request->operation].rows;
    const json_t *rows = json_object_get(request->body, member);
    struct aside *aside = calloc(1, sizeof *aside);
    json_t *kept = json_array();
    json_t *body = json_copy(request->body);
    if (aside == NULL || kept == NULL || body == NULL) {
        api_refuse(request, API_ERROR_INTERNAL, NULL, "out of memory");
        json_decref(kept);
        json_decref(body);
        free(aside);
        return;
    }
    request->own = aside;
    request->own_free = aside_free;
    aside->rows = json_array();
    for (size_t i = 0; i < json_array_size(rows); i++) {
        json_t *row = json_deep_copy(json_array_get(rows, i));
        json_t *errors = row_errors(request, row, i, check);
        if (errors == NULL) {
            (void)json_array_append_new(kept, row);
            (void)json_array_append_new(aside->rows, json_null());
            continue;
        }
        const json_t *external_id = json_object_get(row, "external_id");
        (void)json_array_append_new(
            aside->rows,
            json_pack("{s:o, s:s, s:n, s:o}", "external_id",
                      json_is_string(external_id) && json_string_length(external_id) <= 64
                          ? json_copy((json_t *)external_id)
                          : json_null(),
                      "state", "refused", "id", "errors", errors));
        aside->count++;
        json_decref(row);
    }
    (void)json_object_set_new(body, member, kept);
    request->input = json_pack("{s:o}", "body", body);
    if (aside->count > 0 && !api_rows_partial(request))
        refuse_all(request, aside->rows);
    else if (json_array_size(kept) == 0) /* nothing is left for SQL to answer */
        request->answer = json_pack("{s:s, s:i, s:I, s:O}", "mode", "partial", "accepted", 0,
                                    "refused", (json_int_t)aside->count, "rows", aside->rows);
}

static void merge(struct api_request *request)
{
    struct aside *aside = request->own;
    const json_t *answered = json_object_get(request->answer, "rows");
    json_t *merged = json_array();
    size_t next = 0;
    size_t index;
    json_t *row;
    json_array_foreach(aside->rows, index, row)
    {
        if (json_is_null(row))
            (void)json_array_append(merged, json_array_get(answered, next++));
        else
            (void)json_array_append(merged, row);
    }
    json_int_t refused = json_integer_value(json_object_get(request->answer, "refused"));
    (void)json_object_set_new(request->answer, "rows", merged);
    (void)json_object_set_new(request->answer, "refused",
                              json_integer(refused + (json_int_t)aside->count));
}

enum ct_status api_rows_finish(struct api_context *context, struct store *store,
                               struct api_request **requests, size_t count,
                               const struct store_result *result, struct ct_error *err)
{
    enum ct_status status = api_generic_finish(context, store, requests, count, result, err);
    for (size_t i = 0; i < count && status == CT_OK; i++) {
        const struct aside *aside = requests[i]->own;
        if (requests[i]->error == API_ERROR_NONE && aside->count > 0)
            merge(requests[i]);
    }
    return status;
}
