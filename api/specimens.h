// SPDX-License-Identifier: Apache-2.0
#ifndef API_SPECIMENS_H
#define API_SPECIMENS_H

/* The `specimens` of a request, read: what was seen of every mark, by scheme. */

#include "api/api.h"

#define API_SPECIMENS_MAX 16
#define API_SPECIMEN_MARKS_MAX 4
#define API_MARKS_MAX (API_SPECIMENS_MAX * API_SPECIMEN_MARKS_MAX)
#define API_PLACEMENTS_MAX API_MARKS_MAX

struct api_specimen {
    const char *exhibit;
    const char *caliber;   /* as sent; NULL: unknown */
    const char *nibin_hit; /* NULL: none */
    bool is_part;
    bool has_serial;
    struct microstamp_serial serial; /* what is left of a part's serial number */
};

struct api_mark {
    unsigned specimen; /* from 0, as the next */
    unsigned number;   /* within its specimen */
    int placement;     /* into placements; -1 unknown */
    bool has_r29;
    bool has_opaque;
    struct microstamp_observation r29;
    struct microstamp_observation opaque;
};

/* Texts point into the request's JSON or into the vocabulary. */
struct api_specimens {
    struct api_specimen specimen[API_SPECIMENS_MAX];
    struct api_mark *mark; /* owned: api_specimens_free() */
    const char *placement[API_PLACEMENTS_MAX];
    unsigned specimen_count;
    unsigned mark_count;
    unsigned placement_count;
};

/* Reads on what occasion a question is asked: request->case_number and purpose, and the days of the
 * incident. Refuses another purpose than criminal justice, and days in the wrong order. */
void api_occasion_read(struct api_request *request, const char **ret_from, const char **ret_to);

/* Reads what the contract's validators have passed. A mark whose scheme is not given is read in
 * every scheme that it can be of; one of which nothing was seen is all illegible.
 * Errors:  false: the request is refused with a pointer to the field and the character or position
 *          in it; *ret is to be freed all the same.
 * Threads: any. */
bool api_specimens_read(const struct api_context *context, struct api_request *request,
                        const json_t *specimens, struct api_specimens *ret);

/* Begins an examination of all marks. They must outlive it. Errors: CT_NO_MEMORY. */
enum ct_status api_specimens_examine(const struct api_context *context,
                                     const struct api_specimens *specimens,
                                     struct microstamp_examination *examination) CT_MUST_CHECK;

void api_specimens_free(struct api_specimens *specimens);

/* The number of a placement as the registry spells it; a new one if it has none yet. placement
 * must outlive the use of the number. -1 for NULL. */
int api_specimens_number(struct api_specimens *specimens, const char *placement);

/* Look-ups that a request's readings lead to, about: the scheduler weighs requests by it. What
 * cannot be read weighs 1. */
unsigned api_specimens_weight(const json_t *specimens);

#endif
