# SPDX-License-Identifier: Apache-2.0
auth_unit_tests = tests/unit/test_auth_keyring tests/unit/test_auth_seal tests/unit/test_auth_key
check_PROGRAMS += $(auth_unit_tests)
TESTS += $(auth_unit_tests)
auth_unit_libs = auth/libauth.a base/libbase.a $(SODIUM_LIBS) $(JANSSON_LIBS) $(CMOCKA_LIBS)
tests_unit_test_auth_keyring_SOURCES = tests/unit/test_auth_keyring.c tests/unit/test_auth.h
tests_unit_test_auth_keyring_LDADD = $(auth_unit_libs)
tests_unit_test_auth_seal_SOURCES = tests/unit/test_auth_seal.c tests/unit/test_auth.h
tests_unit_test_auth_seal_LDADD = $(auth_unit_libs)
tests_unit_test_auth_key_SOURCES = tests/unit/test_auth_key.c tests/unit/test_auth.h
tests_unit_test_auth_key_LDADD = $(auth_unit_libs)
