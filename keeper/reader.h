// SPDX-License-Identifier: Apache-2.0
#ifndef KEEPER_READER_H
#define KEEPER_READER_H

/* Keeps the knowledge of the batches up to date from the database, for the worker. */

#include "keeper/internal.h"

struct reader {
    struct knowledge_counts counts; /* as the newest knowledge has them */
    bool has_frequencies;
    char matrix[64]; /* name of the confusion matrix in use */
};

/* Counts what was registered since. Errors: as store_run(), CT_NO_MEMORY; what was known stays. */
enum ct_status reader_count(struct reader *reader, struct keeper *keeper, struct store *store,
                            struct ct_error *err) CT_MUST_CHECK;

/* Takes the confusion matrix in force into use, if it is another one. Errors: the same, and CT_DB
 * if it cannot be used. */
enum ct_status reader_use_matrix(struct reader *reader, struct keeper *keeper, struct store *store,
                                 struct ct_error *err) CT_MUST_CHECK;

#endif
