// SPDX-License-Identifier: Apache-2.0
#ifndef KEEPER_WITNESS_H
#define KEEPER_WITNESS_H

/* Having the log's checkpoints cosigned: the keeper that writes the log shows the newest released
 * checkpoint to every witness of its policy, again and again, by way of the courier, and keeps what
 * they sign. A thread of its own with a connection of its own: no batch waits for a witness. */

#include "keeper/chain.h"

#include <pthread.h>
#include <stdatomic.h>

enum witness_failure {
    WITNESS_UNREACHABLE,
    WITNESS_REFUSED,       /* it answered, and did not sign, for a reason that says nothing of us */
    WITNESS_BAD_SIGNATURE, /* it answered 200 without a valid signature of now */
    WITNESS_CONFLICT,      /* it holds a checkpoint that this log does not extend */
    WITNESS_FAILURES,
};

struct witnesses {
    struct accesslog_policy *policy; /* NULL: none is asked */
    int64_t interval_ms;
    int64_t alert_ms;
    int64_t stop_ms;
    bool required;
    pthread_t thread;
    bool runs;
    int wake_fd; /* eventfd: a new link, or the end */

    _Atomic int64_t since_ms; /* monotonic: of the last quorum, or when this keeper became writer */
    _Atomic bool asked;       /* a round has ended since it became the writer */
    _Atomic bool forked;      /* no quorum is possible without witnesses that hold another log */

    pthread_mutex_t mutex; /* of what follows */
    int link_fd;           /* to the courier, not taken by the thread yet; -1: none */
    uint64_t failures[ACCESSLOG_POLICY_WITNESSES_MAX][WITNESS_FAILURES];
    uint32_t conflicts; /* bit i: witness i */
};

struct keeper;
struct keeper_options;

/* Reads the policy, if there is one. The chain must be ready: its log must be in it.
 * Errors: CT_BAD_INPUT, CT_IO, CT_NO_MEMORY; err->text has file, line and reason. */
enum ct_status witness_init(struct keeper *keeper, const struct keeper_options *options,
                            struct ct_error *err) CT_MUST_CHECK;
/* Errors: CT_NO_MEMORY. Without a policy it does nothing. */
enum ct_status witness_start(struct keeper *keeper) CT_MUST_CHECK;
void witness_stop(struct keeper *keeper);
void witness_free(struct keeper *keeper);

/* Whether requests must be refused for want of witnesses. Threads: any, as the next. */
bool witness_stops(const struct keeper *keeper);

/* What may be published: the newest released checkpoint; with a policy, the newest one that has a
 * quorum, with its cosignatures. 0 and "" if none. */
uint64_t witness_publishable(struct keeper *keeper, char ret_note[CHAIN_NOTE_ROOM]);

/* For /readyz and the metrics. */
struct witness_view {
    bool configured;
    bool stopped;
    bool asked;
    bool forked;
    bool alert; /* no quorum for long */
    double age_s;
    uint64_t cosigned_size;
    uint32_t conflicts;
    uint64_t failures[ACCESSLOG_POLICY_WITNESSES_MAX][WITNESS_FAILURES];
};
void witness_look(struct keeper *keeper, struct witness_view *ret);
/* The witness' name of the policy as a metric's label, of plain characters only. */
void witness_label(const struct accesslog_policy_witness *witness, char *ret, size_t room);
extern const char *const witness_failure_names[WITNESS_FAILURES];

/* ---- witness_policy.c -------------------------------------------------------------------- */

/* Reads a policy whose witnesses can be asked. signers: the log's own keys, one of which must be in
 * the policy if that names logs; count 0: whichever.
 * Owner:  *ret is the caller's, free(). Errors: as witness_init(). */
enum ct_status witness_policy_load(const char *path, const struct accesslog_signer *signers,
                                   size_t count, struct accesslog_policy **ret,
                                   struct ct_error *err) CT_MUST_CHECK;

#endif
