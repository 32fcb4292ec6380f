// SPDX-License-Identifier: Apache-2.0
/* How much work a reading will make, told from the reading alone. */

#include "microstamp/internal.h"

unsigned microstamp_observation_lookups(const struct microstamp_observation *observation)
{
    return observation->length;
}
