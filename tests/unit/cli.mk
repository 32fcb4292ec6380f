# SPDX-License-Identifier: Apache-2.0

check_PROGRAMS += tests/unit/test_cli
TESTS += tests/unit/test_cli
tests_unit_test_cli_SOURCES = tests/unit/test_cli.c cli/cli.h cli/trace_text.h cli/print.c cli/files.c \
  cli/client.c cli/trace_request.h cli/trace_request.c cli/trace_text.c
tests_unit_test_cli_CFLAGS = $(AM_CFLAGS) $(CURL_CFLAGS)
tests_unit_test_cli_LDADD = base/libbase.a $(CURL_LIBS) $(SODIUM_LIBS) $(JANSSON_LIBS) $(CMOCKA_LIBS)
