// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cli/cli.h"
#include "cli/trace_request.h"
#include "cli/trace_text.h"

#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[256];

static int folder_setup(void **state)
{
    const char *base = getenv("TMPDIR");
    (void)state;
    (void)snprintf(folder, sizeof folder, "%s/casetrace-cli-XXXXXX", base == NULL ? "/tmp" : base);
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int folder_teardown(void **state)
{
    char pattern[300];
    glob_t found;
    (void)state;
    (void)snprintf(pattern, sizeof pattern, "%s/*", folder);
    if (glob(pattern, 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++)
            (void)unlink(found.gl_pathv[i]);
        globfree(&found);
    }
    return rmdir(folder);
}

static const char *in_folder(const char *name)
{
    static char path[300];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const char *text, mode_t mode)
{
    int fd = open(in_folder(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
}

/* ---- files --------------------------------------------------------------------------------------
 */

static void key_file_holds_one_word(void **state)
{
    (void)state;
    struct ct_error err = {0};
    char key[CLI_SECRET_MAX];
    static const char *const good[] = {"ctk_abc", "ctk_abc\n", "  ctk_abc\r\n", "\nctk_abc \n\n"};
    static const char *const bad[] = {"", "\n", "ctk_abc ctk_def", "ctk_\x01", "ctk_\xc3\xa9"};
    for (size_t i = 0; i < CT_ARRAY_LENGTH(good); i++) {
        write_file("key", good[i], 0600);
        assert_int_equal(cli_secret_read(in_folder("key"), key, &err), CT_OK);
        assert_string_equal(key, "ctk_abc");
    }
    for (size_t i = 0; i < CT_ARRAY_LENGTH(bad); i++) {
        write_file("key", bad[i], 0600);
        assert_int_equal(cli_secret_read(in_folder("key"), key, &err), CT_BAD_INPUT);
    }
    char text[CLI_SECRET_MAX + 1];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    write_file("key", text, 0600);
    assert_int_equal(cli_secret_read(in_folder("key"), key, &err), CT_BAD_INPUT);
    assert_string_equal(key, "ctk_abc");
}

static void key_file_must_be_private(void **state)
{
    (void)state;
    struct ct_error err = {0};
    char key[CLI_SECRET_MAX];
    const mode_t bad[] = {0640, 0604, 0660, 0620, 0601};
    assert_int_equal(cli_secret_read(in_folder("none"), key, &err), CT_NOT_FOUND);
    for (size_t i = 0; i < CT_ARRAY_LENGTH(bad); i++) {
        write_file("key", "ctk_abc\n", bad[i]);
        assert_int_equal(cli_secret_read(in_folder("key"), key, &err), CT_REFUSED);
        assert_non_null(strstr(err.text, "chmod 600"));
    }
}

static void created_file_never_replaces_one(void **state)
{
    (void)state;
    struct ct_error err = {0};
    struct stat about;
    char pattern[300];
    glob_t found;
    assert_int_equal(cli_file_create(in_folder("new"), "abc", 3, 0640, (uid_t)-1, (gid_t)-1, &err),
                     CT_OK);
    assert_int_equal(stat(in_folder("new"), &about), 0);
    assert_int_equal(about.st_mode & 07777, 0640);
    assert_int_equal(about.st_size, 3);
    assert_int_equal(about.st_nlink, 1);
    assert_int_equal(cli_file_create(in_folder("new"), "defg", 4, 0600, (uid_t)-1, (gid_t)-1, &err),
                     CT_REFUSED);
    assert_int_equal(stat(in_folder("new"), &about), 0);
    assert_int_equal(about.st_size, 3);
    assert_int_equal(
        cli_file_create(in_folder("no/new"), "abc", 3, 0600, (uid_t)-1, (gid_t)-1, &err), CT_IO);
    (void)snprintf(pattern, sizeof pattern, "%s/*", folder);
    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    assert_int_equal(found.gl_pathc, 1);
    globfree(&found);
}

static void whole_file_within_its_bound(void **state)
{
    (void)state;
    struct ct_error err = {0};
    struct ct_buf buf;
    write_file("body", "0123456789", 0600);
    ct_buf_init(&buf, 10);
    assert_int_equal(cli_file_read(in_folder("body"), &buf, &err), CT_OK);
    assert_int_equal(buf.length, 10);
    ct_buf_free(&buf);
    ct_buf_init(&buf, 9);
    assert_int_equal(cli_file_read(in_folder("body"), &buf, &err), CT_LIMIT);
    ct_buf_free(&buf);
    assert_int_equal(cli_file_read(in_folder("none"), &buf, &err), CT_IO);
}

/* ---- text ---------------------------------------------------------------------------------------
 */

static void urls_are_percent_encoded(void **state)
{
    (void)state;
    struct ct_buf url;
    ct_buf_init(&url, 200);
    cli_url_append(&url, "aZ09-_.~ /?&=%\xc3\xa9#");
    ct_buf_append_u8(&url, 0);
    assert_string_equal((const char *)url.data, "aZ09-_.~%20%2F%3F%26%3D%25%C3%A9%23");
    ct_buf_free(&url);
}

static void server_text_steers_no_terminal(void **state)
{
    (void)state;
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    assert_non_null(stream);
    cli_print_text(stream, "a\x1b[31m\r\n\x7f\xc2\x9b"
                           "b\xe2\x80\x94\xc3\xa9\tc");
    assert_int_equal(fclose(stream), 0);
    assert_string_equal(text, "a\\x1b[31m\\x0d\n\\x7f\\u009bb\xe2\x80\x94\xc3\xa9\\x09c");
    free(text);
}

static char *trace_text(const char *json_text)
{
    char *text = NULL;
    size_t length = 0;
    json_t *json = json_loads(json_text, 0, NULL);
    FILE *stream = open_memstream(&text, &length);
    assert_true(json != NULL && stream != NULL);
    cli_trace_print(stream, json);
    assert_int_equal(fclose(stream), 0);
    json_decref(json);
    return text;
}

static void identified_trace_as_text(void **state)
{
    (void)state;
    char *text = trace_text(
        "{\"id\":\"trc_1\",\"state\":\"identified\",\"not_registered\":0.25,\"detail\":null,"
        "\"candidates\":[{\"rank\":1,\"posterior\":0.75,\"firearm\":{\"maker\":\"Ridgeline\","
        "\"model\":\"RL-9\",\"serial\":\"TD 1\",\"caliber\":\"9mm\",\"importer\":null},"
        "\"mark\":{\"placement\":\"firing_pin\",\"code\":\"4H7K2M9X\",\"agreement\":\"====\"},"
        "\"first_purchaser\":{\"disclosed\":true,\"chain_complete\":false,\"given_name\":\"Blair\","
        "\"family_name\":\"Stone\",\"date_of_birth\":\"1976-07-28\","
        "\"address\":{\"line1\":\"118 Cedar St\",\"city\":\"Fresno\",\"state\":\"CA\"},"
        "\"sale\":{\"dealer\":\"Valley\",\"delivered_on\":\"2026-01-25\"}}}],"
        "\"receipt\":{\"entry\":7}}");
    assert_string_equal(text, "identified  trc_1\n"
                              "probability that the firearm is not registered: 0.25\n"
                              " 1. Ridgeline RL-9, serial TD 1, 9mm\n"
                              "    probability 0.75\n"
                              "    mark on firing_pin, code 4H7K2M9X, agreement ====\n"
                              "    first purchaser: Blair Stone, born 1976-07-28\n"
                              "      118 Cedar St, Fresno, CA\n"
                              "      sold by Valley on 2026-01-25\n"
                              "      not every move from the maker to this sale is recorded\n"
                              "logged as entry 7\n");
    free(text);
}

static void undisclosed_and_missing_members_as_text(void **state)
{
    (void)state;
    char *text = trace_text("{\"state\":\"candidates\",\"candidates\":[{\"first_purchaser\":"
                            "{\"disclosed\":false,\"reason\":\"not_identified\"}},{},7]}");
    assert_non_null(strstr(text, "first purchaser: not shown, the firearm is not identified\n"));
    free(text);
    text = trace_text("{\"state\":\"no_match\",\"candidates\":[],\"detail\":{\"code\":"
                      "\"issued_unregistered\",\"block_holder\":\"Ridgeline\",\"contact\":null}}");
    assert_non_null(strstr(text, "issued to Ridgeline\n"));
    free(text);
    free(trace_text("{}"));
}

static void several_guns_as_text(void **state)
{
    (void)state;
    char *text = trace_text(
        "{\"id\":\"trc_1\",\"state\":\"candidates\",\"likelihood_ratio\":2500.0,"
        "\"effective_characters\":2.5,\"not_registered\":0.5,\"expected_chance_matches\":3,"
        "\"flags\":[{\"code\":\"more_than_one_gun\",\"detail\":\"two pins\"}],"
        "\"groups\":[{\"specimens\":[0,2],\"state\":\"candidates\",\"likelihood_ratio\":2500.0},"
        "{\"specimens\":[1],\"state\":\"insufficient\"}],"
        "\"candidates\":[{\"rank\":1,\"group\":0,\"posterior\":0.25,\"firearm\":{\"maker\":\"M\"},"
        "\"mark\":{\"placement\":\"chamber\",\"agreement\":\"=..=\"},"
        "\"agreements\":[{\"specimen\":0,\"mark\":1,\"agreement\":\"=..=\"},"
        "{\"specimen\":2,\"mark\":0,\"agreement\":null}],"
        "\"flags\":[{\"code\":\"part_replaced\",\"specimen\":0,\"mark\":1,\"detail\":\"d\"}]}],"
        "\"next_best\":[{\"specimen\":0,\"mark\":0,\"position\":2,\"bits\":4.5},"
        "{\"specimen\":2,\"mark\":1,\"position\":0,\"bits\":1}]}");
    assert_string_equal(text, "candidates  trc_1\n"
                              "likelihood ratio: 2500\n"
                              "worth this many characters, fully read: 2.5\n"
                              "probability that the firearm is not registered: 0.5\n"
                              "expected chance matches: 3\n"
                              "note: more_than_one_gun: two pins\n"
                              "group 1, specimen 1, 3: candidates\n"
                              "    likelihood ratio: 2500\n"
                              "group 2, specimen 2: insufficient\n"
                              " 1. M\n"
                              "    of group 1\n"
                              "    probability 0.25\n"
                              "    mark on chamber, agreement =..=\n"
                              "    specimen 1, mark 2: agreement =..=\n"
                              "    specimen 3, mark 1: no code is recorded at this place\n"
                              "    note: part_replaced, specimen 1, mark 2: d\n"
                              "worth another look: specimen 1, mark 1, character 3 (4.5 bits); "
                              "specimen 3, mark 2, character 1 (1 bits)\n");
    free(text);
}

/* ---- what is asked ------------------------------------------------------------------------------
 */

static void specimens_in_the_order_of_words(void **state)
{
    (void)state;
    struct cli_trace_request request;
    cli_trace_request_init(&request);
    assert_null(cli_trace_request_reading(&request, "4H7K 2M9X"));
    assert_null(cli_trace_request_of_mark(&request, "placement", "firing_pin"));
    assert_null(cli_trace_request_of_specimen(&request, "exhibit", "E-2"));
    assert_null(cli_trace_request_mark(&request));
    assert_null(cli_trace_request_of_mark(&request, "placement", "chamber"));
    assert_null(cli_trace_request_reading(&request, "????2M9X"));
    assert_null(cli_trace_request_reading(&request, "4H7K ????"));
    assert_null(cli_trace_request_specimen(&request));
    assert_null(cli_trace_request_of_specimen(&request, "kind", "part"));
    assert_null(cli_trace_request_of_mark(&request, "gear", "1"));
    assert_null(cli_trace_request_end(&request));
    char *text = ct_json_text(request.specimens);
    assert_string_equal(
        text, "[{\"marks\":[{\"reading\":\"4H7K 2M9X\",\"placement\":\"firing_pin\"},"
              "{\"placement\":\"chamber\",\"reading\":\"????2M9X\"}],\"exhibit\":\"E-2\","
              "\"kind\":\"casing\"},"
              "{\"marks\":[{\"reading\":\"4H7K ????\"}],\"exhibit\":\"E-1\",\"kind\":\"casing\"},"
              "{\"kind\":\"part\",\"marks\":[{\"gear\":\"1\"}],\"exhibit\":\"E-3\"}]");
    free(text);
    cli_trace_request_free(&request);
}

static void words_that_belong_nowhere(void **state)
{
    (void)state;
    struct cli_trace_request request;
    cli_trace_request_init(&request);
    assert_non_null(cli_trace_request_end(&request));  /* nothing at all */
    assert_non_null(cli_trace_request_mark(&request)); /* of which specimen? */
    assert_null(cli_trace_request_of_specimen(&request, "exhibit", "A"));
    assert_non_null(cli_trace_request_end(&request)); /* no mark */
    assert_null(cli_trace_request_reading(&request, "4H7K 2M9X"));
    assert_non_null(cli_trace_request_of_specimen(&request, "exhibit", "B"));
    assert_null(cli_trace_request_of_mark(&request, "scheme", "R29-8"));
    assert_non_null(cli_trace_request_of_mark(&request, "scheme", "opaque"));
    assert_non_null(cli_trace_request_of_mark(&request, "placement", "\xff"));
    assert_null(cli_trace_request_end(&request));
    cli_trace_request_free(&request);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(key_file_holds_one_word, folder_setup, folder_teardown),
        cmocka_unit_test_setup_teardown(key_file_must_be_private, folder_setup, folder_teardown),
        cmocka_unit_test_setup_teardown(created_file_never_replaces_one, folder_setup,
                                        folder_teardown),
        cmocka_unit_test_setup_teardown(whole_file_within_its_bound, folder_setup, folder_teardown),
        cmocka_unit_test(urls_are_percent_encoded),
        cmocka_unit_test(server_text_steers_no_terminal),
        cmocka_unit_test(identified_trace_as_text),
        cmocka_unit_test(undisclosed_and_missing_members_as_text),
        cmocka_unit_test(several_guns_as_text),
        cmocka_unit_test(specimens_in_the_order_of_words),
        cmocka_unit_test(words_that_belong_nowhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
