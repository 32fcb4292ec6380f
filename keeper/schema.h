// SPDX-License-Identifier: Apache-2.0
#ifndef KEEPER_SCHEMA_H
#define KEEPER_SCHEMA_H

/* Whether the database has the schema that this program was built for. Its functions are part of
 * it, and without them no connection of the keeper's opens: so this asks on connections of its own,
 * which need nothing of ours to be there. */

#include "base/base.h"

/* The digest that batch_open is given: that of this build's files. */
extern const char schema_digest[];

enum schema_state {
    SCHEMA_CURRENT,
    SCHEMA_MIGRATING, /* casetrace migrate is at work: wait */
    SCHEMA_UNREADY,   /* none, or a migration that was cut short and has to be run again */
    SCHEMA_OTHER,     /* ready, and not ours: this program must not run on it */
};

/* Looks at the database. err->text: what is wrong and what to do, unless SCHEMA_CURRENT.
 * Errors: CT_DB_LOST, CT_DB; *ret untouched. */
enum ct_status schema_look(const char *connection, enum schema_state *ret,
                           struct ct_error *err) CT_MUST_CHECK;

#endif
