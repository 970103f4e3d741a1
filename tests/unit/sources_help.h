/* For the tests of sources: a look into the tables. */
#ifndef HELLOD_TESTS_UNIT_SOURCES_HELP_H
#define HELLOD_TESTS_UNIT_SOURCES_HELP_H

#include "seed.h"
#include "worker/sources.c"

/* Nothing is left in TABLE. */
static inline bool is_empty(const struct sources *sources, unsigned table)
{
    struct table own = table_at(sources, table);

    for (uint32_t i = 0; i <= sources->mask; i++)
        if (own.places[i] != 0)
            return false;
    return own.fill->used == 0;
}

#endif
