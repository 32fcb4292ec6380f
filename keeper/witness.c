// SPDX-License-Identifier: Apache-2.0
#include "keeper/internal.h"

#include "api/log.h"
#include "keeper/courier.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* A round: the newest released checkpoint goes to every witness, with the proof from what that
 * witness confirmed last; who holds another size says so and is asked once more from there. Only
 * what chain_released() gives is sent: it is committed, and in the anchor on disk. */

#define TICK_MS 200
#define LINK_WAIT_MS 5000 /* after a start, for the courier, before witnesses count as away */
#define CLOCK_OFF_S 300   /* between a cosignature's time and ours; what is older may be replayed */
#define WITNESSES ACCESSLOG_POLICY_WITNESSES_MAX
#define BODY_ROOM ACCESSLOG_WITNESS_ROOM(CHAIN_NOTE_ROOM)

const char *const witness_failure_names[WITNESS_FAILURES] = {"unreachable", "refused",
                                                             "bad_signature", "conflict"};

/* What is under way with one witness in this round. */
struct exchange {
    bool pending;
    bool repeated;
    uint32_t id;
    uint64_t old; /* the size from which the proof leads */
};

struct asker {
    struct keeper *keeper;
    struct witnesses *witnesses;
    struct store *store;
    int fd; /* to the courier; -1: none */
    uint32_t next_id;
    int64_t link_until_ms; /* a first round waits for the courier until then; 0: not begun */
    bool alerted;
    bool stopped;
    uint64_t held[WITNESSES]; /* the size that each confirmed last */

    uint64_t size; /* of the round's checkpoint, as the next */
    char note[CHAIN_NOTE_ROOM];
    size_t text_length; /* of the note, up to its empty line */
    struct exchange exchanges[WITNESSES];
    char lines[WITNESSES][ACCESSLOG_SIGNATURE_LINE_MAX]; /* "": none in this round */
};

/* ---- a round's end ----------------------------------------------------------------------- */

static void count_failure(struct asker *asker, size_t i, enum witness_failure failure)
{
    (void)pthread_mutex_lock(&asker->witnesses->mutex);
    asker->witnesses->failures[i][failure]++;
    (void)pthread_mutex_unlock(&asker->witnesses->mutex);
    asker->exchanges[i].pending = false;
}

/* Whether it is new that this witness holds another log, or new that it does not. */
static bool set_conflict(struct witnesses *witnesses, size_t i, bool conflict)
{
    uint32_t bit = (uint32_t)1 << i;
    (void)pthread_mutex_lock(&witnesses->mutex);
    bool changed = ((witnesses->conflicts & bit) != 0) != conflict;
    witnesses->conflicts = conflict ? witnesses->conflicts | bit : witnesses->conflicts & ~bit;
    (void)pthread_mutex_unlock(&witnesses->mutex);
    return changed;
}

/* A keeper that has been superseded is behind and not put back. */
static bool writes_still(struct asker *asker)
{
    struct ct_error err = {.text = ""};
    bool mine = false;
    return asker->store != NULL && atomic_load(&asker->keeper->state) == KEEPER_ACTIVE &&
           chain_check_writer(&asker->keeper->chain, asker->store, &mine, &err) == CT_OK && mine;
}

static void take_conflict(struct asker *asker, size_t i, uint64_t holds)
{
    const struct accesslog_policy_witness *witness = &asker->witnesses->policy->witnesses[i];
    if (!writes_still(asker)) {
        asker->exchanges[i].pending = false;
        return;
    }
    count_failure(asker, i, WITNESS_CONFLICT);
    if (set_conflict(asker->witnesses, i, true))
        ct_log(CT_LOG_ERROR,
               "witness %s holds a checkpoint of size %llu that this log of size %llu does not "
               "extend: the database was put back, or the log has forked, or the witness lies",
               witness->name, (unsigned long long)holds, (unsigned long long)asker->size);
}

static void store_lines(struct asker *asker)
{
    for (size_t i = 0; i < asker->witnesses->policy->witness_count && asker->store != NULL; i++) {
        struct store_params params;
        struct ct_error err = {.text = ""};
        if (asker->lines[i][0] == '\0')
            continue;
        store_params_init(&params);
        store_param_bigint(&params, (int64_t)asker->size);
        store_param_text(&params, asker->witnesses->policy->witnesses[i].key.name);
        store_param_text(&params, asker->lines[i]);
        enum ct_status status = store_queue(asker->store, API_SQL_log_sign_store, &params);
        if (status == CT_OK)
            status = store_run(asker->store, ct_mono_ms() + LIMIT_BULK_STATEMENT_MS, NULL, 0, &err);
        store_params_free(&params);
        if (status != CT_OK) {
            ct_log(CT_LOG_WARNING, "a cosignature is not stored: %s", err.text);
            store_close(asker->store);
            asker->store = NULL;
        }
    }
}

static void keep_quorum(struct asker *asker)
{
    struct witnesses *witnesses = asker->witnesses;
    char note[CHAIN_NOTE_ROOM];
    size_t length = strlen(asker->note);
    memcpy(note, asker->note, length + 1);
    for (size_t i = 0; i < witnesses->policy->witness_count; i++) {
        size_t more = strlen(asker->lines[i]);
        if (length + more >= sizeof note)
            break; /* cannot be: the room is for all of them */
        memcpy(note + length, asker->lines[i], more + 1);
        length += more;
    }
    store_lines(asker);
    struct keeper_view *view = &asker->keeper->view;
    (void)pthread_mutex_lock(&view->mutex);
    if (asker->size >= view->cosigned_size) {
        view->cosigned_size = asker->size;
        memcpy(view->cosigned_note, note, length + 1);
    }
    (void)pthread_mutex_unlock(&view->mutex);
    atomic_store(&witnesses->since_ms, ct_mono_ms());
}

static void end_round(struct asker *asker)
{
    struct witnesses *witnesses = asker->witnesses;
    const struct accesslog_policy *policy = witnesses->policy;
    uint32_t signed_by = 0;
    for (size_t i = 0; i < policy->witness_count; i++) {
        if (asker->exchanges[i].pending)
            count_failure(asker, i, WITNESS_UNREACHABLE);
        if (asker->lines[i][0] != '\0')
            signed_by |= (uint32_t)1 << i;
    }
    if (accesslog_policy_reached(policy, signed_by))
        keep_quorum(asker);
    (void)pthread_mutex_lock(&witnesses->mutex);
    uint32_t conflicts = witnesses->conflicts;
    (void)pthread_mutex_unlock(&witnesses->mutex);
    atomic_store(&witnesses->forked, !accesslog_policy_reached(policy, ~conflicts));
    atomic_store(&witnesses->asked, true);
}

/* ---- asking ------------------------------------------------------------------------------ */

static enum ct_status connect_store(struct asker *asker, struct ct_error *err)
{
    struct store_options options = {
        .connection = asker->keeper->database,
        .label = "casetrace witnesses",
        .statement_timeout_ms = LIMIT_STATEMENT_MS,
        .statements = api_statements,
        .statement_count = API_SQL_COUNT,
    };
    if (asker->store != NULL)
        return CT_OK;
    return store_open(&options, ct_mono_ms() + LIMIT_CONNECT_MS, &asker->store, err);
}

static bool prove(struct asker *asker, uint64_t old, struct accesslog_hash *ret_proof,
                  size_t *ret_count)
{
    struct ct_error err = {.text = ""};
    struct api_log_reader reader = {
        .store = asker->store, .deadline_ms = ct_mono_ms() + LIMIT_STATEMENT_MS, .err = &err};
    struct accesslog_storage storage = api_log_storage(&reader);
    *ret_count = 0;
    if (old == 0 || old == asker->size)
        return true;
    if (asker->store == NULL)
        return false;
    if (accesslog_prove_consistency(&storage, old, asker->size, ret_proof, ret_count) ==
        ACCESSLOG_OK)
        return true;
    ct_log(CT_LOG_WARNING, "no proof for the witnesses: %s", err.text);
    store_close(asker->store);
    asker->store = NULL;
    return false;
}

static void ask(struct asker *asker, size_t i)
{
    const char *base = asker->witnesses->policy->witnesses[i].url;
    struct exchange *exchange = &asker->exchanges[i];
    struct accesslog_hash proof[ACCESSLOG_PROOF_MAX];
    char url[COURIER_URL_MAX + 1];
    char body[BODY_ROOM];
    size_t count;
    size_t base_length = strlen(base);
    while (base_length > 0 && base[base_length - 1] == '/')
        base_length--;
    (void)snprintf(url, sizeof url, "%.*s/add-checkpoint", (int)base_length, base);
    exchange->old = asker->held[i];
    exchange->id = asker->next_id++;
    exchange->pending = true;
    size_t length = 0;
    if (prove(asker, exchange->old, proof, &count))
        length = accesslog_witness_format(exchange->old, proof, count, asker->note,
                                          strlen(asker->note), body, sizeof body);
    if (length == 0 || asker->fd < 0 ||
        courier_send_request(asker->fd, exchange->id, url, body, length) != CT_OK)
        count_failure(asker, i, WITNESS_UNREACHABLE);
}

/* The line of the answer that this witness has signed over the round's checkpoint, just now. */
static bool find_line(struct asker *asker, size_t i, const char *body, size_t length)
{
    const struct accesslog_verifier *key = &asker->witnesses->policy->witnesses[i].key;
    const char *end = body + length;
    const char *feed;
    for (; body != end && (feed = memchr(body, '\n', (size_t)(end - body))) != NULL;
         body = feed + 1) {
        size_t line = (size_t)(feed - body) + 1;
        const struct accesslog_note note = {asker->note, asker->text_length, body, line};
        struct accesslog_signed result;
        if (line >= sizeof asker->lines[i] || memchr(body, '\0', line) != NULL ||
            accesslog_note_verify(&note, key, 1, &result) != ACCESSLOG_OK || !result.valid)
            continue;
        int64_t off_s = (int64_t)result.time_s - ct_now_ms() / 1000;
        if (result.time_s > INT64_MAX / 1000 || off_s > CLOCK_OFF_S || off_s < -CLOCK_OFF_S)
            continue;
        memcpy(asker->lines[i], body, line);
        asker->lines[i][line] = '\0';
        return true;
    }
    return false;
}

static void take_size(struct asker *asker, size_t i, const struct courier_answer *answer)
{
    struct exchange *exchange = &asker->exchanges[i];
    uint64_t holds;
    if (accesslog_witness_conflict_parse((const char *)answer->body, answer->body_length, &holds) !=
        ACCESSLOG_OK) {
        count_failure(asker, i, WITNESS_REFUSED);
    } else if (holds > asker->size || (holds == asker->size && exchange->old == holds)) {
        take_conflict(asker, i, holds);
    } else if (holds == exchange->old || exchange->repeated) {
        asker->held[i] = holds;
        count_failure(asker, i, WITNESS_REFUSED);
    } else {
        asker->held[i] = holds;
        exchange->repeated = true;
        ask(asker, i);
    }
}

static void take_answer(struct asker *asker, const struct courier_answer *answer)
{
    size_t count = asker->witnesses->policy->witness_count;
    size_t i = 0;
    while (i < count && !(asker->exchanges[i].pending && asker->exchanges[i].id == answer->id))
        i++;
    if (i == count)
        return; /* of an earlier round */
    const struct accesslog_policy_witness *witness = &asker->witnesses->policy->witnesses[i];
    if (answer->status == 0) {
        count_failure(asker, i, WITNESS_UNREACHABLE);
    } else if (answer->status == 409) {
        take_size(asker, i, answer);
    } else if (answer->status == 422 && asker->exchanges[i].old != 0) {
        take_conflict(asker, i, asker->exchanges[i].old);
    } else if (answer->status != 200) {
        count_failure(asker, i, WITNESS_REFUSED);
    } else if (!find_line(asker, i, (const char *)answer->body, answer->body_length)) {
        count_failure(asker, i, WITNESS_BAD_SIGNATURE);
    } else {
        asker->exchanges[i].pending = false;
        asker->held[i] = asker->size;
        if (set_conflict(asker->witnesses, i, false))
            ct_log(CT_LOG_NOTICE, "witness %s holds this log again", witness->name);
    }
}

static void drop_link(struct asker *asker)
{
    if (asker->fd >= 0)
        (void)close(asker->fd);
    asker->fd = -1;
}

static void take_answers(struct asker *asker)
{
    uint8_t packet[COURIER_ANSWER_MAX];
    struct courier_answer answer;
    enum ct_status status;
    while ((status = courier_receive_answer(asker->fd, packet, &answer)) == CT_OK)
        take_answer(asker, &answer);
    if (status == CT_BAD_INPUT)
        ct_log(CT_LOG_ERROR, "the courier sent what is no answer: link given up");
    if (status != CT_NOT_FOUND)
        drop_link(asker);
}

static bool is_pending(const struct asker *asker)
{
    for (size_t i = 0; i < asker->witnesses->policy->witness_count; i++) {
        if (asker->exchanges[i].pending)
            return true;
    }
    return false;
}

static void run_round(struct asker *asker)
{
    struct keeper *keeper = asker->keeper;
    struct ct_error err = {.text = ""};
    int64_t end_ms = ct_mono_ms() + LIMIT_WITNESS_ROUND_MS;
    asker->size = chain_released(&keeper->chain, asker->note);
    const char *blank = strstr(asker->note, "\n\n");
    if (asker->size == 0 || blank == NULL)
        return;
    asker->text_length = (size_t)(blank - asker->note) + 1;
    memset(asker->exchanges, 0, sizeof asker->exchanges);
    memset(asker->lines, 0, sizeof asker->lines);
    if (connect_store(asker, &err) != CT_OK)
        asker->store = NULL; /* who holds this very size needs no proof */
    for (size_t i = 0; i < asker->witnesses->policy->witness_count; i++) {
        if (asker->witnesses->policy->witnesses[i].url[0] != '\0')
            ask(asker, i);
    }
    while (asker->fd >= 0 && is_pending(asker) && ct_mono_ms() < end_ms &&
           !atomic_load(&keeper->stopping)) {
        struct pollfd wait = {.fd = asker->fd, .events = POLLIN};
        if (poll(&wait, 1, TICK_MS) > 0)
            take_answers(asker);
    }
    if (!atomic_load(&keeper->stopping))
        end_round(asker);
}

/* ---- the thread -------------------------------------------------------------------------- */

static void take_link(struct asker *asker)
{
    struct witnesses *witnesses = asker->witnesses;
    (void)pthread_mutex_lock(&witnesses->mutex);
    int fd = witnesses->link_fd;
    witnesses->link_fd = -1;
    (void)pthread_mutex_unlock(&witnesses->mutex);
    if (fd < 0)
        return;
    drop_link(asker);
    asker->fd = fd;
}

static void say_state(struct asker *asker)
{
    struct witness_view view;
    witness_look(asker->keeper, &view);
    if (view.alert && !asker->alerted)
        ct_log(CT_LOG_ERROR, "no quorum of witnesses for %.0f s", view.age_s);
    else if (!view.alert && asker->alerted)
        ct_log(CT_LOG_NOTICE, "there is a quorum of witnesses again");
    asker->alerted = view.alert;
    bool stopped = view.stopped && view.asked;
    if (stopped && !asker->stopped)
        ct_log(CT_LOG_ERROR, view.forked ? "witnesses hold another log: requests are refused"
                                         : "without a quorum of witnesses requests are refused");
    else if (!stopped && asker->stopped)
        ct_log(CT_LOG_NOTICE, "requests are answered again");
    asker->stopped = stopped;
}

/* This keeper writes no more, or not yet. */
static void rest(struct asker *asker)
{
    struct witnesses *witnesses = asker->witnesses;
    store_close(asker->store);
    asker->store = NULL;
    asker->link_until_ms = 0;
    asker->alerted = asker->stopped = false;
    atomic_store(&witnesses->asked, false);
    atomic_store(&witnesses->forked, false);
    atomic_store(&witnesses->since_ms, ct_mono_ms());
    (void)pthread_mutex_lock(&witnesses->mutex);
    witnesses->conflicts = 0;
    (void)pthread_mutex_unlock(&witnesses->mutex);
}

/* Whether a round may begin: the first one waits a little for a courier that is starting too. */
static bool may_begin(struct asker *asker)
{
    int64_t now_ms = ct_mono_ms();
    if (asker->link_until_ms == 0)
        asker->link_until_ms = now_ms + LINK_WAIT_MS;
    return asker->fd >= 0 || now_ms >= asker->link_until_ms;
}

static void *witness_main(void *argument)
{
    struct keeper *keeper = argument;
    struct asker *asker = calloc(1, sizeof *asker);
    int64_t next_ms = 0;
    if (asker == NULL) {
        keeper_end(keeper, "no memory to ask witnesses");
        return NULL;
    }
    asker->keeper = keeper;
    asker->witnesses = &keeper->witnesses;
    asker->fd = -1;
    while (!atomic_load(&keeper->stopping)) {
        struct pollfd wait = {.fd = asker->witnesses->wake_fd, .events = POLLIN};
        uint64_t count;
        take_link(asker);
        if (atomic_load(&keeper->state) != KEEPER_ACTIVE) {
            rest(asker);
            next_ms = 0;
        } else if (ct_mono_ms() >= next_ms && may_begin(asker)) {
            next_ms = ct_mono_ms() + asker->witnesses->interval_ms;
            run_round(asker);
        }
        if (atomic_load(&keeper->state) == KEEPER_ACTIVE)
            say_state(asker);
        int64_t left_ms = next_ms - ct_mono_ms();
        if (poll(&wait, 1, left_ms > 0 && left_ms < TICK_MS ? (int)left_ms : TICK_MS) > 0 &&
            read(wait.fd, &count, sizeof count) < 0)
            continue;
    }
    drop_link(asker);
    store_close(asker->store);
    free(asker);
    return NULL;
}

/* ---- from other threads ------------------------------------------------------------------ */

static void wake(struct witnesses *witnesses)
{
    uint64_t one = 1;
    ssize_t written = write(witnesses->wake_fd, &one, sizeof one);
    (void)written; /* a counter that is full wakes as well */
}

enum ct_status witness_init(struct keeper *keeper, const struct keeper_options *options,
                            struct ct_error *err)
{
    struct witnesses *witnesses = &keeper->witnesses;
    if (options->policy == NULL || options->policy[0] == '\0')
        return CT_OK;
    witnesses->interval_ms = 1000 * (int64_t)options->witness_interval_s;
    witnesses->alert_ms = 1000 * (int64_t)options->witness_alert_s;
    witnesses->stop_ms = 1000 * (int64_t)options->witness_stop_s;
    witnesses->required = options->witness_required;
    witnesses->link_fd = -1;
    atomic_store(&witnesses->since_ms, ct_mono_ms());
    struct accesslog_policy *policy = NULL;
    enum ct_status status = witness_policy_load(options->policy, keeper->chain.signers,
                                                keeper->chain.signer_count, &policy, err);
    if (status != CT_OK)
        return status;
    witnesses->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (witnesses->wake_fd < 0) {
        ct_error_set(err, "eventfd: %s", strerror(errno));
        free(policy);
        return CT_IO;
    }
    (void)pthread_mutex_init(&witnesses->mutex, NULL);
    witnesses->policy = policy;
    return CT_OK;
}

enum ct_status witness_start(struct keeper *keeper)
{
    struct witnesses *witnesses = &keeper->witnesses;
    if (witnesses->policy == NULL)
        return CT_OK;
    witnesses->runs = pthread_create(&witnesses->thread, NULL, witness_main, keeper) == 0;
    return witnesses->runs ? CT_OK : CT_NO_MEMORY;
}

void witness_stop(struct keeper *keeper)
{
    struct witnesses *witnesses = &keeper->witnesses;
    if (!witnesses->runs)
        return;
    wake(witnesses);
    (void)pthread_join(witnesses->thread, NULL);
    witnesses->runs = false;
}

void witness_free(struct keeper *keeper)
{
    struct witnesses *witnesses = &keeper->witnesses;
    if (witnesses->policy == NULL)
        return;
    if (witnesses->link_fd >= 0)
        (void)close(witnesses->link_fd);
    (void)close(witnesses->wake_fd);
    (void)pthread_mutex_destroy(&witnesses->mutex);
    free(witnesses->policy);
    witnesses->policy = NULL;
}

void keeper_link_courier(struct keeper *keeper, int fd_take)
{
    struct witnesses *witnesses = &keeper->witnesses;
    int before = fd_take;
    if (witnesses->policy != NULL) {
        (void)pthread_mutex_lock(&witnesses->mutex);
        before = witnesses->link_fd;
        witnesses->link_fd = fd_take;
        (void)pthread_mutex_unlock(&witnesses->mutex);
        wake(witnesses);
    }
    if (before >= 0)
        (void)close(before);
}

bool witness_stops(const struct keeper *keeper)
{
    const struct witnesses *witnesses = &keeper->witnesses;
    return witnesses->policy != NULL && witnesses->required &&
           (!atomic_load(&witnesses->asked) || atomic_load(&witnesses->forked) ||
            ct_mono_ms() - atomic_load(&witnesses->since_ms) >= witnesses->stop_ms);
}

uint64_t witness_publishable(struct keeper *keeper, char ret_note[CHAIN_NOTE_ROOM])
{
    struct witnesses *witnesses = &keeper->witnesses;
    if (witnesses->policy == NULL || witnesses->policy->quorum == 0)
        return chain_released(&keeper->chain, ret_note);
    return publish_cosigned(keeper, ret_note);
}

void witness_look(struct keeper *keeper, struct witness_view *ret)
{
    struct witnesses *witnesses = &keeper->witnesses;
    *ret = (struct witness_view){.configured = witnesses->policy != NULL};
    if (!ret->configured)
        return;
    int64_t age_ms = ct_mono_ms() - atomic_load(&witnesses->since_ms);
    ret->age_s = (double)age_ms / 1000.0;
    ret->alert = age_ms >= witnesses->alert_ms;
    ret->asked = atomic_load(&witnesses->asked);
    ret->forked = atomic_load(&witnesses->forked);
    ret->stopped = witness_stops(keeper);
    (void)pthread_mutex_lock(&witnesses->mutex);
    ret->conflicts = witnesses->conflicts;
    memcpy(ret->failures, witnesses->failures, sizeof ret->failures);
    (void)pthread_mutex_unlock(&witnesses->mutex);
    (void)pthread_mutex_lock(&keeper->view.mutex);
    ret->cosigned_size = keeper->view.cosigned_size;
    (void)pthread_mutex_unlock(&keeper->view.mutex);
}

void witness_label(const struct accesslog_policy_witness *witness, char *ret, size_t room)
{
    (void)snprintf(ret, room, "%s", witness->name);
    for (; *ret != '\0'; ret++) {
        bool plain = (*ret >= 'a' && *ret <= 'z') || (*ret >= 'A' && *ret <= 'Z') ||
                     (*ret >= '0' && *ret <= '9') || strchr("-._~/:+", *ret) != NULL;
        if (!plain)
            *ret = '_';
    }
}
