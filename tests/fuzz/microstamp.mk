# SPDX-License-Identifier: Apache-2.0
FUZZ_TARGETS += tests/fuzz/fuzz_reading.c
EXTRA_DIST += tests/fuzz/fuzz_reading.dict tests/fuzz/seeds/reading/each_kind \
  tests/fuzz/seeds/reading/folded tests/fuzz/seeds/reading/choices
