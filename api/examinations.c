// SPDX-License-Identifier: Apache-2.0
#include "api/api.h"

#include <stdlib.h>

struct microstamp_examination *api_examination_take(struct api_examinations *pool)
{
    struct microstamp_examination *examination = NULL;
    if (pool->count > 0)
        return pool->idle[--pool->count];
    return microstamp_examination_make(&examination) == MICROSTAMP_OK ? examination : NULL;
}

void api_examination_return(struct api_examinations *pool,
                            struct microstamp_examination *examination)
{
    if (examination != NULL && pool->count < CT_ARRAY_LENGTH(pool->idle))
        pool->idle[pool->count++] = examination;
    else
        microstamp_examination_free(examination);
}

void api_examinations_free(struct api_examinations *pool)
{
    while (pool->count > 0)
        microstamp_examination_free(pool->idle[--pool->count]);
}
