// SPDX-License-Identifier: Apache-2.0
/* Entries of the log as auditors read them. */
#include "api/api.h"
#include "api/log.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT_PATH "/v1/log/export"
#define EXPORT_LINES 1000 /* of a page, where nothing else is asked */

static void add_token(struct api_request *request, const uint8_t token[AUTH_TOKEN_BYTES])
{
    char hex[2 * AUTH_TOKEN_BYTES + 1];
    ct_hex_encode(token, AUTH_TOKEN_BYTES, hex);
    if (request->input == NULL)
        request->input = json_object();
    if (json_object_set_new(request->input, "token", json_string(hex)) != 0)
        api_refuse(request, API_ERROR_INTERNAL, NULL, "out of memory");
}

/* ---- GET /v1/log/entries ----------------------------------------------------------------------
 */

static void list_before(struct api_context *context, struct api_request *request)
{
    const char *firearm = ct_json_string(request->query, "firearm");
    uint8_t id[CT_UUID_BYTES];
    uint8_t token[AUTH_TOKEN_BYTES];
    if (firearm == NULL)
        return;
    if (ct_hex_decode(firearm + 4, strlen(firearm + 4), id, sizeof id) != CT_OK) {
        api_refuse(request, API_ERROR_INVALID_REQUEST, "/query/firearm", "not a firearm's id");
        return;
    }
    auth_token(context->keyring, AUTH_TOKEN_FIREARM, id, token);
    add_token(request, token);
}

const struct api_handler api_log_list = {
    .before = list_before,
    .start = api_generic_start,
    .finish = api_generic_finish,
};

/* ---- what is sealed ---------------------------------------------------------------------------
 */

/* The plain text of a sealed column given in hex, or NULL: expunged, or the seal is broken. */
static char *open_part(struct api_context *context, struct api_request *request,
                       const json_t *entry, enum auth_subject_part part, const char *member,
                       size_t *ret_length)
{
    const char *hex = ct_json_string(entry, member);
    const char *batch_text = ct_json_string(entry, "batch_id");
    const json_t *first = json_object_get(json_object_get(entry, "batch"), "first");
    json_int_t ordinal =
        json_integer_value(json_object_get(entry, "index")) - json_integer_value(first) + 1;
    uint8_t batch[CT_UUID_BYTES];
    char *plain = NULL;
    if (hex == NULL)
        return NULL;
    size_t length = strlen(hex) / 2;
    uint8_t *sealed = malloc(length + 1);
    if (sealed != NULL && length > AUTH_SUBJECT_OVERHEAD)
        plain = malloc(length - AUTH_SUBJECT_OVERHEAD + 1);
    if (plain == NULL || batch_text == NULL || ct_uuid_parse(batch_text, batch) != CT_OK ||
        ct_hex_decode(hex, 2 * length, sealed, length) != CT_OK ||
        auth_subject_open(context->keyring, part, batch, (uint32_t)ordinal, sealed, length,
                          (uint8_t *)plain, ret_length) != CT_OK) {
        request->seal_broken = true;
        free(plain);
        plain = NULL;
    }
    free(sealed);
    return plain;
}

/* The subject and its salt in the clear, as members of json. */
static void add_subject(struct api_context *context, struct api_request *request,
                        const json_t *entry, json_t *json)
{
    size_t length = 0;
    char *subject = open_part(context, request, entry, AUTH_SUBJECT, "subject_sealed", &length);
    (void)json_object_set_new(json, "subject",
                              subject == NULL ? json_null() : json_stringn(subject, length));
    char *salt =
        open_part(context, request, entry, AUTH_SUBJECT_SALT, "subject_salt_sealed", &length);
    if (salt != NULL && length == ACCESSLOG_SALT_BYTES) {
        char hex[2 * ACCESSLOG_SALT_BYTES + 1];
        ct_hex_encode((const uint8_t *)salt, length, hex);
        (void)json_object_set_new(json, "subject_salt", json_string(hex));
    } else {
        (void)json_object_set_new(json, "subject_salt", json_null());
    }
    free(subject);
    free(salt);
}

/* ---- GET /v1/log/entries/{index} --------------------------------------------------------------
 */

static void entry_before(struct api_context *context, struct api_request *request)
{
    uint8_t token[AUTH_TOKEN_BYTES];
    const json_t *index = json_object_get(request->path, "index");
    uint64_t number = json_is_integer(index) ? (uint64_t)json_integer_value(index)
                                             : strtoull(json_string_value(index), NULL, 10);
    auth_token_entry(context->keyring, number, token);
    add_token(request, token);
}

static enum ct_status entry_finish(struct api_context *context, struct store *store,
                                   struct api_request **requests, size_t count,
                                   const struct store_result *result, struct ct_error *err)
{
    enum ct_status status = api_generic_finish(context, store, requests, count, result, err);
    for (size_t i = 0; i < count && status == CT_OK; i++) {
        struct api_request *request = requests[i];
        json_t *receipt = NULL;
        if (request->error != API_ERROR_NONE)
            continue;
        request->read_first =
            (uint64_t)json_integer_value(json_object_get(request->answer, "index"));
        request->read_count = 1;
        status = api_log_receipt_of(context, store, request->answer, &receipt, err);
        if (status == CT_OK && json_object_set_new(request->answer, "proof",
                                                   receipt == NULL ? json_null() : receipt) != 0)
            status = CT_NO_MEMORY;
    }
    return status;
}

static json_t *entry_render(struct api_context *context, struct api_request *request,
                            const struct api_receipt *receipt)
{
    (void)receipt;
    json_t *answer = json_copy(request->answer);
    add_subject(context, request, request->answer, answer);
    (void)json_object_del(answer, "subject_sealed");
    (void)json_object_del(answer, "subject_salt_sealed");
    (void)json_object_del(answer, "batch_id");
    return answer;
}

const struct api_handler api_log_entry = {
    .before = entry_before,
    .start = api_generic_start,
    .finish = entry_finish,
    .render = entry_render,
};

/* ---- GET /v1/log/export -----------------------------------------------------------------------
 */

/* Only what a signed checkpoint covers: whoever has the export can have all of it proved. */
static void export_before(struct api_context *context, struct api_request *request)
{
    request->input = json_pack("{s:I}", "complete_to", (json_int_t)context->checkpoint_size);
    if (request->input == NULL)
        api_refuse(request, API_ERROR_INTERNAL, NULL, "out of memory");
}

static enum ct_status export_finish(struct api_context *context, struct store *store,
                                    struct api_request **requests, size_t count,
                                    const struct store_result *result, struct ct_error *err)
{
    enum ct_status status = api_generic_finish(context, store, requests, count, result, err);
    for (size_t i = 0; i < count && status == CT_OK; i++) {
        struct api_request *request = requests[i];
        if (request->error != API_ERROR_NONE)
            continue;
        request->read_first = (uint64_t)json_integer_value(json_object_get(request->query, "from"));
        request->read_count = (uint32_t)json_array_size(json_object_get(request->answer, "lines"));
    }
    return status;
}

static void write_line(struct api_context *context, struct api_request *request,
                       const json_t *entry, struct ct_buf *out)
{
    static const char *const members[] = {"d_subject", "header", "header_salt", "index",
                                          "leaf_hash"};
    json_t *line = json_object();
    for (size_t i = 0; i < CT_ARRAY_LENGTH(members); i++)
        (void)json_object_set(line, members[i], json_object_get(entry, members[i]));
    add_subject(context, request, entry, line);
    char *text = line == NULL ? NULL : ct_json_text(line);
    if (text == NULL)
        out->failed = true;
    else
        (void)ct_buf_append(out, text, strlen(text));
    (void)ct_buf_append(out, "\n", 1);
    free(text);
    json_decref(line);
}

static struct api_header *next_header(struct api_request *request, const char *name)
{
    struct api_header *header = &request->headers[request->header_count++];
    header->name = name;
    return header;
}

static void add_digest(struct api_request *request, const struct ct_buf *body)
{
    uint8_t digest[crypto_hash_sha256_BYTES];
    char text[sodium_base64_ENCODED_LEN(sizeof digest, sodium_base64_VARIANT_ORIGINAL)];
    struct api_header *header = next_header(request, "Content-Digest");
    (void)crypto_hash_sha256(digest, body->data, body->length);
    (void)sodium_bin2base64(text, sizeof text, digest, sizeof digest,
                            sodium_base64_VARIANT_ORIGINAL);
    (void)snprintf(header->value, sizeof header->value, "sha-256=:%s:", text);
}

static bool export_text(struct api_context *context, struct api_request *request,
                        const struct api_receipt *receipt, struct ct_buf *out)
{
    size_t index;
    json_t *entry;
    const json_t *limit = json_object_get(request->query, "limit");
    json_int_t complete_to = json_integer_value(json_object_get(request->input, "complete_to"));
    uint64_t next = request->read_first + request->read_count;
    (void)receipt;
    json_array_foreach(json_object_get(request->answer, "lines"), index, entry)
    {
        write_line(context, request, entry, out);
    }
    request->header_count = 0;
    add_digest(request, out);
    struct api_header *header = next_header(request, "Log-Complete-To");
    (void)snprintf(header->value, sizeof header->value, "%" JSON_INTEGER_FORMAT, complete_to);
    if (next < (uint64_t)complete_to) {
        header = next_header(request, "Link");
        (void)snprintf(header->value, sizeof header->value,
                       "<" EXPORT_PATH "?from=%" PRIu64 "&limit=%" JSON_INTEGER_FORMAT
                       ">; rel=\"next\"",
                       next, limit == NULL ? EXPORT_LINES : json_integer_value(limit));
    }
    return true;
}

/* Only where the text could not be made: an answer without its body is none. */
static json_t *export_render(struct api_context *context, struct api_request *request,
                             const struct api_receipt *receipt)
{
    (void)context;
    (void)request;
    (void)receipt;
    return NULL;
}

const struct api_handler api_log_export = {
    .before = export_before,
    .start = api_generic_start,
    .finish = export_finish,
    .render_text = export_text,
    .render = export_render,
    .bulk = true,
};
