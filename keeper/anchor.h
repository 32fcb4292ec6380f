// SPDX-License-Identifier: Apache-2.0
#ifndef KEEPER_ANCHOR_H
#define KEEPER_ANCHOR_H

/* The anchor file: the last checkpoint that was released, so that a database put back to an older
 * state is noticed. Two places of 4,096 bytes are written in turn, so that a write cut short leaves
 * the one before. A file with one plain checkpoint note, as init writes it, is valid too. */

#include "accesslog/accesslog.h"
#include "base/base.h"

#define ANCHOR_PLACE_BYTES 4096

/* Opens or creates the file, locks it against other keepers for as long as the descriptor is open,
 * and reads the newest checkpoint in it that verifies. A lock of another is waited for
 * LIMIT_STOP_MS.
 * ret_checkpoint: size 0 if there is none. Owner: *ret_fd is the caller's, close().
 * Errors: CT_IO; CT_REFUSED (another keeper has it); CT_CRYPTO (there is something in it, and no
 *         signature verifies). */
enum ct_status anchor_open(const char *path, const struct accesslog_verifier *known,
                           size_t known_count, int *ret_fd, unsigned *ret_next_place,
                           struct accesslog_checkpoint *ret_checkpoint,
                           struct ct_error *err) CT_MUST_CHECK;

/* The newest checkpoint of an anchor that is open for reading, and its note.
 * Errors: CT_IO; CT_NOT_FOUND (it is empty); CT_CRYPTO (no signature in it verifies). */
enum ct_status anchor_read(int fd, const struct accesslog_verifier *known, size_t known_count,
                           struct accesslog_checkpoint *ret,
                           char ret_note[ANCHOR_PLACE_BYTES]) CT_MUST_CHECK;

/* Writes a note to one place and waits until it is on disk. Errors: CT_IO. */
enum ct_status anchor_write(int fd, unsigned place, const char *note,
                            struct ct_error *err) CT_MUST_CHECK;

#endif
