// SPDX-License-Identifier: Apache-2.0
#include "api/api.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* The purchaser as one document under the current key, for this sale alone, in hex. */
static char *seal(const struct api_context *context, const uint8_t sale[CT_UUID_BYTES],
                  const json_t *purchaser)
{
    char *hex = NULL;
    char *plain = ct_json_text(purchaser);
    if (plain == NULL)
        return NULL;
    size_t length = strlen(plain);
    uint8_t *sealed = malloc(length + AUTH_PURCHASER_OVERHEAD);
    if (sealed != NULL)
        hex = malloc(2 * (length + AUTH_PURCHASER_OVERHEAD) + 1);
    if (hex != NULL) {
        auth_purchaser_seal(context->keyring, sale, plain, length, sealed);
        ct_hex_encode(sealed, length + AUTH_PURCHASER_OVERHEAD, hex);
    }
    sodium_memzero(plain, length);
    free(plain);
    free(sealed);
    return hex;
}

/* SQL never sees the purchaser: it gets the sealed document and who it is for. */
static void create_before(struct api_context *context, struct api_request *request)
{
    uint8_t sale[CT_UUID_BYTES];
    char sale_text[CT_UUID_TEXT];
    json_t *body = json_copy(request->body);
    json_t *purchaser = json_copy(json_object_get(request->body, "purchaser"));
    const char *kind = ct_json_string(purchaser, "kind");
    if (kind == NULL) {
        kind = "person";
        (void)json_object_set_new(purchaser, "kind", json_string(kind));
    }
    randombytes_buf(sale, sizeof sale);
    ct_uuid_format(sale, sale_text);
    (void)json_object_del(body, "purchaser");
    char *hex = seal(context, sale, purchaser);
    request->input =
        json_pack("{s:o, s:s, s:s*, s:s, s:s}", "body", body, "sale_id", sale_text, "sealed", hex,
                  "seal_key", auth_keyring_purchaser_key(context->keyring), "purchaser_kind", kind);
    if (hex == NULL || request->input == NULL)
        api_refuse(request, API_ERROR_INTERNAL, NULL, "out of memory");
    json_decref(purchaser);
    free(hex);
}

const struct api_handler api_sales_create = {
    .before = create_before,
    .start = api_generic_start,
    .finish = api_generic_finish,
};
