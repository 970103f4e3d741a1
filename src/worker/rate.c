/* Buckets in shared memory, eight of them a cache line. Knows nothing of who asks and why. */
#include "worker/rate.h"

#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "worker/cells.h"
#include "worker/notes.h"

/* A bucket is 20 bits of a keyed hash and 44 bits of time: when it will be empty again, in nanoseconds of the
 * monotonic clock, which is the "theoretical arrival time" of the GCRA. Two sources of which one is taken for
 * the other need the same set and the same tag; with all places taken that happens to one in 10^5.
 *
 * 44 bits of nanoseconds come round each 4.9 hours. Times are only compared with now: what is not within
 * AHEAD_MAX_NS after it is past. A time that was left from a turn before is taken for one to come if its
 * source comes back within four seconds of exactly one turn later, and then costs it these seconds once.
 * Finer or coarser units would have to be converted; coarser ones would round high rates, too. */
enum {
    TIME_BITS = 44,
    /* A bucket is in use for as long as its source may not send at its full burst, an interval a datagram.
     * With the default rates 10^6 datagrams a second, each from a source of its own, take some 11 000 places:
     * there are ten times as many, which is 1 MiB, and in the cache of a processor. */
    SETS = 1 << 14
};
#define TIME_MASK       ((UINT64_C(1) << TIME_BITS) - 1)
#define SECOND_NS       UINT64_C(1000000000)
#define BURST_NS        (2 * SECOND_NS)
#define BUDGET_BURST_NS SECOND_NS
/* Beyond the burst, for workers whose now is older than that of others. */
#define AHEAD_MAX_NS (2 * BURST_NS)

struct shared {
    _Alignas(64) _Atomic uint64_t budget; /* time of its own bucket, all 64 bits of it */
    struct notes notes;
    struct cells_set sets[SETS];
};

/* Where a bucket is looked for. */
struct trace {
    uint64_t hash;
    unsigned place; /* in its set, where it was found last; it may be another's by now */
};

struct rate {
    struct cells cells;
    struct shared *shared; /* its memory */
    struct { /* of the source that came last to this process: who sends much sends it in a row */
        uint8_t address[16];
        struct trace source, network;
    } last;
};

static uint64_t network_hash(const struct rate *rate, const uint8_t address[16])
{
    return cells_hash(&rate->cells, address, addr_prefix_bits(address));
}

static void remember(struct rate *rate, const uint8_t address[16])
{
    memmove(rate->last.address, address, sizeof(rate->last.address));
    rate->last.source.hash = cells_hash(&rate->cells, address, addr_source_bits(address));
    rate->last.network.hash = network_hash(rate, address);
}

struct rate *rate_open(void)
{
    struct rate *rate = calloc(1, sizeof(*rate));

    if (rate == NULL)
        return NULL;
    rate->shared = cells_open(&rate->cells, sizeof(struct shared));
    if (rate->shared == NULL) {
        free(rate);
        return NULL;
    }
    remember(rate, rate->last.address);
    return rate;
}

struct rate *rate_share(struct rate *rate)
{
    cells_share(&rate->cells);
    return rate;
}

void rate_close(struct rate *rate)
{
    if (rate != NULL && cells_close(&rate->cells))
        free(rate);
}

size_t rate_memory(void)
{
    return sizeof(struct shared);
}

uint64_t rate_interval_ns(uint64_t per_second)
{
    return per_second == 0 ? 0 : SECOND_NS / per_second;
}

/* How long after NOW the bucket WORD will be empty; 0: it is. */
static inline uint64_t ahead_ns(uint64_t word, uint64_t now_ns)
{
    uint64_t ahead = (word - now_ns) & TIME_MASK;

    return ahead <= AHEAD_MAX_NS ? ahead : 0;
}

/* Who loses least by giving up the place of WORD loses it first: an empty place is nobody's, although its
 * time may seem to be one to come. */
static uint64_t rank_of(uint64_t word, uint64_t now_ns)
{
    return word == 0 ? 0 : 1 + ahead_ns(word, now_ns);
}

static bool same_tag(uint64_t word, uint64_t hash)
{
    return (word ^ hash) <= TIME_MASK;
}

/* The places of SET that have the tag of HASH, a bit for each. There is no branch for each place, since
 * nobody could foresee it. */
static unsigned known_places(const struct cells_set *set, uint64_t hash)
{
    unsigned places = 0;

    for (unsigned i = CELLS_WAYS; i-- > 0;)
        places = places * 2 + same_tag(atomic_load_explicit(&set->word[i], memory_order_relaxed), hash);
    return places;
}

/* An empty place of SET, or else the one that is empty soonest: its owner loses least by it. A flood from
 * more sources than there is room for thus makes sources forgotten, and no newcomer refused; what it can make
 * us answer is bounded by the budget. But the place with the tag of HASH, if a sibling has just taken one for
 * it. What was in the place goes to FOUND. */
static unsigned soonest_place(const struct cells_set *set, uint64_t hash, uint64_t now_ns, uint64_t *found)
{
    uint64_t least = UINT64_MAX;
    unsigned best = 0;

    for (unsigned i = 0; i < CELLS_WAYS; i++) {
        uint64_t word = atomic_load_explicit(&set->word[i], memory_order_relaxed);
        uint64_t rank = same_tag(word, hash) ? 0 : 1 + rank_of(word, now_ns);
        best = rank < least ? i : best;
        *found = rank < least ? word : *found;
        least = rank < least ? rank : least;
    }
    return best;
}

/* The place for TRACE in SET, and what is in it. */
static unsigned place_of(const struct cells_set *set, const struct trace *trace, uint64_t now_ns,
                         uint64_t *found)
{
    *found = atomic_load_explicit(&set->word[trace->place], memory_order_relaxed);
    if (same_tag(*found, trace->hash))
        return trace->place;
    unsigned known = known_places(set, trace->hash);
    if (known == 0)
        return soonest_place(set, trace->hash, now_ns, found);
    unsigned at = (unsigned) __builtin_ctz(known);
    *found = atomic_load_explicit(&set->word[at], memory_order_relaxed);
    return at;
}

static struct cells_set *set_of(const struct rate *rate, uint64_t hash)
{
    return &rate->shared->sets[hash % SETS];
}

/* What is refused is not counted, so that a source over its rate is still answered at its rate, and a flood
 * of what is refused writes no shared memory. */
static bool charge(struct rate *rate, struct trace *trace, uint64_t now_ns, uint64_t interval_ns)
{
    uint64_t hash = trace->hash;
    struct cells_set *set = set_of(rate, hash);

    for (unsigned i = 0; i < CELLS_TRIES; i++) {
        uint64_t word = 0;
        unsigned at = trace->place = place_of(set, trace, now_ns, &word);
        uint64_t due_ns = interval_ns + (same_tag(word, hash) ? ahead_ns(word, now_ns) : 0);
        if (due_ns > BURST_NS)
            return false;
        if (cells_change(&set->word[at], &word, (hash & ~TIME_MASK) | ((now_ns + due_ns) & TIME_MASK)))
            return true;
    }
    return true;
}

bool rate_admit(struct rate *rate, uint64_t now_ns, const uint8_t address[16], uint64_t source_ns,
                uint64_t prefix_ns)
{
    if (memcmp(address, rate->last.address, sizeof(rate->last.address)) != 0)
        remember(rate, address);
    /* It comes while the source is seen to: the atomic write there would keep it waiting. */
    __builtin_prefetch(set_of(rate, rate->last.network.hash), 1);
    /* The source first: one that is over its own rate takes nothing from its neighbours. */
    return charge(rate, &rate->last.source, now_ns, source_ns) &&
           charge(rate, &rate->last.network, now_ns, prefix_ns);
}

unsigned rate_budget(struct rate *rate, uint64_t now_ns, uint64_t interval_ns, unsigned count)
{
    uint64_t time = atomic_load_explicit(&rate->shared->budget, memory_order_relaxed);

    if (interval_ns == 0)
        return count;
    for (unsigned i = 0; i < CELLS_TRIES; i++) {
        uint64_t ahead = time > now_ns ? time - now_ns : 0;
        uint64_t room = ahead < BUDGET_BURST_NS ? (BUDGET_BURST_NS - ahead) / interval_ns : 0;
        unsigned taken = room < count ? (unsigned) room : count;
        if (taken == 0 || cells_change(&rate->shared->budget, &time, now_ns + ahead + taken * interval_ns))
            return taken;
    }
    return count;
}

uint32_t rate_refused(struct rate *rate, uint64_t now_ns, const uint8_t address[16])
{
    return notes_add(&rate->shared->notes, now_ns / SECOND_NS, network_hash(rate, address), 1);
}
