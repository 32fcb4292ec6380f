// SPDX-License-Identifier: Apache-2.0
#include "store/store.h"

#include <assert.h>
#include <string.h>

/* The largest registration is 8 MiB of JSON; a batch of them does not share a lane. */
#define PARAMS_MAX (64u << 20)

void store_params_init(struct store_params *params)
{
    *params = (struct store_params){0};
    ct_buf_init(&params->bytes, PARAMS_MAX);
}

void store_params_reset(struct store_params *params)
{
    ct_buf_reset(&params->bytes);
    params->count = 0;
}

void store_params_free(struct store_params *params)
{
    ct_buf_free(&params->bytes);
    params->count = 0;
}

static void param_open(struct store_params *params)
{
    assert(params->count < STORE_PARAMS_MAX);
    params->offsets[params->count] = params->bytes.length;
    params->nulls[params->count] = false;
}

static void param_close(struct store_params *params)
{
    params->lengths[params->count] = params->bytes.length - params->offsets[params->count];
    params->count++;
}

void store_param_bytes(struct store_params *params, const void *bytes, size_t length)
{
    param_open(params);
    (void)ct_buf_append(&params->bytes, bytes, length);
    param_close(params);
}

void store_param_text(struct store_params *params, const char *text)
{
    if (text != NULL) {
        store_param_bytes(params, text, strlen(text));
        return;
    }
    param_open(params);
    params->nulls[params->count] = true;
    param_close(params);
}

void store_param_uuid(struct store_params *params, const uint8_t uuid[CT_UUID_BYTES])
{
    store_param_bytes(params, uuid, CT_UUID_BYTES);
}

void store_param_int(struct store_params *params, int32_t value)
{
    param_open(params);
    (void)ct_buf_append_u32(&params->bytes, (uint32_t)value);
    param_close(params);
}

void store_param_bigint(struct store_params *params, int64_t value)
{
    param_open(params);
    (void)ct_buf_append_u64(&params->bytes, (uint64_t)value);
    param_close(params);
}

/* ---- arrays: dimensions, has-null flag, element type, length, lower bound, elements -------- */

#define ARRAY_NULL_FLAG 4
#define ARRAY_LENGTH 12

void store_array_open(struct store_params *params, enum store_type element)
{
    param_open(params);
    params->array_start = params->bytes.length;
    params->array_count = 0;
    params->array_has_null = false;
    (void)ct_buf_append_u32(&params->bytes, 1);
    (void)ct_buf_append_u32(&params->bytes, 0);
    (void)ct_buf_append_u32(&params->bytes, (uint32_t)element);
    (void)ct_buf_append_u32(&params->bytes, 0);
    (void)ct_buf_append_u32(&params->bytes, 1);
}

static void patch_u32(struct store_params *params, size_t offset, uint32_t value)
{
    if (params->bytes.failed)
        return;
    for (unsigned i = 0; i < 4; i++)
        params->bytes.data[params->array_start + offset + i] = (uint8_t)(value >> (8 * (3 - i)));
}

void store_array_close(struct store_params *params)
{
    patch_u32(params, ARRAY_NULL_FLAG, params->array_has_null ? 1 : 0);
    patch_u32(params, ARRAY_LENGTH, params->array_count);
    param_close(params);
}

void store_element_null(struct store_params *params)
{
    (void)ct_buf_append_u32(&params->bytes, UINT32_MAX);
    params->array_has_null = true;
    params->array_count++;
}

void store_element_bytes(struct store_params *params, const void *bytes, size_t length)
{
    (void)ct_buf_append_u32(&params->bytes, (uint32_t)length);
    (void)ct_buf_append(&params->bytes, bytes, length);
    params->array_count++;
}

void store_element_text(struct store_params *params, const char *text)
{
    if (text == NULL)
        store_element_null(params);
    else
        store_element_bytes(params, text, strlen(text));
}

void store_element_jsonb(struct store_params *params, const char *text)
{
    size_t length = strlen(text);
    (void)ct_buf_append_u32(&params->bytes, (uint32_t)length + 1);
    (void)ct_buf_append_u8(&params->bytes, 1); /* version of jsonb's binary form */
    (void)ct_buf_append(&params->bytes, text, length);
    params->array_count++;
}

void store_element_int(struct store_params *params, int32_t value)
{
    (void)ct_buf_append_u32(&params->bytes, 4);
    (void)ct_buf_append_u32(&params->bytes, (uint32_t)value);
    params->array_count++;
}

void store_element_bigint(struct store_params *params, int64_t value)
{
    (void)ct_buf_append_u32(&params->bytes, 8);
    (void)ct_buf_append_u64(&params->bytes, (uint64_t)value);
    params->array_count++;
}
