// SPDX-License-Identifier: Apache-2.0
#ifndef KEEPER_OVERSIGHT_H
#define KEEPER_OVERSIGHT_H

/* Between the ledger of budgets and the database; the background worker calls both. */

#include "keeper/budget.h"
#include "store/store.h"

/* Fills the ledger with what is recorded of today, unless that is done. Before the first batch.
 * Errors: those of the store. */
enum ct_status oversight_load(struct budget *budget, struct store *store,
                              struct ct_error *err) CT_MUST_CHECK;

/* Records the findings that wait. Errors: those of the store; then they wait on. */
enum ct_status oversight_record(struct budget *budget, struct store *store,
                                struct ct_error *err) CT_MUST_CHECK;

#endif
