// SPDX-License-Identifier: Apache-2.0
#ifndef API_ROWS_H
#define API_ROWS_H

#include "api/api.h"

/* Operations whose body is a list of rows with an outcome each, in mode atomic or partial. Rows
 * that C already finds wrong never reach SQL: in mode partial they are put aside and put back in
 * their place in the answer, in mode atomic they refuse the whole request. */

/* Whether the request's mode lets rows be refused one by one. */
bool api_rows_partial(const struct api_request *request);

/* Checks every row against the contract and, where given, with check (which may change the row, a
 * copy, and returns false with a pointer below the row and a detail). Fills request->input with
 * the body that SQL gets. */
typedef bool api_row_check(json_t *row, char *ret_pointer, size_t pointer_room, char *ret_detail,
                           size_t detail_room);
void api_rows_before(struct api_request *request, api_row_check *check);

/* The finish step: what SQL answered, with the rows that were put aside. */
enum ct_status api_rows_finish(struct api_context *context, struct store *store,
                               struct api_request **requests, size_t count,
                               const struct store_result *result, struct ct_error *err);

#endif
