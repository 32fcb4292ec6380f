// SPDX-License-Identifier: Apache-2.0
#include "api/traces.h"

#include <string.h>

/* A purchaser that a trace withheld, released by a second examiner. SQL decides and records, as in
 * any other operation; here the trace is read like any trace, and its purchaser opened after the
 * commit. */

static enum ct_status create_finish(struct api_context *context, struct store *store,
                                    struct api_request **requests, size_t count,
                                    const struct store_result *result, struct ct_error *err)
{
    enum ct_status status = api_trace_read_finish(context, store, requests, count, result, err);
    for (size_t i = 0; i < count && status == CT_OK; i++) {
        struct api_request *request = requests[i];
        if (request->error != API_ERROR_NONE)
            continue;
        const json_t *asked = json_object_get(request->answer, "request");
        const char *id = ct_json_string(request->answer, "id");
        request->case_number = ct_json_string(asked, "case_number");
        request->purpose = ct_json_string(asked, "purpose");
        /* Repeated under its key it is rendered again from the trace. */
        request->has_resource = id != NULL && strncmp(id, "trc_", 4) == 0 &&
                                ct_uuid_parse(id + 4, request->resource) == CT_OK;
    }
    return status;
}

const struct api_handler api_disclosures_create = {
    .start = api_generic_start,
    .finish = create_finish,
    .render = api_trace_read_render,
};
