# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += %D%/libauth.a
%C%_libauth_a_SOURCES = %D%/auth.h %D%/internal.h %D%/init.c %D%/keyring.c %D%/keyring_create.c %D%/keyring_rotate.c \
  %D%/seal.c %D%/key.c %D%/mac.c
EXTRA_DIST += %D%/README.md
