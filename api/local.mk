# SPDX-License-Identifier: Apache-2.0
include %D%/generated.mk

noinst_LIBRARIES += %D%/libapi.a
%C%_libapi_a_SOURCES = %D%/api.h %D%/codes.h %D%/comparisons.h %D%/confusion.h %D%/exhibits.h %D%/log.h %D%/rows.h %D%/statements.h %D%/specimens.h %D%/trace.h %D%/traces.h %D%/vocabulary.h \
  %D%/code_blocks.c %D%/comparisons.c %D%/confusion.c %D%/disclosures.c %D%/examinations.c %D%/exhibits.c %D%/firearms.c %D%/handlers.c %D%/keys.c %D%/log.c %D%/log_entries.c %D%/openapi.c \
  %D%/request.c %D%/rows.c %D%/sales.c %D%/specimens.c %D%/statements.c %D%/test_fires.c %D%/trace_answer.c %D%/trace_find.c %D%/trace_read.c %D%/trace_revise.c %D%/traces.c %D%/vocabulary.c
