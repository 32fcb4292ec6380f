# SPDX-License-Identifier: Apache-2.0
if HAVE_CMOCKA
server_tests = tests/unit/test_config tests/unit/test_message tests/unit/test_http_check \
  tests/unit/test_http_target tests/unit/test_request_ids tests/unit/test_link
check_PROGRAMS += $(server_tests)
TESTS += $(server_tests) tests/unit/test_parent
EXTRA_DIST += tests/unit/test_parent
server_test_libs = server/libserver.a keeper/libmessage.a base/libbase.a $(CMOCKA_LIBS) \
  $(INIH_LIBS) $(JANSSON_LIBS)
tests_unit_test_config_SOURCES = tests/unit/test_config.c
tests_unit_test_config_LDADD = $(server_test_libs)
tests_unit_test_message_SOURCES = tests/unit/test_message.c
tests_unit_test_message_LDADD = $(server_test_libs)
tests_unit_test_http_check_SOURCES = tests/unit/test_http_check.c tests/unit/test_http_lenient.h
tests_unit_test_http_check_LDADD = $(server_test_libs)
tests_unit_test_http_target_SOURCES = tests/unit/test_http_target.c
tests_unit_test_http_target_LDADD = $(server_test_libs)
tests_unit_test_request_ids_SOURCES = tests/unit/test_request_ids.c
tests_unit_test_request_ids_LDADD = $(server_test_libs)
tests_unit_test_link_SOURCES = tests/unit/test_link.c
tests_unit_test_link_LDADD = $(server_test_libs)
endif
