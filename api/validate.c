// SPDX-License-Identifier: Apache-2.0
#include "api/validate.h"

#include "api/validate_text.h"

#include <stdio.h>
#include <string.h>

/* Where the check is: a chain on the stack, written out as a pointer only when something is wrong.
 */
struct place {
    const struct place *up;
    const char *member; /* NULL: an element of an array */
    size_t index;
};

struct check {
    struct api_field_errors *errors;
    const struct api_schema *skipped; /* elements of arrays that are not looked into */
};

static bool is_full(const struct check *check)
{
    return check->errors->count >= API_FIELD_ERRORS_MAX;
}

static void write_place(const struct place *place, struct api_pointer *pointer)
{
    if (place == NULL)
        return;
    write_place(place->up, pointer);
    if (place->member != NULL)
        api_pointer_member(pointer, place->member);
    else
        api_pointer_index(pointer, place->index);
}

static void refuse(struct check *check, const struct place *place, const char *expected)
{
    if (is_full(check))
        return;
    struct api_field_error *error = &check->errors->at[check->errors->count++];
    struct api_pointer pointer = {.text = error->pointer};
    error->pointer[0] = '\0';
    write_place(place, &pointer);
    snprintf(error->text, sizeof error->text, "%s", expected);
}

static void refuse_member(struct check *check, const struct place *place, const char *member,
                          const char *expected)
{
    refuse(check, &(struct place){.up = place, .member = member}, expected);
}

static void check_value(struct check *check, const struct api_schema *schema, const json_t *value,
                        const struct place *place);

static void check_string(struct check *check, const struct api_schema *schema, const json_t *value,
                         const struct place *place)
{
    const char *text = json_string_value(value);
    size_t length = json_string_length(value);
    if (schema->word_count > 0) {
        if (!api_text_listed(schema->words, schema->word_count, text, length))
            refuse(check, place, schema->words_text);
        return;
    }
    if (!api_text_size(text, length, schema->min_size, schema->max_size))
        refuse(check, place, schema->limits_text);
    else if ((schema->pattern != NULL && !api_text_matches(schema->pattern, text, length)) ||
             (schema->format == API_FORMAT_DATE && !api_text_is_date(text, length)) ||
             (schema->format == API_FORMAT_DATE_TIME && !api_text_is_time(text, length)))
        refuse(check, place, schema->pattern_text);
}

static bool same_string(const json_t *a, const json_t *b)
{
    return json_is_string(a) && json_is_string(b) &&
           json_string_length(a) == json_string_length(b) &&
           memcmp(json_string_value(a), json_string_value(b), json_string_length(a)) == 0;
}

static void check_array(struct check *check, const struct api_schema *schema, const json_t *value,
                        const struct place *place)
{
    size_t size = json_array_size(value);
    if (size < schema->min_size || size > schema->max_size) {
        refuse(check, place, schema->limits_text);
        return;
    }
    if (schema->items == check->skipped)
        return;
    for (size_t i = 0; i < size && !is_full(check); i++) {
        const json_t *element = json_array_get(value, i);
        struct place here = {.up = place, .index = i};
        check_value(check, schema->items, element, &here);
        for (size_t j = 0; schema->unique && j < i; j++) {
            if (same_string(json_array_get(value, j), element)) {
                refuse(check, &here, "expected an element that differs from those before it");
                break;
            }
        }
    }
}

static bool has_member(const struct api_schema *schema, const char *name)
{
    for (size_t i = 0; i < schema->property_count; i++) {
        if (strcmp(schema->properties[i].name, name) == 0)
            return true;
    }
    return false;
}

static void check_object(struct check *check, const struct api_schema *schema, const json_t *value,
                         const struct place *place)
{
    size_t known = 0;
    for (size_t i = 0; i < schema->property_count && !is_full(check); i++) {
        const struct api_property *property = &schema->properties[i];
        const json_t *member = json_object_get(value, property->name);
        if (member != NULL) {
            struct place here = {.up = place, .member = property->name};
            known++;
            check_value(check, property->schema, member, &here);
        } else if (property->required) {
            refuse_member(check, place, property->name, "expected this member, which is required");
        }
    }
    if (known == json_object_size(value) || is_full(check))
        return;
    const char *name;
    json_t *member;
    json_object_foreach((json_t *)value, name, member)
    {
        if (!has_member(schema, name))
            refuse_member(check, place, name, schema->members_text);
    }
}

/* The branch that a value is to be checked against; NULL, with an error, if there is none. One
 * branch is chosen first so that the errors are those of what the client meant. */
static const struct api_schema *choose(struct check *check, const struct api_schema *schema,
                                       const json_t *value, const struct place *place)
{
    if (schema->choice == API_CHOICE_MEMBER) {
        for (size_t i = 0; i < schema->branch_count; i++) {
            if (json_object_get(value, schema->branches[i].member) != NULL)
                return schema->branches[i].schema;
        }
        refuse(check, place, schema->choice_text);
        return NULL;
    }
    const json_t *chosen = json_object_get(value, schema->choice_member);
    if (chosen == NULL && schema->default_branch < schema->branch_count)
        return schema->branches[schema->default_branch].schema;
    for (size_t i = 0; json_is_string(chosen) && i < schema->branch_count; i++) {
        const struct api_branch *branch = &schema->branches[i];
        if (api_text_listed(branch->words, branch->word_count, json_string_value(chosen),
                            json_string_length(chosen)))
            return branch->schema;
    }
    refuse_member(check, place, schema->choice_member, schema->choice_text);
    return NULL;
}

static void check_value(struct check *check, const struct api_schema *schema, const json_t *value,
                        const struct place *place)
{
    if ((1u << json_typeof(value) & schema->types) == 0) {
        refuse(check, place, schema->type_text);
        return;
    }
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        if (schema->choice != API_CHOICE_NONE)
            schema = choose(check, schema, value, place);
        if (schema != NULL)
            check_object(check, schema, value, place);
        break;
    case JSON_ARRAY:
        check_array(check, schema, value, place);
        break;
    case JSON_STRING:
        check_string(check, schema, value, place);
        break;
    case JSON_INTEGER:
        if (schema->has_range && (json_integer_value(value) < schema->minimum ||
                                  json_integer_value(value) > schema->maximum))
            refuse(check, place, schema->limits_text);
        break;
    case JSON_REAL:
    case JSON_TRUE:
    case JSON_FALSE:
    case JSON_NULL:
        break;
    }
}

/* Runs one check and says whether it added an error. */
static enum ct_status run(const struct api_schema *schema, const json_t *value,
                          const struct place *place, const struct api_schema *skipped,
                          struct api_field_errors *errors)
{
    unsigned before = errors->count;
    struct check check = {.errors = errors, .skipped = skipped};
    if (before >= API_FIELD_ERRORS_MAX)
        return CT_BAD_INPUT;
    check_value(&check, schema, value, place);
    return errors->count == before ? CT_OK : CT_BAD_INPUT;
}

static enum ct_status refuse_alone(struct api_field_errors *errors, const struct place *place,
                                   const char *expected)
{
    refuse(&(struct check){.errors = errors}, place, expected);
    return CT_BAD_INPUT;
}

enum ct_status api_validate_value(const struct api_schema *schema, const json_t *value,
                                  struct api_field_errors *errors)
{
    return run(schema, value, NULL, NULL, errors);
}

enum ct_status api_validate_body(enum api_operation operation, const json_t *body,
                                 struct api_field_errors *errors)
{
    const struct api_intake *intake = &api_intakes[operation];
    if (intake->body == NULL)
        return refuse_alone(errors, NULL, "expected no body");
    return run(intake->body, body, NULL, NULL, errors);
}

enum ct_status api_validate_envelope(enum api_operation operation, const json_t *body,
                                     struct api_field_errors *errors)
{
    const struct api_intake *intake = &api_intakes[operation];
    if (intake->body == NULL)
        return refuse_alone(errors, NULL, "expected no body");
    return run(intake->body, body, NULL, intake->rows, errors);
}

enum ct_status api_validate_row(enum api_operation operation, const json_t *row, size_t index,
                                struct api_field_errors *errors)
{
    const struct api_intake *intake = &api_intakes[operation];
    if (intake->rows == NULL)
        return refuse_alone(errors, NULL, "expected no rows");
    struct place rows = {.member = api_routes[operation].rows};
    struct place here = {.up = &rows, .index = index};
    return run(intake->rows, row, &here, NULL, errors);
}

/* ---- query, path, header ------------------------------------------------------------------ */

/* Makes a JSON value of a parameter's text, as its schema wants it. */
static enum ct_status type_text(const struct api_schema *schema, const char *text, json_t **ret)
{
    size_t length = strlen(text);
    int64_t number;
    if (!api_text_is_utf8(text, length))
        return CT_BAD_INPUT;
    if ((schema->types & API_TYPE_INTEGER) == 0)
        *ret = json_stringn(text, length);
    else if (api_text_integer(text, length, &number))
        *ret = json_integer(number);
    else
        return CT_BAD_INPUT;
    return *ret != NULL ? CT_OK : CT_NO_MEMORY;
}

/* Types and checks one parameter and puts it into object. */
static enum ct_status take_parameter(const struct api_property *property, const char *text,
                                     const struct place *group, json_t *object,
                                     struct api_field_errors *errors)
{
    struct place here = {.up = group, .member = property->name};
    json_t *value = NULL;
    enum ct_status status = type_text(property->schema, text, &value);
    if (status == CT_BAD_INPUT) {
        const char *expected = property->schema->limits_text;
        return refuse_alone(errors, &here,
                            expected != NULL ? expected : property->schema->words_text);
    }
    if (status == CT_OK)
        status = run(property->schema, value, &here, NULL, errors);
    if (status != CT_OK) {
        json_decref(value);
        return status;
    }
    return json_object_set_new(object, property->name, value) == 0 ? CT_OK : CT_NO_MEMORY;
}

static const struct api_property *find_parameter(const struct api_intake *intake, const char *name,
                                                 size_t *ret_index)
{
    for (size_t i = 0; i < intake->query_count; i++) {
        if (strcmp(intake->query[i].name, name) == 0) {
            *ret_index = i;
            return &intake->query[i];
        }
    }
    return NULL;
}

enum ct_status api_validate_query(enum api_operation operation, const char *const *names,
                                  const char *const *values, size_t count, json_t **ret,
                                  struct api_field_errors *errors)
{
    const struct api_intake *intake = &api_intakes[operation];
    const struct place group = {.member = "query"};
    json_t *object = json_object();
    enum ct_status status = object != NULL ? CT_OK : CT_NO_MEMORY;
    uint32_t seen = 0; /* api/generate allows 16 parameters */
    for (size_t i = 0; i < count && status != CT_NO_MEMORY && errors->count < API_FIELD_ERRORS_MAX;
         i++) {
        size_t index = 0;
        const struct api_property *property = find_parameter(intake, names[i], &index);
        struct place here = {.up = &group, .member = names[i]};
        enum ct_status one;
        if (property == NULL)
            one = refuse_alone(errors, &here, "expected a parameter that this operation has");
        else if ((seen >> index & 1) != 0)
            one = refuse_alone(errors, &here, "expected this parameter once");
        else
            one = take_parameter(property, values[i], &group, object, errors);
        if (property != NULL)
            seen |= UINT32_C(1) << index;
        if (one != CT_OK)
            status = one;
    }
    for (size_t i = 0; status != CT_NO_MEMORY && i < intake->query_count; i++) {
        struct place here = {.up = &group, .member = intake->query[i].name};
        if (intake->query[i].required && (seen >> i & 1) == 0)
            status = refuse_alone(errors, &here, "expected this parameter, which is required");
    }
    if (status == CT_OK)
        *ret = object;
    else
        json_decref(object);
    return status;
}

enum ct_status api_validate_path(enum api_operation operation, const char *const *values,
                                 size_t count, json_t **ret, struct api_field_errors *errors)
{
    const struct api_intake *intake = &api_intakes[operation];
    const struct place group = {.member = "path"};
    json_t *object = json_object();
    enum ct_status status = object != NULL ? CT_OK : CT_NO_MEMORY;
    if (count != intake->path_count && status == CT_OK)
        status = refuse_alone(errors, &group, "expected the parameters of the path");
    for (size_t i = 0; i < count && status == CT_OK; i++)
        status = take_parameter(&intake->path[i], values[i], &group, object, errors);
    if (status == CT_OK)
        *ret = object;
    else
        json_decref(object);
    return status;
}

enum api_error api_validate_idempotency_key(enum api_operation operation, const char *key,
                                            struct api_field_errors *errors)
{
    const struct api_schema *schema = &api_idempotency_key_schema;
    switch ((enum api_idempotency)api_routes[operation].idempotency) {
    case API_IDEMPOTENCY_NONE:
        return API_ERROR_NONE;
    case API_IDEMPOTENCY_REFUSED:
        return key == NULL ? API_ERROR_NONE : API_ERROR_IDEMPOTENCY_KEY_REFUSED;
    case API_IDEMPOTENCY_REQUIRED:
        if (key == NULL)
            return API_ERROR_IDEMPOTENCY_KEY_REQUIRED;
        break;
    case API_IDEMPOTENCY_ACCEPTED:
        if (key == NULL)
            return API_ERROR_NONE;
        break;
    }
    size_t length = strlen(key);
    const struct place group = {.member = "header"};
    const struct place here = {.up = &group, .member = "Idempotency-Key"};
    const char *expected = NULL;
    if (!api_text_size(key, length, schema->min_size, schema->max_size))
        expected = schema->limits_text;
    else if (!api_text_matches(schema->pattern, key, length))
        expected = schema->pattern_text;
    if (expected == NULL)
        return API_ERROR_NONE;
    (void)refuse_alone(errors, &here, expected);
    return API_ERROR_INVALID_REQUEST;
}
