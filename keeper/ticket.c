// SPDX-License-Identifier: Apache-2.0
#include "keeper/ticket.h"

#include "api/specimens.h"
#include "api/validate_text.h"
#include "keeper/log_view.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define LIST_WEIGHT 8 /* a page of a list, in look-ups */
#define CHANGE_WEIGHT 4

/* Keyed, so that nobody chooses requests that seem to collide. Set before the threads start. */
static uint8_t hash_key[crypto_shorthash_KEYBYTES];
static pthread_once_t hash_once = PTHREAD_ONCE_INIT;

static void make_hash_key(void)
{
    crypto_shorthash_keygen(hash_key);
}

static uint64_t hash_of(char kind, const char *text)
{
    uint8_t bytes[512];
    uint64_t hash;
    size_t length = strnlen(text, sizeof bytes - 1);
    (void)pthread_once(&hash_once, make_hash_key);
    bytes[0] = (uint8_t)kind;
    memcpy(bytes + 1, text, length);
    (void)crypto_shorthash((uint8_t *)&hash, bytes, length + 1, hash_key);
    return hash == 0 ? 1 : hash;
}

static void add_key(struct ticket *ticket, uint64_t key)
{
    if (ticket->key_count < TICKET_KEYS_MAX)
        ticket->keys[ticket->key_count++] = key;
    else
        ticket->solo = true;
}

/* The agency is not known yet: two of them with one number make one wait for the next batch. */
static void add_exhibits(struct ticket *ticket, const json_t *body)
{
    const char *case_number = ct_json_string(body, "case_number");
    size_t index;
    json_t *specimen;
    json_array_foreach(json_object_get(body, "specimens"), index, specimen)
    {
        char text[512];
        const char *exhibit = ct_json_string(specimen, "exhibit");
        if (case_number == NULL || exhibit == NULL)
            continue;
        (void)snprintf(text, sizeof text, "%s\n%s", case_number, exhibit);
        uint64_t key = hash_of('e', text);
        bool has = false;
        for (unsigned i = 0; i < ticket->key_count; i++)
            has = has || ticket->keys[i] == key;
        if (!has)
            add_key(ticket, key);
    }
}

/* Two ways to write one serial share the key; two makers with one serial share it too, which only
 * makes one of them wait for the next batch. */
static void add_firearm(struct ticket *ticket, const json_t *firearm)
{
    const char *written = ct_json_string(firearm, "serial");
    const char *id = ct_json_string(firearm, "id");
    char folded[128];
    size_t length = 0;
    if (id != NULL)
        add_key(ticket, hash_of('i', id));
    if (written == NULL)
        return;
    for (; *written != '\0' && length + 1 < sizeof folded; written++) {
        char c = *written;
        if (c >= 'a' && c <= 'z')
            c = (char)(c - 'a' + 'A');
        if ((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
            folded[length++] = c == 'O' ? '0' : c;
    }
    folded[length] = '\0';
    add_key(ticket, hash_of('s', folded));
}

static void set_keys(struct ticket *ticket)
{
    const struct api_route *route = &api_routes[ticket->request.operation];
    const json_t *body = ticket->request.body;
    /* The token alone: "Bearer" may be written in several ways. */
    const char *token = strchr(ticket->message.authorization, ' ');
    if (token != NULL)
        ticket->credential = hash_of('a', token);
    if (ticket->message.idempotency_key != NULL) {
        char text[160];
        (void)snprintf(text, sizeof text, "%u %llx %s", (unsigned)ticket->request.operation,
                       (unsigned long long)ticket->credential, ticket->message.idempotency_key);
        add_key(ticket, hash_of('k', text));
    }
    if (route->exclusive == API_EXCLUSIVE_PATH_ID && ticket->message.path_count > 0)
        add_key(ticket, hash_of('i', ticket->message.path[0]));
    if (route->exclusive == API_EXCLUSIVE_ALONE)
        ticket->solo = true;
    if (route->exclusive == API_EXCLUSIVE_EXHIBIT && body != NULL)
        add_exhibits(ticket, body);
    if (route->exclusive == API_EXCLUSIVE_FIREARM && body != NULL) {
        size_t index;
        json_t *row;
        const json_t *rows = route->rows == NULL ? NULL : json_object_get(body, route->rows);
        add_firearm(ticket, json_object_get(body, "firearm"));
        json_array_foreach(rows, index, row)
        {
            add_firearm(ticket, json_object_get(row, "firearm"));
        }
    }
}

static bool reads_marks(enum api_operation operation)
{
    return operation == API_OP_CREATE_TRACE || operation == API_OP_ADD_TRACE_READINGS ||
           operation == API_OP_CREATE_COMPARISON;
}

static unsigned weight_of(const struct ticket *ticket)
{
    const struct api_route *route = &api_routes[ticket->request.operation];
    if (route->rows != NULL)
        return 1 + (unsigned)json_array_size(json_object_get(ticket->request.body, route->rows));
    if (reads_marks(ticket->request.operation))
        return api_specimens_weight(json_object_get(ticket->request.body, "specimens"));
    return route->method == API_METHOD_GET ? LIST_WEIGHT : CHANGE_WEIGHT;
}

/* The function of the operation's own name, if it has one. */
static enum api_sql sql_of(enum api_operation operation)
{
    static const struct {
        enum api_operation operation;
        enum api_sql sql;
    } in_c[] = {
        {API_OP_CREATE_TRACE, API_SQL_create_trace},
        {API_OP_ADD_TRACE_READINGS, API_SQL_add_trace_readings},
        {API_OP_CREATE_COMPARISON, API_SQL_create_comparison},
        {API_OP_GET_OPENAPI, API_SQL_get_openapi},
        {API_OP_GET_CHECKPOINT, API_SQL_log_view},
        {API_OP_GET_LOG_TILE, API_SQL_log_view},
    };
    for (size_t i = 0; i < CT_ARRAY_LENGTH(in_c); i++) {
        if (in_c[i].operation == operation)
            return in_c[i].sql;
    }
    for (unsigned sql = 0; sql < API_SQL_batch_open; sql++) {
        if (strcmp(api_statements[sql].name, api_routes[operation].name) == 0)
            return (enum api_sql)sql;
    }
    return API_SQL_HANDLERS;
}

enum ct_status ticket_decode_body(struct ticket *ticket)
{
    const struct message_request *message = &ticket->message;
    struct ct_json_limits limits = {.depth = 32,
                                    .values = api_routes[ticket->request.operation].value_limit};
    struct ct_error err;
    if (message->body_length == 0 || ticket->request.body != NULL)
        return CT_OK;
    return ct_json_decode(message->body, message->body_length, limits, &ticket->request.body, &err);
}

static bool is_utf8(const char *text)
{
    return text == NULL || api_text_is_utf8(text, strlen(text));
}

/* The front says so, but its word is not taken for it: these texts become parts of log entries and
 * of parameters of statements. */
static bool texts_are_utf8(const struct message_request *message)
{
    bool good = is_utf8(message->peer) && is_utf8(message->thumbprint) &&
                is_utf8(message->authorization) && is_utf8(message->idempotency_key);
    for (unsigned i = 0; i < message->path_count; i++)
        good = good && is_utf8(message->path[i]);
    for (unsigned i = 0; i < message->query_count; i++)
        good = good && is_utf8(message->query[i].name) && is_utf8(message->query[i].value);
    return good;
}

enum ct_status ticket_new(const uint8_t *payload, size_t length, struct ticket **ret)
{
    enum ct_status status = CT_NO_MEMORY;
    struct ticket *ticket = calloc(1, sizeof *ticket);
    if (ticket == NULL)
        return CT_NO_MEMORY;
    ticket->frame = malloc(length + 1);
    if (ticket->frame == NULL)
        goto out;
    memcpy(ticket->frame, payload, length);
    ticket->frame_length = length;
    status = message_request_decode(ticket->frame, length, &ticket->message);
    if (status != CT_OK)
        goto out;
    status = CT_BAD_INPUT;
    if (ticket->message.operation >= API_OPERATIONS || !texts_are_utf8(&ticket->message))
        goto out;
    ticket->request.operation = (enum api_operation)ticket->message.operation;
    ticket->request.permitted_as = log_view_has(ticket->request.operation)
                                       ? API_OP_LIST_LOG_ENTRIES
                                       : ticket->request.operation;
    ticket->request.prefers_plain = (ticket->message.accepts & MESSAGE_ACCEPTS_PLAIN) != 0;
    if (ticket->message.path_count != api_routes[ticket->request.operation].parameter_count)
        goto out;
    ticket->sql = sql_of(ticket->request.operation);
    ticket->request.peer = ticket->message.peer;
    ticket->request.idempotency_key = ticket->message.idempotency_key;
    ticket->request.sent = ticket->message.body;
    ticket->request.sent_length = ticket->message.body_length;
    ticket->arrived_ms = ct_mono_ms();
    if (ticket->sql != API_SQL_HANDLERS && api_handler_of(ticket->sql)->bulk) {
        ticket->lane = LANE_BULK;
        ticket->solo = true;
    } else if (ticket_decode_body(ticket) == CT_NO_MEMORY) {
        status =
            CT_NO_MEMORY; /* what cannot be decoded is refused with an entry, when its turn comes */
        goto out;
    }
    ticket->weight = weight_of(ticket);
    if (reads_marks(ticket->request.operation) && ticket->weight > MICROSTAMP_LOOKUPS_BULK)
        ticket->lane = LANE_BULK; /* exact readings do not wait for it */
    set_keys(ticket);
    status = CT_OK;
out:
    if (status == CT_OK)
        *ret = ticket;
    else
        ticket_free(ticket);
    return status;
}

void ticket_free(struct ticket *ticket)
{
    if (ticket == NULL)
        return;
    api_request_clear(&ticket->request);
    /* The frame holds the credential and maybe a purchaser. */
    if (ticket->frame != NULL)
        sodium_memzero(ticket->frame, ticket->frame_length);
    free(ticket->frame);
    free(ticket);
}
