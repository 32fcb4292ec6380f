# SPDX-License-Identifier: Apache-2.0
# The messages stand apart: they are all that the front may link of this folder.
noinst_LIBRARIES += %D%/libmessage.a %D%/libkeeper.a
%C%_libmessage_a_SOURCES = %D%/message.h %D%/limits.h %D%/courier.h %D%/message.c %D%/courier.c
%C%_libkeeper_a_SOURCES = %D%/keeper.h %D%/internal.h %D%/anchor.h %D%/budget.h %D%/chain.h %D%/credentials.h %D%/decide.h \
  %D%/entry.h %D%/knowledge.h %D%/log_view.h %D%/published.h %D%/tile_cache.h %D%/tile_read.h %D%/tiles.h %D%/reader.h %D%/oversight.h %D%/repeats.h %D%/schema.h %D%/strangers.h %D%/ticket.h %D%/witness.h \
  %D%/anchor.c %D%/answer.c %D%/batch.c %D%/budget.c %D%/oversight.c %D%/repeats.c %D%/chain.c %D%/credentials.c %D%/decide.c %D%/entry.c %D%/keeper.c \
  %D%/knowledge.c %D%/reader.c %D%/lane.c %D%/link.c %D%/log_view.c %D%/publish.c %D%/published.c %D%/tile_cache.c %D%/tile_read.c %D%/tiles.c \
  %D%/scheduler.c %D%/schema.c %D%/status.c %D%/strangers.c %D%/touched.h %D%/touched.c %D%/takeover.c %D%/ticket.c %D%/vouch.h %D%/vouch.c %D%/witness.c %D%/witness_policy.c \
  %D%/worker.c

# The schema that this build is made for: of the files that it installs for casetrace migrate.
nodist_keeper_libkeeper_a_SOURCES = %D%/schema_digest.h
BUILT_SOURCES += %D%/schema_digest.h
CLEANFILES += %D%/schema_digest.h
EXTRA_DIST += %D%/schema_digest
%D%/schema_digest.h: %D%/schema_digest $(nobase_dist_pkgdata_DATA)
	$(AM_V_GEN)$(MKDIR_P) %D% && $(PYTHON3) $(srcdir)/%D%/schema_digest $(srcdir)/schema $(srcdir)/migrations >$@.new && mv $@.new $@
