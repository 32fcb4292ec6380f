// SPDX-License-Identifier: Apache-2.0
#ifndef API_LOG_H
#define API_LOG_H

#include "api/api.h"

#define API_LOG_READ_MS 2000

/* Where the hashes of committed entries are read from: a connection with nothing queued. */
struct api_log_reader {
    struct store *store;
    int64_t deadline_ms; /* monotonic */
    struct ct_error *err;
};

/* The storage that accesslog's proofs ask; reader must live as long. */
struct accesslog_storage api_log_storage(struct api_log_reader *reader);

/* A receipt: extra is {"v", "header", "header_salt", "d_subject"}, so that its holder can rebuild
 * the leaf without the subject. note: the signed checkpoint. Owner: the caller's, free(). NULL when
 * out of memory. */
char *api_receipt_text(const char *header, const char *header_salt, const char *d_subject,
                       uint64_t index, const struct accesslog_hash *path, size_t path_count,
                       const char *note);

/* The receipt of an entry as api.get_log_entry gives it, against the newest signed checkpoint.
 * *ret_receipt: {"entry", "tlog_proof"}, the caller's; NULL where no checkpoint covers it yet. May
 * run round trips on the connection. Errors: CT_DB, CT_DB_LOST, CT_NO_MEMORY. */
enum ct_status api_log_receipt_of(struct api_context *context, struct store *store,
                                  const json_t *entry, json_t **ret_receipt,
                                  struct ct_error *err) CT_MUST_CHECK;

#endif
