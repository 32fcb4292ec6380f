# SPDX-License-Identifier: Apache-2.0
noinst_PROGRAMS += %D%/trace-load
%C%_trace_load_SOURCES = %D%/trace_load.c
%C%_trace_load_LDADD = $(OPENSSL_LIBS)

EXTRA_DIST += %D%/trace %D%/load.sql %D%/one_at_a_time.sql %D%/README.md
