// SPDX-License-Identifier: Apache-2.0
//
// Load generator for GET over TLS kept-alive connections, each with one request at a time: paths
// from a file, one a line, at random. It shares the cores with what it measures, so it does as
// little as it can: one thread, epoll, answers read in place. What is not status 200 is an error
// and not counted.
//
// It connects, prints "ready", waits for a line on standard input, runs, and prints one JSON
// object.

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define RESPONSE_MAX 65536
#define REQUEST_MAX 2048
#define ERRORS_SHOWN 5
#define ERRORS_MAX 10000

// Latency in microseconds: buckets of 1/32 of a power of two, so an error of 3 % at most.
#define SUB_BITS 5
#define SUB_COUNT (1u << SUB_BITS)
#define BUCKET_COUNT (SUB_COUNT * 40)

struct connection {
    SSL *ssl;
    int fd;
    bool writing; // the request is not yet out
    char request[REQUEST_MAX];
    size_t request_length;
    char *response; // RESPONSE_MAX and a NUL
    size_t response_length;
    size_t body_at, body_length; // 0 until the head is complete
    int status;
    int64_t sent_us;
};

struct options {
    const char *host, *port, *ca, *key, *paths;
    unsigned connections;
    double seconds;
};

static struct options options = {.host = "127.0.0.1", .connections = 64, .seconds = 10};
static char **paths;
static size_t path_count;
static char *paths_text;
static SSL_CTX *ctx;
static struct addrinfo *address;
static int epoll_fd;
static char authorization[128];
static uint64_t random_state[2];
static uint64_t buckets[BUCKET_COUNT];
static uint64_t ok_count, error_count, wrong_status, broken;
static int64_t max_us;
static double sum_us;

static void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

static void fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "get-load: ");
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(2);
}

static int64_t now_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

// xorshift128+: the choice of codes needs speed and spread, not secrecy.
static uint64_t random_next(void)
{
    uint64_t a = random_state[0], b = random_state[1];
    random_state[0] = b;
    a ^= a << 23;
    random_state[1] = a ^ b ^ (a >> 17) ^ (b >> 26);
    return random_state[1] + b;
}

static unsigned bucket_of(uint64_t us)
{
    if (us < SUB_COUNT)
        return (unsigned)us;
    unsigned top = 63u - (unsigned)__builtin_clzll(us);
    unsigned shift = top - SUB_BITS;
    unsigned bucket = (shift + 1) * SUB_COUNT + (unsigned)((us >> shift) & (SUB_COUNT - 1));
    return bucket < BUCKET_COUNT ? bucket : BUCKET_COUNT - 1;
}

// The largest value that falls into the bucket.
static uint64_t bucket_top(unsigned bucket)
{
    if (bucket < SUB_COUNT)
        return bucket;
    unsigned shift = bucket / SUB_COUNT - 1;
    return ((uint64_t)(SUB_COUNT + bucket % SUB_COUNT + 1) << shift) - 1;
}

static uint64_t percentile_us(double share)
{
    uint64_t wanted = (uint64_t)(share * (double)ok_count), seen = 0;
    for (unsigned i = 0; i < BUCKET_COUNT; i++) {
        seen += buckets[i];
        if (seen > wanted)
            return bucket_top(i);
    }
    return (uint64_t)max_us;
}

static char *read_file(const char *path, size_t *ret_length)
{
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END) != 0)
        fail("%s: %s", path, strerror(errno));
    long length = ftell(file);
    rewind(file);
    char *text = length < 0 ? NULL : malloc((size_t)length + 1);
    if (!text || fread(text, 1, (size_t)length, file) != (size_t)length)
        fail("%s cannot be read", path);
    fclose(file);
    text[length] = '\0';
    *ret_length = (size_t)length;
    return text;
}

// Lines of a path.
static void read_paths(void)
{
    size_t length, lines = 0;
    paths_text = read_file(options.paths, &length);
    for (size_t i = 0; i < length; i++)
        lines += paths_text[i] == '\n';
    paths = calloc(lines ? lines : 1, sizeof *paths);
    if (!paths)
        fail("%s is too large", options.paths);
    for (char *line = paths_text, *end; (end = strchr(line, '\n')); line = end + 1) {
        *end = '\0';
        paths[path_count++] = line;
    }
    if (!path_count)
        fail("%s has no paths", options.paths);
}

static void build_get(struct connection *c)
{
    int length =
        snprintf(c->request, sizeof c->request,
                 "GET %s HTTP/1.1\r\nHost: %s:%s\r\nAuthorization: Bearer %s\r\n\r\n",
                 paths[random_next() % path_count], options.host, options.port, authorization);
    if (length < 0 || (size_t)length >= sizeof c->request)
        fail("the request is too long");
    c->request_length = (size_t)length;
}

static void watch(struct connection *c, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = c};
    if (epoll_ctl(epoll_fd, operation, c->fd, &event) != 0)
        fail("epoll_ctl: %s", strerror(errno));
}

// Connects and shakes hands, blocking: this is before the clock starts, or after a failure.
static bool connection_open(struct connection *c)
{
    int one = 1;
    struct timeval limit = {.tv_sec = 10};
    c->fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        fail("socket: %s", strerror(errno));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    c->ssl = SSL_new(ctx);
    if (!c->ssl)
        fail("SSL_new failed");
    SSL_set_fd(c->ssl, c->fd);
    if (connect(c->fd, address->ai_addr, address->ai_addrlen) != 0 || SSL_connect(c->ssl) != 1) {
        ERR_print_errors_fp(stderr);
        return false;
    }
    int flags = SOCK_NONBLOCK;
    if (ioctl(c->fd, FIONBIO, &flags) != 0)
        fail("FIONBIO: %s", strerror(errno));
    watch(c, EPOLL_CTL_ADD, EPOLLIN);
    return true;
}

static void connection_close(struct connection *c)
{
    SSL_free(c->ssl);
    close(c->fd);
    c->ssl = NULL;
    c->fd = -1;
}

static void count_error(uint64_t *kind, const struct connection *c, const char *what)
{
    (*kind)++;
    if (++error_count <= ERRORS_SHOWN)
        fprintf(stderr, "get-load: %s; status %d, answer: %.600s\n", what, c->status, c->response);
    if (error_count > ERRORS_MAX)
        fail("more than %d errors", ERRORS_MAX);
}

static void send_request(struct connection *c);

static void connection_renew(struct connection *c)
{
    c->response[c->response_length] = '\0';
    count_error(&broken, c, "the connection broke");
    connection_close(c);
    if (!connection_open(c))
        fail("cannot connect again");
    send_request(c);
}

static void write_request(struct connection *c)
{
    size_t written;
    // No partial writes: a request fits one TLS record and is out whole or not at all.
    if (SSL_write_ex(c->ssl, c->request, c->request_length, &written) == 1) {
        if (c->writing)
            watch(c, EPOLL_CTL_MOD, EPOLLIN);
        c->writing = false;
        return;
    }
    int error = SSL_get_error(c->ssl, 0);
    if (error != SSL_ERROR_WANT_WRITE && error != SSL_ERROR_WANT_READ) {
        connection_renew(c);
        return;
    }
    if (!c->writing)
        watch(c, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
    c->writing = true;
}

static void send_request(struct connection *c)
{
    build_get(c);
    c->response_length = c->body_at = c->body_length = 0;
    c->status = 0;
    c->writing = false;
    c->sent_us = now_us();
    write_request(c);
}

// The head is complete: takes status and length from it. Only what our server sends is understood.
static bool read_head(struct connection *c)
{
    char *end = memmem(c->response, c->response_length, "\r\n\r\n", 4);
    if (!end)
        return false;
    *end = '\0';
    char *length = strcasestr(c->response, "\r\nContent-Length:");
    if (strncmp(c->response, "HTTP/1.1 ", 9) != 0 || !length)
        fail("an answer without status or length: %s", c->response);
    c->status = (int)strtol(c->response + 9, NULL, 10);
    c->body_length = strtoul(length + 17, NULL, 10);
    c->body_at = (size_t)(end - c->response) + 4;
    if (c->body_at + c->body_length > RESPONSE_MAX)
        fail("an answer of %zu bytes", c->body_length);
    return true;
}

static void check_answer(struct connection *c, int64_t at_us)
{
    const char *body = c->response + c->body_at;
    c->response[c->body_at + c->body_length] = '\0';
    if (c->status != 200) {
        count_error(&wrong_status, c, body);
        return;
    }
    int64_t us = at_us - c->sent_us;
    buckets[bucket_of((uint64_t)us)]++;
    sum_us += (double)us;
    if (us > max_us)
        max_us = us;
    ok_count++;
}

// True when an answer is complete.
static bool read_answer(struct connection *c)
{
    for (;;) {
        size_t count;
        if (SSL_read_ex(c->ssl, c->response + c->response_length, RESPONSE_MAX - c->response_length,
                        &count) != 1) {
            int error = SSL_get_error(c->ssl, 0);
            if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
                connection_renew(c);
            return false;
        }
        c->response_length += count;
        if (!c->body_at && !read_head(c))
            continue;
        if (c->response_length >= c->body_at + c->body_length)
            return true;
    }
}

static void run(struct connection *connections, double *ret_seconds)
{
    struct epoll_event events[256];
    int64_t start = now_us(), end = start + (int64_t)(options.seconds * 1e6), now = start;
    for (unsigned i = 0; i < options.connections; i++)
        send_request(&connections[i]);
    while (now < end) {
        int count = epoll_wait(epoll_fd, events, 256, 1000);
        if (count < 0 && errno != EINTR)
            fail("epoll_wait: %s", strerror(errno));
        now = now_us();
        for (int i = 0; i < count; i++) {
            struct connection *c = events[i].data.ptr;
            if (c->writing && (events[i].events & EPOLLOUT))
                write_request(c);
            if (!(events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP)) || !read_answer(c))
                continue;
            check_answer(c, now_us());
            send_request(c);
        }
    }
    *ret_seconds = (double)(now - start) / 1e6;
}

static void print_result(double seconds)
{
    printf("{\"ok\": %llu, \"errors\": %llu, \"wrong_status\": %llu, \"broken\": %llu, "
           "\"seconds\": %.6f, ",
           (unsigned long long)ok_count, (unsigned long long)error_count,
           (unsigned long long)wrong_status, (unsigned long long)broken, seconds);
    printf("\"answers_per_s\": %.1f, \"mean_ms\": %.3f, \"p50_ms\": %.3f, \"p99_ms\": %.3f, "
           "\"max_ms\": %.3f, \"histogram_us\": [",
           (double)ok_count / seconds, ok_count ? sum_us / (double)ok_count / 1e3 : 0,
           (double)percentile_us(0.5) / 1e3, (double)percentile_us(0.99) / 1e3,
           (double)max_us / 1e3);
    const char *comma = "";
    for (unsigned i = 0; i < BUCKET_COUNT; i++) {
        if (!buckets[i])
            continue;
        printf("%s[%llu, %llu]", comma, (unsigned long long)bucket_top(i),
               (unsigned long long)buckets[i]);
        comma = ", ";
    }
    printf("]}\n");
}

static void parse_options(int argc, char **argv)
{
    static const struct option names[] = {{"host", 1, 0, 'h'},    {"port", 1, 0, 'p'},
                                          {"ca", 1, 0, 'a'},      {"key-file", 1, 0, 'k'},
                                          {"paths", 1, 0, 'f'},   {"connections", 1, 0, 'c'},
                                          {"seconds", 1, 0, 's'}, {0, 0, 0, 0}};
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        const char **texts[] = {['h'] = &options.host,
                                ['p'] = &options.port,
                                ['a'] = &options.ca,
                                ['k'] = &options.key,
                                ['f'] = &options.paths};
        if (c == 'c')
            options.connections = (unsigned)strtoul(optarg, NULL, 10);
        else if (c == 's')
            options.seconds = strtod(optarg, NULL);
        else if (c == '?')
            exit(2);
        else
            *texts[c] = optarg;
    }
    if (!options.port || !options.ca || !options.key || !options.paths || !options.connections ||
        !(options.seconds > 0))
        fail("needed: --port --ca --key-file --paths [--host --connections --seconds]");
}

static void prepare(void)
{
    size_t length;
    char *key = read_file(options.key, &length);
    snprintf(authorization, sizeof authorization, "%.*s", (int)strcspn(key, "\r\n"), key);
    free(key);
    read_paths();
    if (getrandom(random_state, sizeof random_state, 0) != sizeof random_state)
        fail("getrandom: %s", strerror(errno));
    ctx = SSL_CTX_new(TLS_client_method());
    if (!ctx || SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1 ||
        SSL_CTX_load_verify_locations(ctx, options.ca, NULL) != 1)
        fail("TLS cannot be set up with %s", options.ca);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    // One read(2) for head and body: without it each record costs two.
    SSL_CTX_set_read_ahead(ctx, 1);
    SSL_CTX_set_default_read_buffer_len(ctx, 32768);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    int rc = getaddrinfo(options.host, options.port, &hints, &address);
    if (rc != 0)
        fail("%s: %s", options.host, gai_strerror(rc));
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd < 0)
        fail("epoll_create1: %s", strerror(errno));
}

int main(int argc, char **argv)
{
    parse_options(argc, argv);
    prepare();
    struct connection *connections = calloc(options.connections, sizeof *connections);
    if (!connections)
        fail("out of memory");
    for (unsigned i = 0; i < options.connections; i++) {
        connections[i].response = malloc(RESPONSE_MAX + 1);
        if (!connections[i].response)
            fail("out of memory");
        if (!connection_open(&connections[i]))
            fail("cannot connect to %s:%s", options.host, options.port);
    }
    printf("ready\n");
    fflush(stdout);
    char line[16];
    if (!fgets(line, sizeof line, stdin))
        fail("nobody said go");
    double seconds;
    run(connections, &seconds);
    print_result(seconds);
    for (unsigned i = 0; i < options.connections; i++) {
        connection_close(&connections[i]);
        free(connections[i].response);
    }
    free(connections);
    free(paths);
    free(paths_text);
    freeaddrinfo(address);
    SSL_CTX_free(ctx);
    return 0;
}
