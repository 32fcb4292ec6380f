# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += %D%/libaccesslog.a
%C%_libaccesslog_a_SOURCES = %D%/accesslog.h %D%/internal.h %D%/hash.c %D%/tree.c %D%/batch.c \
  %D%/proof.c %D%/check.c %D%/entry.c %D%/text.c %D%/key.c %D%/note.c %D%/checkpoint.c \
  %D%/receipt.c %D%/tile.c %D%/witness.c %D%/policy.c
EXTRA_DIST += %D%/README.md
