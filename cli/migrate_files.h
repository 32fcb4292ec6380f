// SPDX-License-Identifier: Apache-2.0
#ifndef CLI_MIGRATE_FILES_H
#define CLI_MIGRATE_FILES_H

/* The function files of schema/, as `casetrace migrate` reads them. */

#include "base/base.h"

#define MIGRATE_FILES_MAX 64
#define MIGRATE_NAME_MAX 64
#define MIGRATE_DIGEST_TEXT 65 /* 64 hex digits and a NUL */

struct migrate_file {
    char name[MIGRATE_NAME_MAX];
    char *text; /* with a NUL after it; has none inside */
    size_t length;
};

struct migrate_files {
    struct migrate_file list[MIGRATE_FILES_MAX];
    size_t count;
    char *plan; /* the migrations' plan */
    size_t plan_length;
};

/* Reads the file `order` of schema_dir, the files it names, in its order, and
 * migrations_dir/sqitch.plan. Owner:  *ret is cleared with migrate_files_clear(), also after a
 * failure. Errors: CT_IO, CT_BAD_INPUT (a name that is not plain, a NUL), CT_LIMIT, CT_NO_MEMORY.
 */
enum ct_status migrate_files_read(const char *schema_dir, const char *migrations_dir,
                                  struct migrate_files *ret, struct ct_error *err) CT_MUST_CHECK;
void migrate_files_clear(struct migrate_files *files);

/* SHA-256 over names and contents of the files and the plan, in hex. keeper/schema_digest computes
 * the same for the keeper, which runs on no other schema.
 * Errors: CT_CRYPTO. */
enum ct_status migrate_files_digest(const struct migrate_files *files,
                                    char ret[MIGRATE_DIGEST_TEXT]) CT_MUST_CHECK;

#endif
