# SPDX-License-Identifier: Apache-2.0
FUZZ_TARGETS += tests/fuzz/fuzz_note.c tests/fuzz/fuzz_proof.c tests/fuzz/fuzz_policy.c
EXTRA_DIST += tests/fuzz/fuzz_note.dict tests/fuzz/fuzz_proof.dict tests/fuzz/fuzz_policy.dict \
  tests/fuzz/seeds/policy/groups \
  tests/fuzz/seeds/note/checkpoint tests/fuzz/seeds/note/checkpoint.old \
  tests/fuzz/seeds/note/vkey tests/fuzz/seeds/proof/receipt.tlog-proof \
  tests/fuzz/seeds/proof/add-checkpoint.req tests/fuzz/seeds/proof/tile
