// SPDX-License-Identifier: Apache-2.0
#include "cli/cli.h"

#include <curl/curl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CONNECT_TIMEOUT_S 10L
/* Longer than any of the server's own limits, so that it is the server that gives up. */
#define ANSWER_TIMEOUT_S 120L
#define IDEMPOTENCY_MAX 128

struct cli_client {
    CURL *curl;
    char *base; /* URL without a slash at the end */
    const char *cacert;
    char key[CLI_SECRET_MAX];
    char message[CURL_ERROR_SIZE];
};

/* ---- options --------------------------------------------------------------------------- */

enum { OPTION_URL = 0x1001, OPTION_KEY_FILE, OPTION_CACERT };

static const struct argp_option connection_options[] = {
    {NULL, 0, NULL, 0, "Connection (or the environment variable named):", 90},
    {"url", OPTION_URL, "URL", 0, "the server, as https://host:port (CASETRACE_URL)", 0},
    {"key-file", OPTION_KEY_FILE, "FILE", 0, "file with the API key, mode 600 (CASETRACE_KEY_FILE)",
     0},
    {"cacert", OPTION_CACERT, "FILE", 0,
     "certificates to trust instead of the system's, PEM (CASETRACE_CACERT)", 0},
    {0},
};

static error_t parse_connection(int key, char *argument, struct argp_state *state)
{
    struct cli_connection *connection = state->input;
    switch (key) {
    case OPTION_URL:
        connection->url = argument;
        return 0;
    case OPTION_KEY_FILE:
        connection->key_file = argument;
        return 0;
    case OPTION_CACERT:
        connection->cacert = argument;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp cli_connection_argp = {.options = connection_options, .parser = parse_connection};

static const char *from_environment(const char *name)
{
    const char *value = getenv(name);
    return value == NULL || value[0] == '\0' ? NULL : value;
}

void cli_connection_init(struct cli_connection *connection)
{
    connection->url = from_environment("CASETRACE_URL");
    connection->key_file = from_environment("CASETRACE_KEY_FILE");
    connection->cacert = from_environment("CASETRACE_CACERT");
    if (connection->url == NULL)
        connection->url = "https://127.0.0.1:8443";
}

/* ---- opening --------------------------------------------------------------------------- */

enum ct_status cli_client_open(const struct cli_connection *connection, struct cli_client **ret,
                               struct ct_error *err)
{
    /* A key that was sent in the clear once is everybody's. */
    if (strncasecmp(connection->url, "https://", 8) != 0) {
        ct_error_set(err, "the server's URL must begin with https://");
        return CT_BAD_INPUT;
    }
    struct cli_client *client = calloc(1, sizeof *client);
    if (client == NULL) {
        ct_error_set(err, "out of memory");
        return CT_NO_MEMORY;
    }
    enum ct_status status = CT_OK;
    client->cacert = connection->cacert;
    client->base = strdup(connection->url);
    client->curl = curl_easy_init();
    if (client->base == NULL || client->curl == NULL) {
        ct_error_set(err, "out of memory");
        status = CT_NO_MEMORY;
    } else {
        size_t length = strlen(client->base);
        while (length > 0 && client->base[length - 1] == '/')
            client->base[--length] = '\0';
        if (connection->key_file != NULL)
            status = cli_secret_read(connection->key_file, client->key, err);
    }
    if (status != CT_OK) {
        cli_client_close(client);
        return status;
    }
    *ret = client;
    return CT_OK;
}

void cli_client_close(struct cli_client *client)
{
    if (client == NULL)
        return;
    curl_easy_cleanup(client->curl);
    free(client->base);
    sodium_memzero(client->key, sizeof client->key);
    free(client);
}

/* ---- one request ------------------------------------------------------------------------- */

static size_t take_body(char *bytes, size_t size, size_t count, void *closure)
{
    struct ct_buf *body = closure;
    return ct_buf_append(body, bytes, size * count) == CT_OK ? size * count : 0;
}

static bool add_header(struct curl_slist **headers, const char *text)
{
    struct curl_slist *longer = curl_slist_append(*headers, text);
    if (longer != NULL)
        *headers = longer;
    return longer != NULL;
}

static bool set_headers(struct curl_slist **headers, const struct cli_request *request)
{
    char line[IDEMPOTENCY_MAX + 32];
    /* Empty ones keep curl from adding its own: no waiting for 100 Continue, no form type. */
    if (!add_header(headers, "Accept: application/json, application/problem+json, */*;q=0.5") ||
        !add_header(headers, "Expect:") ||
        !add_header(headers,
                    request->body == NULL ? "Content-Type:" : "Content-Type: application/json"))
        return false;
    if (request->idempotency_key == NULL)
        return true;
    (void)snprintf(line, sizeof line, "Idempotency-Key: %s", request->idempotency_key);
    return add_header(headers, line);
}

static bool set_options(struct cli_client *client, const struct cli_request *request,
                        const char *url, const struct curl_slist *headers, struct ct_buf *body)
{
    CURL *curl = client->curl;
    curl_easy_reset(curl);
    bool done =
        curl_easy_setopt(curl, CURLOPT_URL, url) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https") == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_S) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_TIMEOUT, ANSWER_TIMEOUT_S) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_USERAGENT, "casetrace") == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, client->message) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, body) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method) == CURLE_OK;
    if (done && request->body != NULL)
        done = curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
                                (curl_off_t)request->body_length) == CURLE_OK &&
               curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body) == CURLE_OK;
    if (done && strcmp(request->method, "HEAD") == 0)
        done = curl_easy_setopt(curl, CURLOPT_NOBODY, 1L) == CURLE_OK;
    if (done && client->cacert != NULL)
        done = curl_easy_setopt(curl, CURLOPT_CAINFO, client->cacert) == CURLE_OK &&
               curl_easy_setopt(curl, CURLOPT_CAPATH, NULL) == CURLE_OK;
    if (done && client->key[0] != '\0')
        done = curl_easy_setopt(curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER) == CURLE_OK &&
               curl_easy_setopt(curl, CURLOPT_XOAUTH2_BEARER, client->key) == CURLE_OK;
    return done;
}

/* One that does not fit counts as absent. */
static void read_header(struct cli_client *client, const char *name, char *ret, size_t room)
{
    struct curl_header *header = NULL;
    ret[0] = '\0';
    if (curl_easy_header(client->curl, name, 0, CURLH_HEADER, -1, &header) == CURLHE_OK &&
        strlen(header->value) < room)
        memcpy(ret, header->value, strlen(header->value) + 1);
}

static void read_answer(struct cli_client *client, struct cli_answer *answer)
{
    const struct ct_json_limits limits = {.depth = 64, .values = 2000000};
    curl_off_t retry_after = 0;
    const char *type = NULL;
    struct ct_error ignored;
    (void)curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &answer->status);
    (void)curl_easy_getinfo(client->curl, CURLINFO_RETRY_AFTER, &retry_after);
    (void)curl_easy_getinfo(client->curl, CURLINFO_CONTENT_TYPE, &type);
    answer->retry_after_s = (long)retry_after;
    read_header(client, "Content-Digest", answer->content_digest, sizeof answer->content_digest);
    read_header(client, "Log-Complete-To", answer->complete_to, sizeof answer->complete_to);
    if (type != NULL &&
        (strncmp(type, "application/json", 16) == 0 ||
         strncmp(type, "application/problem+json", 24) == 0) &&
        ct_json_decode(answer->body.data, answer->body.length, limits, &answer->json, &ignored) !=
            CT_OK)
        answer->json = NULL;
}

/* Nothing that would end the header line and begin another. */
static bool is_idempotency_key(const char *text)
{
    size_t length = strlen(text);
    for (size_t i = 0; i < length; i++) {
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    }
    return length > 0 && length <= IDEMPOTENCY_MAX;
}

enum ct_status cli_client_send(struct cli_client *client, const struct cli_request *request,
                               struct cli_answer *ret, struct ct_error *err)
{
    struct curl_slist *headers = NULL;
    struct ct_buf url;
    enum ct_status status = CT_OK;

    *ret = (struct cli_answer){.status = 0};
    ct_buf_init(&ret->body, CLI_ANSWER_MAX);
    ct_buf_init(&url, 65536);
    if (request->idempotency_key != NULL && !is_idempotency_key(request->idempotency_key)) {
        ct_error_set(err, "an idempotency key has 1 to %d visible ASCII characters",
                     IDEMPOTENCY_MAX);
        return CT_BAD_INPUT;
    }
    (void)ct_buf_append(&url, client->base, strlen(client->base));
    (void)ct_buf_append(&url, request->path, strlen(request->path) + 1);
    if (url.failed || !set_headers(&headers, request) ||
        !set_options(client, request, (const char *)url.data, headers, &ret->body)) {
        ct_error_set(err, "the request is too long, or out of memory");
        status = CT_NO_MEMORY;
        goto out;
    }
    client->message[0] = '\0';
    CURLcode code = curl_easy_perform(client->curl);
    if (ret->body.failed) {
        ct_error_set(err, "the answer is longer than %u MiB", CLI_ANSWER_MAX >> 20);
        status = CT_LIMIT;
    } else if (code != CURLE_OK) {
        ct_error_set(err, "%s: %s", client->base,
                     client->message[0] == '\0' ? curl_easy_strerror(code) : client->message);
        status = CT_IO;
    } else {
        read_answer(client, ret);
    }
out:
    curl_slist_free_all(headers);
    ct_buf_free(&url);
    return status;
}

void cli_answer_free(struct cli_answer *answer)
{
    json_decref(answer->json);
    ct_buf_free(&answer->body);
    *answer = (struct cli_answer){.status = 0};
}

/* ---- refusals ------------------------------------------------------------------------------ */

static const char *or_nothing(const char *text)
{
    return text == NULL ? "" : text;
}

static void complain_of_refusal(const struct cli_answer *answer)
{
    const char *code = ct_json_string(answer->json, "code");
    const char *title = ct_json_string(answer->json, "title");
    const char *detail = ct_json_string(answer->json, "detail");
    const char *request = ct_json_string(answer->json, "request_id");
    size_t i;
    const json_t *item;
    if (code == NULL) {
        cli_complain("refused with HTTP status %ld and no problem document", answer->status);
        return;
    }
    if (detail == NULL || title == NULL || strcmp(detail, title) == 0)
        cli_complain("refused: %ld %s: %s", answer->status, code,
                     or_nothing(title == NULL ? detail : title));
    else
        cli_complain("refused: %ld %s: %s: %s", answer->status, code, title, detail);
    json_array_foreach(json_object_get(answer->json, "errors"), i, item)
    {
        if (i == 50) {
            cli_complain("  and %zu more",
                         json_array_size(json_object_get(answer->json, "errors")) - i);
            break;
        }
        cli_complain("  %s: %s", or_nothing(ct_json_string(item, "pointer")),
                     or_nothing(ct_json_string(item, "detail")));
    }
    if (answer->retry_after_s > 0)
        cli_complain("  try again in %ld s", answer->retry_after_s);
    if (request != NULL)
        cli_complain("  request %s", request);
}

bool cli_client_ask(struct cli_client *client, const struct cli_request *request,
                    struct cli_answer *ret)
{
    struct ct_error err = {0};
    enum ct_status status = cli_client_send(client, request, ret, &err);
    if (status == CT_OK && ret->status >= 200 && ret->status < 300)
        return true;
    if (status != CT_OK)
        cli_complain("%s", err.text);
    else
        complain_of_refusal(ret);
    if (request->idempotency_key != NULL && status != CT_BAD_INPUT &&
        (status != CT_OK || ret->status >= 500))
        cli_complain("  to repeat it without doing it twice: --idempotency-key %s",
                     request->idempotency_key);
    cli_answer_free(ret);
    return false;
}

/* ---- small things ------------------------------------------------------------------------------
 */

void cli_url_append(struct ct_buf *url, const char *text)
{
    static const char digits[] = "0123456789ABCDEF";
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
        if ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
            *c == '-' || *c == '_' || *c == '~' || *c == '.') {
            ct_buf_append_u8(url, *c);
        } else {
            ct_buf_append_u8(url, '%');
            ct_buf_append_u8(url, (uint8_t)digits[*c >> 4]);
            ct_buf_append_u8(url, (uint8_t)digits[*c & 15]);
        }
    }
}

void cli_idempotency_make(char ret[CLI_IDEMPOTENCY_TEXT])
{
    uint8_t bytes[16];
    randombytes_buf(bytes, sizeof bytes);
    ct_hex_encode(bytes, sizeof bytes, ret);
}
