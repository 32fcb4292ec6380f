# SPDX-License-Identifier: Apache-2.0
api_unit_tests = tests/unit/test_validate tests/unit/test_api_table
check_PROGRAMS += $(api_unit_tests)
TESTS += $(api_unit_tests) tests/unit/test_generate
EXTRA_DIST += tests/unit/test_generate
api_unit_libs = api/libapi.a base/libbase.a $(JANSSON_LIBS) $(CMOCKA_LIBS)
tests_unit_test_validate_SOURCES = tests/unit/test_validate.c
tests_unit_test_validate_LDADD = $(api_unit_libs)
tests_unit_test_api_table_SOURCES = tests/unit/test_api_table.c
tests_unit_test_api_table_LDADD = $(api_unit_libs)
