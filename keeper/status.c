// SPDX-License-Identifier: Apache-2.0
#include "keeper/internal.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define LAG_MAX_S 10.0 /* behind which lists are not complete enough to be ready */

struct view {
    double lag_s; /* of what only serves later reading */
    int64_t log_behind;
    uint64_t log_size;
    uint64_t published_size;
    enum keeper_state state;
};

static struct view view_of(struct keeper *keeper)
{
    struct keeper_view *view = &keeper->view;
    char note[CHAIN_NOTE_ROOM];
    struct view ret = {.state = (enum keeper_state)atomic_load(&keeper->state)};
    ret.log_size = chain_released(&keeper->chain, note);
    (void)pthread_mutex_lock(&view->mutex);
    ret.lag_s = view->trace_lag_s + (double)(ct_mono_ms() - view->filled_ms) / 1000.0;
    ret.published_size = view->published.size;
    ret.log_behind = view->log_size - view->log_complete_to;
    (void)pthread_mutex_unlock(&view->mutex);
    return ret;
}

/* ---- readiness ------------------------------------------------------------------------------- */

static bool add_check(json_t *checks, const char *name, const char *state, const char *detail)
{
    (void)json_array_append_new(
        checks, json_pack("{s:s, s:s, s:s}", "name", name, "state", state, "detail", detail));
    return strcmp(state, "failed") != 0;
}

static const char *state_text(enum keeper_state state)
{
    switch (state) {
    case KEEPER_STARTING:
        return "the database does not answer";
    case KEEPER_MIGRATING:
        return "the schema is being migrated";
    case KEEPER_STANDBY:
        return "another keeper writes the log; this one stands by";
    case KEEPER_ACTIVE:
        return "this keeper writes the log";
    case KEEPER_ENDING:
        break;
    }
    return "this keeper is ending";
}

static void answer_ready(struct keeper *keeper, struct ct_buf *out, const struct ticket *ticket)
{
    struct view view = view_of(keeper);
    json_t *checks = json_array();
    char lag[96];
    bool ready = add_check(checks, "writer", view.state == KEEPER_ACTIVE ? "ok" : "failed",
                           state_text(view.state));
    (void)snprintf(lag, sizeof lag, "lists are complete up to %.1f s ago", view.lag_s);
    if (view.state == KEEPER_ACTIVE)
        ready = add_check(checks, "lists", view.lag_s < LAG_MAX_S ? "ok" : "failed", lag) && ready;
    add_check(checks, "separation", keeper->shared_user ? "warning" : "ok",
              keeper->shared_user ? "front and keeper run as one user: start as root to part them"
                                  : "front and keeper run as two users");
    json_t *body =
        json_pack("{s:s, s:o}", "state", ready ? "ready" : "not_ready", "checks", checks);
    char *text = ct_json_text(body);
    answer_text(out, ticket, ready ? 200 : 503, "application/json", text == NULL ? "" : text,
                text == NULL ? 0 : strlen(text));
    free(text);
    json_decref(body);
}

/* ---- metrics -----------------------------------------------------------------------------------
 */

static void CT_PRINTF(2, 3) add_line(struct ct_buf *text, const char *format, ...)
{
    char line[256];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (length > 0)
        (void)ct_buf_append(text, line,
                            (size_t)length < sizeof line ? (size_t)length : sizeof line);
}

static void add_counter(struct ct_buf *text, const char *name, const char *help, uint64_t value)
{
    add_line(text, "# HELP casetrace_%s %s\n# TYPE casetrace_%s counter\ncasetrace_%s %llu\n", name,
             help, name, name, (unsigned long long)value);
}

static void add_gauge(struct ct_buf *text, const char *name, const char *help, double value)
{
    add_line(text, "# HELP casetrace_%s %s\n# TYPE casetrace_%s gauge\ncasetrace_%s %.3f\n", name,
             help, name, name, value);
}

static void answer_metrics(struct keeper *keeper, struct ct_buf *out, const struct ticket *ticket)
{
    struct keeper_stats *stats = &keeper->stats;
    struct view view = view_of(keeper);
    struct ct_buf text;
    ct_buf_init(&text, 256u << 10);
    add_counter(&text, "requests_total", "requests taken from the front", stats->requests);
    add_counter(&text, "batches_total", "batches gathered", stats->batches);
    add_counter(&text, "batch_halvings_total", "batches that failed and were halved",
                stats->halvings);
    add_counter(&text, "batch_retries_total",
                "batches repeated after a serialization failure or deadlock; expected to be 0",
                stats->retries);
    add_counter(&text, "commits_resolved_total", "COMMITs whose outcome was looked up afterwards",
                stats->resolved_commits);
    add_counter(&text, "unauthorized_total", "requests without a live credential",
                stats->unauthorized);
    add_counter(&text, "log_failures_total", "requests refused because the log was not written",
                stats->log_failures);
    add_counter(&text, "seals_broken_total", "sealed records that did not open",
                stats->seals_broken);
    add_line(&text, "# HELP casetrace_answers_total answers by outcome\n"
                    "# TYPE casetrace_answers_total counter\n");
    for (unsigned error = 0; error < API_ERRORS; error++)
        add_line(&text, "casetrace_answers_total{outcome=\"%s\"} %llu\n",
                 error == API_ERROR_NONE ? "ok" : api_errors[error].name,
                 (unsigned long long)stats->errors[error]);
    add_gauge(&text, "log_size", "entries of the log at the last released checkpoint",
              (double)view.log_size);
    add_gauge(&text, "log_search_behind", "entries that lists do not have yet",
              (double)view.log_behind);
    add_gauge(&text, "lists_lag_seconds", "how far behind lists are", view.lag_s);
    add_counter(&text, "tiles_total", "requests for tiles that were answered by their thread",
                keeper->tiles.answered);
    add_counter(&text, "tiles_read_total", "tiles read from the database", keeper->tiles.read);
    add_counter(&text, "tiles_refused_total", "requests for tiles that found their queue full",
                keeper->tiles.turned);
    add_gauge(&text, "tile_cache_bytes", "bytes of tiles that are kept in memory",
              (double)keeper->tiles.cache_bytes);
    add_gauge(&text, "log_published_size", "entries of the log at the published checkpoint",
              (double)view.published_size);
    add_gauge(&text, "queue_length", "requests waiting for a batch",
              scheduler_waiting(&keeper->scheduler));
    add_gauge(&text, "writer", "1 if this keeper writes the log",
              view.state == KEEPER_ACTIVE ? 1.0 : 0.0);
    add_gauge(&text, "registered_codes", "codes on registered firearms",
              (double)atomic_load(&keeper->registered));
    answer_text(out, ticket, 200, api_routes[ticket->request.operation].media_type,
                (const char *)text.data, text.length);
    ct_buf_free(&text);
}

void status_answer(struct keeper *keeper, const struct ticket *ticket)
{
    struct ct_buf out;
    ct_buf_init(&out, 1u << 20);
    switch (ticket->request.operation) {
    case API_OP_READYZ:
        answer_ready(keeper, &out, ticket);
        break;
    case API_OP_METRICS:
        answer_metrics(keeper, &out, ticket);
        break;
    default: /* livez is the front's own */
        answer_error(&out, ticket, API_ERROR_NOT_FOUND, NULL);
        break;
    }
    link_send(keeper, ticket->message.boot, &out);
    ct_buf_free(&out);
}
