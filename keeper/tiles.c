// SPDX-License-Identifier: Apache-2.0
#include "keeper/tiles.h"

#include "keeper/internal.h"
#include "keeper/log_view.h"
#include "keeper/tile_read.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define RECONNECT_MS 250 /* after a failure to connect; until then requests are refused at once */
#define TOGETHER 8       /* answers in one write: others want to write too */
#define NICE 10          /* on a busy machine the lanes go first */
#define OUT_BYTES_MAX (4u << 20)

bool tiles_put(struct keeper *keeper, const struct tile_job *job)
{
    struct tiles *tiles = &keeper->tiles;
    (void)pthread_mutex_lock(&tiles->mutex);
    bool has_room = tiles->count < tiles->room && !tiles->stopping;
    if (has_room) {
        tiles->ring[(tiles->first + tiles->count++) % tiles->room] = *job;
        (void)pthread_cond_signal(&tiles->work);
    }
    (void)pthread_mutex_unlock(&tiles->mutex);
    if (!has_room)
        atomic_fetch_add(&tiles->turned, 1);
    return has_room;
}

/* Waits for requests and takes a few; 0: the thread must end. */
static size_t take(struct tiles *tiles, struct tile_job ret_jobs[TOGETHER])
{
    size_t taken = 0;
    (void)pthread_mutex_lock(&tiles->mutex);
    while (tiles->count == 0 && !tiles->stopping)
        (void)pthread_cond_wait(&tiles->work, &tiles->mutex);
    while (taken < TOGETHER && tiles->count > 0 && !tiles->stopping) {
        ret_jobs[taken++] = tiles->ring[tiles->first];
        tiles->first = (tiles->first + 1) % tiles->room;
        tiles->count--;
    }
    (void)pthread_mutex_unlock(&tiles->mutex);
    return taken;
}

static enum ct_status connect_store(struct keeper *keeper, struct ct_error *err)
{
    struct tiles *tiles = &keeper->tiles;
    struct store_options options = {
        .connection = keeper->database,
        .label = "casetrace tiles",
        .statement_timeout_ms = LIMIT_STATEMENT_MS,
        .read_only = true,
        .statements = api_statements,
        .statement_count = API_SQL_COUNT,
    };
    if (tiles->store != NULL && store_alive(tiles->store))
        return CT_OK;
    store_close(tiles->store);
    tiles->store = NULL;
    if (ct_mono_ms() < tiles->no_connect_before_ms)
        return CT_DB_LOST;
    enum ct_status status =
        store_open(&options, ct_mono_ms() + LIMIT_CONNECT_MS, &tiles->store, err);
    if (status != CT_OK) {
        ct_log(CT_LOG_WARNING, "tiles: %s", err->text);
        tiles->no_connect_before_ms = ct_mono_ms() + RECONNECT_MS;
    }
    return status;
}

/* Appends the tile of a key to out, from the database, and keeps it. */
static enum ct_status make(struct keeper *keeper, const struct tile_key *key, struct ct_buf *out,
                           struct ct_error *err)
{
    struct tiles *tiles = &keeper->tiles;
    struct ct_buf plain;
    enum ct_status status = connect_store(keeper, err);
    if (status != CT_OK)
        return status;
    ct_buf_init(&plain, TILE_BYTES_MAX);
    atomic_fetch_add(&tiles->read, 1);
    status = tile_read(tiles->store, key, &plain, err);
    if (status == CT_OK && key->gzip)
        status = tile_compress(plain.data, plain.length, out);
    else if (status == CT_OK)
        status = ct_buf_append(out, plain.data, plain.length);
    if (status == CT_OK)
        tile_cache_put(&tiles->cache, key, out->data, out->length);
    atomic_store(&tiles->cache_bytes, tiles->cache.bytes);
    ct_buf_free(&plain);
    return status;
}

static enum api_error error_of(struct keeper *keeper, enum ct_status status)
{
    struct tiles *tiles = &keeper->tiles;
    if (status == CT_STALE) {
        /* The functions are other ones now: a new connection prepares those. */
        store_close(tiles->store);
        tiles->store = NULL;
        return API_ERROR_SCHEMA_STALE;
    }
    if (status == CT_NO_MEMORY || status == CT_LIMIT)
        return API_ERROR_OVERLOADED;
    return API_ERROR_DATABASE_UNAVAILABLE;
}

static void answer_one(struct keeper *keeper, const struct tile_job *job, struct ct_buf *out)
{
    struct tiles *tiles = &keeper->tiles;
    struct ct_error err = {0};
    struct ct_buf made;
    enum ct_status status = CT_OK;
    if (ct_mono_ms() > job->deadline_ms) {
        log_view_refuse_tile(keeper, job, API_ERROR_NOT_ATTEMPTED, out);
        return;
    }
    ct_buf_init(&made, TILE_BYTES_MAX);
    const struct tile_item *item = tile_cache_find(&tiles->cache, &job->key);
    if (item == NULL)
        status = make(keeper, &job->key, &made, &err);
    if (status != CT_OK) {
        if (err.text[0] != '\0')
            ct_log(CT_LOG_WARNING, "a tile could not be read: %s", err.text);
        log_view_refuse_tile(keeper, job, error_of(keeper, status), out);
    } else {
        log_view_answer_tile(keeper, job, item == NULL ? made.data : item->bytes,
                             item == NULL ? made.length : item->length, out);
    }
    atomic_fetch_add(&tiles->answered, 1);
    ct_buf_free(&made);
}

static void *tiles_main(void *argument)
{
    struct keeper *keeper = argument;
    struct tile_job jobs[TOGETHER];
    struct ct_buf out;
    size_t count;
    ct_buf_init(&out, OUT_BYTES_MAX);
    /* Of this thread alone, on Linux. */
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
    while ((count = take(&keeper->tiles, jobs)) > 0) {
        for (size_t i = 0; i < count; i++)
            answer_one(keeper, &jobs[i], &out);
        /* Those of a former link are dropped. */
        link_send(keeper, jobs[count - 1].boot, &out);
        ct_buf_reset(&out);
    }
    ct_buf_free(&out);
    store_close(keeper->tiles.store);
    keeper->tiles.store = NULL;
    return NULL;
}

enum ct_status tiles_start(struct keeper *keeper, unsigned queue_count, size_t cache_bytes)
{
    struct tiles *tiles = &keeper->tiles;
    (void)pthread_mutex_init(&tiles->mutex, NULL);
    (void)pthread_cond_init(&tiles->work, NULL);
    tiles->room = queue_count;
    tiles->ring = calloc(queue_count, sizeof *tiles->ring);
    if (tiles->ring == NULL || tile_cache_init(&tiles->cache, cache_bytes) != CT_OK)
        return CT_NO_MEMORY;
    tiles->runs = pthread_create(&tiles->thread, NULL, tiles_main, keeper) == 0;
    return tiles->runs ? CT_OK : CT_NO_MEMORY;
}

void tiles_stop(struct keeper *keeper)
{
    struct tiles *tiles = &keeper->tiles;
    struct ct_buf out;
    if (!tiles->runs)
        return;
    (void)pthread_mutex_lock(&tiles->mutex);
    tiles->stopping = true;
    (void)pthread_cond_broadcast(&tiles->work);
    (void)pthread_mutex_unlock(&tiles->mutex);
    (void)pthread_join(tiles->thread, NULL);
    tiles->runs = false;
    ct_buf_init(&out, OUT_BYTES_MAX);
    for (; tiles->count > 0; tiles->count--) {
        const struct tile_job *job = &tiles->ring[tiles->first];
        log_view_refuse_tile(keeper, job, API_ERROR_NOT_ATTEMPTED, &out);
        link_send(keeper, job->boot, &out);
        ct_buf_reset(&out);
        tiles->first = (tiles->first + 1) % tiles->room;
    }
    ct_buf_free(&out);
}

void tiles_free(struct keeper *keeper)
{
    struct tiles *tiles = &keeper->tiles;
    if (tiles->ring == NULL)
        return;
    tile_cache_free(&tiles->cache);
    free(tiles->ring);
    tiles->ring = NULL;
    (void)pthread_cond_destroy(&tiles->work);
    (void)pthread_mutex_destroy(&tiles->mutex);
}
