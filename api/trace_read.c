// SPDX-License-Identifier: Apache-2.0
#include "api/traces.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

bool api_sealed_set(struct api_sealed *sealed, const uint8_t sale[CT_UUID_BYTES], const char *key,
                    const uint8_t *bytes, size_t length)
{
    size_t key_length = strlen(key);
    if (key_length >= sizeof sealed->key)
        return false;
    sealed->bytes = malloc(length == 0 ? 1 : length);
    if (sealed->bytes == NULL)
        return false;
    memcpy(sealed->bytes, bytes, length);
    sealed->length = length;
    memcpy(sealed->key, key, key_length + 1);
    memcpy(sealed->sale, sale, CT_UUID_BYTES);
    return true;
}

char *api_sealed_open(const struct api_context *context, const struct api_sealed *sealed,
                      size_t *ret_length)
{
    if (sealed->bytes == NULL || sealed->length < AUTH_PURCHASER_OVERHEAD)
        return NULL;
    size_t room = sealed->length - AUTH_PURCHASER_OVERHEAD;
    char *plain = malloc(room + 1);
    if (plain == NULL)
        return NULL;
    if (auth_purchaser_open(context->keyring, sealed->key, sealed->sale, sealed->bytes,
                            sealed->length, (uint8_t *)plain, ret_length) != CT_OK) {
        sodium_memzero(plain, room + 1);
        free(plain);
        return NULL;
    }
    return plain;
}

static json_t *open_purchaser(const struct api_context *context, const struct api_sealed *sealed)
{
    size_t length = 0;
    char *plain = api_sealed_open(context, sealed, &length);
    if (plain == NULL)
        return NULL;
    json_t *purchaser = json_loadb(plain, length, JSON_REJECT_DUPLICATES, NULL);
    sodium_memzero(plain, length);
    free(plain);
    return purchaser;
}

static void disclose(struct api_context *context, struct api_request *request, json_t *candidate,
                     const struct api_sealed *sealed)
{
    json_t *shown = json_object_get(candidate, "first_purchaser");
    if (!json_is_true(json_object_get(shown, "disclosed")))
        return;
    json_t *purchaser = sealed->bytes == NULL ? NULL : open_purchaser(context, sealed);
    if (purchaser != NULL) {
        (void)json_object_update_missing(shown, purchaser);
        json_decref(purchaser);
        return;
    }
    request->seal_broken = sealed->bytes != NULL; /* none at all: expunged by authority */
    (void)json_object_set_new(candidate, "first_purchaser",
                              json_pack("{s:b, s:s}", "disclosed", 0, "reason",
                                        sealed->bytes == NULL ? "expunged" : "seal_broken"));
}

json_t *api_trace_render(struct api_context *context, struct api_request *request,
                         json_t *answer_take, const struct api_sealed *sealed,
                         const struct api_receipt *receipt)
{
    json_t *candidate = json_array_get(json_object_get(answer_take, "candidates"), 0);
    if (candidate != NULL)
        disclose(context, request, candidate, sealed);
    json_t *shown = json_object();
    (void)ct_json_set(shown, "entry", json_integer((json_int_t)receipt->entry));
    (void)ct_json_set_text(shown, "tlog_proof", receipt->proof);
    (void)ct_json_set(answer_take, "receipt", shown);
    return answer_take;
}

/* ---- GET /v1/traces/{id}, and a trace repeated under its Idempotency-Key -----------------------
 */

static void sealed_free(void *own)
{
    struct api_sealed *sealed = own;
    free(sealed->bytes);
    free(sealed);
}

/* SQL answers {"answer", "sealed", "seal_key", "sale_id"}: the answer as recorded stays, what is
 * sealed is put aside. */
static enum ct_status take_sealed(struct api_request *request)
{
    json_t *from = request->answer;
    const char *hex = ct_json_string(from, "sealed");
    const char *key = ct_json_string(from, "seal_key");
    const char *sale_text = ct_json_string(from, "sale_id");
    uint8_t sale[CT_UUID_BYTES];
    struct api_sealed *sealed = calloc(1, sizeof *sealed);
    if (sealed == NULL)
        return CT_NO_MEMORY;
    request->own = sealed;
    request->own_free = sealed_free;
    if (hex != NULL && key != NULL && sale_text != NULL &&
        ct_uuid_parse(sale_text, sale) == CT_OK) {
        size_t length = strlen(hex) / 2;
        uint8_t *bytes = malloc(length == 0 ? 1 : length);
        bool copied = bytes != NULL && ct_hex_decode(hex, 2 * length, bytes, length) == CT_OK &&
                      api_sealed_set(sealed, sale, key, bytes, length);
        free(bytes);
        if (!copied)
            return CT_NO_MEMORY;
    }
    request->answer = json_incref(json_object_get(from, "answer"));
    json_decref(from);
    json_t *candidate = json_array_get(json_object_get(request->answer, "candidates"), 0);
    json_t *shown = json_object_get(candidate, "first_purchaser");
    request->disclosed =
        sealed->bytes != NULL && json_is_true(json_object_get(shown, "disclosed")) ? 1 : 0;
    request->candidates = (int)json_array_size(json_object_get(request->answer, "candidates"));
    return CT_OK;
}

enum ct_status api_trace_read_finish(struct api_context *context, struct store *store,
                                     struct api_request **requests, size_t count,
                                     const struct store_result *result, struct ct_error *err)
{
    enum ct_status status = api_generic_finish(context, store, requests, count, result, err);
    for (size_t i = 0; i < count && status == CT_OK; i++) {
        if (requests[i]->error == API_ERROR_NONE)
            status = take_sealed(requests[i]);
    }
    return status;
}

json_t *api_trace_read_render(struct api_context *context, struct api_request *request,
                              const struct api_receipt *receipt)
{
    return api_trace_render(context, request, json_incref(request->answer), request->own, receipt);
}

const struct api_handler api_traces_get = {
    .start = api_generic_start,
    .finish = api_trace_read_finish,
    .render = api_trace_read_render,
};
