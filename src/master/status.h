/* What the service is and does at this moment, line by line: what the control socket answers to "status". */
#ifndef HELLOD_MASTER_STATUS_H
#define HELLOD_MASTER_STATUS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/scoreboard.h"
#include "master/pool.h"
#include "master/reload.h"

/* Where it is looked up. */
struct status_sources {
    const struct pool *pool;
    const struct scoreboard *scoreboard;
    const struct reload *reload;
    uint64_t started_ms; /* clock_ms() when the service began */
    bool ready, stopping;
};

/* Writes the lines to OUT; their form is in helloctl(8). */
void status_write(const struct status_sources *sources, FILE *out);

#endif
