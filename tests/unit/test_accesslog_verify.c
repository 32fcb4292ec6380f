// SPDX-License-Identifier: Apache-2.0
/* `casetrace log verify --receipt`: what it accepts, refuses and prints. */
#include "tests/unit/test_accesslog_support.h"

#include "base/base.h"
#include "cli/log_verify.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ORIGIN "casetrace.example/log"
#define HEADER                                                                                     \
    "{\"account\":\"acc_1\",\"case_number\":\"26-1\\u001b[2J\\nstatus 200\",\"epoch\":3,"          \
    "\"operation\":\"create_trace\",\"origin\":\"" ORIGIN "\",\"outcome\":\"ok\","                 \
    "\"time\":\"2026-11-01T12:34:56.789Z\",\"v\":1}"
#define SUBJECT "{\"serial\":\"A1\"}"

/* What a receipt is made of; each test spoils something. */
struct recipe {
    const char *logged_header; /* NULL: the one that extra shows */
    const char *header;
    const char *subject;        /* in extra; NULL: none */
    const char *logged_subject; /* what D_subject is of */
    const char *version;
    bool extra;
    bool spoil_salt;
    uint8_t seed;
};

static const struct recipe good = {.header = HEADER,
                                   .subject = SUBJECT,
                                   .logged_subject = SUBJECT,
                                   .version = "1",
                                   .extra = true,
                                   .seed = 1};

static struct accesslog_signer make_signer(uint8_t seed_byte)
{
    uint8_t seed[ACCESSLOG_SEED_BYTES];
    struct accesslog_signer signer;
    memset(seed, seed_byte, sizeof seed);
    assert_int_equal(accesslog_signer_init(ORIGIN, ACCESSLOG_KEY_ED25519, seed, &signer),
                     ACCESSLOG_OK);
    return signer;
}

static char *extra_text(const struct recipe *recipe, const struct accesslog_entry *entry,
                        const uint8_t salts[2][ACCESSLOG_SALT_BYTES])
{
    char hex[3][65];
    ct_hex_encode(salts[0], 32, hex[0]);
    ct_hex_encode(entry->d_subject.bytes, 32, hex[1]);
    ct_hex_encode(salts[1], 32, hex[2]);
    if (recipe->spoil_salt)
        hex[0][0] = hex[0][0] == '0' ? '1' : '0';
    json_t *extra = json_pack("{s:i,s:s,s:s,s:s}", "v", recipe->version[0] - '0', "header",
                              recipe->header, "header_salt", hex[0], "d_subject", hex[1]);
    if (recipe->subject != NULL) {
        (void)json_object_set_new(extra, "subject", json_string(recipe->subject));
        (void)json_object_set_new(extra, "subject_salt", json_string(hex[2]));
    }
    char *text = ct_json_text(extra);
    json_decref(extra);
    assert_non_null(text);
    return text;
}

static void write_receipt(const struct recipe *recipe, int fd)
{
    static struct accesslog_batch batch;
    const char *logged = recipe->logged_header != NULL ? recipe->logged_header : recipe->header;
    uint8_t salts[2][ACCESSLOG_SALT_BYTES];
    struct accesslog_entry entry;
    randombytes_buf(salts, sizeof salts);
    accesslog_entry_commit(logged, strlen(logged), salts[0], recipe->logged_subject,
                           strlen(recipe->logged_subject), salts[1], &entry);
    struct accesslog_hash leaves[5];
    randombytes_buf(leaves, sizeof leaves);
    leaves[3] = entry.leaf_hash;
    const struct accesslog_tree tree = {.size = 1000};
    assert_int_equal(accesslog_batch_append(&tree, leaves, 5, &batch), ACCESSLOG_OK);
    struct accesslog_signer signer = make_signer(recipe->seed);
    const struct accesslog_checkpoint checkpoint = {
        .origin = ORIGIN, .size = batch.tree.size, .root = batch.root};
    char note[1024];
    size_t note_length = accesslog_checkpoint_sign(&checkpoint, &signer, 1, note, sizeof note);
    struct accesslog_hash path[ACCESSLOG_PROOF_MAX];
    size_t count = accesslog_batch_path(&batch, 3, path);
    char *extra = extra_text(recipe, &entry, salts);
    char text[8192];
    size_t length = accesslog_receipt_format(extra, recipe->extra ? strlen(extra) : 0, 1003, path,
                                             count, note, note_length, text, sizeof text);
    assert_true(length != 0);
    assert_int_equal(write(fd, text, length), length);
    free(extra);
}

/* Runs the command with standard output in a file. Owner: *ret_output is the caller's, free(). */
static int run(const char *path, char **ret_output)
{
    char key[ACCESSLOG_VERIFIER_TEXT_MAX];
    char *output = calloc(1, 16384);
    struct accesslog_signer signer = make_signer(1);
    assert_true(accesslog_verifier_format(&signer.verifier, key, sizeof key) != 0);
    char *argv[] = {"casetrace log verify", "--vkey", key, "--receipt", (char *)path, NULL};
    FILE *file = tmpfile();
    assert_true(file != NULL && output != NULL);
    (void)fflush(stdout);
    int saved = dup(STDOUT_FILENO);
    assert_true(saved >= 0 && dup2(fileno(file), STDOUT_FILENO) >= 0);
    int status = cli_log_verify(5, argv);
    assert_true(dup2(saved, STDOUT_FILENO) >= 0);
    (void)close(saved);
    rewind(file);
    (void)!fread(output, 1, 16383, file);
    (void)fclose(file);
    *ret_output = output;
    return status;
}

static int run_recipe(const struct recipe *recipe, char **ret_output)
{
    char path[] = "test-receipt-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    write_receipt(recipe, fd);
    (void)close(fd);
    int status = run(path, ret_output);
    (void)unlink(path);
    return status;
}

static void expect(const struct recipe *recipe, int want)
{
    char *output = NULL;
    assert_int_equal(run_recipe(recipe, &output), want);
    /* Nothing that did not verify is shown. */
    assert_int_equal(strlen(output) != 0, want == CLI_DONE);
    free(output);
}

static void test_good(void **state)
{
    (void)state;
    char *output = NULL;
    assert_int_equal(run_recipe(&good, &output), CLI_DONE);
    assert_non_null(strstr(output, "entry 1003 is in the log of 1005 entries that " ORIGIN));
    assert_non_null(strstr(output, "2026-11-01T12:34:56.789Z"));
    assert_non_null(strstr(output, "create_trace"));
    assert_non_null(strstr(output, "acc_1"));
    assert_non_null(strstr(output, SUBJECT));
    /* Neither a terminal's control characters nor a line that was not there. */
    assert_null(strchr(output, 0x1b));
    assert_null(strstr(output, "\nstatus"));
    free(output);
    struct recipe recipe = good;
    recipe.subject = NULL;
    expect(&recipe, CLI_DONE);
}

static void test_refused(void **state)
{
    (void)state;
    struct recipe recipe = good;
    recipe.logged_header = "{}";
    expect(&recipe, CLI_FAILED);
    recipe = good;
    recipe.subject = "{\"serial\":\"A2\"}";
    expect(&recipe, CLI_FAILED);
    recipe = good;
    recipe.spoil_salt = true;
    expect(&recipe, CLI_FAILED);
    recipe = good;
    recipe.seed = 2;
    expect(&recipe, CLI_FAILED);
    recipe = good;
    recipe.extra = false;
    expect(&recipe, CLI_FAILED);
    recipe = good;
    recipe.version = "2";
    expect(&recipe, CLI_FAILED);
    char *output = NULL;
    assert_int_equal(run("no-such-receipt", &output), CLI_UNREADABLE);
    free(output);
    assert_int_equal(run("/dev/null", &output), CLI_FAILED);
    free(output);
}

/* Headers that were logged so and are none of version 1. */
static void test_headers(void **state)
{
    (void)state;
    static const char other_log[] = "{\"epoch\":3,\"operation\":\"o\",\"origin\":\"other\","
                                    "\"time\":\"2026-11-01T12:34:56.789Z\",\"v\":1}";
    const char *const bad[] = {"{}", "[]", "{\"v\":1", other_log};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct recipe recipe = good;
        recipe.header = bad[i];
        expect(&recipe, CLI_FAILED);
    }
    const struct {
        const char *time;
        int64_t ms; /* -1: refused */
    } times[] = {{"1970-01-01T00:00:00.000Z", 0},
                 {"2000-02-29T23:59:59.999Z", 951868799999},
                 {"2026-11-01T12:34:56.789Z", 1793536496789},
                 {"2026-11-01T12:34:56Z", -1},
                 {"2026-11-01T12:34:56.789", -1},
                 {"2026-11-01T12:34:56.789+", -1},
                 {"2026-13-01T12:34:56.789Z", -1},
                 {"2026-11-32T12:34:56.789Z", -1},
                 {"2026-11-01T24:34:56.789Z", -1},
                 {"2026-11-01 12:34:56.789Z", -1},
                 {"2026-1a-01T12:34:56.789Z", -1},
                 {"", -1}};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        char text[256];
        struct log_verify_header header;
        struct ct_error err;
        int length = snprintf(text, sizeof text,
                              "{\"epoch\":0,\"operation\":\"o\",\"origin\":\"l\",\"time\":\"%s\","
                              "\"v\":1}",
                              times[i].time);
        enum ct_status status = log_verify_header_read(text, (size_t)length, &header, &err);
        assert_int_equal(status, times[i].ms < 0 ? CT_BAD_INPUT : CT_OK);
        if (status == CT_OK)
            assert_int_equal(header.time_ms, times[i].ms);
    }
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
