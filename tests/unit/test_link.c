// SPDX-License-Identifier: Apache-2.0
#include "server/link.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The test plays the keeper at the other end of the link. */

#define WAIT_MS 10000

static const struct link_limits quick = {.queue_ms = 100, .grace_ms = 50, .answer_ms = 400};
static const struct link_limits slow = {.queue_ms = 60000, .grace_ms = 0, .answer_ms = 60000};

/* ---- the front's side -------------------------------------------------------------------- */

struct asked {
    struct link_entry entry; /* first */
    int finished;            /* times */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static void finished(struct link_entry *entry)
{
    struct asked *asked = (struct asked *)(void *)entry;
    (void)pthread_mutex_lock(&lock);
    asked->finished++;
    (void)pthread_cond_broadcast(&changed);
    (void)pthread_mutex_unlock(&lock);
}

static void wait_finished(struct asked *asked)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_MS / 1000;
    (void)pthread_mutex_lock(&lock);
    while (asked->finished == 0)
        assert_int_equal(pthread_cond_timedwait(&changed, &lock, &until), 0);
    assert_int_equal(asked->finished, 1);
    (void)pthread_mutex_unlock(&lock);
}

static enum ct_status ask(struct front_link *link, struct asked *asked, uint64_t id,
                          const char *body, size_t body_length)
{
    struct message_request request = {.peer = "127.0.0.1",
                                      .thumbprint = "",
                                      .authorization = "",
                                      .body = (const uint8_t *)body,
                                      .body_length = body_length};
    memset(asked, 0, sizeof *asked);
    asked->entry.finished = finished;
    return front_link_submit(link, &asked->entry, id, &request);
}

/* ---- the keeper's side ------------------------------------------------------------------- */

struct keeper_end {
    int fd;
    uint8_t boot[MESSAGE_BOOT_BYTES];
    struct message_reader reader;
};

static void connect_keeper(struct front_link *link, struct keeper_end *end, uint8_t boot)
{
    int ends[2];
    struct link_counts counts;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    end->fd = ends[0];
    memset(end->boot, boot, sizeof end->boot);
    message_reader_init(&end->reader);
    front_link_connect(link, ends[1], end->boot);
    int64_t limit = ct_mono_ms() + WAIT_MS;
    do {
        (void)poll(NULL, 0, 1);
        front_link_count(link, &counts);
        assert_true(ct_mono_ms() < limit);
    } while (!counts.up || counts.pending > 0);
}

static void close_keeper(struct keeper_end *end)
{
    (void)close(end->fd);
    message_reader_free(&end->reader);
}

/* The next request; its strings are good until the next call. */
static struct message_request next_request(struct keeper_end *end)
{
    uint8_t type;
    const uint8_t *payload;
    size_t length;
    struct message_request request;
    while (message_reader_next(&end->reader, &type, &payload, &length) != CT_OK) {
        struct pollfd wait = {.fd = end->fd, .events = POLLIN};
        assert_int_equal(poll(&wait, 1, WAIT_MS), 1);
        assert_int_equal(message_reader_fill(&end->reader, end->fd), CT_OK);
    }
    assert_int_equal(type, MESSAGE_REQUEST);
    assert_int_equal(message_request_decode(payload, length, &request), CT_OK);
    return request;
}

static void send_bytes(struct keeper_end *end, struct ct_buf *out)
{
    assert_int_equal(message_write(end->fd, out->data, out->length, ct_mono_ms() + WAIT_MS), CT_OK);
    ct_buf_free(out);
}

static void say_taken(struct keeper_end *end, uint64_t id)
{
    struct ct_buf out;
    ct_buf_init(&out, 1024);
    assert_int_equal(message_taken_encode(&out, end->boot, &id, 1), CT_OK);
    send_bytes(end, &out);
}

static void say_answer(struct keeper_end *end, uint64_t id, uint8_t boot)
{
    struct ct_buf out;
    struct message_answer answer = {.id = id,
                                    .status = 200,
                                    .header_count = 1,
                                    .headers = {{"Link", "x"}},
                                    .body = (const uint8_t *)"{}",
                                    .body_length = 2};
    memset(answer.boot, boot, sizeof answer.boot);
    ct_buf_init(&out, 1024);
    assert_int_equal(message_answer_encode(&out, &answer), CT_OK);
    send_bytes(end, &out);
}

static void wait_pending(struct front_link *link, unsigned expected)
{
    struct link_counts counts;
    int64_t limit = ct_mono_ms() + WAIT_MS;
    do {
        front_link_count(link, &counts);
        assert_true(ct_mono_ms() < limit);
        (void)poll(NULL, 0, 1);
    } while (counts.pending != expected);
}

/* ---- tests ------------------------------------------------------------------------------- */

static void test_answer(void **state)
{
    (void)state;
    struct front_link *link;
    struct keeper_end keeper;
    struct asked asked;
    assert_int_equal(front_link_start(4, slow, &link), CT_OK);
    connect_keeper(link, &keeper, 1);
    assert_int_equal(ask(link, &asked, 42, "{\"a\":1}", 7), CT_OK);
    struct message_request request = next_request(&keeper);
    assert_int_equal(request.id, 42);
    assert_memory_equal(request.boot, keeper.boot, sizeof keeper.boot);
    assert_memory_equal(request.body, "{\"a\":1}", 7);
    assert_in_range(request.deadline_ms - ct_mono_ms(), 1, slow.queue_ms);
    say_taken(&keeper, 42);
    say_answer(&keeper, 42, 1);
    wait_finished(&asked);
    assert_int_equal(asked.entry.outcome, LINK_ANSWERED);
    assert_int_equal(asked.entry.answer.status, 200);
    assert_string_equal(asked.entry.answer.headers[0].value, "x");
    assert_memory_equal(asked.entry.answer.body, "{}", 2);
    assert_memory_equal(asked.entry.boot, keeper.boot, sizeof keeper.boot);
    free(asked.entry.memory);
    front_link_stop(link);
    front_link_free(link);
    front_link_free(NULL);
    close_keeper(&keeper);
}

static void test_no_keeper(void **state)
{
    (void)state;
    struct front_link *link;
    struct asked asked;
    assert_int_equal(front_link_start(4, slow, &link), CT_OK);
    assert_int_equal(ask(link, &asked, 1, NULL, 0), CT_REFUSED);
    front_link_stop(link);
    assert_int_equal(ask(link, &asked, 1, NULL, 0), CT_REFUSED);
    assert_int_equal(asked.finished, 0);
    front_link_free(link);
}

/* The keeper goes: what it took has an unknown outcome, the rest was not attempted. That it took
 * something may be the last thing it said. */
static void test_keeper_dies(void **state)
{
    (void)state;
    struct front_link *link;
    struct keeper_end keeper;
    struct asked taken;
    struct asked waiting;
    assert_int_equal(front_link_start(4, slow, &link), CT_OK);
    connect_keeper(link, &keeper, 1);
    assert_int_equal(ask(link, &taken, 1, NULL, 0), CT_OK);
    assert_int_equal(ask(link, &waiting, 2, NULL, 0), CT_OK);
    assert_int_equal(next_request(&keeper).id, 1);
    assert_int_equal(next_request(&keeper).id, 2);
    say_taken(&keeper, 1);
    close_keeper(&keeper);
    wait_finished(&taken);
    wait_finished(&waiting);
    assert_int_equal(taken.entry.outcome, LINK_OUTCOME_UNKNOWN);
    assert_int_equal(waiting.entry.outcome, LINK_NOT_ATTEMPTED);
    assert_null(taken.entry.memory);
    /* And the next keeper is another one. */
    connect_keeper(link, &keeper, 2);
    assert_int_equal(ask(link, &waiting, 3, NULL, 0), CT_OK);
    struct message_request request = next_request(&keeper);
    assert_int_equal(request.boot[0], 2);
    front_link_stop(link);
    wait_finished(&waiting);
    assert_int_equal(waiting.entry.outcome, LINK_NOT_ATTEMPTED);
    front_link_free(link);
    close_keeper(&keeper);
}

/* A new link while the old one still stands: it is read to its end first. */
static void test_replaced(void **state)
{
    (void)state;
    struct front_link *link;
    struct keeper_end old;
    struct keeper_end new;
    struct asked answered;
    struct asked taken;
    struct asked waiting;
    assert_int_equal(front_link_start(4, slow, &link), CT_OK);
    connect_keeper(link, &old, 1);
    assert_int_equal(ask(link, &answered, 1, NULL, 0), CT_OK);
    assert_int_equal(ask(link, &taken, 2, NULL, 0), CT_OK);
    assert_int_equal(ask(link, &waiting, 3, NULL, 0), CT_OK);
    say_taken(&old, 2);
    say_answer(&old, 1, 1);
    connect_keeper(link, &new, 2);
    wait_finished(&answered);
    wait_finished(&taken);
    wait_finished(&waiting);
    assert_int_equal(answered.entry.outcome, LINK_ANSWERED);
    assert_int_equal(taken.entry.outcome, LINK_OUTCOME_UNKNOWN);
    assert_int_equal(waiting.entry.outcome, LINK_NOT_ATTEMPTED);
    free(answered.entry.memory);
    front_link_stop(link);
    front_link_free(link);
    close_keeper(&old);
    close_keeper(&new);
}

static void test_deadlines(void **state)
{
    (void)state;
    struct front_link *link;
    struct keeper_end keeper;
    struct asked taken;
    struct asked waiting;
    assert_int_equal(front_link_start(4, quick, &link), CT_OK);
    connect_keeper(link, &keeper, 1);
    int64_t start = ct_mono_ms();
    assert_int_equal(ask(link, &taken, 1, NULL, 0), CT_OK);
    assert_int_equal(ask(link, &waiting, 2, NULL, 0), CT_OK);
    say_taken(&keeper, 1);
    wait_finished(&waiting);
    assert_true(ct_mono_ms() - start >= quick.queue_ms + quick.grace_ms);
    assert_int_equal(waiting.entry.outcome, LINK_NOT_ATTEMPTED);
    assert_int_equal(taken.finished, 0);
    wait_finished(&taken);
    assert_true(ct_mono_ms() - start >= quick.answer_ms);
    assert_int_equal(taken.entry.outcome, LINK_OUTCOME_UNKNOWN);
    /* An answer that comes too late is dropped. */
    say_answer(&keeper, 1, 1);
    struct link_counts counts;
    do {
        front_link_count(link, &counts);
        (void)poll(NULL, 0, 1);
    } while (counts.dropped == 0 && ct_mono_ms() - start < WAIT_MS);
    assert_int_equal(counts.dropped, 1);
    front_link_stop(link);
    front_link_free(link);
    close_keeper(&keeper);
}

static void test_other_boot(void **state)
{
    (void)state;
    struct front_link *link;
    struct keeper_end keeper;
    struct asked asked;
    assert_int_equal(front_link_start(4, slow, &link), CT_OK);
    connect_keeper(link, &keeper, 1);
    assert_int_equal(ask(link, &asked, 1, NULL, 0), CT_OK);
    say_answer(&keeper, 1, 9); /* of another boot id */
    say_answer(&keeper, 5, 1); /* that nobody asked */
    say_answer(&keeper, 1, 1);
    wait_finished(&asked);
    struct link_counts counts;
    front_link_count(link, &counts);
    assert_int_equal(counts.dropped, 2);
    assert_int_equal(asked.entry.outcome, LINK_ANSWERED);
    free(asked.entry.memory);
    front_link_stop(link);
    front_link_free(link);
    close_keeper(&keeper);
}

/* What no keeper says ends the link. */
static void test_nonsense(void **state)
{
    (void)state;
    static const uint8_t nonsense[][8] = {{0, 0, 0, 1, MESSAGE_REQUEST},
                                          {0, 0, 0, 1, 77},
                                          {0, 0, 0, 2, MESSAGE_ANSWER, 0},
                                          {0, 0, 0, 2, MESSAGE_TAKEN, 0},
                                          {0xff, 0, 0, 0, MESSAGE_ANSWER}};
    for (size_t i = 0; i < CT_ARRAY_LENGTH(nonsense); i++) {
        struct front_link *link;
        struct keeper_end keeper;
        struct asked asked;
        assert_int_equal(front_link_start(4, slow, &link), CT_OK);
        connect_keeper(link, &keeper, 1);
        assert_int_equal(ask(link, &asked, 1, NULL, 0), CT_OK);
        assert_int_equal(message_write(keeper.fd, nonsense[i], nonsense[i][3] == 2 ? 6 : 5,
                                       ct_mono_ms() + WAIT_MS),
                         CT_OK);
        wait_finished(&asked);
        assert_int_equal(asked.entry.outcome, LINK_NOT_ATTEMPTED);
        struct asked later;
        assert_int_equal(ask(link, &later, 2, NULL, 0), CT_REFUSED);
        front_link_stop(link);
        front_link_free(link);
        close_keeper(&keeper);
    }
}

/* A keeper that does not read: submitting never waits, and what is sent arrives in order and whole
 * once it reads again. */
static void test_not_reading(void **state)
{
    (void)state;
    enum { COUNT = 200, LARGE = 300000, BODY = 20000 };
    struct front_link *link;
    struct keeper_end keeper;
    struct asked *asked = calloc(COUNT, sizeof *asked);
    char *body = malloc(LARGE);
    unsigned sent = 0;
    assert_non_null(asked);
    assert_non_null(body);
    memset(body, 'x', LARGE);
    assert_int_equal(front_link_start(4, slow, &link), CT_OK);
    connect_keeper(link, &keeper, 1);
    int64_t start = ct_mono_ms();
    enum ct_status status = CT_OK;
    while (sent < COUNT && status == CT_OK) {
        status = ask(link, &asked[sent], sent + 1, body, sent % 2 == 0 ? LARGE : BODY);
        sent += status == CT_OK;
    }
    assert_true(ct_mono_ms() - start < WAIT_MS);
    for (unsigned i = 0; i < sent; i++) {
        struct message_request request = next_request(&keeper);
        assert_int_equal(request.id, i + 1);
        assert_int_equal(request.body_length, i % 2 == 0 ? LARGE : BODY);
        say_answer(&keeper, request.id, 1);
    }
    for (unsigned i = 0; i < sent; i++) {
        wait_finished(&asked[i]);
        free(asked[i].entry.memory);
    }
    front_link_stop(link);
    front_link_free(link);
    close_keeper(&keeper);
    free(asked);
    free(body);
}

/* There is a bound on what waits for a keeper that does not read, and it is not broken by it. */
static void test_full(void **state)
{
    (void)state;
    enum { LARGE = 8 << 20, MANY = 16 };
    struct front_link *link;
    struct keeper_end keeper;
    static struct asked asked[MANY];
    char *body = calloc(1, LARGE);
    unsigned sent = 0;
    assert_non_null(body);
    assert_int_equal(front_link_start(4, slow, &link), CT_OK);
    connect_keeper(link, &keeper, 1);
    while (sent < MANY && ask(link, &asked[sent], sent + 1, body, LARGE) == CT_OK)
        sent++;
    assert_in_range(sent, 2, MANY - 1);
    wait_pending(link, sent);
    for (unsigned i = 0; i < sent; i++)
        assert_int_equal(next_request(&keeper).id, i + 1);
    struct asked later;
    assert_int_equal(ask(link, &later, 99, "x", 1), CT_OK);
    assert_int_equal(next_request(&keeper).id, 99);
    front_link_stop(link);
    wait_finished(&later);
    front_link_free(link);
    close_keeper(&keeper);
    free(body);
}

/* Several threads ask, the keeper answers in batches, every request is finished once and right. */
/* cmocka's assertions are for the test's own thread. */
#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

struct crowd {
    struct front_link *link;
    uint64_t first;
};

enum { CROWD = 4, EACH = 2000, AT_ONCE = 50 };

static void *run_crowd(void *argument)
{
    const struct crowd *crowd = argument;
    static _Thread_local struct asked asked[AT_ONCE];
    for (uint64_t done = 0; done < EACH; done += AT_ONCE) {
        for (uint64_t i = 0; i < AT_ONCE; i++) {
            char body[32];
            int length = snprintf(body, sizeof body, "%" PRIu64, crowd->first + done + i);
            MUST(ask(crowd->link, &asked[i], crowd->first + done + i, body, (size_t)length) ==
                 CT_OK);
        }
        for (uint64_t i = 0; i < AT_ONCE; i++) {
            wait_finished(&asked[i]);
            MUST(asked[i].entry.outcome == LINK_ANSWERED);
            MUST(asked[i].entry.answer.id == crowd->first + done + i);
            free(asked[i].entry.memory);
        }
    }
    return NULL;
}

static void test_crowd(void **state)
{
    (void)state;
    struct front_link *link;
    struct keeper_end keeper;
    pthread_t threads[CROWD];
    struct crowd crowd[CROWD];
    assert_int_equal(front_link_start(CROWD * AT_ONCE, slow, &link), CT_OK);
    connect_keeper(link, &keeper, 1);
    for (size_t i = 0; i < CROWD; i++) {
        crowd[i] = (struct crowd){.link = link, .first = 1 + i * EACH};
        assert_int_equal(pthread_create(&threads[i], NULL, run_crowd, &crowd[i]), 0);
    }
    for (size_t i = 0; i < (size_t)CROWD * EACH; i++) {
        struct message_request request = next_request(&keeper);
        char body[32];
        assert_true(request.body_length < sizeof body);
        memcpy(body, request.body, request.body_length);
        body[request.body_length] = '\0';
        assert_true(strtoull(body, NULL, 10) == request.id);
        say_answer(&keeper, request.id, 1);
    }
    for (size_t i = 0; i < CROWD; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    wait_pending(link, 0);
    front_link_stop(link);
    front_link_free(link);
    close_keeper(&keeper);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answer),      cmocka_unit_test(test_no_keeper),
        cmocka_unit_test(test_keeper_dies), cmocka_unit_test(test_replaced),
        cmocka_unit_test(test_deadlines),   cmocka_unit_test(test_other_boot),
        cmocka_unit_test(test_nonsense),    cmocka_unit_test(test_not_reading),
        cmocka_unit_test(test_full),        cmocka_unit_test(test_crowd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
