# SPDX-License-Identifier: Apache-2.0
FUZZ_TARGETS += tests/fuzz/fuzz_target.c tests/fuzz/fuzz_message.c
EXTRA_DIST += tests/fuzz/fuzz_target.dict tests/fuzz/seeds/target/get tests/fuzz/seeds/target/post \
  tests/fuzz/seeds/target/target tests/fuzz/seeds/target/ends-in-nul tests/fuzz/seeds/message/request tests/fuzz/seeds/message/answer \
  tests/fuzz/seeds/message/stream
