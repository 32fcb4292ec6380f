# SPDX-License-Identifier: Apache-2.0
bin_PROGRAMS += %D%/casetrace
%C%_casetrace_SOURCES = %D%/cli.h %D%/main.c %D%/print.c %D%/files.c %D%/client.c %D%/call.c %D%/log_export.c \
  %D%/calls.c %D%/api_command.c %D%/confusion.c %D%/trace.c %D%/trace_request.h %D%/trace_request.c \
  %D%/trace_text.h %D%/trace_text.c \
  %D%/init.h %D%/init.c %D%/init_database.c %D%/init_log.c %D%/init_keyring.c %D%/init_keys.c %D%/log_override.c \
  %D%/migrate.h %D%/migrate.c %D%/migrate_files.h %D%/migrate_files.c \
  %D%/log_verify.h %D%/log_verify_scan.h %D%/log_verify.c %D%/log_verify_database.c \
  %D%/log_verify_header.c %D%/log_verify_receipt.c %D%/log_verify_rows.c %D%/log_verify_facts.c \
  %D%/log_verify_tiles.c %D%/log_verify_export.c %D%/log_verify_stats.c \
  %D%/log_source.h %D%/log_source.c %D%/log_mirror.c \
  %D%/witness.h %D%/witness.c %D%/witness_http.c %D%/witness_key.c %D%/witness_state.c
%C%_casetrace_CFLAGS = $(AM_CFLAGS) $(CURL_CFLAGS)
%C%_casetrace_LDADD = server/libserver.a accesslog/libaccesslog.a auth/libauth.a store/libstore.a \
  base/libbase.a $(MHD_LIBS) $(CURL_LIBS) $(LIBPQ_LIBS) $(JANSSON_LIBS) $(SODIUM_LIBS) $(OPENSSL_LIBS) $(INIH_LIBS)
dist_man_MANS += %D%/casetrace.1
