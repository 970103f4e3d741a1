/* What the tables that remember sources have in common: memory of one size that all workers share, a secret
 * key, and sets of atomic words, in which a source has its place by its hash.
 *
 * No locks and no owner: a word is changed as a whole, so that a worker that is killed in the middle leaves
 * nothing half done. It knows addresses; it must not know what a word says, nor whose place a newcomer takes.
 */
#ifndef HELLOD_WORKER_CELLS_H
#define HELLOD_WORKER_CELLS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"

enum {
    CELLS_WAYS = 8, /* places of a set, which is a cache line */
    /* For a word that others change, too. Then something goes uncounted; but each try that failed was the
     * success of another worker, and hundreds of them do not ask about one source at the same moment. */
    CELLS_TRIES = 100
};

struct cells_set {
    _Alignas(64) _Atomic uint64_t word[CELLS_WAYS];
};

struct cells {
    struct hash_key key;
    unsigned users; /* plans of the master */
    size_t size;
    void *memory;
};

/* Makes SIZE bytes, all 0, shared with children and taken from the system as they are used, and a key.
 * Returns the memory, or NULL with errno. */
void *cells_open(struct cells *cells, size_t size);

/* One user more; cells_close() is then due once more, too. */
void cells_share(struct cells *cells);

/* One user less. True when it was the last, and the memory is gone. */
bool cells_close(struct cells *cells);

/* The hash of the first BITS of ADDRESS, as hash_prefix() has it. */
static inline uint64_t cells_hash(const struct cells *cells, const uint8_t address[16], unsigned bits)
{
    return hash_prefix(&cells->key, address, bits);
}

/* Puts AFTER at PLACE if it still has *BEFORE, and else says in *BEFORE what it has. */
static inline bool cells_change(_Atomic uint64_t *place, uint64_t *before, uint64_t after)
{
    return atomic_compare_exchange_strong_explicit(place, before, after, memory_order_relaxed,
                                                   memory_order_relaxed);
}

#endif
