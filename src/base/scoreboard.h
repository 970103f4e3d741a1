/* The scoreboard: what each worker has done, in memory that the master shares with its workers.
 *
 * One block a worker, written by that worker alone (by the master when it is dead), and one for the master,
 * read by the master and by siblings. A block has a tally for each listener and one of its own for what is no
 * listener's. Counters stay when a worker dies and its successor goes on from there, so that the service's
 * totals never go backwards. Listeners are known by their names, so that theirs survive reloads, too. The
 * memory is a memfd (memfd_create(2)), so that it can outlive an exec of the master. This module does not
 * know what the counters are counted for. */
#ifndef HELLOD_BASE_SCOREBOARD_H
#define HELLOD_BASE_SCOREBOARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/counters.h"

enum {
    SCOREBOARD_SLOTS_MAX = 256, /* workers of one generation */
    SCOREBOARD_GENERATIONS = 3, /* generations alive at once */
    SCOREBOARD_BLOCKS = SCOREBOARD_SLOTS_MAX * SCOREBOARD_GENERATIONS,
    SCOREBOARD_NAME_MAX = 63 /* bytes of a listener's name that tell it apart */
};

/* The tallies of a block. */
enum {
    TALLY_OWN,       /* what is no listener's */
    TALLY_OTHER,     /* listeners that have none of their own */
    TALLY_LISTENERS, /* from here on, one listener each */
    TALLY_COUNT = TALLY_LISTENERS + 32
};

struct tally {
    _Atomic uint64_t counter[COUNTER_COUNT];
    struct {
        _Atomic uint64_t sum; /* microseconds */
        _Atomic uint64_t bucket[BUCKET_COUNT];
    } histogram[HISTOGRAM_COUNT];
};

/* What a worker does about connections that come. */
enum score_watch {
    WATCH_AWAKE,  /* it will look for them when it is done with what it does */
    WATCH_ASLEEP, /* it waits for them, or has been woken by one and does not run yet */
    WATCH_ENOUGH, /* it looks away, having more than others, and comes back when it is asked */
    WATCH_SHORT   /* it looks away, being full or short of something, or about to finish */
};

/* One worker's block. What siblings look at, on every accept, has a cache line of its own. */
struct score {
    _Alignas(64) _Atomic uint32_t live; /* connections that count against the worker's limit */
    _Atomic uint32_t ready;             /* not 0: it takes connections */
    _Atomic uint32_t watch;             /* enum score_watch */
    _Atomic int32_t pid;                /* 0: no worker is in this slot */
    uint32_t slot;
    uint32_t generation;
    _Alignas(64) _Atomic uint64_t beat; /* passes of the event loop */
    struct tally tally[TALLY_COUNT];
};

/* Which listener a tally is for. */
struct scoreboard_listener {
    char name[SCOREBOARD_NAME_MAX + 1]; /* "": none */
    char protocol[SCOREBOARD_NAME_MAX + 1];
    char type[16];
    enum counter_scope scope;
};

struct scoreboard_header {
    _Atomic uint32_t slots; /* slots ever used in any generation; blocks beyond were never touched */
    uint32_t block_size;
    _Atomic uint32_t tallies; /* likewise */
    struct scoreboard_listener listeners[TALLY_COUNT];
};

struct scoreboard {
    int fd; /* the memfd, -1 when unset */
    struct scoreboard_header *header;
    struct score *blocks;
    unsigned users[TALLY_COUNT]; /* how often each was taken with scoreboard_take() */
};

/* Makes an empty scoreboard; the caller owns it and frees it with scoreboard_close(). Returns 0, or -1 with
 * errno. */
int scoreboard_open(struct scoreboard *scoreboard);

/* Maps the scoreboard behind FD, another process's memfd, read-only; for those who look on. FD stays the
 * caller's. Returns 0, or -1 with errno (EINVAL: not a scoreboard of this version). */
int scoreboard_attach(struct scoreboard *scoreboard, int fd);

/* Unmaps and closes; fine on one that was never opened but zeroed with fd -1. */
void scoreboard_close(struct scoreboard *scoreboard);

/* The number of the block of SLOT in GENERATION; a generation takes over the blocks of the one three before.
 */
static inline unsigned scoreboard_index(uint32_t generation, uint32_t slot)
{
    return generation % SCOREBOARD_GENERATIONS * SCOREBOARD_SLOTS_MAX + slot;
}

/* The block of the master, for what it counts itself. */
static inline struct score *scoreboard_masters(const struct scoreboard *scoreboard)
{
    return &scoreboard->blocks[SCOREBOARD_BLOCKS];
}

/* For the master: the tally of the listener that LISTENER describes, which is the one it had before, if there
 * was one of that name, protocol and type. TALLY_OTHER when all are taken: of those that nobody uses any more
 * one is given away, and what it has goes there. To be given back with scoreboard_release(). */
unsigned scoreboard_take(struct scoreboard *scoreboard, const struct scoreboard_listener *listener);

/* For the master: one user of TALLY less. Its workers must be gone. */
void scoreboard_release(struct scoreboard *scoreboard, unsigned tally);

/* For the master: worker PID takes the block over. */
void scoreboard_enter(struct scoreboard *scoreboard, uint32_t generation, uint32_t slot, pid_t pid);

/* For the master: the worker has died. Its live connections are counted as closed_killed and its gauges go to
 * zero, so that sums agree again. */
void scoreboard_leave(struct scoreboard *scoreboard, uint32_t generation, uint32_t slot);

/* How many tallies are in use. */
unsigned scoreboard_tallies(const struct scoreboard *scoreboard);

/* Adds all that was counted in tally number TALLY of all blocks to SUM. */
void scoreboard_sum(const struct scoreboard *scoreboard, unsigned tally, struct tally *sum);

/* The sum of COUNTER over all blocks. */
uint64_t scoreboard_total(const struct scoreboard *scoreboard, enum counter counter);

/* The sum of COUNTER in block number BLOCK. */
uint64_t scoreboard_counted(const struct scoreboard *scoreboard, unsigned block, enum counter counter);

/* How many slots were ever used, in any generation. */
uint32_t scoreboard_slots(const struct scoreboard *scoreboard);

/* The sum of COUNTER over the blocks that SLOT, below scoreboard_slots(), has in all generations. */
uint64_t scoreboard_of_slot(const struct scoreboard *scoreboard, uint32_t slot, enum counter counter);

/* The sum of live connections over all blocks. */
uint64_t scoreboard_live(const struct scoreboard *scoreboard);

/* Counts N events that took NS nanoseconds each, in a tally that this process alone writes. */
void tally_took(struct tally *tally, enum histogram histogram, uint64_t ns, uint64_t n);

/* The connections that TALLY says were accepted and not yet closed. */
uint64_t tally_live(const struct tally *tally);

/* Adds N to a value that this process alone writes: a load, an add and a store, no locked instruction. */
static inline void tally_grow(_Atomic uint64_t *value, uint64_t n)
{
    uint64_t old = atomic_load_explicit(value, memory_order_relaxed);

    atomic_store_explicit(value, old + n, memory_order_relaxed);
}

/* Counts N of COUNTER for the listener of TALLY. */
static inline void tally_add(struct tally *tally, enum counter counter, uint64_t n)
{
    tally_grow(&tally->counter[counter], n);
}

/* Counts N of COUNTER, which is no listener's. */
static inline void score_add(struct score *score, enum counter counter, uint64_t n)
{
    tally_add(&score->tally[TALLY_OWN], counter, n);
}

#endif
