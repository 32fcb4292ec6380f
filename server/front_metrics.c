// SPDX-License-Identifier: Apache-2.0
#include "server/front.h"

#include <inttypes.h>
#include <stdio.h>

/* What only the front knows, in the Prometheus text format. */

static void add_number(struct ct_buf *out, const char *kind, const char *name, const char *help,
                       uint64_t value)
{
    char line[512];
    int length = snprintf(line, sizeof line,
                          "# HELP casetrace_front_%s %s\n# TYPE casetrace_front_%s %s\n"
                          "casetrace_front_%s %" PRIu64 "\n",
                          name, help, name, kind, name, value);
    (void)ct_buf_append(out, line, length < 0 ? 0 : (size_t)length);
}

static void add_refusals(struct ct_buf *out, struct front *front)
{
    static const char head[] = "# HELP casetrace_front_refusals_total requests that the front "
                               "refused or could not pass on\n"
                               "# TYPE casetrace_front_refusals_total counter\n";
    (void)ct_buf_append(out, head, sizeof head - 1);
    for (size_t i = 0; i < API_ERRORS; i++) {
        uint64_t count = atomic_load_explicit(&front->refusals[i], memory_order_relaxed);
        char line[160];
        if (count == 0)
            continue;
        int length =
            snprintf(line, sizeof line, "casetrace_front_refusals_total{code=\"%s\"} %" PRIu64 "\n",
                     api_errors[i].name, count);
        (void)ct_buf_append(out, line, length < 0 ? 0 : (size_t)length);
    }
}

void front_metrics(struct front *front, struct ct_buf *out)
{
    struct link_counts link;
    front_link_count(front->link, &link);
    add_number(out, "counter", "requests_total", "requests whose first line was read",
               atomic_load_explicit(&front->requests, memory_order_relaxed));
    add_number(out, "counter", "answers_dropped_total",
               "answers of the keeper that nobody waited for", link.dropped);
    add_number(out, "gauge", "connections", "open connections",
               connections_count(front->connections));
    add_number(out, "gauge", "pending", "requests that the keeper has", link.pending);
    add_number(out, "gauge", "large_body_bytes", "bodies over 64 KiB in memory",
               atomic_load_explicit(&front->large_bodies, memory_order_relaxed));
    add_refusals(out, front);
}
