# SPDX-License-Identifier: Apache-2.0
FUZZ_TARGETS += tests/fuzz/fuzz_reading.c tests/fuzz/fuzz_gear.c tests/fuzz/fuzz_weights.c \
  tests/fuzz/fuzz_opaque.c tests/fuzz/fuzz_serial.c tests/fuzz/fuzz_examination.c
EXTRA_DIST += tests/fuzz/fuzz_serial.dict tests/fuzz/fuzz_examination.dict
EXTRA_DIST += tests/fuzz/fuzz_microstamp.h tests/fuzz/fuzz_reading.dict tests/fuzz/fuzz_gear.dict \
  tests/fuzz/fuzz_weights.dict tests/fuzz/fuzz_opaque.dict tests/fuzz/seeds/reading/each_kind \
  tests/fuzz/seeds/reading/folded tests/fuzz/seeds/reading/choices
