// SPDX-License-Identifier: Apache-2.0
#include "keeper/internal.h"

#include "keeper/limits.h"

#include <string.h>

#define PUBLISH_MS 60000

static enum ct_status run(struct store *store, enum api_sql statement,
                          const struct store_params *params, struct store_result **ret,
                          struct ct_error *err)
{
    enum ct_status status = store_queue(store, statement, params);
    if (status == CT_OK)
        status = store_run(store, ct_mono_ms() + LIMIT_BULK_STATEMENT_MS, ret, 1, err);
    return status;
}

/* The newest checkpoint that was published, by whichever keeper. */
static enum ct_status load_last(struct store *store, struct published *ret, struct ct_error *err)
{
    struct store_params none;
    struct store_result *result = NULL;
    store_params_init(&none);
    enum ct_status status = run(store, API_SQL_log_published_last, &none, &result, err);
    const char *note =
        status == CT_OK && store_rows(result) == 1 ? store_get_text(result, 0, 1) : NULL;
    if (note != NULL && strlen(note) < CHAIN_NOTE_ROOM) {
        int64_t age_ms = store_get_bigint(result, 0, 2);
        published_set(ret, (uint64_t)store_get_bigint(result, 0, 0), note,
                      ct_mono_ms() - (age_ms > 0 ? age_ms : 0));
    }
    store_result_free(result);
    return status;
}

static enum ct_status load_widths(struct store *store, struct published *published,
                                  struct ct_error *err)
{
    struct store_params params;
    struct store_result *result = NULL;
    store_params_init(&params);
    store_param_bigint(&params, (int64_t)published->size);
    enum ct_status status = run(store, API_SQL_log_published_widths, &params, &result, err);
    for (size_t row = 0; status == CT_OK && row < store_rows(result); row++)
        published_add_width(published, store_get_int(result, row, 0),
                            store_get_int(result, row, 1));
    store_result_free(result);
    store_params_free(&params);
    return status;
}

enum ct_status publish_load(struct keeper *keeper, struct store *store, struct ct_error *err)
{
    struct keeper_view *view = &keeper->view;
    struct published published = {0};
    enum ct_status status = load_last(store, &published, err);
    if (status == CT_OK && published.size > 0)
        status = load_widths(store, &published, err);
    (void)pthread_mutex_lock(&view->mutex);
    if (status == CT_OK && published.size > view->published.size)
        view->published = published;
    (void)pthread_mutex_unlock(&view->mutex);
    return status;
}

enum ct_status publish_due(struct keeper *keeper, struct store *store, struct ct_error *err)
{
    struct keeper_view *view = &keeper->view;
    struct store_params params;
    char note[CHAIN_NOTE_ROOM];
    int64_t now_ms = ct_mono_ms();
    uint64_t size = witness_publishable(keeper, note);
    (void)pthread_mutex_lock(&view->mutex);
    bool is_due = view->published.size == 0 || now_ms - view->published.at_ms >= PUBLISH_MS;
    bool is_new = size > view->published.size;
    (void)pthread_mutex_unlock(&view->mutex);
    if (size == 0 || !is_due)
        return CT_OK;
    enum ct_status status = CT_OK;
    if (is_new) {
        /* Remembered before it is shown: no keeper after this one will show an older one. */
        store_params_init(&params);
        store_param_bigint(&params, (int64_t)size);
        store_param_text(&params, note);
        status = run(store, API_SQL_log_publish, &params, NULL, err);
        store_params_free(&params);
    }
    (void)pthread_mutex_lock(&view->mutex);
    if (status == CT_OK)
        published_set(&view->published, size, note, now_ms);
    (void)pthread_mutex_unlock(&view->mutex);
    return status;
}

uint64_t publish_cosigned(struct keeper *keeper, char ret_note[CHAIN_NOTE_ROOM])
{
    struct keeper_view *view = &keeper->view;
    (void)pthread_mutex_lock(&view->mutex);
    uint64_t size = view->cosigned_size;
    memcpy(ret_note, view->cosigned_note, strlen(view->cosigned_note) + 1);
    (void)pthread_mutex_unlock(&view->mutex);
    return size;
}
