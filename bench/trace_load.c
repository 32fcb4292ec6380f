// SPDX-License-Identifier: Apache-2.0
//
// Load generator for POST /v1/traces over TLS 1.3 keep-alive connections. It shares the cores with
// what it measures, so it does as little as it can: one thread, epoll, requests laid out once per
// connection of which only scheme, reading and case number change, answers read in place.
//
// Every answer is checked: status 201, state identified, the first candidate's serial the one that
// was registered with the code. Where so many characters are unread that other codes may fit too,
// the state may be candidates and the serial that of any of them. Nothing else counts as a trace.
//
// Kinds of readings (--kinds R29-8:0,R29-8:4,opaque:1) are sent in random order, so that all
// come after the same, and measured apart: a scheme, "any" for none, and how many characters,
// chosen anew for each trace, are unread.
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
#define CODE_LENGTH 8
#define SERIAL_MAX 64
#define CASE_DIGITS 9
#define KINDS_MAX 16
// With this many unread the code is identified. With two, another that differs in one more
// character, easily confused, now and then leaves a probability below 0.99.
#define UNREAD_SURE 1
#define ERRORS_SHOWN 5
#define ERRORS_MAX 10000

// Latency in microseconds: buckets of 1/32 of a power of two, so an error of 3 % at most.
#define SUB_BITS 5
#define SUB_COUNT (1u << SUB_BITS)
#define BUCKET_COUNT (SUB_COUNT * 40)

struct code {
    char text[CODE_LENGTH];
    uint16_t serial_length;
    uint32_t serial_at;
};

struct codes {
    char *text; // of the file
    struct code *code;
    size_t count;
};

struct kind {
    char name[24];
    const char *scheme; // the member as it is sent, blanks for none
    const struct codes *codes;
    unsigned unread;
    uint64_t ok_count;
    double sum_us;
    int64_t max_us;
    uint64_t buckets[BUCKET_COUNT];
};

struct connection {
    SSL *ssl;
    int fd;
    bool writing; // the request is not yet out
    char request[REQUEST_MAX];
    size_t request_length;
    size_t code_at, scheme_at, case_at;
    char *response; // RESPONSE_MAX and a NUL
    size_t response_length;
    size_t body_at, body_length; // 0 until the head is complete
    int status;
    struct kind *kind;
    const struct code *code;
    int64_t sent_us;
};

struct options {
    const char *host, *port, *ca, *key, *codes, *opaque, *kinds, *incident, *caliber, *sample_file;
    unsigned connections;
    double seconds;
    unsigned sample_every;
};

static struct options options = {
    .host = "127.0.0.1", .kinds = "any:0", .connections = 64, .seconds = 10};
static struct codes r29, opaque;
static struct kind kinds[KINDS_MAX];
static unsigned kind_count;
static SSL_CTX *ctx;
static struct addrinfo *address;
static int epoll_fd;
static FILE *sample;
static char authorization[128];
static uint64_t random_state[2];
static uint32_t case_first, case_next;
static uint64_t ok_count, error_count, wrong_status, wrong_state, wrong_serial, broken, sampled;

static void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

static void fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "trace-load: ");
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

static uint64_t percentile_us(const struct kind *kind, double share)
{
    uint64_t wanted = (uint64_t)(share * (double)kind->ok_count), seen = 0;
    for (unsigned i = 0; i < BUCKET_COUNT; i++) {
        seen += kind->buckets[i];
        if (seen > wanted)
            return bucket_top(i);
    }
    return (uint64_t)kind->max_us;
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

// Lines of a code of eight characters, a tab and the serial of its firearm.
static void read_codes(const char *path, struct codes *ret)
{
    size_t length, lines = 0;
    ret->text = read_file(path, &length);
    for (size_t i = 0; i < length; i++)
        lines += ret->text[i] == '\n';
    ret->code = calloc(lines ? lines : 1, sizeof *ret->code);
    if (!ret->code || length > UINT32_MAX)
        fail("%s is too large", path);
    for (char *line = ret->text, *end; (end = strchr(line, '\n')); line = end + 1) {
        size_t serial_length = (size_t)(end - line) - CODE_LENGTH - 1;
        if (end - line < CODE_LENGTH + 2 || line[CODE_LENGTH] != '\t' || serial_length > SERIAL_MAX)
            fail("%s: line %zu is not a code, a tab and a serial", path, ret->count + 1);
        struct code *code = &ret->code[ret->count++];
        memcpy(code->text, line, CODE_LENGTH);
        code->serial_at = (uint32_t)(line + CODE_LENGTH + 1 - ret->text);
        code->serial_length = (uint16_t)serial_length;
    }
    if (!ret->count)
        fail("%s has no codes", path);
}

// All as long as the longest, so that one takes the place of another in a request laid out before.
#define SCHEME_LENGTH 18
static const struct {
    const char *name;
    const char *member;
    const struct codes *codes;
} schemes[] = {{"R29-8", "\"scheme\":\"R29-8\", ", &r29},
               {"opaque", "\"scheme\":\"opaque\",", &opaque},
               {"any", "                  ", &r29}};

static void add_kind(const char *name, size_t length)
{
    if (kind_count == KINDS_MAX || length >= sizeof kinds[0].name)
        fail("too many kinds, or one too long");
    struct kind *kind = &kinds[kind_count++];
    memcpy(kind->name, name, length);
    size_t word = strcspn(kind->name, ":");
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        if (strlen(schemes[i].name) == word && strncmp(schemes[i].name, kind->name, word) == 0) {
            kind->scheme = schemes[i].member;
            kind->codes = schemes[i].codes;
        }
    }
    char *end;
    kind->unread = kind->name[word] ? (unsigned)strtoul(kind->name + word + 1, &end, 10) : 0;
    if (!kind->scheme || !kind->name[word] || !kind->name[word + 1] || *end ||
        kind->unread > CODE_LENGTH)
        fail("%s is not a scheme and how many characters are unread", kind->name);
    if (!kind->codes->count)
        fail("no codes of scheme %s", kind->name);
}

static void read_kinds(void)
{
    for (const char *name = options.kinds; *name;) {
        size_t length = strcspn(name, ",");
        add_kind(name, length);
        name += length + (name[length] == ',');
    }
    if (!kind_count)
        fail("no kinds");
}

static void build_request(struct connection *c)
{
    char caliber[80] = "", body[REQUEST_MAX / 2];
    if (options.caliber)
        snprintf(caliber, sizeof caliber, "\"caliber\":\"%s\",", options.caliber);
    int body_length =
        snprintf(body, sizeof body,
                 "{\"case_number\":\"26-%0*d\",\"purpose\":\"C\",\"offense\":\"homicide\","
                 "\"urgency\":\"routine\","
                 "\"incident\":{\"from\":\"%s\",\"to\":\"%s\"},\"specimens\":[{\"exhibit\":\"E-1\","
                 "\"kind\":\"casing\",%s\"marks\":[{\"placement\":\"firing_pin\",%*s\"reading\":"
                 "\"________\"}]}]}",
                 CASE_DIGITS, 0, options.incident, options.incident, caliber, SCHEME_LENGTH, "");
    int length = snprintf(c->request, sizeof c->request,
                          "POST /v1/traces HTTP/1.1\r\nHost: %s:%s\r\nAuthorization: Bearer %s\r\n"
                          "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
                          options.host, options.port, authorization, body_length, body);
    if (body_length >= (int)sizeof body || length >= (int)sizeof c->request)
        fail("the request is too long");
    c->request_length = (size_t)length;
    c->code_at = (size_t)(strstr(c->request, "________") - c->request);
    c->scheme_at = c->code_at - strlen("\"reading\":\"") - SCHEME_LENGTH;
    c->case_at = (size_t)(strstr(c->request, "\"26-") - c->request) + 4;
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
        fprintf(stderr, "trace-load: %s; status %d, code %.*s, answer: %.600s\n", what, c->status,
                CODE_LENGTH, c->code ? c->code->text : "", c->response);
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

static void write_reading(char *reading, const struct code *code, unsigned unread)
{
    memcpy(reading, code->text, CODE_LENGTH);
    while (unread > 0) {
        unsigned at = (unsigned)(random_next() % CODE_LENGTH);
        unread -= reading[at] != '?';
        reading[at] = '?';
    }
}

static void send_request(struct connection *c)
{
    c->kind = &kinds[random_next() % kind_count];
    c->code = &c->kind->codes->code[random_next() % c->kind->codes->count];
    memcpy(c->request + c->scheme_at, c->kind->scheme, SCHEME_LENGTH);
    write_reading(c->request + c->code_at, c->code, c->kind->unread);
    uint32_t number = case_next++;
    for (int i = CASE_DIGITS - 1; i >= 0; i--, number /= 10)
        c->request[c->case_at + (size_t)i] = (char)('0' + number % 10);
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

static bool is_serial(const struct connection *c, const char *serial)
{
    return strncmp(serial, c->kind->codes->text + c->code->serial_at, c->code->serial_length) ==
               0 &&
           serial[c->code->serial_length] == '"';
}

// Whether the firearm is the first candidate; where others fit as well, whether it is one of them.
static bool has_firearm(const struct connection *c, const char *body)
{
    static const char member[] = "\"serial\":\"";
    for (const char *at = body; (at = strstr(at, member)); at++) {
        if (is_serial(c, at + sizeof member - 1))
            return true;
        if (c->kind->unread <= UNREAD_SURE)
            return false;
    }
    return false;
}

static void check_answer(struct connection *c, int64_t at_us)
{
    const char *body = c->response + c->body_at;
    c->response[c->body_at + c->body_length] = '\0';
    if (c->status != 201) {
        count_error(&wrong_status, c, body);
        return;
    }
    if (!strstr(body, "\"state\":\"identified\"") &&
        (c->kind->unread <= UNREAD_SURE || !strstr(body, "\"state\":\"candidates\""))) {
        count_error(&wrong_state, c, body);
        return;
    }
    if (!has_firearm(c, body)) {
        count_error(&wrong_serial, c, body);
        return;
    }
    int64_t us = at_us - c->sent_us;
    c->kind->buckets[bucket_of((uint64_t)us)]++;
    c->kind->sum_us += (double)us;
    if (us > c->kind->max_us)
        c->kind->max_us = us;
    c->kind->ok_count++;
    ok_count++;
    if (sample && ok_count % options.sample_every == 1 % options.sample_every) {
        fprintf(sample, "%s\n", body);
        sampled++;
    }
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

static void print_kind(const struct kind *kind, double seconds)
{
    double count = kind->ok_count ? (double)kind->ok_count : 1;
    printf("{\"kind\": \"%s\", \"ok\": %llu, \"traces_per_s\": %.1f, \"mean_ms\": %.3f, "
           "\"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f, \"histogram_us\": [",
           kind->name, (unsigned long long)kind->ok_count, (double)kind->ok_count / seconds,
           kind->sum_us / count / 1e3, (double)percentile_us(kind, 0.5) / 1e3,
           (double)percentile_us(kind, 0.99) / 1e3, (double)kind->max_us / 1e3);
    const char *comma = "";
    for (unsigned i = 0; i < BUCKET_COUNT; i++) {
        if (!kind->buckets[i])
            continue;
        printf("%s[%llu, %llu]", comma, (unsigned long long)bucket_top(i),
               (unsigned long long)kind->buckets[i]);
        comma = ", ";
    }
    printf("]}");
}

static void print_result(double seconds)
{
    printf("{\"ok\": %llu, \"errors\": %llu, \"wrong_status\": %llu, \"wrong_state\": %llu, "
           "\"wrong_serial\": %llu, \"broken\": %llu, \"sampled\": %llu, \"seconds\": %.6f, "
           "\"traces_per_s\": %.1f, \"kinds\": [",
           (unsigned long long)ok_count, (unsigned long long)error_count,
           (unsigned long long)wrong_status, (unsigned long long)wrong_state,
           (unsigned long long)wrong_serial, (unsigned long long)broken,
           (unsigned long long)sampled, seconds, (double)ok_count / seconds);
    for (unsigned i = 0; i < kind_count; i++) {
        printf("%s", i == 0 ? "" : ", ");
        print_kind(&kinds[i], seconds);
    }
    printf("]}\n");
}

static void parse_options(int argc, char **argv)
{
    static const struct option names[] = {{"host", 1, 0, 'h'},         {"port", 1, 0, 'p'},
                                          {"ca", 1, 0, 'a'},           {"key-file", 1, 0, 'k'},
                                          {"codes", 1, 0, 'f'},        {"incident", 1, 0, 'i'},
                                          {"caliber", 1, 0, 'b'},      {"connections", 1, 0, 'c'},
                                          {"seconds", 1, 0, 's'},      {"kinds", 1, 0, 'n'},
                                          {"opaque-codes", 1, 0, 'q'}, {"sample-file", 1, 0, 'o'},
                                          {"sample-every", 1, 0, 'e'}, {0, 0, 0, 0}};
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        switch (c) {
        case 'h':
            options.host = optarg;
            break;
        case 'p':
            options.port = optarg;
            break;
        case 'a':
            options.ca = optarg;
            break;
        case 'k':
            options.key = optarg;
            break;
        case 'f':
            options.codes = optarg;
            break;
        case 'q':
            options.opaque = optarg;
            break;
        case 'n':
            options.kinds = optarg;
            break;
        case 'i':
            options.incident = optarg;
            break;
        case 'b':
            options.caliber = optarg;
            break;
        case 'c':
            options.connections = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 's':
            options.seconds = strtod(optarg, NULL);
            break;
        case 'o':
            options.sample_file = optarg;
            break;
        case 'e':
            options.sample_every = (unsigned)strtoul(optarg, NULL, 10);
            break;
        default:
            exit(2);
        }
    }
    if (!options.port || !options.ca || !options.key || !options.codes || !options.incident ||
        !options.connections || !(options.seconds > 0))
        fail("needed: --port --ca --key-file --codes --incident DATE "
             "[--opaque-codes FILE --kinds LIST --host --caliber --connections --seconds "
             "--sample-file FILE --sample-every N]");
    if (options.sample_file && !options.sample_every)
        options.sample_every = 1000;
}

static void prepare(void)
{
    size_t length;
    char *key = read_file(options.key, &length);
    snprintf(authorization, sizeof authorization, "%.*s", (int)strcspn(key, "\r\n"), key);
    free(key);
    read_codes(options.codes, &r29);
    if (options.opaque)
        read_codes(options.opaque, &opaque);
    read_kinds();
    if (getrandom(random_state, sizeof random_state, 0) != sizeof random_state)
        fail("getrandom: %s", strerror(errno));
    // A case of its own for every trace, and another range in every run.
    case_first = case_next = (uint32_t)(random_state[1] % 900) * 1000000u;
    if (options.sample_file && !(sample = fopen(options.sample_file, "w")))
        fail("%s: %s", options.sample_file, strerror(errno));
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
        build_request(&connections[i]);
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
    for (size_t i = 0; i < 2; i++) {
        free((i == 0 ? &r29 : &opaque)->code);
        free((i == 0 ? &r29 : &opaque)->text);
    }
    freeaddrinfo(address);
    SSL_CTX_free(ctx);
    if (sample && fclose(sample) != 0)
        fail("%s: %s", options.sample_file, strerror(errno));
    return 0;
}
