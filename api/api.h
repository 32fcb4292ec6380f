// SPDX-License-Identifier: Apache-2.0
#ifndef API_API_H
#define API_API_H

/* What the operations do. A request is decided against the contract, answered by the SQL function
 * of its operation's name, and logged; C of its own exists only for operations in which C must act
 * before (read a mark, seal a purchaser), between, or after (unseal, render). The keeper drives
 * these steps; a step never waits for anything but the connection that it is given. */

#include "accesslog/accesslog.h"
#include "api/generated.h"
#include "api/statements.h"
#include "auth/auth.h"
#include "base/base.h"
#include "microstamp/microstamp.h"
#include "store/store.h"

#define API_SOFTWARE "casetrace " API_VERSION
#define API_VERSION "0.1.0"
#define API_LICENCE_TEXT 32
#define API_SUBJECT_MAX (4u << 20) /* bytes of what was asked or touched */

/* Examinations that are not in use, kept for the next trace. Of one lane. */
struct api_examinations {
    struct microstamp_examination *idle[256];
    size_t count;
};

/* Takes one out of the pool, or makes one: NULL when out of memory. */
struct microstamp_examination *api_examination_take(struct api_examinations *pool);
/* NULL is safe. */
void api_examination_return(struct api_examinations *pool,
                            struct microstamp_examination *examination);
void api_examinations_free(struct api_examinations *pool);

/* What all requests may use. One per lane: scratch and examinations are not shared. */
struct api_context {
    const struct auth_keyring *keyring;
    const struct microstamp_matrix *matrix;
    struct microstamp_registry registry; /* what ranking knows of the registry */
    struct api_examinations examinations;
    void *own; /* scratch of api/trace_find.c: api_trace_scratch_free() */
    /* Whether a firearm was shown to an agency so often that its code can be worked out; NULL:
     * never asked. Threads: the lane's. */
    bool (*shown_often)(void *closure, const uint8_t organization[CT_UUID_BYTES],
                        const uint8_t firearm[CT_UUID_BYTES]);
    void *shown_closure;
    /* Vocabularies: JSON objects from each name and alias, folded, to the one name. */
    const json_t *calibers;
    const json_t *placements;
    /* The newest checkpoint that was signed and may be shown; size 0 if none. */
    uint64_t checkpoint_size;
    const char *checkpoint_note;
    /* The newest one that witnesses have signed too, as many as are asked for; size 0 if none. */
    uint64_t cosigned_size;
    const char *cosigned_note;
};

/* Who asks, as the database resolved the credential. */
struct api_identity {
    uint8_t credential[CT_UUID_BYTES];
    uint8_t account[CT_UUID_BYTES];
    uint8_t organization[CT_UUID_BYTES];
    char licence[API_LICENCE_TEXT]; /* ORI or FFL number, "" if none */
    uint32_t roles;                 /* bit per enum api_role */
    bool is_agency;                 /* agency, laboratory, audit office: sees indexes of the log */
};

/* What an earlier request under the same Idempotency-Key left. */
struct api_replay {
    bool found;
    int64_t entry;
    uint8_t resource[CT_UUID_BYTES];
    bool has_resource;
};

#define API_EXHIBITS_MAX 16
#define API_READING_DIGEST_BYTES 16

/* An exhibit that a trace names, see api/exhibits.h. */
struct api_exhibit {
    const char *name;
    uint8_t digest[API_READING_DIGEST_BYTES]; /* of what was read of it */
    bool locked;                              /* it was traced before */
};

/* What a trace is to the traces before it. */
struct api_version {
    bool after_answer; /* an exhibit was traced before with another reading */
    int32_t number;    /* 0: not a new version of a trace but a trace of its own */
    uint8_t root[CT_UUID_BYTES];
    uint8_t supersedes[CT_UUID_BYTES];
    const char *reason;
    /* What the answer would have said of the purchaser, a JSON object without the person; owned.
     * NULL: none was withheld. */
    char *withheld;
    uint8_t withheld_sale[CT_UUID_BYTES];
};

/* A firearm that an answer shows without identifying it. */
struct api_told {
    uint8_t firearm[CT_UUID_BYTES];
    uint32_t times; /* readings that tell of its code: see budget_shown_often() */
};

#define API_HEADERS_MAX 3

/* A header of an answer beside those that all have. */
struct api_header {
    const char *name; /* a constant */
    char value[160];
};

/* One request on its way. Strings point into the message it came with. */
struct api_request {
    enum api_operation operation;
    enum api_operation permitted_as; /* whose permission it needs: its own, but for the view of the
                                      * log where that is closed */
    enum api_sql sql; /* the function that answers it; a replay may be answered by another one */
    const char *peer;
    const char *idempotency_key; /* NULL if none */
    const uint8_t *sent;         /* the body as sent */
    size_t sent_length;
    json_t *path; /* as validated; owned, as the next */
    json_t *query;
    json_t *body;
    struct api_identity identity;
    struct api_replay replay;

    json_t *input; /* what SQL sees; made of the three above unless a before step made it */
    void *own;     /* the operation's own state, freed with own_free */
    void (*own_free)(void *own);

    enum api_error error; /* API_ERROR_NONE: done as asked */
    json_t *answer;       /* the body, or {"detail", "errors"} of a refusal; owned */
    char *recorded;       /* the answer as recorded, where it was written as text; then answer is
                           * NULL unless it is a refusal. Owned, as the next */
    char *asked;          /* JSON text: what the log's subject says was asked; may be NULL */
    char *touched;        /* JSON text: what the log's subject says was touched; may be NULL */
    uint8_t resource[CT_UUID_BYTES]; /* what a repeated Idempotency-Key leads to */
    bool has_resource;
    unsigned retry_after_s; /* of a refusal; 0: as its error says */
    const char *state;      /* of a trace's answer, a constant; NULL: none was made */
    struct api_header headers[API_HEADERS_MAX]; /* set by a render step */
    unsigned header_count;
    uint64_t read_first; /* entries of the log that the answer shows */
    uint32_t read_count;
    int candidates;        /* for the log's header; -1: not a trace */
    int disclosed;         /* purchasers */
    struct api_told *told; /* owned */
    size_t told_count;
    uint32_t guns;      /* that an answer speaks of; 0: none was made, or of one */
    uint32_t unmatched; /* of them, those that nothing registered fits */
    const char *case_number;
    const char *purpose;

    struct api_exhibit exhibits[API_EXHIBITS_MAX];
    size_t exhibit_count;
    int unread; /* most unread characters of one of its marks */
    struct api_version version;

    uint32_t ordinal;    /* position of its entry in the batch, from 1 */
    bool prefers_plain;  /* the client wants text/plain rather than JSON */
    char attachment[48]; /* name under which the answer, which is text, is to be saved; "": none */
    bool seal_broken;    /* found after the commit: a second entry says so */
};

/* The receipt of a request's entry, made after the commit. */
struct api_receipt {
    uint64_t entry;
    const char *proof; /* a tlog-proof document */
};

/* Steps of one operation that C takes part in; any of them may be NULL.
 * before: one request, credential and fields are checked. May refuse with api_refuse().
 * look:   queues a statement of its own before start does, whose result seen reads before finish:
 *         what must be known first, without a round trip more.
 * start:  queues the first statement for all of the batch's requests of this kind.
 * finish: reads its result; every request has an error or an answer then. May run further round
 *         trips on the connection.
 * record: queues one more statement whose result nobody needs (returns whether it did).
 * render: after the commit: the body that the client gets; unseals what may be disclosed.
 * A status other than CT_OK fails the whole batch, which is then halved. */
struct api_handler {
    void (*before)(struct api_context *context, struct api_request *request);
    enum ct_status (*look)(struct api_context *context, struct store *store,
                           const uint8_t batch[CT_UUID_BYTES], struct api_request **requests,
                           size_t count);
    enum ct_status (*seen)(struct api_request **requests, size_t count,
                           const struct store_result *result);
    enum ct_status (*start)(struct api_context *context, struct store *store,
                            const uint8_t batch[CT_UUID_BYTES], struct api_request **requests,
                            size_t count);
    enum ct_status (*finish)(struct api_context *context, struct store *store,
                             struct api_request **requests, size_t count,
                             const struct store_result *result, struct ct_error *err);
    enum ct_status (*record)(struct api_context *context, struct store *store,
                             const uint8_t batch[CT_UUID_BYTES], struct api_request **requests,
                             size_t count, bool *ret_queued);
    /* The same as text, appended to out, where making it of what was recorded saves most of the
     * work; false: nothing was appended, and render makes it. */
    bool (*render_text)(struct api_context *context, struct api_request *request,
                        const struct api_receipt *receipt, struct ct_buf *out);
    json_t *(*render)(struct api_context *context, struct api_request *request,
                      const struct api_receipt *receipt);
    bool bulk; /* many rows: the bulk lane */
};

/* Frees context->own. NULL is safe. */
void api_trace_scratch_free(void *own);

/* The steps of requests answered by that function. Never NULL. */
const struct api_handler *api_handler_of(enum api_sql sql);

/* Frees what the request holds (not the request). */
void api_request_clear(struct api_request *request);
/* Forgets what an attempt left, so that the request can be tried again in a smaller batch. */
void api_request_reset(struct api_request *request);

/* Sets the outcome to a refusal; pointer may be NULL. A refusal that stands stays. */
void api_refuse(struct api_request *request, enum api_error error, const char *pointer,
                const char *detail);

/* Parameters that most functions have: the requests' ordinals; their accounts and organizations. */
void api_add_ordinals(struct store_params *params, struct api_request **requests, size_t count);
void api_add_askers(struct store_params *params, struct api_request **requests, size_t count);

/* The generic steps: an SQL function of the one shape. */
enum ct_status api_generic_start(struct api_context *context, struct store *store,
                                 const uint8_t batch[CT_UUID_BYTES], struct api_request **requests,
                                 size_t count);
enum ct_status api_generic_finish(struct api_context *context, struct store *store,
                                  struct api_request **requests, size_t count,
                                  const struct store_result *result, struct ct_error *err);

/* The handlers that have C of their own, one file per resource. */
extern const struct api_handler api_code_blocks_create;
extern const struct api_handler api_firearms_register;
extern const struct api_handler api_custody_record;
extern const struct api_handler api_sales_create;
extern const struct api_handler api_traces_create;
extern const struct api_handler api_traces_revise;
extern const struct api_handler api_traces_get;
extern const struct api_handler api_disclosures_create;
extern const struct api_handler api_comparisons_create;
extern const struct api_handler api_comparisons_get;
extern const struct api_handler api_confusion_create;
extern const struct api_handler api_confusion_learn;
extern const struct api_handler api_confusion_get;
extern const struct api_handler api_keys_create;
extern const struct api_handler api_log_list;
extern const struct api_handler api_log_entry;
extern const struct api_handler api_log_export;
extern const struct api_handler api_log_receipt;
extern const struct api_handler api_log_consistency;
extern const struct api_handler api_log_view;
extern const struct api_handler api_openapi_get;

#endif
