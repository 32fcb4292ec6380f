# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += %D%/libmicrostamp.a
%C%_libmicrostamp_a_SOURCES = %D%/microstamp.h %D%/words.h %D%/internal.h %D%/alphabet.c %D%/r29.c \
  %D%/reading.c %D%/gear.c %D%/matrix.c %D%/views.c %D%/fuse.c %D%/evidence.c %D%/sum.c \
  %D%/words.c %D%/search.c %D%/merge.c %D%/near.c %D%/lookups.c \
  %D%/exam.h %D%/examination.c %D%/line.c %D%/plan.c %D%/opaque.c %D%/halves.c %D%/score.c \
  %D%/group.c %D%/answer.c %D%/rank.c %D%/next_best.c %D%/serial.c
EXTRA_DIST += %D%/README.md
