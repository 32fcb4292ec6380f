// SPDX-License-Identifier: Apache-2.0
#include "api/api.h"

/* The contract is part of the program: the answer is its text, under a member that the keeper
 * sends as application/yaml. */
static json_t *get_render(struct api_context *context, struct api_request *request,
                          const struct api_receipt *receipt)
{
    (void)context;
    (void)request;
    (void)receipt;
    return json_stringn((const char *)api_openapi_yaml, api_openapi_yaml_length);
}

const struct api_handler api_openapi_get = {.render = get_render};
