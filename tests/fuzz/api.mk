# SPDX-License-Identifier: Apache-2.0
FUZZ_TARGETS += tests/fuzz/fuzz_validate.c
EXTRA_DIST += tests/fuzz/fuzz_validate.dict tests/fuzz/seeds/validate
