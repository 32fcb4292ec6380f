# SPDX-License-Identifier: Apache-2.0
if HAVE_CMOCKA
accesslog_tests = tests/unit/test_accesslog_tree tests/unit/test_accesslog_proof \
  tests/unit/test_accesslog_note tests/unit/test_accesslog_receipt \
  tests/unit/test_accesslog_tile tests/unit/test_accesslog_verify tests/unit/test_accesslog_policy
check_PROGRAMS += $(accesslog_tests)
TESTS += $(accesslog_tests)
accesslog_test_common = tests/unit/test_accesslog_support.c tests/unit/test_accesslog_support.h
accesslog_test_libs = accesslog/libaccesslog.a $(CMOCKA_LIBS) $(SODIUM_LIBS) $(OPENSSL_LIBS)
tests_unit_test_accesslog_tree_SOURCES = tests/unit/test_accesslog_tree.c $(accesslog_test_common)
tests_unit_test_accesslog_tree_LDADD = $(accesslog_test_libs)
tests_unit_test_accesslog_proof_SOURCES = tests/unit/test_accesslog_proof.c $(accesslog_test_common)
tests_unit_test_accesslog_proof_LDADD = $(accesslog_test_libs)
tests_unit_test_accesslog_note_SOURCES = tests/unit/test_accesslog_note.c $(accesslog_test_common)
tests_unit_test_accesslog_note_LDADD = $(accesslog_test_libs)
tests_unit_test_accesslog_receipt_SOURCES = tests/unit/test_accesslog_receipt.c \
  $(accesslog_test_common)
tests_unit_test_accesslog_receipt_LDADD = $(accesslog_test_libs)
tests_unit_test_accesslog_tile_SOURCES = tests/unit/test_accesslog_tile.c $(accesslog_test_common)
tests_unit_test_accesslog_tile_LDADD = $(accesslog_test_libs)
tests_unit_test_accesslog_policy_SOURCES = tests/unit/test_accesslog_policy.c
tests_unit_test_accesslog_policy_LDADD = $(accesslog_test_libs)
tests_unit_test_accesslog_verify_SOURCES = tests/unit/test_accesslog_verify.c \
  tests/unit/test_accesslog_support.h cli/log_verify.c cli/log_verify_database.c \
  cli/log_verify_header.c cli/log_verify_receipt.c cli/log_verify_rows.c cli/log_verify_facts.c \
  cli/log_verify_tiles.c cli/log_verify_export.c cli/log_verify_stats.c cli/log_source.c \
  cli/client.c cli/files.c cli/print.c
tests_unit_test_accesslog_verify_CFLAGS = $(AM_CFLAGS) $(CURL_CFLAGS)
tests_unit_test_accesslog_verify_LDADD = base/libbase.a $(accesslog_test_libs) $(LIBPQ_LIBS) \
  $(CURL_LIBS) $(JANSSON_LIBS)
endif
