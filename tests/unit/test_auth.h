// SPDX-License-Identifier: Apache-2.0
#ifndef TESTS_UNIT_TEST_AUTH_H
#define TESTS_UNIT_TEST_AUTH_H

/* A keyring in a folder of its own, for the tests of auth/. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "auth/auth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEST_ORIGIN "casetrace.example/log"

struct test_keyring {
    char folder[256];
    char path[300];
    struct auth_keyring *keyring;
};

static inline void test_folder_make(struct test_keyring *test)
{
    const char *base = getenv("TMPDIR");
    (void)snprintf(test->folder, sizeof test->folder, "%s/casetrace-auth-XXXXXX",
                   base == NULL ? "/tmp" : base);
    assert_non_null(mkdtemp(test->folder));
    (void)snprintf(test->path, sizeof test->path, "%s/keyring.json", test->folder);
    test->keyring = NULL;
}

static inline void test_folder_remove(struct test_keyring *test)
{
    auth_keyring_free(test->keyring);
    (void)unlink(test->path);
    assert_int_equal(rmdir(test->folder), 0);
}

static inline int test_keyring_setup(void **state)
{
    static struct test_keyring test;
    struct ct_error err = {0};
    assert_int_equal(auth_init(), CT_OK);
    test_folder_make(&test);
    assert_int_equal(
        auth_keyring_create(test.path, TEST_ORIGIN, AUTH_OWNER_SELF, AUTH_GROUP_SELF, &err), CT_OK);
    assert_int_equal(auth_keyring_load(test.path, AUTH_OWNER_SELF, &test.keyring, &err), CT_OK);
    *state = &test;
    return 0;
}

static inline int test_keyring_teardown(void **state)
{
    test_folder_remove(*state);
    return 0;
}

#endif
