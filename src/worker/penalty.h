/* Who may not connect for a while, because of what its earlier connections did, remembered for all workers.
 *
 * Shared memory of one size, an atomic word a source, which is an IPv4 address or an IPv6 /64. No locks and
 * no owner; a worker that is killed in the middle leaves nothing half done. A full table forgets those who
 * have least against them. It knows addresses, times and weights, not what an offence is. */
#ifndef HELLOD_WORKER_PENALTY_H
#define HELLOD_WORKER_PENALTY_H

#include <stddef.h>
#include <stdint.h>

enum {
    PENALTY_OFFENCE = 64,         /* the weight of an offence; less is a part of one */
    PENALTY_FORGIVEN = 4,         /* so many offences cost nothing */
    PENALTY_FIRST_MS = 10 * 1000, /* for how long the next one is refused; it doubles with each further one */
    PENALTY_MEMORY_MS = 600 * 1000,  /* of good conduct take one offence back */
    PENALTY_LONGEST_S = 24 * 60 * 60 /* the most that LONGEST_MS below may be */
};

struct penalty;

/* Makes the memory, which is shared with children. NULL with errno when that fails. */
struct penalty *penalty_open(void);

/* The same once more, for another plan; penalty_close() is then due once more, too. Returns PENALTY. */
struct penalty *penalty_share(struct penalty *penalty);

/* Gives it back, when it is the last who does; NULL is fine. */
void penalty_close(struct penalty *penalty);

/* Bytes that penalty_open() takes, a constant. */
size_t penalty_memory(void);

/* Milliseconds for which ADDRESS (IPv4 as mapped) is still refused at NOW_MS of the monotonic clock, to an
 * eighth of a second; 0: it is not. Nobody is refused for longer than LONGEST_MS, which may be another each
 * time. */
uint64_t penalty_left_ms(const struct penalty *penalty, uint64_t now_ms, const uint8_t address[16],
                         uint64_t longest_ms);

/* Holds an offence of WEIGHT against ADDRESS; not if it is refused already: then it began before that, and
 * was dealt with. Returns for how many milliseconds ADDRESS is refused from now on for it, mostly 0. */
uint64_t penalty_charge(struct penalty *penalty, uint64_t now_ms, const uint8_t address[16], unsigned weight,
                        uint64_t longest_ms);

/* Notes that there would be something to say about ADDRESS. Returns 0, or, when a line in the log is due, how
 * many times there was since the line before (notes.h). */
uint32_t penalty_note(struct penalty *penalty, uint64_t now_ms, const uint8_t address[16]);

#endif
