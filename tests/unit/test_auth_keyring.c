// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/test_auth.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <sodium.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define SEED "\"seed\":\"0101010101010101010101010101010101010101010101010101010101010101\""
#define KEY "0202020202020202020202020202020202020202020202020202020202020202"
#define LOG_KEYS "\"log_keys\":[{\"name\":\"casetrace.example/log\"," SEED "}]"
#define PURCHASER_KEYS "\"purchaser_keys\":[{\"id\":\"0a0b0c0d\",\"key\":\"" KEY "\"}]"
#define SUBJECT_KEYS                                                                               \
    "\"subject_keys\":[{\"id\":\"00000001\",\"key\":\"" KEY "\"},"                                 \
    "{\"id\":\"00000002\",\"key\":\"" KEY "\"}]"
#define REST                                                                                       \
    "\"credential_key\":\"" KEY "\",\"request_mac_key\":\"" KEY "\","                              \
    "\"current\":{\"purchaser_key\":\"0a0b0c0d\",\"subject_key\":\"00000002\"}"
#define HEAD "\"v\":1,\"origin\":\"casetrace.example/log\""
#define GOOD "{" HEAD "," LOG_KEYS "," PURCHASER_KEYS "," SUBJECT_KEYS "," REST "}"

static int folder_setup(void **state)
{
    static struct test_keyring test;
    assert_int_equal(auth_init(), CT_OK);
    test_folder_make(&test);
    *state = &test;
    return 0;
}

static void write_keyring(const char *path, const char *text)
{
    (void)unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(close(fd), 0);
}

static void created_keyring_is_private_and_loads(void **state)
{
    struct test_keyring *test = *state;
    struct ct_error err = {0};
    struct auth_log_key key;
    struct stat about;
    mode_t before = umask(0);
    assert_int_equal(
        auth_keyring_create(test->path, TEST_ORIGIN, AUTH_OWNER_SELF, AUTH_GROUP_SELF, &err),
        CT_OK);
    (void)umask(before);
    assert_int_equal(stat(test->path, &about), 0);
    assert_int_equal(about.st_mode & 07777, 0600);
    assert_int_equal(about.st_nlink, 1);
    assert_int_equal(auth_keyring_load(test->path, AUTH_OWNER_SELF, &test->keyring, &err), CT_OK);
    assert_string_equal(auth_keyring_origin(test->keyring), TEST_ORIGIN);
    assert_int_equal(auth_keyring_log_key_count(test->keyring), 1);
    auth_keyring_log_key(test->keyring, 0, &key);
    assert_string_equal(key.name, TEST_ORIGIN);
    assert_false(sodium_is_zero(key.seed, AUTH_SECRET_BYTES));
    assert_int_equal(strlen(auth_keyring_purchaser_key(test->keyring)), AUTH_KEY_ID_TEXT - 1);
    assert_true(
        auth_keyring_has_purchaser_key(test->keyring, auth_keyring_purchaser_key(test->keyring)));
    assert_true(
        auth_keyring_has_subject_key(test->keyring, auth_keyring_subject_key(test->keyring)));
    assert_false(auth_keyring_has_subject_key(test->keyring, ""));
    assert_false(auth_keyring_has_purchaser_key(test->keyring, "no such key"));
}

static void existing_file_is_never_touched(void **state)
{
    struct test_keyring *test = *state;
    struct ct_error err = {0};
    struct stat about;
    char pattern[320];
    glob_t found;
    write_keyring(test->path, "somebody's");
    assert_int_equal(
        auth_keyring_create(test->path, TEST_ORIGIN, AUTH_OWNER_SELF, AUTH_GROUP_SELF, &err),
        CT_REFUSED);
    assert_non_null(strstr(err.text, "already"));
    assert_int_equal(stat(test->path, &about), 0);
    assert_int_equal(about.st_size, strlen("somebody's"));
    (void)snprintf(pattern, sizeof pattern, "%s/*", test->folder);
    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    assert_int_equal(found.gl_pathc, 1);
    globfree(&found);
}

static void missing_folder_is_an_error(void **state)
{
    struct test_keyring *test = *state;
    struct ct_error err = {0};
    char path[320];
    (void)snprintf(path, sizeof path, "%s/none/keyring.json", test->folder);
    assert_int_equal(auth_keyring_create(path, TEST_ORIGIN, AUTH_OWNER_SELF, AUTH_GROUP_SELF, &err),
                     CT_IO);
    assert_int_equal(auth_keyring_load(path, AUTH_OWNER_SELF, &test->keyring, &err), CT_NOT_FOUND);
    assert_null(test->keyring);
}

static void bad_origins_are_refused(void **state)
{
    struct test_keyring *test = *state;
    struct ct_error err = {0};
    char long_origin[AUTH_ORIGIN_MAX + 2];
    memset(long_origin, 'a', sizeof long_origin - 1);
    long_origin[sizeof long_origin - 1] = '\0';
    const char *const bad[] = {"",         "a b",      "a+b", "a\nb", "https://a.example/log",
                               "\xc3\xa9", long_origin};
    for (size_t i = 0; i < CT_ARRAY_LENGTH(bad); i++)
        assert_int_equal(
            auth_keyring_create(test->path, bad[i], AUTH_OWNER_SELF, AUTH_GROUP_SELF, &err),
            CT_BAD_INPUT);
    assert_int_equal(access(test->path, F_OK), -1);
}

static void others_rights_are_refused(void **state)
{
    struct test_keyring *test = *state;
    struct ct_error err = {0};
    const mode_t bad[] = {0640, 0604, 0620, 0602, 0610, 0601, 0644, 0666};
    write_keyring(test->path, GOOD);
    for (size_t i = 0; i < CT_ARRAY_LENGTH(bad); i++) {
        assert_int_equal(chmod(test->path, bad[i]), 0);
        assert_int_equal(auth_keyring_load(test->path, AUTH_OWNER_SELF, &test->keyring, &err),
                         CT_REFUSED);
        assert_non_null(strstr(err.text, "chmod 600"));
    }
    assert_int_equal(chmod(test->path, 0400), 0);
    assert_int_equal(auth_keyring_load(test->path, AUTH_OWNER_SELF, &test->keyring, &err), CT_OK);
}

static void another_owner_is_refused(void **state)
{
    struct test_keyring *test = *state;
    struct ct_error err = {0};
    write_keyring(test->path, GOOD);
    assert_int_equal(auth_keyring_load(test->path, geteuid() + 1, &test->keyring, &err),
                     CT_REFUSED);
    assert_non_null(strstr(err.text, "belongs to user"));
    assert_int_equal(auth_keyring_load(test->path, geteuid(), &test->keyring, &err), CT_OK);
}

static void link_folder_and_empty_file_are_refused(void **state)
{
    struct test_keyring *test = *state;
    struct ct_error err = {0};
    char other[320];
    assert_int_equal(auth_keyring_load(test->folder, AUTH_OWNER_SELF, &test->keyring, &err),
                     CT_REFUSED);
    write_keyring(test->path, "");
    assert_int_equal(auth_keyring_load(test->path, AUTH_OWNER_SELF, &test->keyring, &err),
                     CT_BAD_INPUT);
    (void)snprintf(other, sizeof other, "%s/link", test->folder);
    assert_int_equal(symlink(test->path, other), 0);
    assert_int_equal(auth_keyring_load(other, AUTH_OWNER_SELF, &test->keyring, &err), CT_IO);
    assert_int_equal(unlink(other), 0);
    assert_int_equal(mkfifo(other, 0600), 0);
    assert_int_equal(auth_keyring_load(other, AUTH_OWNER_SELF, &test->keyring, &err), CT_REFUSED);
    assert_int_equal(unlink(other), 0);
}

static void current_keys_are_the_named_ones(void **state)
{
    struct test_keyring *test = *state;
    struct ct_error err = {0};
    write_keyring(test->path, GOOD);
    assert_int_equal(auth_keyring_load(test->path, AUTH_OWNER_SELF, &test->keyring, &err), CT_OK);
    assert_string_equal(auth_keyring_purchaser_key(test->keyring), "0a0b0c0d");
    assert_string_equal(auth_keyring_subject_key(test->keyring), "00000002");
    assert_true(auth_keyring_has_subject_key(test->keyring, "00000001"));
    assert_false(auth_keyring_has_purchaser_key(test->keyring, "00000001"));
}

/* RFC 8032, test 1. */
static void public_key_is_that_of_the_seed(void **state)
{
    struct test_keyring *test = *state;
    struct ct_error err = {0};
    struct auth_log_key key;
    char text[65];
    write_keyring(
        test->path,
        "{" HEAD ",\"log_keys\":[{\"name\":\"casetrace.example/log\",\"seed\":"
        "\"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60\"}]," PURCHASER_KEYS
        "," SUBJECT_KEYS "," REST "}");
    assert_int_equal(auth_keyring_load(test->path, AUTH_OWNER_SELF, &test->keyring, &err), CT_OK);
    auth_keyring_log_key(test->keyring, 0, &key);
    ct_hex_encode(key.public_key, 32, text);
    assert_string_equal(text, "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
}

static void malformed_keyrings_are_refused(void **state)
{
    struct test_keyring *test = *state;
    static const char *const bad[] = {
        "x",
        "[]",
        "{}",
        "{" HEAD "," LOG_KEYS "," PURCHASER_KEYS "," SUBJECT_KEYS "}",
        "{" HEAD "," LOG_KEYS "," PURCHASER_KEYS "," SUBJECT_KEYS "," REST ",\"more\":1}",
        "{" HEAD "," LOG_KEYS "," PURCHASER_KEYS "," SUBJECT_KEYS "," REST ",\"v\":1}",
        "{\"v\":2,\"origin\":\"casetrace.example/log\"," LOG_KEYS "," PURCHASER_KEYS
        "," SUBJECT_KEYS "," REST "}",
        "{\"v\":1,\"origin\":\"another.example/log\"," LOG_KEYS "," PURCHASER_KEYS "," SUBJECT_KEYS
        "," REST "}",
        "{\"v\":1,\"origin\":\"a b\"," LOG_KEYS "," PURCHASER_KEYS "," SUBJECT_KEYS "," REST "}",
        "{" HEAD ",\"log_keys\":[]," PURCHASER_KEYS "," SUBJECT_KEYS "," REST "}",
        "{" HEAD ",\"log_keys\":{}," PURCHASER_KEYS "," SUBJECT_KEYS "," REST "}",
        "{" HEAD
        ",\"log_keys\":[{\"name\":\"casetrace.example/log\",\"seed\":\"01\"}]," PURCHASER_KEYS
        "," SUBJECT_KEYS "," REST "}",
        "{" HEAD ",\"log_keys\":[7]," PURCHASER_KEYS "," SUBJECT_KEYS "," REST "}",
        "{" HEAD "," LOG_KEYS ",\"purchaser_keys\":[]," SUBJECT_KEYS "," REST "}",
        "{" HEAD "," LOG_KEYS ",\"purchaser_keys\":[{\"id\":\"0a0b0c0e\",\"key\":\"" KEY
        "\"}]," SUBJECT_KEYS "," REST "}",
        "{" HEAD "," LOG_KEYS "," PURCHASER_KEYS
        ",\"subject_keys\":[{\"id\":\"00000002\",\"key\":\"" KEY
        "\"},{\"id\":\"00000002\",\"key\":\"" KEY "\"}]," REST "}",
        "{" HEAD "," LOG_KEYS "," PURCHASER_KEYS ",\"subject_keys\":[{\"id\":\"2\",\"key\":\"" KEY
        "\"}]," REST "}",
        GOOD "x",
    };
    struct ct_error err;
    for (size_t i = 0; i < CT_ARRAY_LENGTH(bad); i++) {
        memset(&err, 0, sizeof err);
        write_keyring(test->path, bad[i]);
        assert_int_equal(auth_keyring_load(test->path, AUTH_OWNER_SELF, &test->keyring, &err),
                         CT_BAD_INPUT);
        assert_null(test->keyring);
        assert_true(err.text[0] != '\0');
        assert_null(strstr(err.text, "0202"));
        assert_null(strstr(err.text, "0101"));
    }
}

static void cut_anywhere_is_refused(void **state)
{
    struct test_keyring *test = *state;
    struct ct_error err = {0};
    char text[sizeof GOOD];
    for (size_t length = 1; length < sizeof GOOD - 1; length++) {
        memcpy(text, GOOD, length);
        text[length] = '\0';
        write_keyring(test->path, text);
        assert_int_equal(auth_keyring_load(test->path, AUTH_OWNER_SELF, &test->keyring, &err),
                         CT_BAD_INPUT);
    }
}

static void loaded_keyring_is_read_only(void **state)
{
    struct test_keyring *test = *state;
    struct ct_error err = {0};
    int how = 0;
    write_keyring(test->path, GOOD);
    assert_int_equal(auth_keyring_load(test->path, AUTH_OWNER_SELF, &test->keyring, &err), CT_OK);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)signal(SIGSEGV, SIG_DFL);
        *(volatile char *)(uintptr_t)auth_keyring_origin(test->keyring) = 'x';
        _exit(0);
    }
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFSIGNALED(how));
    assert_int_equal(WTERMSIG(how), SIGSEGV);
}

static int folder_teardown(void **state)
{
    test_folder_remove(*state);
    return 0;
}

int main(void)
{
#define FOLDER_TEST(function)                                                                      \
    cmocka_unit_test_setup_teardown(function, folder_setup, folder_teardown)
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(created_keyring_is_private_and_loads),
        FOLDER_TEST(existing_file_is_never_touched),
        FOLDER_TEST(missing_folder_is_an_error),
        FOLDER_TEST(bad_origins_are_refused),
        FOLDER_TEST(others_rights_are_refused),
        FOLDER_TEST(another_owner_is_refused),
        FOLDER_TEST(link_folder_and_empty_file_are_refused),
        FOLDER_TEST(current_keys_are_the_named_ones),
        FOLDER_TEST(public_key_is_that_of_the_seed),
        FOLDER_TEST(malformed_keyrings_are_refused),
        FOLDER_TEST(cut_anywhere_is_refused),
        FOLDER_TEST(loaded_keyring_is_read_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
