// SPDX-License-Identifier: Apache-2.0
#ifndef API_CONFUSION_H
#define API_CONFUSION_H

#include "api/api.h"

/* Reads the figures of a confusion matrix, {"opaque": 36 rows of 36, "r29": 29 rows of 29}, by true
 * character and then by character read. Without "r29" that table follows from the other one: what
 * folds to one character is added up. Probabilities are not checked, microstamp_matrix_make() does.
 * Returns false when a table is missing or not of its size; *ret_rates is undefined then.
 * Threads: any. */
bool api_rates_read(const json_t *figures, struct microstamp_rates *ret_rates);

/* The same as JSON. NULL when out of memory. Owner: the caller, json_decref(). */
json_t *api_rates_json(const struct microstamp_rates *rates);

#endif
