// SPDX-License-Identifier: Apache-2.0
#include "api/exhibits.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define MEMBERS_MAX 64 /* of one object in a specimen */
#define REVISED_MAX (8u << 20)
#define CHOICE_READ 4 /* more characters than these in a choice, and it counts as not read */

/* ---- what was read, in one way of writing it ------------------------------------------------ */

static void add_bytes(crypto_generichash_state *state, char kind, const void *bytes, size_t length)
{
    uint8_t head[5] = {(uint8_t)kind, (uint8_t)(length >> 24), (uint8_t)(length >> 16),
                       (uint8_t)(length >> 8), (uint8_t)length};
    (void)crypto_generichash_update(state, head, sizeof head);
    (void)crypto_generichash_update(state, bytes, length);
}

/* A reading written with other blanks or in small letters is the same reading. */
static void add_reading(crypto_generichash_state *state, const char *text)
{
    char plain[512];
    size_t length = 0;
    for (; *text != '\0' && length < sizeof plain; text++) {
        char c = *text;
        if (c == ' ' || c == '-')
            continue;
        plain[length++] = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
    }
    add_bytes(state, 'r', plain, length);
}

static void add_value(crypto_generichash_state *state, const json_t *value, unsigned depth);

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void add_object(crypto_generichash_state *state, const json_t *object, unsigned depth)
{
    const char *names[MEMBERS_MAX];
    size_t count = 0;
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)object, name, value)
    {
        /* The number is what the reading is kept under, and no part of it. */
        if (count < MEMBERS_MAX && (depth > 0 || strcmp(name, "exhibit") != 0))
            names[count++] = name;
    }
    qsort(names, count, sizeof names[0], compare_names);
    add_bytes(state, '{', NULL, 0);
    for (size_t i = 0; i < count; i++) {
        value = json_object_get(object, names[i]);
        add_bytes(state, 'n', names[i], strlen(names[i]));
        if (json_is_string(value) &&
            (strcmp(names[i], "reading") == 0 || strcmp(names[i], "gear") == 0))
            add_reading(state, json_string_value(value));
        else
            add_value(state, value, depth + 1);
    }
    add_bytes(state, '}', NULL, 0);
}

static void add_value(crypto_generichash_state *state, const json_t *value, unsigned depth)
{
    size_t index;
    json_t *element;
    if (json_is_object(value)) {
        add_object(state, value, depth);
    } else if (json_is_array(value)) {
        add_bytes(state, '[', NULL, 0);
        json_array_foreach(value, index, element)
        {
            add_value(state, element, depth + 1);
        }
        add_bytes(state, ']', NULL, 0);
    } else if (json_is_string(value)) {
        add_bytes(state, 's', json_string_value(value), json_string_length(value));
    } else if (json_is_number(value)) {
        double number = json_number_value(value);
        add_bytes(state, '0', &number, sizeof number);
    } else {
        add_bytes(state, json_is_true(value) ? 't' : 'f', NULL, 0);
    }
}

/* No character of it is likelier than it would be in a choice that counts as not read. */
static bool is_unread(const json_t *position)
{
    const char *name;
    json_t *weight;
    double most = 0;
    json_object_foreach((json_t *)position, name, weight)
    {
        most = json_number_value(weight) > most ? json_number_value(weight) : most;
    }
    return most * (CHOICE_READ + 1) <= 1.0;
}

/* Positions of a mark that say nothing, or next to nothing: a choice of many is a way to try. */
static int unread_of(const json_t *mark)
{
    const char *reading = ct_json_string(mark, "reading");
    int unread = 0;
    size_t index;
    json_t *position;
    for (; reading != NULL && *reading != '\0'; reading++) {
        size_t choice = *reading == '[' ? strcspn(reading + 1, "]") : 0;
        unread += *reading == '?' || choice > CHOICE_READ;
        reading += choice;
    }
    json_array_foreach(json_object_get(mark, "positions"), index, position)
    {
        unread += is_unread(position);
    }
    return unread;
}

static struct api_exhibit *exhibit_of(struct api_request *request, const char *name, bool *ret_new)
{
    for (size_t i = 0; i < request->exhibit_count; i++) {
        if (strcmp(request->exhibits[i].name, name) == 0)
            return &request->exhibits[i];
    }
    *ret_new = true;
    if (request->exhibit_count == API_EXHIBITS_MAX)
        return NULL;
    struct api_exhibit *exhibit = &request->exhibits[request->exhibit_count++];
    *exhibit = (struct api_exhibit){.name = name};
    return exhibit;
}

void api_exhibits_read(struct api_request *request, const json_t *specimens)
{
    size_t index;
    json_t *specimen;
    request->exhibit_count = 0;
    request->unread = 0;
    json_array_foreach(specimens, index, specimen)
    {
        crypto_generichash_state state;
        bool is_new = false;
        size_t number;
        json_t *mark;
        const char *name = ct_json_string(specimen, "exhibit");
        struct api_exhibit *exhibit = name == NULL ? NULL : exhibit_of(request, name, &is_new);
        json_array_foreach(json_object_get(specimen, "marks"), number, mark)
        {
            int unread = unread_of(mark);
            if (unread > request->unread)
                request->unread = unread;
        }
        if (exhibit == NULL)
            continue;
        (void)crypto_generichash_init(&state, NULL, 0, sizeof exhibit->digest);
        if (!is_new)
            add_bytes(&state, 'd', exhibit->digest, sizeof exhibit->digest);
        add_value(&state, specimen, 0);
        (void)crypto_generichash_final(&state, exhibit->digest, sizeof exhibit->digest);
    }
}

/* ---- looked up --------------------------------------------------------------------------------
 */

enum ct_status api_exhibits_look(struct api_context *context, struct store *store,
                                 const uint8_t batch[CT_UUID_BYTES], struct api_request **requests,
                                 size_t count)
{
    (void)context;
    (void)batch;
    struct store_params params;
    store_params_init(&params);
    store_array_open(&params, STORE_UUID);
    for (size_t i = 0; i < count; i++) {
        for (size_t e = 0; e < requests[i]->exhibit_count; e++)
            store_element_bytes(&params, requests[i]->identity.organization, CT_UUID_BYTES);
    }
    store_array_close(&params);
    store_array_open(&params, STORE_TEXT);
    for (size_t i = 0; i < count; i++) {
        for (size_t e = 0; e < requests[i]->exhibit_count; e++)
            store_element_text(&params, requests[i]->case_number);
    }
    store_array_close(&params);
    store_array_open(&params, STORE_TEXT);
    for (size_t i = 0; i < count; i++) {
        for (size_t e = 0; e < requests[i]->exhibit_count; e++)
            store_element_text(&params, requests[i]->exhibits[e].name);
    }
    store_array_close(&params);
    enum ct_status status = store_queue(store, API_SQL_trace_exhibits, &params);
    store_params_free(&params);
    return status;
}

enum column { COLUMN_PLACE, COLUMN_DIGEST };

enum ct_status api_exhibits_seen(struct api_request **requests, size_t count,
                                 const struct store_result *result)
{
    size_t rows = store_rows(result);
    if (rows == 0)
        return CT_OK;
    size_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += requests[i]->exhibit_count;
    struct api_request **owner = calloc(total + 1, sizeof(struct api_request *));
    struct api_exhibit **exhibit = calloc(total + 1, sizeof(struct api_exhibit *));
    enum ct_status status = owner == NULL || exhibit == NULL ? CT_NO_MEMORY : CT_OK;
    for (size_t i = 0, place = 0; i < count && status == CT_OK; i++) {
        for (size_t e = 0; e < requests[i]->exhibit_count; e++, place++) {
            owner[place] = requests[i];
            exhibit[place] = &requests[i]->exhibits[e];
        }
    }
    for (size_t row = 0; row < rows && status == CT_OK; row++) {
        size_t place = (size_t)store_get_int(result, row, COLUMN_PLACE) - 1;
        size_t length;
        const uint8_t *digest = store_get_bytes(result, row, COLUMN_DIGEST, &length);
        if (place >= total || digest == NULL)
            continue;
        exhibit[place]->locked = true;
        if (length != sizeof exhibit[place]->digest ||
            memcmp(digest, exhibit[place]->digest, length) != 0)
            owner[place]->version.after_answer = true;
    }
    free(owner);
    free(exhibit);
    return status;
}

/* ---- recorded ---------------------------------------------------------------------------------
 */

static void write_uuid(struct ct_buf *out, const char *name, const uint8_t uuid[CT_UUID_BYTES])
{
    char hex[2 * CT_UUID_BYTES + 1];
    ct_hex_encode(uuid, CT_UUID_BYTES, hex);
    ct_json_write_text(out, name, hex);
}

static bool is_revised(const struct api_request *request)
{
    return request->version.number > 0 || request->version.after_answer;
}

/* NULL when none of them is; few batches have any. */
static enum ct_status revised_text(struct api_request **requests, size_t count, char **ret)
{
    struct ct_buf out;
    bool any = false;
    *ret = NULL;
    for (size_t i = 0; i < count; i++)
        any = any || is_revised(requests[i]);
    if (!any)
        return CT_OK;
    ct_buf_init(&out, REVISED_MAX);
    ct_json_write_open(&out, NULL, '[');
    for (size_t i = 0; i < count; i++) {
        const struct api_version *version = &requests[i]->version;
        if (!is_revised(requests[i]))
            continue;
        ct_json_write_open(&out, NULL, '{');
        ct_json_write_int(&out, "place", (int64_t)i + 1);
        if (version->number > 0) {
            write_uuid(&out, "root", version->root);
            ct_json_write_int(&out, "version", version->number);
            write_uuid(&out, "supersedes", version->supersedes);
            ct_json_write_text(&out, "reason", version->reason);
        }
        ct_json_write_bool(&out, "after_answer", version->after_answer);
        if (version->withheld != NULL) {
            write_uuid(&out, "withheld_sale", version->withheld_sale);
            ct_json_write_raw(&out, "withheld", version->withheld);
        }
        ct_json_write_close(&out, '}');
    }
    ct_json_write_close(&out, ']');
    *ret = ct_json_write_end(&out);
    return *ret == NULL ? CT_NO_MEMORY : CT_OK;
}

enum lock_member { LOCK_TRACE, LOCK_ORGANIZATION, LOCK_CASE, LOCK_EXHIBIT, LOCK_DIGEST };

static void add_lock(struct store_params *params, const struct api_request *request,
                     const struct api_exhibit *exhibit, enum lock_member member)
{
    switch (member) {
    case LOCK_TRACE:
        store_element_bytes(params, request->resource, CT_UUID_BYTES);
        break;
    case LOCK_ORGANIZATION:
        store_element_bytes(params, request->identity.organization, CT_UUID_BYTES);
        break;
    case LOCK_CASE:
        store_element_text(params, request->case_number);
        break;
    case LOCK_EXHIBIT:
        store_element_text(params, exhibit->name);
        break;
    case LOCK_DIGEST:
        store_element_bytes(params, exhibit->digest, sizeof exhibit->digest);
        break;
    }
}

enum ct_status api_exhibits_record(struct store_params *params, struct api_request **requests,
                                   size_t count)
{
    static const enum store_type types[] = {
        [LOCK_TRACE] = STORE_UUID,   [LOCK_ORGANIZATION] = STORE_UUID, [LOCK_CASE] = STORE_TEXT,
        [LOCK_EXHIBIT] = STORE_TEXT, [LOCK_DIGEST] = STORE_BYTEA,
    };
    char *revised;
    enum ct_status status = revised_text(requests, count, &revised);
    store_array_open(params, STORE_INT);
    for (size_t i = 0; i < count; i++)
        store_element_int(params, requests[i]->unread);
    store_array_close(params);
    for (unsigned member = 0; member < CT_ARRAY_LENGTH(types); member++) {
        store_array_open(params, types[member]);
        for (size_t i = 0; i < count; i++) {
            for (size_t e = 0; e < requests[i]->exhibit_count; e++) {
                if (!requests[i]->exhibits[e].locked)
                    add_lock(params, requests[i], &requests[i]->exhibits[e],
                             (enum lock_member)member);
            }
        }
        store_array_close(params);
    }
    store_param_text(params, revised);
    free(revised);
    return status;
}
