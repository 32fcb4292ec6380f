// SPDX-License-Identifier: Apache-2.0
#include "auth/auth.h"

#include <malloc.h>
#include <sodium.h>
#include <stdlib.h>

/* jansson frees strings that were keys and purchasers. The allocator stays malloc(), so what was
 * allocated before this is installed can be freed after. */
static void clearing_free(void *memory)
{
    if (memory == NULL)
        return;
    sodium_memzero(memory, malloc_usable_size(memory));
    free(memory);
}

enum ct_status auth_init(void)
{
    if (sodium_init() < 0)
        return CT_CRYPTO;
    json_set_alloc_funcs(malloc, clearing_free);
    return CT_OK;
}
