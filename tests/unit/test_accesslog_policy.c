// SPDX-License-Identifier: Apache-2.0
/* Policies of witnesses: the format line by line, and who makes a quorum. */
#include "accesslog/accesslog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct accesslog_policy policy;
static char log_key[ACCESSLOG_VERIFIER_TEXT_MAX];
static char keys[9][ACCESSLOG_VERIFIER_TEXT_MAX]; /* of witnesses */

static void make_key(const char *name, enum accesslog_key_type type, uint8_t number, char *ret)
{
    uint8_t seed[ACCESSLOG_SEED_BYTES] = {number};
    struct accesslog_signer signer;
    assert_int_equal(accesslog_signer_init(name, type, seed, &signer), ACCESSLOG_OK);
    assert_int_not_equal(
        accesslog_verifier_format(&signer.verifier, ret, ACCESSLOG_VERIFIER_TEXT_MAX), 0);
}

static int prepare(void **state)
{
    (void)state;
    assert_true(sodium_init() >= 0);
    make_key("log.example/a", ACCESSLOG_KEY_ED25519, 100, log_key);
    for (uint8_t i = 0; i < 9; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "w%u.example", i);
        make_key(name, ACCESSLOG_KEY_COSIGNATURE, i, keys[i]);
    }
    return 0;
}

static void parsed(const char *text)
{
    unsigned line = 99;
    const char *reason = NULL;
    if (accesslog_policy_parse(text, strlen(text), &policy, &line, &reason) != ACCESSLOG_OK)
        fail_msg("line %u: %s\n%s", line, reason, text);
}

static void refused(const char *text, unsigned expected_line, const char *expected_reason)
{
    unsigned line = 99;
    const char *reason = NULL;
    assert_int_not_equal(accesslog_policy_parse(text, strlen(text), &policy, &line, &reason),
                         ACCESSLOG_OK);
    assert_string_equal(reason, expected_reason);
    assert_int_equal(line, expected_line);
}

#define TEXT_ROOM 16384
static char room[TEXT_ROOM];

/* "$L" becomes the log's key, "$0" … "$8" those of witnesses. */
static const char *expand(const char *text)
{
    size_t length = 0;
    for (; *text != '\0'; text++) {
        const char *piece = text;
        size_t count = 1;
        if (*text == '$') {
            text++;
            piece = *text == 'L' ? log_key : keys[*text - '0'];
            count = strlen(piece);
        }
        assert_true(length + count < TEXT_ROOM);
        memcpy(room + length, piece, count);
        length += count;
    }
    room[length] = '\0';
    return room;
}

static void test_quorums(void **state)
{
    (void)state;
    parsed("quorum none\n");
    assert_true(accesslog_policy_reached(&policy, 0));
    parsed(expand("witness a $0\nquorum a\n"));
    assert_false(accesslog_policy_reached(&policy, 0));
    assert_true(accesslog_policy_reached(&policy, 1));
    parsed(expand("witness a $0\nwitness b $1\nwitness c $2\ngroup g 2 a b c\nquorum g\n"));
    for (uint32_t bits = 0; bits < 8; bits++)
        assert_int_equal(accesslog_policy_reached(&policy, bits), __builtin_popcount(bits) >= 2);
    /* Two of three here and one of three there, as the format's own example. */
    parsed(expand("log $L\n\nwitness X1 $0\nwitness X2 $1\nwitness X3 $2\n"
                  "group X-witnesses 2 X1 X2 X3\n\nwitness Y1 $3\nwitness Y2 $4\nwitness Y3 $5\n"
                  "group Y-witnesses any Y1 Y2 Y3\n\ngroup X-and-Y all X-witnesses Y-witnesses\n"
                  "quorum X-and-Y\n"));
    for (uint32_t bits = 0; bits < 64; bits++)
        assert_int_equal(accesslog_policy_reached(&policy, bits),
                         __builtin_popcount(bits & 7) >= 2 && bits >> 3 != 0);
    /* A witness that is in no group of the quorum does not count. */
    parsed(expand("witness a $0\nwitness b $1\ngroup g any a\nquorum g\n"));
    assert_false(accesslog_policy_reached(&policy, 2));
}

static void test_lines(void **state)
{
    (void)state;
    parsed(expand("\t # a comment\n\n  log\t$L   https://log.example/ \n #x\n"
                  "witness caf\xc3\xa9 $0 http://127.0.0.1:1\nwitness b $1\nquorum caf\xc3\xa9\n"));
    assert_int_equal(policy.log_count, 1);
    assert_string_equal(policy.logs[0].key.name, "log.example/a");
    assert_string_equal(policy.logs[0].url, "https://log.example/");
    assert_int_equal(policy.witness_count, 2);
    assert_string_equal(policy.witnesses[0].url, "http://127.0.0.1:1");
    assert_string_equal(policy.witnesses[1].url, "");
    assert_string_equal(policy.witnesses[1].key.name, "w1.example");
}

static void test_refusals(void **state)
{
    (void)state;
    refused("", 0, "there is no quorum line");
    refused("# only this\n", 0, "there is no quorum line");
    refused("quorum none", 1, "the line does not end");
    refused("quorum none\n\n# x", 3, "the line does not end");
    refused("quorum none\nquorum none\n", 2, "a second quorum");
    refused("quorum\n", 1, "a quorum has one name");
    refused("quorum a b\n", 1, "a quorum has one name");
    refused("quorum a\n", 1, "the quorum's name is not defined above");
    refused(expand("quorum a\nwitness a $0\n"), 1, "the quorum's name is not defined above");
    refused("quorum none\r\n", 1, "a control character");
    refused("# \x7f\nquorum none\n", 1, "a control character");
    refused("witnesses a b\n", 1, "neither log, witness, group nor quorum");
    refused("Quorum none\n", 1, "neither log, witness, group nor quorum");
    refused("log\n", 1, "a verifier key is missing");
    refused("log x\n", 1, "not a verifier key");
    refused(expand("log $0\n"), 1, "not the key of a log");
    refused(expand("log $L\nlog $L\n"), 2, "the log's key is given twice");
    refused(expand("log $L https://a b\n"), 1, "something stands behind the URL");
    refused("witness a\n", 1, "a witness has a name and a verifier key");
    refused(expand("witness none $0\n"), 1, "the name none is not free");
    refused(expand("witness a $L\n"), 1, "not the key of a witness");
    refused(expand("witness a $0\nwitness a $1\n"), 2, "the name is given twice");
    refused(expand("witness a $0\nwitness b $0\n"), 2, "the witness' key is given twice");
    refused(expand("witness a $0 https://a b\n"), 1, "something stands behind the URL");
    refused(expand("witness a $0\ngroup g 1\n"), 2, "a group has a name, a number and members");
    refused(expand("witness a $0\ngroup a 1 a\n"), 2, "the name is given twice");
    refused(expand("witness a $0\ngroup g 2 a\n"), 2, "the group has not that many members");
    refused(expand("witness a $0\ngroup g 0 a\n"), 2, "the group has not that many members");
    refused(expand("witness a $0\ngroup g 01 a\n"), 2,
            "a group needs all, any or a number of its members");
    refused(expand("witness a $0\ngroup g some a\n"), 2,
            "a group needs all, any or a number of its members");
    refused(expand("witness a $0\ngroup g any b\n"), 2, "a member is not defined above");
    refused(expand("witness a $0\ngroup g any g\n"), 2, "a member is not defined above");
    refused(expand("witness a $0\ngroup g any none\n"), 2, "a member is not defined above");
    refused(expand("witness a $0\ngroup g any a a\n"), 2, "a member is one of a group already");
    refused(expand("witness a $0\ngroup g any a\ngroup h any a\n"), 3,
            "a member is one of a group already");
}

/* 32 groups, each of the one before and one witness more: all must agree. */
static size_t put_groups(char *text)
{
    size_t length = (size_t)snprintf(text, 64, "group g0 all w0\n");
    for (unsigned i = 1; i < ACCESSLOG_POLICY_GROUPS_MAX; i++)
        length += (size_t)snprintf(text + length, 64, "group g%u all g%u w%u\n", i, i - 1, i);
    return length + (size_t)snprintf(text + length, 64, "quorum g31\n");
}

static void test_bounds(void **state)
{
    (void)state;
    char *text = calloc(1, ACCESSLOG_POLICY_BYTES_MAX + 2);
    char key[ACCESSLOG_VERIFIER_TEXT_MAX];
    size_t length = 0;
    assert_non_null(text);
    for (unsigned i = 0; i < ACCESSLOG_POLICY_WITNESSES_MAX; i++) {
        make_key("w.example", ACCESSLOG_KEY_COSIGNATURE, (uint8_t)i, key);
        length += (size_t)snprintf(text + length, 512, "witness w%u %s\n", i, key);
    }
    (void)put_groups(text + length);
    parsed(text);
    assert_true(accesslog_policy_reached(&policy, UINT32_MAX));
    for (unsigned i = 0; i < ACCESSLOG_POLICY_WITNESSES_MAX; i++)
        assert_false(accesslog_policy_reached(&policy, ~(1u << i)));
    make_key("w.example", ACCESSLOG_KEY_COSIGNATURE, 200, key);
    (void)snprintf(text + length, 512, "witness w32 %s\n", key);
    refused(text, 33, "too many witnesses");
    memset(text, '#', ACCESSLOG_POLICY_BYTES_MAX + 1);
    refused(text, 0, "the policy is too long");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quorums),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, prepare, NULL);
}
