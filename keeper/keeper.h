// SPDX-License-Identifier: Apache-2.0
#ifndef KEEPER_KEEPER_H
#define KEEPER_KEEPER_H

/* The keeper: authenticates, authorises, decides, logs and unseals. It takes requests from a link
 * to the front, gathers them into batches, one transaction each, and answers after the commit. */

#include "base/base.h"
#include "keeper/message.h"

struct keeper;

struct keeper_options {
    const char *database;  /* libpq connection string, role casetrace_keeper */
    const char *keyring;   /* path, readable by the keeper's user alone */
    const char *anchor;    /* path of the last checkpoint released; its folder must be writable */
    const char *name;      /* this host, as takeover entries name it */
    unsigned batch_count;  /* requests in a batch, at most */
    unsigned batch_weight; /* rows plus look-ups in a batch, at most */
    unsigned queue_count;  /* requests waiting, at most; more get 503 overloaded */
    unsigned trace_budget_account; /* units that an account may spend on traces a day; 0: any */
    unsigned trace_budget_agency;  /* the same of all accounts of an agency together */
    unsigned trace_no_match_limit; /* traces of an account that may find nothing a day; 0: any */
    double pi0;                    /* prior probability that the firearm is not registered */
    bool log_public;               /* checkpoint and tiles are for everybody */
    unsigned tile_queue;           /* requests for tiles that wait, at most */
    size_t tile_cache_bytes;       /* of tiles kept in memory */
    const char *policy;            /* path of the policy that names the witnesses; "": none */
    unsigned witness_interval_s;   /* from one round of asking them to the next */
    unsigned witness_alert_s;      /* without a quorum, until there is an alert */
    unsigned witness_stop_s;       /* without a quorum, until requests are refused, */
    bool witness_required;         /* if it is required */
    bool shared_user;              /* front and keeper run as one user: /readyz says so */
};

/* Opens the keyring, connects and starts the threads. A database that does not answer is not an
 * error: requests get 503 until it does. Copies what it needs of options.
 * Owner:  *ret is the caller's, keeper_stop().
 * Errors: CT_CRYPTO or CT_IO (keyring), CT_BAD_INPUT or CT_IO (policy), CT_REFUSED (another keeper
 * has the anchor), CT_STALE (schema not current, or the log's head does not extend the anchor):
 * err->text says what to do. Must not be started then. */
enum ct_status keeper_start(const struct keeper_options *options, struct keeper **ret,
                            struct ct_error *err) CT_MUST_CHECK;

/* Uses fd as the link to the front from now on and closes the one before; what was asked on that
 * one is not answered. Takes fd. Threads: one at a time. */
void keeper_link(struct keeper *keeper, int fd_take, const uint8_t boot[MESSAGE_BOOT_BYTES]);

/* Uses fd as the link to the courier from now on and closes the one before. Takes fd. */
void keeper_link_courier(struct keeper *keeper, int fd_take);

/* Reads a policy file and checks whether the witnesses in it can be asked.
 * Errors: CT_BAD_INPUT, CT_IO, CT_NO_MEMORY; err->text has file, line and reason. */
enum ct_status keeper_check_policy(const char *path, struct ct_error *err) CT_MUST_CHECK;

/* A descriptor that becomes readable when the keeper must end by itself (log forked, taken over by
 * another writer, schema changed). keeper_exit_reason() says why. */
int keeper_exit_fd(const struct keeper *keeper);
const char *keeper_exit_reason(const struct keeper *keeper);

/* Ends the batches that run, answers what waits with 503 and frees everything. NULL is safe. */
void keeper_stop(struct keeper *keeper);

#endif
