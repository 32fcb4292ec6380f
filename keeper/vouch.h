// SPDX-License-Identifier: Apache-2.0
#ifndef KEEPER_VOUCH_H
#define KEEPER_VOUCH_H

/* What somebody else says of the log when this host's own anchor cannot: two files beside the
 * anchor, put there by an operator. */

#include "accesslog/accesslog.h"
#include "base/base.h"
#include "keeper/anchor.h"

/* Reads ANCHOR.former: the anchor of the host that wrote before, or any newer checkpoint that this
 * log signed (a witness keeps one). ret_note: as it stands in the file.
 * Errors: CT_NOT_FOUND (there is none), CT_IO, CT_CRYPTO (nothing in it verifies); err->text. */
enum ct_status vouch_former(const char *anchor, const struct accesslog_verifier *known,
                            size_t known_count, struct accesslog_checkpoint *ret,
                            char ret_note[ANCHOR_PLACE_BYTES], struct ct_error *err) CT_MUST_CHECK;

/* An operator's word that the log of one epoch is whole. */
struct vouch_override {
    int64_t epoch; /* of the head that it was given for: it is of no use for another */
    json_t *said;  /* object: reason, by, at; json_decref() */
};

/* Reads ANCHOR.override, which `casetrace log override` writes.
 * Errors: CT_NOT_FOUND (there is none), CT_IO, CT_REFUSED (others may write it), CT_BAD_INPUT;
 * err->text. */
enum ct_status vouch_override(const char *anchor, struct vouch_override *ret,
                              struct ct_error *err) CT_MUST_CHECK;
/* Removes it once it is in the log. */
void vouch_override_used(const char *anchor);

#endif
