// SPDX-License-Identifier: Apache-2.0
#include "keeper/strangers.h"

#include <arpa/inet.h>
#include <string.h>

#define MINUTE_MS 60000

void strangers_init(struct strangers *strangers)
{
    *strangers = (struct strangers){0};
    (void)pthread_mutex_init(&strangers->mutex, NULL);
}

static void network_of(const char *address, char ret[STRANGERS_NETWORK_TEXT])
{
    struct in_addr four;
    struct in6_addr six;
    char text[INET6_ADDRSTRLEN];
    if (inet_pton(AF_INET, address, &four) == 1) {
        four.s_addr &= htonl(0xffffff00);
        (void)inet_ntop(AF_INET, &four, text, sizeof text);
        (void)snprintf(ret, STRANGERS_NETWORK_TEXT, "%.16s/24", text);
    } else if (inet_pton(AF_INET6, address, &six) == 1) {
        memset(six.s6_addr + 6, 0, 10);
        (void)inet_ntop(AF_INET6, &six, text, sizeof text);
        (void)snprintf(ret, STRANGERS_NETWORK_TEXT, "%.40s/48", text);
    } else {
        (void)snprintf(ret, STRANGERS_NETWORK_TEXT, "unknown");
    }
}

/* The mutex is held. */
static void add(struct strangers *strangers, const char *network, uint64_t count)
{
    size_t place = 0;
    if (strangers->since_ms == 0)
        strangers->since_ms = ct_now_ms();
    while (place < strangers->count && strcmp(strangers->networks[place].network, network) != 0)
        place++;
    if (place == STRANGERS_MAX) {
        strangers->others += count;
        return;
    }
    if (place == strangers->count) {
        (void)snprintf(strangers->networks[place].network, STRANGERS_NETWORK_TEXT, "%s", network);
        strangers->networks[place].count = 0;
        strangers->count++;
    }
    strangers->networks[place].count += count;
}

void strangers_note(struct strangers *strangers, const char *address)
{
    char network[STRANGERS_NETWORK_TEXT];
    network_of(address, network);
    (void)pthread_mutex_lock(&strangers->mutex);
    add(strangers, network, 1);
    (void)pthread_mutex_unlock(&strangers->mutex);
}

json_t *strangers_take(struct strangers *strangers, bool at_once)
{
    json_t *subject = NULL;
    char since[CT_TIME_TEXT];
    (void)pthread_mutex_lock(&strangers->mutex);
    int64_t age_ms = ct_now_ms() - strangers->since_ms;
    if (strangers->since_ms != 0 && (at_once || age_ms >= MINUTE_MS || age_ms < 0)) {
        json_t *networks = json_array();
        for (size_t i = 0; i < strangers->count; i++)
            (void)json_array_append_new(
                networks, json_pack("{s:s, s:I}", "network", strangers->networks[i].network,
                                    "count", (json_int_t)strangers->networks[i].count));
        ct_time_format(strangers->since_ms, since);
        subject = json_pack("{s:s, s:o, s:I}", "since", since, "networks", networks, "others",
                            (json_int_t)strangers->others);
        if (subject != NULL) {
            strangers->taken_since_ms = strangers->since_ms;
            strangers->since_ms = 0;
            strangers->count = 0;
            strangers->others = 0;
        }
    }
    (void)pthread_mutex_unlock(&strangers->mutex);
    return subject;
}

void strangers_put_back(struct strangers *strangers, const json_t *subject)
{
    size_t index;
    json_t *row;
    (void)pthread_mutex_lock(&strangers->mutex);
    json_array_foreach(json_object_get(subject, "networks"), index, row)
    {
        add(strangers, ct_json_string(row, "network"),
            (uint64_t)json_integer_value(json_object_get(row, "count")));
    }
    strangers->others += (uint64_t)json_integer_value(json_object_get(subject, "others"));
    strangers->since_ms = strangers->taken_since_ms;
    (void)pthread_mutex_unlock(&strangers->mutex);
}
