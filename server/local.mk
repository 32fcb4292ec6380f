# SPDX-License-Identifier: Apache-2.0
# The parts of the three programs that tests use too. Nothing in here may need libpq or libsodium:
# casetraced-front is linked from it.
noinst_LIBRARIES += %D%/libserver.a
%C%_libserver_a_SOURCES = %D%/config.h %D%/config.c %D%/config_options.c %D%/child.h %D%/child.c \
  %D%/http_check.h %D%/http_check.c %D%/http_target.c %D%/link.h %D%/link.c \
  %D%/request_ids.h %D%/request_ids.c %D%/checker.h %D%/checker.c \
  %D%/connections.h %D%/connections.c

sbin_PROGRAMS += %D%/casetraced
%C%_casetraced_SOURCES = %D%/main.c %D%/process.h %D%/process.c
%C%_casetraced_LDADD = %D%/libserver.a keeper/libmessage.a base/libbase.a $(INIH_LIBS) $(JANSSON_LIBS)

pkglibexec_PROGRAMS += %D%/casetraced-front %D%/casetraced-keeper %D%/casetraced-courier
%C%_casetraced_front_SOURCES = %D%/front.h %D%/front.c %D%/front_metrics.c %D%/request.h %D%/request.c \
  %D%/answer.h %D%/answer.c
%C%_casetraced_front_LDADD = %D%/libserver.a api/libapi.a keeper/libmessage.a base/libbase.a \
  $(MHD_LIBS) $(INIH_LIBS) $(JANSSON_LIBS)

# Neither libpq nor libsodium: it has no keys and no database.
%C%_casetraced_courier_SOURCES = %D%/courier_main.c
%C%_casetraced_courier_CFLAGS = $(AM_CFLAGS) $(CURL_CFLAGS)
%C%_casetraced_courier_LDADD = %D%/libserver.a keeper/libmessage.a base/libbase.a $(CURL_LIBS) $(INIH_LIBS) $(JANSSON_LIBS)

%C%_casetraced_keeper_SOURCES = %D%/keeper_main.c
%C%_casetraced_keeper_LDADD = keeper/libkeeper.a api/libapi.a auth/libauth.a store/libstore.a \
  accesslog/libaccesslog.a microstamp/libmicrostamp.a %D%/libserver.a keeper/libmessage.a base/libbase.a \
  $(LIBPQ_LIBS) $(SODIUM_LIBS) $(OPENSSL_LIBS) $(INIH_LIBS) $(JANSSON_LIBS) $(ZLIB_LIBS) -lm

dist_man_MANS += %D%/casetraced.8 %D%/casetrace.conf.5
dist_doc_DATA = deploy/casetrace.conf.sample
EXTRA_DIST += %D%/README.md
