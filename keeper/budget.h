// SPDX-License-Identifier: Apache-2.0
#ifndef KEEPER_BUDGET_H
#define KEEPER_BUDGET_H

/* What accounts and agencies have spent on traces today, UTC. One keeper writes the log, so the
 * ledger lives in its memory: loaded from the day's records when it becomes the writer, then
 * reserved from before a trace is carried out and settled after its commit. */

#include "api/api.h"
#include "keeper/repeats.h"

#include <pthread.h>

/* 0: no limit. */
struct budget_limits {
    unsigned account;  /* units that one account may spend on a day */
    unsigned agency;   /* units that all accounts of an agency may spend together */
    unsigned no_match; /* guns with state no_match in traces of one account on a day */
};

enum budget_counter {
    BUDGET_SPENT,
    BUDGET_NO_MATCH,   /* traces that found nothing; one of several guns counts for each */
    BUDGET_WILDCARDS,  /* traces with a mark of which two or more characters were not read */
    BUDGET_CANDIDATES, /* firearms shown as candidates that were not identified */
    BUDGET_COUNTERS,
    BUDGET_FIREARM = BUDGET_COUNTERS, /* traces that showed one and the same firearm */
};

struct budget_tally {
    uint32_t count;
    int64_t first_entry; /* of the log, the first and last that counted; -1: not known */
    int64_t last_entry;
};

/* An account or an organization; their ids are random, so one table holds both. */
struct budget_row {
    uint8_t id[CT_UUID_BYTES];
    bool used;
    uint32_t reserved;
    uint32_t found; /* a bit for each kind of finding that was made */
    struct budget_tally tally[BUDGET_COUNTERS];
};

/* Something that an auditor should look at, once a day for each account. */
struct budget_finding {
    const char *kind;
    uint8_t account[CT_UUID_BYTES];
    bool of_agency; /* account then says nothing */
    uint8_t organization[CT_UUID_BYTES];
    int64_t day; /* since 1970-01-01 */
    struct budget_tally tally;
};

struct budget {
    pthread_mutex_t mutex;
    struct budget_limits limits;
    int64_t day; /* since 1970-01-01, of the rows */
    bool loaded;
    struct budget_row *rows; /* room is a power of two */
    size_t room;
    size_t count;
    struct repeats repeats; /* by account: firearms that were shown */
    struct repeats shown;   /* by agency: those that were shown without being identified */
    struct budget_finding *findings;
    size_t finding_count;
    size_t finding_room;
};

/* What a trace came to. */
struct budget_use {
    const char *state; /* of the answer */
    int candidates;    /* shown in it */
    int unread;        /* most unread characters of a mark */
    int64_t first_entry;
    int64_t last_entry;
    uint32_t times;      /* so many traces alike; 1 but when loading */
    uint32_t guns;       /* that the answer speaks of; 0: one, as when loading */
    uint32_t unmatched;  /* of several guns, those that nothing registered fits */
    const char *touched; /* what the log says was touched, with its firearms; NULL when loading */
    const struct api_told
        *told; /* firearms that were shown and not identified; none when loading */
    size_t told_count;
};

void budget_init(struct budget *budget, const struct budget_limits *limits);
void budget_free(struct budget *budget);

/* Units that a trace costs: 1, 1 more for each 5 candidates, or part of 5, beyond the first, and 1
 * more for each gun beyond the first that its answer speaks of: each may be a guess. */
unsigned budget_cost(int candidates, uint32_t guns);

/* Before a trace is carried out: puts one unit aside, so that what runs at once never comes to more
 * answers than there are units; what candidates cost beyond it is added when it is settled.
 * ret_day: to be given to budget_settle(). Refuses the request with an error that has no entry in
 * the log, or with internal when out of memory.
 * Returns whether the request goes on. Threads: any, as the next. */
bool budget_reserve(struct budget *budget, struct api_request *request, int64_t now_ms,
                    int64_t *ret_day);
/* Gives back what was put aside that day and, unless use is NULL, books what the trace came to. */
void budget_settle(struct budget *budget, const struct api_identity *identity, int64_t day,
                   const struct budget_use *use, int64_t now_ms);

/* Whether a firearm was shown to the agency today as a candidate, or compared, so often that a
 * reading which identifies it may be made of those answers. An answer counts once, and one that
 * says of several marks what of them does not agree, once for each of them. */
bool budget_shown_often(struct budget *budget, const uint8_t organization[CT_UUID_BYTES],
                        const uint8_t firearm[CT_UUID_BYTES]);

/* Forgets all; then each use of the day is added with budget_load(). Errors: CT_NO_MEMORY. */
void budget_begin(struct budget *budget, int64_t day);
enum ct_status budget_load(struct budget *budget, const uint8_t account[CT_UUID_BYTES],
                           const uint8_t organization[CT_UUID_BYTES],
                           const struct budget_use *use) CT_MUST_CHECK;

/* Takes findings that wait to be recorded. Owner: the caller's, free(); NULL and 0 if none. */
struct budget_finding *budget_findings_take(struct budget *budget, size_t *ret_count);
/* They could not be recorded: they wait again. Takes findings. */
void budget_findings_return(struct budget *budget, struct budget_finding *findings_take,
                            size_t count);

#endif
