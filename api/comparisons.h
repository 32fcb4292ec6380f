// SPDX-License-Identifier: Apache-2.0
#ifndef API_COMPARISONS_H
#define API_COMPARISONS_H

/* Comparisons, between their files: comparisons.c reads, compares and answers, test_fires.c says
 * what can be learned from them. */

#include "api/specimens.h"

/* A comparison between its steps. */
struct api_comparison {
    uint8_t id[CT_UUID_BYTES];
    uint8_t firearm[CT_UUID_BYTES];
    struct api_specimens specimens;
    struct microstamp_examination *examination; /* taken from the pool */
    struct api_examinations *examinations;
    const char *incident_from;
    const char *incident_to;
    const char *state;
    json_t *marks;  /* of the firearm, as recorded; owned */
    char *recorded; /* the answer; owned */
};

static inline struct api_comparison *api_comparison_of(const struct api_request *request)
{
    return request->own;
}

/* Whether a mark, one of comparison->marks, is recorded as on the firearm in the incident's days.
 */
bool api_comparison_installed(const struct api_comparison *comparison, const json_t *mark);

/* Adds the last five parameters of comparison_record: characters of test fires of these requests,
 * beside the true ones. Of specimens of another kind nothing is added. */
void api_test_fires_add(struct store_params *params, struct api_request *const *requests,
                        size_t count);

#endif
