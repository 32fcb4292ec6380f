# SPDX-License-Identifier: Apache-2.0
include tests/fuzz/base.mk
include tests/fuzz/microstamp.mk
include tests/fuzz/accesslog.mk
include tests/fuzz/auth.mk
include tests/fuzz/api.mk
include tests/fuzz/keeper.mk
include tests/fuzz/server.mk

# Needs CC=clang and -fsanitize=fuzzer-no-link in CFLAGS: tests/fuzz/run configures such a build.
# All our libraries are offered to each target in one group, so that a target is only its source.
fuzz-targets: $(BUILT_SOURCES) $(noinst_LIBRARIES)
	@$(MKDIR_P) fuzz
	@for source in $(FUZZ_TARGETS); do \
	  name=`basename $$source .c`; \
	  echo "  FUZZ     $$name"; \
	  $(CC) $(DEFS) $(DEFAULT_INCLUDES) $(AM_CPPFLAGS) $(CPPFLAGS) $(AM_CFLAGS) $(CFLAGS) \
	    -fsanitize=fuzzer $(AM_LDFLAGS) -o fuzz/$$name $(top_srcdir)/$$source \
	    -Wl,--start-group $(noinst_LIBRARIES) -Wl,--end-group \
	    $(JANSSON_LIBS) $(LIBPQ_LIBS) $(SODIUM_LIBS) $(OPENSSL_LIBS) $(MHD_LIBS) $(GNUTLS_LIBS) \
	    $(INIH_LIBS) -lm || exit 1; \
	done
.PHONY: fuzz-targets

EXTRA_DIST += $(FUZZ_TARGETS) %D%/run %D%/README.md
