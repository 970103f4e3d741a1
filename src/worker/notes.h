/* Notes of whom a line in the log was about, in memory that all workers share, so that whoever misbehaves
 * cannot fill the log. It knows hashes and seconds, not what the lines say. */
#ifndef HELLOD_WORKER_NOTES_H
#define HELLOD_WORKER_NOTES_H

#include <stdint.h>

#include "worker/cells.h"

enum {
    NOTES_SETS = 8,
    NOTES_SECONDS = 30
};

struct notes {
    struct cells_set sets[NOTES_SETS];
};

/* Notes that there would be TIMES times something to say, at NOW_S seconds of the monotonic clock, about the
 * one with HASH. Returns 0; or, when a line about it is due, because none was for NOTES_SECONDS in any
 * worker, how many times there was since. In that time lines are due for 64 at most; what is said of others
 * is not noted.
 */
uint32_t notes_add(struct notes *notes, uint64_t now_s, uint64_t hash, uint32_t times);

#endif
