// SPDX-License-Identifier: Apache-2.0
/* The validators on what a client may send. Input: a letter for the operation, a letter for what
 * follows it (b body, q query as name=value&…, p path values between slashes, k Idempotency-Key,
 * r a request target), then that. */
#include "api/validate.h"

#include "api/validate_text.h"

#include <stdlib.h>
#include <string.h>

#define PARTS_MAX 40

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void look_at(const struct api_field_errors *errors, enum ct_status status)
{
    require(status == CT_OK || status == CT_BAD_INPUT);
    require(errors->count <= API_FIELD_ERRORS_MAX);
    require((status == CT_OK) == (errors->count == 0));
    for (unsigned i = 0; i < errors->count; i++) {
        const struct api_field_error *error = &errors->at[i];
        size_t length = strnlen(error->pointer, sizeof error->pointer);
        require(length < sizeof error->pointer && api_text_is_utf8(error->pointer, length));
        require(length == 0 || error->pointer[0] == '/');
        require(strncmp(error->text, "expected ", 9) == 0);
        require(strnlen(error->text, sizeof error->text) < sizeof error->text);
    }
}

/* A body passes as a whole exactly when its envelope and each of its rows pass. */
static void compare_rows(enum api_operation operation, const json_t *body, enum ct_status whole)
{
    struct api_field_errors errors = {0};
    enum ct_status parts = api_validate_envelope(operation, body, &errors);
    look_at(&errors, parts);
    const json_t *rows = json_object_get(body, api_routes[operation].rows);
    for (size_t i = 0; parts == CT_OK && i < json_array_size(rows); i++)
        parts = api_validate_row(operation, json_array_get(rows, i), i, &errors);
    require(parts == whole);
}

static void try_body(enum api_operation operation, const uint8_t *data, size_t size)
{
    struct ct_json_limits limits = {.depth = 32, .values = 4096};
    struct api_field_errors errors = {0};
    struct ct_error err = {0};
    json_t *body = NULL;
    if (ct_json_decode(data, size, limits, &body, &err) != CT_OK)
        return;
    enum ct_status status = api_validate_body(operation, body, &errors);
    look_at(&errors, status);
    if (api_routes[operation].rows != NULL)
        compare_rows(operation, body, status);
    json_decref(body);
}

/* Cuts text at the separator; returns the number of parts. */
static size_t split(char *text, char separator, char *ret_parts[PARTS_MAX])
{
    size_t count = 0;
    while (text != NULL && count < PARTS_MAX) {
        char *end = strchr(text, separator);
        ret_parts[count++] = text;
        if (end != NULL)
            *end++ = '\0';
        text = end;
    }
    return count;
}

static void try_query(enum api_operation operation, char *text)
{
    struct api_field_errors errors = {0};
    char *pairs[PARTS_MAX];
    const char *names[PARTS_MAX];
    const char *values[PARTS_MAX];
    json_t *typed = NULL;
    size_t count = split(text, '&', pairs);
    for (size_t i = 0; i < count; i++) {
        char *equals = strchr(pairs[i], '=');
        names[i] = pairs[i];
        values[i] = equals != NULL ? equals + 1 : "";
        if (equals != NULL)
            *equals = '\0';
    }
    enum ct_status status = api_validate_query(operation, names, values, count, &typed, &errors);
    look_at(&errors, status);
    require((status == CT_OK) == (typed != NULL));
    require(status != CT_OK || json_object_size(typed) == count);
    json_decref(typed);
}

static void try_path(enum api_operation operation, char *text)
{
    struct api_field_errors errors = {0};
    char *values[PARTS_MAX];
    json_t *typed = NULL;
    size_t count = split(text, '/', values);
    enum ct_status status =
        api_validate_path(operation, (const char *const *)values, count, &typed, &errors);
    look_at(&errors, status);
    require((status == CT_OK) == (typed != NULL));
    json_decref(typed);
}

static void try_route(const char *text, size_t length)
{
    struct api_route_match match;
    if (api_route_find(API_LISTENER_PUBLIC, "GET", text, length, &match) != API_ROUTE_FOUND)
        return;
    require(match.parameter_count == api_routes[match.operation].parameter_count);
    for (size_t i = 0; i < match.parameter_count; i++)
        require(match.parameters[i].length > 0 && match.parameters[i].text > text &&
                match.parameters[i].text + match.parameters[i].length <= text + length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    enum api_operation operation = (enum api_operation)((data[0] + 256u - 'A') % API_OPERATIONS);
    char *text = malloc(size - 1);
    if (text == NULL)
        return 0;
    memcpy(text, data + 2, size - 2);
    text[size - 2] = '\0';
    switch (data[1]) {
    case 'q':
        try_query(operation, text);
        break;
    case 'p':
        try_path(operation, text);
        break;
    case 'r':
        try_route(text, size - 2);
        break;
    case 'k': {
        struct api_field_errors errors = {0};
        enum api_error error = api_validate_idempotency_key(operation, text, &errors);
        look_at(&errors, error == API_ERROR_INVALID_REQUEST ? CT_BAD_INPUT : CT_OK);
        break;
    }
    default:
        try_body(operation, data + 2, size - 2);
        break;
    }
    free(text);
    return 0;
}
