# SPDX-License-Identifier: Apache-2.0
noinst_PROGRAMS += %D%/trace-load %D%/seal-purchasers
%C%_trace_load_SOURCES = %D%/trace_load.c
%C%_trace_load_LDADD = $(OPENSSL_LIBS)

%C%_seal_purchasers_SOURCES = %D%/seal_purchasers.c
%C%_seal_purchasers_LDADD = auth/libauth.a base/libbase.a $(SODIUM_LIBS) $(JANSSON_LIBS)

EXTRA_DIST += %D%/trace %D%/load.sql %D%/one_at_a_time.sql %D%/README.md
