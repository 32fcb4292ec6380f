// SPDX-License-Identifier: Apache-2.0
#ifndef CLI_LOG_VERIFY_H
#define CLI_LOG_VERIFY_H

/* The parts of `casetrace log verify`: it trusts nothing but the verifier keys it is given. */

#include "accesslog/accesslog.h"
#include "cli/cli.h"

#define LOG_VERIFY_FACTS_MAX 64

/* Something signed that is known from elsewhere (an anchor, a receipt, the checkpoint seen last),
 * which the log must bear out. */
struct log_verify_fact {
    const char *source; /* for messages */
    struct accesslog_checkpoint checkpoint;
    bool published; /* was in the log's public view: a later view may not end before it */
    bool has_leaf;  /* a receipt's: this leaf is at this index */
    uint64_t index;
    struct accesslog_hash leaf_hash;
};

/* What a check has hashed, so that its speed can be compared with hashing alone. */
struct log_verify_work {
    uint64_t leaves;
    uint64_t leaf_bytes; /* without the prefix */
    uint64_t headers;
    uint64_t header_bytes;
};

struct log_verify {
    const char *origin; /* the name of the log's keys */
    struct accesslog_verifier keys[ACCESSLOG_KNOWN_MAX];
    size_t key_count;
    struct log_verify_fact facts[LOG_VERIFY_FACTS_MAX];
    size_t fact_count;

    const struct log_verify_fact *resume; /* verified before up to here; NULL: check all */
    struct log_verify_work work;
    /* The last checkpoint of the log that was checked, to go on from; written by the checks. */
    uint64_t checked_size; /* 0: none */
    char checked_note[ACCESSLOG_NOTE_BYTES_MAX];
    size_t checked_note_length;
};

/* ---- shared by the commands (log_verify.c) ------------------------------------------------- */

/* Adds a verifier key of the command line; ends the program if it is none. */
void log_verify_key_add(struct argp_state *state, struct log_verify *verify, const char *text);
/* Ends the program unless it is an https URL. */
void log_verify_url_check(struct argp_state *state, const char *url);
/* The exit status: CLI_DONE, CLI_FAILED (something does not hold) or CLI_UNREADABLE. */
int log_verify_exit(enum ct_status status);
/* Writes the checkpoint that was checked to a file, if a later one is there than the check went on
 * from. Complains itself. Errors: CT_IO. */
enum ct_status log_verify_state_write(const struct log_verify *verify,
                                      const char *path) CT_MUST_CHECK;

/* ---- what is known from elsewhere (log_verify_facts.c) ------------------------------------ */

/* Adds a signed checkpoint to the facts. ret_fact: may be NULL.
 * Errors: CT_CRYPTO, CT_LIMIT; err->text. */
enum ct_status log_verify_fact_add(struct log_verify *verify, const char *source, const char *note,
                                   size_t length, struct log_verify_fact **ret_fact,
                                   struct ct_error *err) CT_MUST_CHECK;

/* Reads a file with a checkpoint, or an anchor: notes in places that are filled up with zeros. A
 * place whose last write was cut short may be damaged, as long as another one is whole.
 * Complains itself. Errors: CT_IO, CT_BAD_INPUT (none in it), CT_CRYPTO, CT_LIMIT. */
enum ct_status log_verify_facts_read(struct log_verify *verify, const char *path) CT_MUST_CHECK;

/* Reads the checkpoint up to which an earlier run has checked, and goes on from there. No file: an
 * earlier run has not been. Complains itself. Errors: as above. */
enum ct_status log_verify_resume_read(struct log_verify *verify, const char *path) CT_MUST_CHECK;

/* Two signed checkpoints of one size have one root. Complains itself. Errors: CT_CRYPTO. */
enum ct_status log_verify_facts_agree(const struct log_verify *verify) CT_MUST_CHECK;

/* The log that ends at this size has come as far as all facts. published: it is the public view,
 * which may be a minute behind. Complains itself. Errors: CT_CRYPTO, CT_STALE (not yet). */
enum ct_status log_verify_facts_reached(const struct log_verify *verify, uint64_t end,
                                        bool published) CT_MUST_CHECK;

/* Whether a fact speaks of this size. */
bool log_verify_facts_have(const struct log_verify *verify, uint64_t size);
/* The leaf at index is that of every receipt that speaks of it, and the root of the tree of a size
 * that of every fact. *agreed: the fact that was borne out last, for messages; begin with NULL.
 * Complain themselves. Errors: CT_CRYPTO. */
enum ct_status log_verify_leaf_check(const struct log_verify *verify, uint64_t index,
                                     const struct accesslog_hash *leaf_hash) CT_MUST_CHECK;
enum ct_status log_verify_root_check(const struct log_verify *verify, uint64_t size,
                                     const struct accesslog_hash *root,
                                     const struct log_verify_fact **agreed) CT_MUST_CHECK;

/* Facts of sizes up to `from`, which a check that went on from there has not come by, are
 * consistent with a tree that was checked. Complains itself. Errors: CT_CRYPTO, CT_IO. */
enum ct_status log_verify_facts_before(const struct log_verify *verify, uint64_t from,
                                       const struct accesslog_storage *storage, uint64_t size,
                                       const struct accesslog_hash *root) CT_MUST_CHECK;

/* ---- progress and figures (log_verify_stats.c) -------------------------------------------- */

/* A bar on standard error, if that is a terminal. */
struct log_verify_progress {
    bool shown;
    uint64_t from;
    uint64_t end;
    int64_t started_ms;
    int64_t drawn_ms;
};

void log_verify_progress_begin(struct log_verify_progress *progress, uint64_t from, uint64_t end);
void log_verify_progress_at(struct log_verify_progress *progress, uint64_t size);
/* Wipes it away. */
void log_verify_progress_end(struct log_verify_progress *progress);

#define LOG_VERIFY_THREADS_LOCAL 2u
#define LOG_VERIFY_THREADS_REMOTE 6u

/* Hashes as many bytes once more, in blocks of the same sizes and nothing else, and prints one line
 * of JSON that compares the two. seconds: what the check took. Errors: CT_CRYPTO (no SHA-256). */
enum ct_status log_verify_stats_print(const struct log_verify *verify, double seconds,
                                      unsigned threads) CT_MUST_CHECK;

/* ---- headers (log_verify_header.c) ------------------------------------------------------- */

#define LOG_VERIFY_OPERATION_TEXT 64

/* What must hold from one entry to the next. */
struct log_verify_header {
    char origin[ACCESSLOG_NAME_MAX + 1];
    char operation[LOG_VERIFY_OPERATION_TEXT];
    int64_t epoch;
    int64_t time_ms;
};

/* Reads an entry's header. Errors: CT_BAD_INPUT (err->text says what is wrong with it). */
enum ct_status log_verify_header_read(const void *bytes, size_t length,
                                      struct log_verify_header *ret,
                                      struct ct_error *err) CT_MUST_CHECK;

/* The last header of a pass, against which the next is held. All zero at first. */
struct log_verify_course {
    bool begun;
    uint64_t index;
    int64_t epoch;
    int64_t first_ms;
    int64_t latest_ms; /* of any header so far */
};

/* Holds the header of the entry at an index, which is above the last one's, against those before:
 * it names this log, a new epoch begins with a takeover and with nothing else, and times go on.
 * Complains itself. Errors: CT_CRYPTO. */
enum ct_status log_verify_course_check(struct log_verify_course *course, const char *origin,
                                       uint64_t index,
                                       const struct log_verify_header *header) CT_MUST_CHECK;

/* Prints what was asked, when, by whom and with which outcome. */
void log_verify_header_print(const void *bytes, size_t length);

/* ---- receipts (log_verify_receipt.c) ----------------------------------------------------- */

/* Checks a receipt offline, prints what it proves, and adds it to the facts. Complains itself.
 * Errors: CT_IO, CT_LIMIT, CT_BAD_INPUT (malformed), CT_CRYPTO (it does not verify). */
enum ct_status log_verify_receipt(struct log_verify *verify, const char *path) CT_MUST_CHECK;

/* ---- the database (log_verify_database.c) ------------------------------------------------ */

/* Checks the whole stored log against itself, the signatures and the facts; prints a summary.
 * Complains itself, naming the first index or size that is wrong.
 * Errors: CT_DB (it could not be read), CT_CRYPTO (it does not hold), CT_NO_MEMORY. */
enum ct_status log_verify_database(struct log_verify *verify, const char *conninfo) CT_MUST_CHECK;

/* ---- the public view (log_verify_tiles.c) ------------------------------------------------- */

struct log_source;

/* Checks checkpoint, tiles and entry bundles of a source against each other and the facts, in
 * several threads; prints a summary. Complains itself, naming the first entry, tile or size that is
 * wrong. Errors: CT_IO (it could not be read), CT_STALE (a fact is newer than the checkpoint),
 * CT_CRYPTO (it does not hold), CT_NO_MEMORY. */
enum ct_status log_verify_tiles(struct log_verify *verify,
                                const struct log_source *source) CT_MUST_CHECK;

/* ---- exported entries (log_verify_export.c) ------------------------------------------------ */

/* Each line of a file is an entry that rebuilds its leaf in the checked tree. Call it after
 * log_verify_tiles(). Complains itself, naming line and entry.
 * Errors: CT_IO, CT_CRYPTO, CT_LIMIT (a line is too long), CT_NO_MEMORY. */
enum ct_status log_verify_export(struct log_verify *verify, const struct log_source *source,
                                 const char *path) CT_MUST_CHECK;

/* Says what does not hold; a size or an index first. */
#define LOG_VERIFY_FAIL(...) (cli_complain(__VA_ARGS__), CT_CRYPTO)

#endif
