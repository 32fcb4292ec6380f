# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += %D%/libmicrostamp.a
%C%_libmicrostamp_a_SOURCES = %D%/microstamp.h %D%/internal.h %D%/r29.c %D%/reading.c \
  %D%/matrix.c %D%/sum.c %D%/words.c %D%/search.c %D%/near.c %D%/rank.c
EXTRA_DIST += %D%/README.md
