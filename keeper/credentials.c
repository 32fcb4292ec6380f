// SPDX-License-Identifier: Apache-2.0
#include "keeper/credentials.h"

#include "api/validate.h"
#include "keeper/schema.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* What is asked of the database: one question for all requests with one credential and no
 * Idempotency-Key, since a busy client fills a batch alone. */
struct question {
    uint8_t digest[AUTH_DIGEST_BYTES];
    enum api_operation operation;
    const char *key; /* NULL: none, or not one that could be stored */
};

struct questions {
    struct question *at;
    size_t count;
    size_t *of_ticket; /* CREDENTIALS_NONE: what was sent is no credential */
};

static const char *key_of(const struct ticket *ticket)
{
    struct api_field_errors errors = {0};
    const char *key = ticket->message.idempotency_key;
    if (key == NULL ||
        api_validate_idempotency_key(ticket->request.operation, key, &errors) != API_ERROR_NONE)
        return NULL;
    return key;
}

static size_t question_of(struct questions *questions, const struct question *asked)
{
    for (size_t i = 0; asked->key == NULL && i < questions->count; i++) {
        if (questions->at[i].key == NULL &&
            memcmp(questions->at[i].digest, asked->digest, AUTH_DIGEST_BYTES) == 0)
            return i;
    }
    questions->at[questions->count] = *asked;
    return questions->count++;
}

static void collect(const struct auth_keyring *keyring, struct ticket *const *tickets, size_t count,
                    struct questions *questions)
{
    for (size_t i = 0; i < count; i++) {
        struct question asked = {.operation = tickets[i]->request.operation,
                                 .key = key_of(tickets[i])};
        questions->of_ticket[i] =
            auth_bearer_digest(keyring, tickets[i]->message.authorization, asked.digest) == CT_OK
                ? question_of(questions, &asked)
                : CREDENTIALS_NONE;
    }
}

static void add_params(const struct questions *questions, struct store_params *params)
{
    store_param_text(params, schema_digest);
    store_array_open(params, STORE_BYTEA);
    for (size_t i = 0; i < questions->count; i++)
        store_element_bytes(params, questions->at[i].digest, AUTH_DIGEST_BYTES);
    store_array_close(params);
    store_array_open(params, STORE_TEXT);
    for (size_t i = 0; i < questions->count; i++)
        store_element_text(params, api_routes[questions->at[i].operation].name);
    store_array_close(params);
    store_array_open(params, STORE_TEXT);
    for (size_t i = 0; i < questions->count; i++)
        store_element_text(params, questions->at[i].key);
    store_array_close(params);
}

static enum ct_status ask(struct lane *lane, const struct questions *questions,
                          struct store_result **ret, struct ct_error *err)
{
    struct store_params params;
    struct store_result *results[2] = {NULL, NULL};
    store_params_init(&params);
    add_params(questions, &params);
    enum ct_status status = store_queue_begin(lane->store);
    if (status == CT_OK)
        status = store_queue(lane->store, API_SQL_batch_open, &params);
    if (status == CT_OK)
        status = store_run(lane->store, ct_mono_ms() + LIMIT_STATEMENT_MS + LIMIT_SILENCE_MS,
                           results, 2, err);
    store_params_free(&params);
    store_result_free(results[0]);
    if (status == CT_OK)
        *ret = results[1];
    return status;
}

/* From questions answered by rows to rows by ticket. */
static enum ct_status assign(const struct questions *questions, size_t count,
                             struct credentials *credentials)
{
    size_t *rows = malloc((questions->count + 1) * sizeof *rows);
    if (rows == NULL)
        return CT_NO_MEMORY;
    for (size_t i = 0; i < questions->count; i++)
        rows[i] = CREDENTIALS_NONE;
    for (size_t row = 0; row < store_rows(credentials->result); row++) {
        size_t question = (size_t)store_get_int(credentials->result, row, 0) - 1;
        if (question < questions->count)
            rows[question] = row;
    }
    for (size_t i = 0; i < count; i++)
        credentials->rows[i] = questions->of_ticket[i] == CREDENTIALS_NONE
                                   ? CREDENTIALS_NONE
                                   : rows[questions->of_ticket[i]];
    free(rows);
    return CT_OK;
}

enum ct_status credentials_resolve(struct lane *lane, struct ticket *const *tickets, size_t count,
                                   struct credentials *ret, struct ct_error *err)
{
    struct questions questions = {.at = calloc(count, sizeof(struct question)),
                                  .of_ticket = calloc(count, sizeof(size_t))};
    enum ct_status status = CT_NO_MEMORY;
    ret->rows = calloc(count, sizeof *ret->rows);
    if (questions.at != NULL && questions.of_ticket != NULL && ret->rows != NULL) {
        collect(lane->keeper->keyring, tickets, count, &questions);
        status = ask(lane, &questions, &ret->result, err);
        if (status == CT_OK)
            status = assign(&questions, count, ret);
        sodium_memzero(questions.at, count * sizeof(struct question));
    }
    free(questions.at);
    free(questions.of_ticket);
    return status;
}

void credentials_free(struct credentials *credentials)
{
    store_result_free(credentials->result);
    free(credentials->rows);
    *credentials = (struct credentials){.result = NULL};
}
