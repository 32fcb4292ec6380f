// SPDX-License-Identifier: Apache-2.0
#ifndef CLI_MIGRATE_H
#define CLI_MIGRATE_H

/* `casetrace migrate`: brings the database to the tables and functions of this release.
 *
 *   casetrace migrate --config FILE | --owner-connection CONNINFO [--schema DIR] [--migrations DIR]
 *
 * Takes a lock; marks the schema not ready and drops the functions (one transaction); runs
 * `sqitch deploy --verify`; makes the functions again and marks the schema ready with a digest (one
 * transaction). Killed anywhere, the next run completes it; when nothing is to be done it changes
 * nothing. argv[0] is "migrate".
 * Returns: the exit status: 0 the schema is current, 1 it failed (stderr says why), 2 usage. */
int cli_migrate(int argc, char **argv);

#endif
