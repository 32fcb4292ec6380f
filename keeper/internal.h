// SPDX-License-Identifier: Apache-2.0
#ifndef KEEPER_INTERNAL_H
#define KEEPER_INTERNAL_H

/* What the files of keeper/ share: one struct keeper and its parts. */

#include "api/api.h"
#include "keeper/budget.h"
#include "keeper/chain.h"
#include "keeper/keeper.h"
#include "keeper/knowledge.h"
#include "keeper/limits.h"
#include "keeper/published.h"
#include "keeper/strangers.h"
#include "keeper/ticket.h"
#include "keeper/tiles.h"
#include "keeper/witness.h"

#include <pthread.h>
#include <stdatomic.h>

#define KEEPER_LANES 3 /* two interactive, one bulk */
#define KEEPER_USED_MAX 4096

enum keeper_state {
    KEEPER_STARTING,  /* the database has not answered yet, or does not any more */
    KEEPER_MIGRATING, /* the schema is not ready */
    KEEPER_STANDBY,   /* another keeper is the writer */
    KEEPER_UNVOUCHED, /* none is, and this one may not take over: see vouch.h */
    KEEPER_ACTIVE,
    KEEPER_ENDING, /* this process must end by itself */
};

/* The link to the front. */
struct link {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int fd; /* -1: none */
    uint8_t boot[MESSAGE_BOOT_BYTES];
    bool stopping;
    pthread_t reader;
    bool reader_runs;
};

struct keeper_stats {
    _Atomic uint64_t requests;
    _Atomic uint64_t batches;
    _Atomic uint64_t halvings;
    _Atomic uint64_t retries; /* serialization failures and deadlocks: expected to be zero */
    _Atomic uint64_t resolved_commits;
    _Atomic uint64_t unauthorized;
    _Atomic uint64_t errors[API_ERRORS]; /* by outcome; the first are those that went well */
    _Atomic uint64_t log_failures;
    _Atomic uint64_t seals_broken;
};

/* What the background worker knows and others ask. */
struct keeper_view {
    pthread_mutex_t mutex;
    struct published published;
    /* The newest checkpoint that a quorum of witnesses has cosigned, with their lines; size 0 if
     * there is none. */
    uint64_t cosigned_size;
    char cosigned_note[CHAIN_NOTE_ROOM];
    int64_t log_complete_to;
    int64_t log_size;
    double trace_lag_s;
    int64_t filled_ms; /* monotonic, of the last filling that succeeded */
    uint8_t used[KEEPER_USED_MAX][CT_UUID_BYTES]; /* credentials whose day is to be noted */
    size_t used_count;
    char reason[256]; /* why this process must end */
};

struct lane {
    struct keeper *keeper;
    enum lane_kind kind;
    unsigned number;
    pthread_t thread;
    bool runs;
    struct store *store; /* NULL: not connected */
    struct api_context context;
    char checkpoint_note[CHAIN_NOTE_ROOM];
    char cosigned_note[CHAIN_NOTE_ROOM];
    struct accesslog_batch *batch;     /* paths of the batch that was committed */
    struct ct_buf body;                /* of one answer */
    struct ct_buf out;                 /* answers, one write for all of a batch */
    int64_t split_until_ms;            /* a failing batch is halved until then */
    int64_t no_connect_before_ms;      /* after a failure, not at once again */
    uint8_t noted[256][CT_UUID_BYTES]; /* credentials noted as used, by first byte */
    int64_t noted_day;
};

struct keeper {
    char *database;
    char name[CHAIN_WRITER_TEXT];
    struct scheduler_limits limits;
    double pi0;
    bool shared_user;
    bool log_public; /* the view below /log/ asks for no credential */
    struct auth_keyring *keyring;
    struct knowledge_box knowledge;
    _Atomic(json_t *) calibers; /* set once, never changed, as the next */
    _Atomic(json_t *) placements;
    _Atomic int64_t registered; /* codes on registered firearms, for the metrics */
    _Atomic int state;          /* enum keeper_state */
    struct chain chain;
    struct scheduler scheduler;
    struct link link;
    struct keeper_stats stats;
    struct keeper_view view;
    struct strangers strangers;
    struct budget budget;
    struct witnesses witnesses;
    struct lane lanes[KEEPER_LANES];
    struct tiles tiles;
    pthread_t worker;
    bool worker_runs;
    _Atomic bool stopping;
    int wake_fd; /* eventfd: the worker has something to do at once */
    int exit_fd; /* eventfd: keeper_exit_fd() */
};

/* ---- link.c ------------------------------------------------------------------------------ */

enum ct_status link_start(struct keeper *keeper) CT_MUST_CHECK;
void link_stop(struct keeper *keeper);
/* Sends whole frames on the link of that boot id; drops them if there is another one by now. */
void link_send(struct keeper *keeper, const uint8_t boot[MESSAGE_BOOT_BYTES],
               const struct ct_buf *frames);

/* ---- answer.c ---------------------------------------------------------------------------- */

/* Appends the answer of a refusal, or of anything else that has no entry, to out. */
void answer_error(struct ct_buf *out, const struct ticket *ticket, enum api_error error,
                  const char *detail);
/* The same as the request itself says it. */
void answer_refusal(struct ct_buf *out, const struct ticket *ticket);
/* The same for a whole list, sent at once; the tickets are freed. */
void answer_list(struct keeper *keeper, struct ticket *list, enum api_error error);
/* Appends the answer of a request that is committed. entry: index of its log entry. */
void answer_request(struct ct_buf *out, struct lane *lane, struct ticket *ticket,
                    const struct api_receipt *receipt);
/* Appends an answer with a body as given. */
void answer_text(struct ct_buf *out, const struct ticket *ticket, uint16_t status,
                 const char *media_type, const char *body, size_t length);

/* Appends an answer of success with these headers, of which the first is Content-Type. */
void answer_bytes(struct ct_buf *out, const struct ticket *ticket,
                  const struct message_pair *headers, unsigned header_count, const void *body,
                  size_t length);

/* ---- status.c ---------------------------------------------------------------------------- */

/* Answers the operator's operations, which need no credential: health, metrics. */
void status_answer(struct keeper *keeper, const struct ticket *ticket);

/* ---- batch.c ----------------------------------------------------------------------------- */

enum batch_result {
    BATCH_DONE,       /* committed and released; the answers are in lane->out */
    BATCH_FAILED,     /* nothing happened; a part of it may succeed */
    BATCH_BUSY,       /* nothing happened; something took too long */
    BATCH_RETRY,      /* serialization failure or deadlock: nothing happened; do it again */
    BATCH_AGAIN,      /* nothing happened, for a reason that is no fault: do it again */
    BATCH_DATABASE,   /* nothing happened; the database does not answer */
    BATCH_STALE,      /* nothing happened; the schema is another */
    BATCH_SUPERSEDED, /* nothing happened; another keeper writes the log */
    BATCH_UNKNOWN,    /* COMMIT was sent and its outcome could not be found out */
    BATCH_UNRELEASED, /* committed, but the anchor could not be written: no answer may leave */
};

/* Handles the tickets as one transaction. poisoned: does nothing of what they ask and records that
 * they failed. */
enum batch_result batch_run(struct lane *lane, struct ticket **tickets, size_t count,
                            bool poisoned);

/* ---- lane.c ------------------------------------------------------------------------------ */

void *lane_main(void *lane);
/* Connects if there is no connection. Errors: CT_DB_LOST, CT_STALE. */
enum ct_status lane_connect(struct lane *lane, int64_t deadline_ms) CT_MUST_CHECK;
void lane_disconnect(struct lane *lane);
/* Has the worker note the day on which these credentials were used. */
void lane_note_used(struct lane *lane, struct ticket *const *tickets, size_t count);

/* ---- worker.c ---------------------------------------------------------------------------- */

void *worker_main(void *keeper);
/* First look at the database. Errors: CT_STALE (must not start), CT_DB_LOST (later: it does not
 * answer, or is being migrated). */
enum ct_status worker_look(struct keeper *keeper, struct ct_error *err) CT_MUST_CHECK;
/* The schema or the claim is not what it was: look at once. */
void worker_wake(struct keeper *keeper);

/* ---- publish.c --------------------------------------------------------------------------- */

/* Shows what was published last before this keeper came to be the writer, so that a restart neither
 * takes tiles away nor shows a newer checkpoint before its minute. */
enum ct_status publish_load(struct keeper *keeper, struct store *store,
                            struct ct_error *err) CT_MUST_CHECK;
/* The newest cosigned checkpoint; 0 and "" if none. */
uint64_t publish_cosigned(struct keeper *keeper, char ret_note[CHAIN_NOTE_ROOM]);
/* Publishes the newest released checkpoint if its minute has come. For the writer alone. */
enum ct_status publish_due(struct keeper *keeper, struct store *store,
                           struct ct_error *err) CT_MUST_CHECK;

/* ---- keeper.c ---------------------------------------------------------------------------- */

/* Ends this process by way of keeper_exit_fd(). */
void keeper_end(struct keeper *keeper, const char *reason);

#endif
