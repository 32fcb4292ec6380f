// SPDX-License-Identifier: Apache-2.0
#include "keeper/anchor.h"

#include <fcntl.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>

static struct accesslog_signer signer;
static char path[] = "/tmp/casetrace-anchor-XXXXXX";

/* In place of the library's: whether a folder was put on disk too. */
static unsigned folders_synced;

int fsync(int fd)
{
    struct stat info;
    if (fstat(fd, &info) == 0 && S_ISDIR(info.st_mode))
        folders_synced++;
    return (int)syscall(SYS_fsync, fd);
}

static void note_of(uint64_t size, char ret[ANCHOR_PLACE_BYTES])
{
    struct accesslog_checkpoint checkpoint = {.origin = "test.example/log", .size = size};
    checkpoint.root.bytes[0] = (uint8_t)size;
    assert_true(accesslog_checkpoint_sign(&checkpoint, &signer, 1, ret, ANCHOR_PLACE_BYTES) > 0);
}

static uint64_t reopen(int *ret_fd, unsigned *ret_place, enum ct_status expected)
{
    struct accesslog_checkpoint checkpoint = {.size = 0};
    struct ct_error err = {0};
    assert_int_equal(anchor_open(path, &signer.verifier, 1, ret_fd, ret_place, &checkpoint, &err),
                     expected);
    return checkpoint.size;
}

static int setup(void **state)
{
    (void)state;
    static const uint8_t seed[ACCESSLOG_SEED_BYTES] = {1};
    int fd = mkstemp(path);
    return sodium_init() < 0 || fd < 0 || close(fd) != 0 ||
           accesslog_signer_init("test.example/log", ACCESSLOG_KEY_ED25519, seed, &signer) !=
               ACCESSLOG_OK;
}

static int teardown(void **state)
{
    (void)state;
    return unlink(path);
}

/* A write cut short leaves the checkpoint before it. */
static void test_torn_write(void **state)
{
    (void)state;
    char note[ANCHOR_PLACE_BYTES];
    struct ct_error err = {0};
    int fd;
    unsigned place;
    assert_int_equal(reopen(&fd, &place, CT_OK), 0);
    note_of(10, note);
    assert_int_equal(anchor_write(fd, place, note, &err), CT_OK);
    note_of(20, note);
    assert_int_equal(anchor_write(fd, place ^ 1u, note, &err), CT_OK);
    (void)close(fd);
    assert_int_equal(reopen(&fd, &place, CT_OK), 20);
    assert_int_equal(pwrite(fd, "torn", 4, (off_t)(place ^ 1u) * ANCHOR_PLACE_BYTES + 30), 4);
    (void)close(fd);
    assert_int_equal(reopen(&fd, &place, CT_OK), 10);
    (void)close(fd);
}

static void test_foreign_content_is_refused(void **state)
{
    (void)state;
    int fd = open(path, O_RDWR | O_TRUNC);
    unsigned place;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "not a checkpoint", 16), 16);
    (void)close(fd);
    (void)reopen(&fd, &place, CT_CRYPTO);
}

static void test_plain_note(void **state)
{
    (void)state;
    char note[ANCHOR_PLACE_BYTES];
    int fd = open(path, O_RDWR | O_TRUNC);
    unsigned place;
    assert_true(fd >= 0);
    note_of(1, note);
    assert_int_equal(write(fd, note, strlen(note)), (ssize_t)strlen(note));
    (void)close(fd);
    assert_int_equal(reopen(&fd, &place, CT_OK), 1);
    assert_int_equal(place, 1);
    (void)close(fd);
}

/* A file is only there after a power cut if its folder was put on disk. */
static void test_a_new_file_is_on_disk(void **state)
{
    (void)state;
    int fd;
    unsigned place;
    assert_int_equal(unlink(path), 0);
    folders_synced = 0;
    assert_int_equal(reopen(&fd, &place, CT_OK), 0);
    assert_int_equal(folders_synced, 1);
    (void)close(fd);
}

/* Two keepers with one anchor: the second is told, and gets it when the first has ended. */
static void test_one_keeper_alone(void **state)
{
    (void)state;
    char note[ANCHOR_PLACE_BYTES];
    struct ct_error err = {0};
    int fd;
    int other;
    unsigned place;
    (void)reopen(&fd, &place, CT_OK);
    note_of(30, note);
    assert_int_equal(anchor_write(fd, place, note, &err), CT_OK);
    (void)reopen(&other, &place, CT_REFUSED);
    (void)close(fd);
    assert_int_equal(reopen(&other, &place, CT_OK), 30);
    (void)close(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_torn_write),       cmocka_unit_test(test_foreign_content_is_refused),
        cmocka_unit_test(test_plain_note),       cmocka_unit_test(test_a_new_file_is_on_disk),
        cmocka_unit_test(test_one_keeper_alone),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
