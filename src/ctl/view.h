/* What `top` shows, as text: two looks at the service, and what happened between them. */
#ifndef HELLOD_CTL_VIEW_H
#define HELLOD_CTL_VIEW_H

#include <stdint.h>
#include <stdio.h>

#include "ctl/status.h"

/* One look at the service. */
struct look {
    struct status status;
    uint64_t at_ms; /* of clock_ms(); 0: there was none */
};

/* Writes at most ROWS lines to OUT: how the service is, its totals, and its workers, from the state NOW and
 * what has changed since BEFORE. Workers that do not fit are counted. TROUBLE takes the place of the first
 * line; NULL: there is none. */
void view_print(FILE *out, const struct look *before, const struct look *now, const char *trouble,
                unsigned rows);

#endif
