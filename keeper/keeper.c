// SPDX-License-Identifier: Apache-2.0
#include "keeper/internal.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static enum ct_status make(struct keeper *keeper, const struct keeper_options *options,
                           struct ct_error *err)
{
    keeper->database = strdup(options->database);
    (void)snprintf(keeper->name, sizeof keeper->name, "%s", options->name);
    keeper->limits.count = options->batch_count;
    keeper->limits.weight = options->batch_weight;
    keeper->pi0 = options->pi0;
    keeper->shared_user = options->shared_user;
    keeper->log_public = options->log_public;
    (void)pthread_mutex_init(&keeper->view.mutex, NULL);
    keeper->view.filled_ms = ct_mono_ms();
    strangers_init(&keeper->strangers);
    budget_init(&keeper->budget,
                &(struct budget_limits){options->trace_budget_account, options->trace_budget_agency,
                                        options->trace_no_match_limit});
    keeper->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    keeper->exit_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (keeper->database == NULL || keeper->wake_fd < 0 || keeper->exit_fd < 0)
        return CT_NO_MEMORY;
    enum ct_status status =
        auth_keyring_load(options->keyring, AUTH_OWNER_SELF, &keeper->keyring, err);
    if (status != CT_OK)
        return status == CT_NO_MEMORY ? status : CT_CRYPTO;
    struct microstamp_matrix *matrix;
    if (microstamp_matrix_make_default(&matrix) != MICROSTAMP_OK)
        return CT_NO_MEMORY;
    status = knowledge_init(&keeper->knowledge, matrix);
    if (status == CT_OK)
        status = scheduler_init(&keeper->scheduler, options->queue_count);
    if (status == CT_OK)
        status = chain_init(&keeper->chain, keeper->keyring, options->name, options->anchor, err);
    if (status == CT_OK)
        status = witness_init(keeper, options, err);
    return status;
}

static bool shown_often(void *closure, const uint8_t organization[CT_UUID_BYTES],
                        const uint8_t firearm[CT_UUID_BYTES])
{
    return budget_shown_often(closure, organization, firearm);
}

static enum ct_status start_threads(struct keeper *keeper, const struct keeper_options *options)
{
    for (unsigned i = 0; i < KEEPER_LANES; i++) {
        struct lane *lane = &keeper->lanes[i];
        lane->keeper = keeper;
        lane->number = i;
        lane->kind = i + 1 < KEEPER_LANES ? LANE_INTERACTIVE : LANE_BULK;
        lane->context.keyring = keeper->keyring;
        lane->context.shown_often = shown_often;
        lane->context.shown_closure = &keeper->budget;
        lane->batch = malloc(sizeof *lane->batch);
        lane->runs =
            lane->batch != NULL && pthread_create(&lane->thread, NULL, lane_main, lane) == 0;
        if (!lane->runs)
            return CT_NO_MEMORY;
    }
    keeper->worker_runs = pthread_create(&keeper->worker, NULL, worker_main, keeper) == 0;
    if (!keeper->worker_runs)
        return CT_NO_MEMORY;
    enum ct_status status = tiles_start(keeper, options->tile_queue, options->tile_cache_bytes);
    if (status == CT_OK)
        status = witness_start(keeper);
    return status == CT_OK ? link_start(keeper) : status;
}

enum ct_status keeper_start(const struct keeper_options *options, struct keeper **ret,
                            struct ct_error *err)
{
    if (auth_init() != CT_OK) {
        ct_error_set(err, "libsodium cannot be used");
        return CT_CRYPTO;
    }
    json_object_seed(0); /* before threads */
    /* Batches ask for and give back the same few hundred KiB again and again: what malloc gives to
     * the system it has to have cleared by it the next time. */
    (void)mallopt(M_MMAP_THRESHOLD, 16 << 20);
    (void)mallopt(M_TRIM_THRESHOLD, 32 << 20);
    struct keeper *keeper = calloc(1, sizeof *keeper);
    if (keeper == NULL)
        return CT_NO_MEMORY;
    keeper->chain.anchor = -1;
    keeper->wake_fd = keeper->exit_fd = -1;
    enum ct_status status = make(keeper, options, err);
    if (status == CT_OK) {
        status = worker_look(keeper, err);
        if (status != CT_OK && status != CT_STALE) {
            ct_log(CT_LOG_WARNING, "%s; it is tried again", err->text);
            status = CT_OK;
        }
    }
    if (status == CT_OK)
        status = start_threads(keeper, options);
    if (status != CT_OK) {
        keeper_stop(keeper);
        return status;
    }
    *ret = keeper;
    return CT_OK;
}

int keeper_exit_fd(const struct keeper *keeper)
{
    return keeper->exit_fd;
}

const char *keeper_exit_reason(const struct keeper *keeper)
{
    /* Written once, before the descriptor becomes readable; the lock is what makes it seen. */
    pthread_mutex_t *mutex = (pthread_mutex_t *)&keeper->view.mutex;
    (void)pthread_mutex_lock(mutex);
    const char *reason = keeper->view.reason;
    (void)pthread_mutex_unlock(mutex);
    return reason;
}

void keeper_end(struct keeper *keeper, const char *reason)
{
    uint64_t one = 1;
    (void)pthread_mutex_lock(&keeper->view.mutex);
    if (keeper->view.reason[0] == '\0')
        (void)snprintf(keeper->view.reason, sizeof keeper->view.reason, "%s", reason);
    (void)pthread_mutex_unlock(&keeper->view.mutex);
    atomic_store(&keeper->state, KEEPER_ENDING);
    ssize_t written = write(keeper->exit_fd, &one, sizeof one);
    (void)written;
}

/* First the threads that give answers, then what they use. What waits is answered at once: a batch
 * that runs may take its time. */
void keeper_stop(struct keeper *keeper)
{
    if (keeper == NULL)
        return;
    atomic_store(&keeper->stopping, true);
    if (keeper->scheduler.running != NULL)
        answer_list(keeper, scheduler_stop(&keeper->scheduler), API_ERROR_NOT_ATTEMPTED);
    for (unsigned i = 0; i < KEEPER_LANES; i++) {
        if (keeper->lanes[i].runs)
            (void)pthread_join(keeper->lanes[i].thread, NULL);
    }
    if (keeper->worker_runs) {
        worker_wake(keeper);
        (void)pthread_join(keeper->worker, NULL);
    }
    tiles_stop(keeper);
    witness_stop(keeper);
    link_stop(keeper);
    tiles_free(keeper);
    for (unsigned i = 0; i < KEEPER_LANES; i++)
        free(keeper->lanes[i].batch);
    scheduler_free(&keeper->scheduler);
    witness_free(keeper);
    chain_free(&keeper->chain);
    knowledge_free(&keeper->knowledge);
    auth_keyring_free(keeper->keyring);
    json_decref(atomic_load(&keeper->calibers));
    json_decref(atomic_load(&keeper->placements));
    if (keeper->wake_fd >= 0)
        (void)close(keeper->wake_fd);
    if (keeper->exit_fd >= 0)
        (void)close(keeper->exit_fd);
    (void)pthread_mutex_destroy(&keeper->view.mutex);
    (void)pthread_mutex_destroy(&keeper->strangers.mutex);
    budget_free(&keeper->budget);
    free(keeper->database);
    free(keeper);
}
