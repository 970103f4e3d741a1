/* When a slot may be filled again after its worker died. Pure arithmetic on times that the caller gives.
 *
 * One death is replaced at once. A worker that dies early and again waits, a second first and doubling to a
 * minute, so that a broken system is not kept busy with forking; a life that was long enough resets that, so
 * that a client who can make workers crash now and then cannot stop the service (failures 36 and 51). */
#ifndef HELLOD_MASTER_RESPAWN_H
#define HELLOD_MASTER_RESPAWN_H

#include <stdint.h>

enum {
    RESPAWN_HEALTHY_MS = 2000, /* who lived that long did not die of its start */
    RESPAWN_FIRST_MS = 1000,
    RESPAWN_LONGEST_MS = 60000
};

struct respawn {
    unsigned early_deaths;  /* in a row */
    uint64_t not_before_ms; /* 0: at once */
};

/* Notes at NOW_MS a death after LIVED_MS of life. Returns the delay in milliseconds. */
uint64_t respawn_after(struct respawn *respawn, uint64_t now_ms, uint64_t lived_ms);

#endif
