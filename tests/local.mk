# SPDX-License-Identifier: Apache-2.0
# Unit tests and fuzz targets: each folder's owner lists them in a file of that folder's name.
include tests/unit/base.mk
include tests/unit/microstamp.mk
include tests/unit/accesslog.mk
include tests/unit/store.mk
include tests/unit/auth.mk
include tests/unit/api.mk
include tests/unit/keeper.mk
include tests/unit/server.mk
include tests/unit/cli.mk
include tests/fuzz/local.mk

lint:
	$(srcdir)/tests/lint --self-test
	$(srcdir)/tests/lint
lint-tidy:
	LINT_CFLAGS="-I$(abs_top_builddir)" $(srcdir)/tests/lint --tidy
.PHONY: lint lint-tidy

EXTRA_DIST += tests/run tests/tsan.suppressions tests/lint tests/api tests/fault tests/data tests/schema tests/property tests/quickstart tests/check_options .ci/run
