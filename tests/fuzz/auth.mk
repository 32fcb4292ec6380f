# SPDX-License-Identifier: Apache-2.0
FUZZ_TARGETS += tests/fuzz/fuzz_key.c
EXTRA_DIST += tests/fuzz/fuzz_key.dict
