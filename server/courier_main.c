// SPDX-License-Identifier: Apache-2.0
/* casetraced-courier: brings checkpoints to the witnesses and their answers back. It has no keys
 * and no database, and contacts nobody but whom the keeper names. */
#include "keeper/courier.h"

#include "keeper/limits.h"
#include "server/child.h"
#include "server/config.h"

#include <curl/curl.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct exchange {
    CURL *curl; /* NULL: free */
    uint32_t id;
    struct ct_buf body;
    uint8_t *sent;
    char message[CURL_ERROR_SIZE];
};

struct courier {
    CURLM *multi;
    struct curl_slist *headers;
    const char *cacert; /* "": those of the system */
    int link;           /* -1: none */
    struct exchange exchanges[COURIER_EXCHANGES_MAX];
};

static size_t take_body(char *bytes, size_t size, size_t count, void *closure)
{
    struct ct_buf *body = closure;
    return ct_buf_append(body, bytes, size * count) == CT_OK ? size * count : 0;
}

static bool set_options(struct courier *courier, struct exchange *exchange,
                        const struct courier_request *request)
{
    CURL *curl = exchange->curl;
    bool done =
        curl_easy_setopt(curl, CURLOPT_URL, request->url) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
        /* The environment names no proxy here: only those who are configured are contacted. */
        curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)LIMIT_WITNESS_CONNECT_MS) ==
            CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)LIMIT_WITNESS_MS) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_USERAGENT, "casetrace") == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, exchange->message) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, courier->headers) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, &exchange->body) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_PRIVATE, exchange) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_POST, 1L) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_length) ==
            CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, exchange->sent) == CURLE_OK;
    if (done && courier->cacert[0] != '\0')
        done = curl_easy_setopt(curl, CURLOPT_CAINFO, courier->cacert) == CURLE_OK &&
               curl_easy_setopt(curl, CURLOPT_CAPATH, NULL) == CURLE_OK;
    return done;
}

static void end_exchange(struct courier *courier, struct exchange *exchange)
{
    if (exchange->curl == NULL)
        return;
    (void)curl_multi_remove_handle(courier->multi, exchange->curl);
    curl_easy_cleanup(exchange->curl);
    ct_buf_free(&exchange->body);
    free(exchange->sent);
    exchange->curl = NULL;
    exchange->sent = NULL;
}

/* Nobody waits for the answers any more. */
static void drop_link(struct courier *courier)
{
    for (size_t i = 0; i < COURIER_EXCHANGES_MAX; i++)
        end_exchange(courier, &courier->exchanges[i]);
    if (courier->link >= 0)
        (void)close(courier->link);
    courier->link = -1;
}

static void reply(struct courier *courier, uint32_t id, unsigned status, const void *body,
                  size_t length)
{
    /* A keeper that does not take its answers has given them up by its own deadline. */
    (void)!courier_send_answer(courier->link, id, status, body, length);
}

static void begin_exchange(struct courier *courier, const struct courier_request *request)
{
    static const char busy[] = "too much is under way";
    struct exchange *exchange = NULL;
    for (size_t i = 0; i < COURIER_EXCHANGES_MAX && exchange == NULL; i++) {
        if (courier->exchanges[i].curl == NULL)
            exchange = &courier->exchanges[i];
    }
    if (exchange == NULL) {
        reply(courier, request->id, 0, busy, sizeof busy - 1);
        return;
    }
    exchange->curl = curl_easy_init();
    exchange->id = request->id;
    exchange->message[0] = '\0';
    exchange->sent = malloc(request->body_length + 1);
    ct_buf_init(&exchange->body, COURIER_BODY_MAX);
    if (exchange->curl != NULL && exchange->sent != NULL) {
        memcpy(exchange->sent, request->body, request->body_length);
        if (set_options(courier, exchange, request) &&
            curl_multi_add_handle(courier->multi, exchange->curl) == CURLM_OK)
            return;
    }
    reply(courier, request->id, 0, busy, sizeof busy - 1);
    end_exchange(courier, exchange);
    free(exchange->sent);
    exchange->sent = NULL;
}

static void finish_exchange(struct courier *courier, struct exchange *exchange, CURLcode code)
{
    long status = 0;
    (void)curl_easy_getinfo(exchange->curl, CURLINFO_RESPONSE_CODE, &status);
    if (code == CURLE_OK && status >= 100 && status <= 999)
        reply(courier, exchange->id, (unsigned)status, exchange->body.data, exchange->body.length);
    else
        reply(courier, exchange->id, 0, exchange->message, strlen(exchange->message));
    end_exchange(courier, exchange);
}

static void take_finished(struct courier *courier)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(courier->multi, &left)) != NULL) {
        struct exchange *exchange = NULL;
        CURLcode code = message->data.result;
        if (message->msg == CURLMSG_DONE &&
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&exchange) ==
                CURLE_OK &&
            exchange != NULL)
            finish_exchange(courier, exchange, code);
    }
}

static void take_requests(struct courier *courier)
{
    uint8_t packet[COURIER_REQUEST_MAX];
    struct courier_request request;
    enum ct_status status;
    while ((status = courier_receive_request(courier->link, packet, &request)) == CT_OK)
        begin_exchange(courier, &request);
    if (status != CT_NOT_FOUND)
        drop_link(courier);
}

/* Returns false when the parent has gone. */
static bool take_link(struct courier *courier)
{
    uint8_t boot[MESSAGE_BOOT_BYTES];
    enum child_link kind;
    int fd;
    enum ct_status status = child_receive_link(CHILD_CONTROL_FD, &kind, boot, &fd);
    if (status != CT_OK)
        return status != CT_NOT_FOUND;
    drop_link(courier);
    courier->link = fd;
    return true;
}

/* Until the parent says stop or goes. Returns the exit status. */
static int serve(struct courier *courier, int stop_fd)
{
    for (;;) {
        int running;
        struct curl_waitfd waits[3] = {{.fd = CHILD_CONTROL_FD, .events = CURL_WAIT_POLLIN},
                                       {.fd = stop_fd, .events = CURL_WAIT_POLLIN},
                                       {.fd = courier->link, .events = CURL_WAIT_POLLIN}};
        unsigned count = courier->link < 0 ? 2 : 3;
        if (curl_multi_perform(courier->multi, &running) != CURLM_OK)
            return CHILD_EXIT_AGAIN;
        take_finished(courier);
        if (curl_multi_poll(courier->multi, waits, count, 1000, NULL) != CURLM_OK)
            return CHILD_EXIT_AGAIN;
        if (waits[1].revents != 0)
            return 0;
        if (courier->link >= 0 && waits[2].revents != 0)
            take_requests(courier);
        if (waits[0].revents != 0 && !take_link(courier))
            return 0;
    }
}

int main(int argc, char **argv)
{
    static struct courier courier = {.link = -1};
    struct config config;
    struct ct_error err = {.text = ""};
    int stop_fd = child_begin("courier", argc, argv);
    if (config_load_fd(CHILD_CONFIG_FD, CONFIG_COURIER, &config, &err) != CT_OK) {
        ct_log(CT_LOG_ERROR, "%s", err.text);
        return CHILD_EXIT_REFUSED;
    }
    courier.cacert = config.witness_cacert;
    int status = CHILD_EXIT_AGAIN;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK) {
        courier.multi = curl_multi_init();
        courier.headers = curl_slist_append(NULL, "Content-Type: text/plain; charset=utf-8");
        if (courier.headers != NULL)
            (void)curl_slist_append(courier.headers, "Expect:");
        if (courier.multi != NULL && courier.headers != NULL)
            status = serve(&courier, stop_fd);
        drop_link(&courier);
        curl_slist_free_all(courier.headers);
        (void)curl_multi_cleanup(courier.multi);
        curl_global_cleanup();
    }
    config_clear(&config);
    return status;
}
