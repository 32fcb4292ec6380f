# SPDX-License-Identifier: Apache-2.0
if HAVE_CMOCKA
keeper_unit_tests = tests/unit/test_scheduler tests/unit/test_courier tests/unit/test_anchor tests/unit/test_strangers \
  tests/unit/test_rows tests/unit/test_budget tests/unit/test_ticket tests/unit/test_code_blocks tests/unit/test_knowledge \
  tests/unit/test_published tests/unit/test_tile_cache tests/unit/test_touched
check_PROGRAMS += $(keeper_unit_tests)
TESTS += $(keeper_unit_tests)
keeper_unit_libs = keeper/libkeeper.a api/libapi.a accesslog/libaccesslog.a auth/libauth.a \
  microstamp/libmicrostamp.a store/libstore.a keeper/libmessage.a base/libbase.a $(LIBPQ_LIBS) \
  $(SODIUM_LIBS) $(OPENSSL_LIBS) $(JANSSON_LIBS) $(ZLIB_LIBS) $(CMOCKA_LIBS) -lm
tests_unit_test_courier_SOURCES = tests/unit/test_courier.c
tests_unit_test_courier_LDADD = keeper/libmessage.a base/libbase.a $(JANSSON_LIBS) $(CMOCKA_LIBS)
tests_unit_test_scheduler_SOURCES = tests/unit/test_scheduler.c
tests_unit_test_scheduler_LDADD = $(keeper_unit_libs)
tests_unit_test_budget_SOURCES = tests/unit/test_budget.c
tests_unit_test_budget_LDADD = $(keeper_unit_libs)
tests_unit_test_ticket_SOURCES = tests/unit/test_ticket.c
tests_unit_test_ticket_LDADD = $(keeper_unit_libs)
tests_unit_test_code_blocks_SOURCES = tests/unit/test_code_blocks.c
tests_unit_test_code_blocks_LDADD = $(keeper_unit_libs)
tests_unit_test_anchor_SOURCES = tests/unit/test_anchor.c
tests_unit_test_anchor_LDADD = $(keeper_unit_libs)
tests_unit_test_strangers_SOURCES = tests/unit/test_strangers.c
tests_unit_test_strangers_LDADD = $(keeper_unit_libs)
tests_unit_test_rows_SOURCES = tests/unit/test_rows.c
tests_unit_test_rows_LDADD = $(keeper_unit_libs)
tests_unit_test_knowledge_SOURCES = tests/unit/test_knowledge.c
tests_unit_test_knowledge_LDADD = $(keeper_unit_libs)
tests_unit_test_published_SOURCES = tests/unit/test_published.c
tests_unit_test_published_LDADD = $(keeper_unit_libs)
tests_unit_test_tile_cache_SOURCES = tests/unit/test_tile_cache.c
tests_unit_test_tile_cache_LDADD = $(keeper_unit_libs)
tests_unit_test_touched_SOURCES = tests/unit/test_touched.c tests/unit/test_auth.h
tests_unit_test_touched_LDADD = $(keeper_unit_libs)
endif
