# SPDX-License-Identifier: Apache-2.0
microstamp_unit_tests = tests/unit/test_microstamp_code tests/unit/test_microstamp_reading \
  tests/unit/test_microstamp_words tests/unit/test_microstamp_rank \
  tests/unit/test_microstamp_reference tests/unit/test_microstamp_sample \
  tests/unit/test_microstamp_memory tests/unit/test_microstamp_matrix \
  tests/unit/test_microstamp_views tests/unit/test_microstamp_examination \
  tests/unit/test_microstamp_opaque tests/unit/test_microstamp_group \
  tests/unit/test_microstamp_next_best tests/unit/test_microstamp_serial \
  tests/unit/test_microstamp_exam_memory
check_PROGRAMS += $(microstamp_unit_tests)
TESTS += $(microstamp_unit_tests)
microstamp_unit_libs = microstamp/libmicrostamp.a $(CMOCKA_LIBS) -lm
tests_unit_test_microstamp_code_SOURCES = tests/unit/test_microstamp_code.c \
  tests/unit/test_microstamp_support.h
tests_unit_test_microstamp_code_LDADD = $(microstamp_unit_libs)
tests_unit_test_microstamp_reading_SOURCES = tests/unit/test_microstamp_reading.c
tests_unit_test_microstamp_reading_LDADD = $(microstamp_unit_libs)
tests_unit_test_microstamp_words_SOURCES = tests/unit/test_microstamp_words.c
tests_unit_test_microstamp_words_LDADD = $(microstamp_unit_libs)
tests_unit_test_microstamp_rank_SOURCES = tests/unit/test_microstamp_rank.c
tests_unit_test_microstamp_rank_LDADD = $(microstamp_unit_libs)
tests_unit_test_microstamp_reference_SOURCES = tests/unit/test_microstamp_reference.c
tests_unit_test_microstamp_reference_LDADD = $(microstamp_unit_libs)
tests_unit_test_microstamp_sample_SOURCES = tests/unit/test_microstamp_sample.c
tests_unit_test_microstamp_sample_LDADD = $(microstamp_unit_libs) $(JANSSON_LIBS)
tests_unit_test_microstamp_matrix_SOURCES = tests/unit/test_microstamp_matrix.c
tests_unit_test_microstamp_matrix_LDADD = $(microstamp_unit_libs)
tests_unit_test_microstamp_views_SOURCES = tests/unit/test_microstamp_views.c
tests_unit_test_microstamp_views_LDADD = $(microstamp_unit_libs)
tests_unit_test_microstamp_memory_SOURCES = tests/unit/test_microstamp_memory.c
tests_unit_test_microstamp_memory_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=calloc,--wrap=malloc,--wrap=reallocarray
tests_unit_test_microstamp_memory_LDADD = $(microstamp_unit_libs)
tests_unit_test_microstamp_examination_SOURCES = tests/unit/test_microstamp_examination.c \
  tests/unit/test_microstamp_exam_support.h
tests_unit_test_microstamp_examination_LDADD = $(microstamp_unit_libs)
tests_unit_test_microstamp_opaque_SOURCES = tests/unit/test_microstamp_opaque.c
tests_unit_test_microstamp_opaque_LDADD = $(microstamp_unit_libs)
tests_unit_test_microstamp_group_SOURCES = tests/unit/test_microstamp_group.c
tests_unit_test_microstamp_group_LDADD = $(microstamp_unit_libs)
tests_unit_test_microstamp_next_best_SOURCES = tests/unit/test_microstamp_next_best.c
tests_unit_test_microstamp_next_best_LDADD = $(microstamp_unit_libs)
tests_unit_test_microstamp_serial_SOURCES = tests/unit/test_microstamp_serial.c
tests_unit_test_microstamp_serial_LDADD = $(microstamp_unit_libs)
tests_unit_test_microstamp_exam_memory_SOURCES = tests/unit/test_microstamp_exam_memory.c
tests_unit_test_microstamp_exam_memory_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=calloc,--wrap=malloc,--wrap=reallocarray
tests_unit_test_microstamp_exam_memory_LDADD = $(microstamp_unit_libs)
EXTRA_DIST += tests/property/microstamp_reference.py tests/property/microstamp_reference.txt

# The engine against a second scorer, in Python.
check_PROGRAMS += tests/property/microstamp-check
tests_property_microstamp_check_SOURCES = tests/property/microstamp_check.c
tests_property_microstamp_check_LDADD = microstamp/libmicrostamp.a -lm
TESTS += tests/property/engine_matches

# What the engine must reach in simulated traces.
TESTS += tests/property/solve_rate_holds
