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
    case KEEPER_UNVOUCHED:
        return "nobody writes the log, and this keeper does not know whether it is whole: its log "
               "says what is needed";
    case KEEPER_ACTIVE:
        return "this keeper writes the log";
    case KEEPER_ENDING:
        break;
    }
    return "this keeper is ending";
}

/* The witnesses that hold another log, by name. */
static void name_conflicts(struct keeper *keeper, uint32_t conflicts, char *ret, size_t room)
{
    const struct accesslog_policy *policy = keeper->witnesses.policy;
    size_t length = 0;
    ret[0] = '\0';
    for (size_t i = 0; i < policy->witness_count && length < room; i++) {
        char name[64];
        if ((conflicts >> i & 1) == 0)
            continue;
        witness_label(&policy->witnesses[i], name, sizeof name);
        int more = snprintf(ret + length, room - length, "%s%s", length == 0 ? "" : ", ", name);
        length += more > 0 ? (size_t)more : 0;
    }
}

static bool add_witnesses(json_t *checks, struct keeper *keeper)
{
    struct witness_view view;
    char names[256];
    char detail[400];
    witness_look(keeper, &view);
    if (!view.configured)
        return true;
    const char *state = view.stopped                        ? "failed"
                        : view.alert || view.conflicts != 0 ? "warning"
                                                            : "ok";
    if (!view.asked) {
        (void)snprintf(detail, sizeof detail, "the witnesses have not been asked yet");
    } else if (view.conflicts != 0) {
        name_conflicts(keeper, view.conflicts, names, sizeof names);
        (void)snprintf(detail, sizeof detail,
                       "held by a witness and not extended by this log: another checkpoint (%s)",
                       names);
    } else {
        (void)snprintf(detail, sizeof detail,
                       view.alert || view.stopped ? "no quorum of witnesses for %.0f s"
                                                  : "a quorum of witnesses cosigned %.0f s ago",
                       view.age_s);
    }
    return add_check(checks, "witnesses", state, detail);
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
    if (view.state == KEEPER_ACTIVE)
        ready = add_witnesses(checks, keeper) && ready;
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

static void add_witness_metrics(struct ct_buf *text, struct keeper *keeper)
{
    struct witness_view view;
    witness_look(keeper, &view);
    if (!view.configured)
        return;
    const struct accesslog_policy *policy = keeper->witnesses.policy;
    add_gauge(text, "witness_quorum_age_seconds",
              "since a quorum of witnesses has cosigned, or since this keeper writes", view.age_s);
    add_gauge(text, "witness_alert", "1 if there was no quorum of witnesses for witness_alert_s",
              view.alert ? 1.0 : 0.0);
    add_gauge(text, "witness_stopped", "1 if requests are refused for want of witnesses",
              view.stopped ? 1.0 : 0.0);
    add_gauge(text, "witness_cosigned_size", "entries of the log at the newest cosigned checkpoint",
              (double)view.cosigned_size);
    add_line(text, "# HELP casetrace_witness_conflict 1 if this witness holds a checkpoint that "
                   "the log does not extend\n# TYPE casetrace_witness_conflict gauge\n");
    for (size_t i = 0; i < policy->witness_count; i++) {
        char name[64];
        witness_label(&policy->witnesses[i], name, sizeof name);
        add_line(text, "casetrace_witness_conflict{witness=\"%s\"} %u\n", name,
                 (unsigned)(view.conflicts >> i & 1));
    }
    add_line(text, "# HELP casetrace_witness_failures_total requests to a witness that brought no "
                   "cosignature\n# TYPE casetrace_witness_failures_total counter\n");
    for (size_t i = 0; i < policy->witness_count * WITNESS_FAILURES; i++) {
        char name[64];
        size_t witness = i / WITNESS_FAILURES;
        size_t reason = i % WITNESS_FAILURES;
        witness_label(&policy->witnesses[witness], name, sizeof name);
        add_line(text, "casetrace_witness_failures_total{witness=\"%s\",reason=\"%s\"} %llu\n",
                 name, witness_failure_names[reason],
                 (unsigned long long)view.failures[witness][reason]);
    }
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
    add_witness_metrics(&text, keeper);
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
