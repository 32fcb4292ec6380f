# SPDX-License-Identifier: Apache-2.0
noinst_PROGRAMS += %D%/trace-load %D%/seal-purchasers %D%/solve-trials %D%/log-fill %D%/get-load
%C%_trace_load_SOURCES = %D%/trace_load.c
%C%_trace_load_LDADD = $(OPENSSL_LIBS)

%C%_seal_purchasers_SOURCES = %D%/seal_purchasers.c
%C%_seal_purchasers_LDADD = auth/libauth.a base/libbase.a $(SODIUM_LIBS) $(JANSSON_LIBS)

%C%_solve_trials_SOURCES = %D%/solve_rate.c %D%/solve_rate.h %D%/solve_world.c %D%/solve_trial.c \
  %D%/solve_table.c
%C%_solve_trials_LDADD = microstamp/libmicrostamp.a -lm -lpthread

%C%_log_fill_SOURCES = %D%/log_fill.c
%C%_log_fill_LDADD = accesslog/libaccesslog.a auth/libauth.a base/libbase.a $(SODIUM_LIBS) $(JANSSON_LIBS) $(OPENSSL_LIBS)

%C%_get_load_SOURCES = %D%/get_load.c
%C%_get_load_LDADD = $(OPENSSL_LIBS)

EXTRA_DIST += %D%/common.py %D%/trace %D%/partial %D%/log %D%/solve-rate %D%/load.sql %D%/one_at_a_time.sql %D%/README.md
