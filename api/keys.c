// SPDX-License-Identifier: Apache-2.0
#include "api/api.h"

#include <sodium.h>
#include <stdlib.h>

/* A key between its making and its one showing. */
struct new_key {
    char text[AUTH_KEY_TEXT];
};

static void new_key_free(void *own)
{
    sodium_memzero(own, sizeof(struct new_key));
    free(own);
}

/* SQL gets the digest; the key itself exists here and in the one answer that shows it. */
static void create_before(struct api_context *context, struct api_request *request)
{
    uint8_t id[CT_UUID_BYTES];
    uint8_t digest[AUTH_DIGEST_BYTES];
    char id_text[CT_UUID_TEXT];
    char digest_text[2 * AUTH_DIGEST_BYTES + 1];
    struct new_key *key = calloc(1, sizeof *key);
    if (key == NULL) {
        api_refuse(request, API_ERROR_INTERNAL, NULL, "out of memory");
        return;
    }
    request->own = key;
    request->own_free = new_key_free;
    randombytes_buf(id, sizeof id);
    ct_uuid_format(id, id_text);
    auth_key_generate(context->keyring, key->text, digest);
    ct_hex_encode(digest, sizeof digest, digest_text);
    request->input = json_pack("{s:s, s:s}", "key_id", id_text, "key_digest", digest_text);
}

static json_t *create_render(struct api_context *context, struct api_request *request,
                             const struct api_receipt *receipt)
{
    (void)context;
    (void)receipt;
    const struct new_key *key = request->own;
    json_t *answer = json_copy(request->answer);
    if (json_object_set_new(answer, "key", json_string(key->text)) != 0) {
        json_decref(answer);
        return NULL;
    }
    return answer;
}

const struct api_handler api_keys_create = {
    .before = create_before,
    .start = api_generic_start,
    .finish = api_generic_finish,
    .render = create_render,
};
