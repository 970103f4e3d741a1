/* The back-off of dying workers. Knows no processes and no clock. */
#include "master/respawn.h"

uint64_t respawn_after(struct respawn *respawn, uint64_t now_ms, uint64_t lived_ms)
{
    uint64_t delay = 0;

    respawn->early_deaths = lived_ms >= RESPAWN_HEALTHY_MS ? 0 : respawn->early_deaths + 1;
    if (respawn->early_deaths > 1) {
        unsigned doublings = respawn->early_deaths - 2;
        /* The sixth doubling is beyond the longest wait, and many more would overflow. */
        delay = doublings < 6 ? (uint64_t) RESPAWN_FIRST_MS << doublings : RESPAWN_LONGEST_MS;
    }
    respawn->not_before_ms = now_ms + delay;
    return delay;
}
