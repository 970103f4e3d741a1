/* Buckets in shared memory, eight of them a cache line. Knows nothing of who asks and why. */
#include "worker/rate.h"

#include <endian.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/addr.h"
#include "base/hash.h"

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
    WAYS = 8, /* places of a set, which is a cache line */
    /* A bucket is in use for as long as its source may not send at its full burst, an interval a datagram.
     * With the default rates 10^6 datagrams a second, each from a source of its own, take some 11 000 places:
     * there are ten times as many, which is 1 MiB, and in the cache of a processor. */
    SETS = 1 << 14,
    NOTE_SETS = 8,
    NOTE_SECONDS = 30,
    /* For a word that others change, too. Then one passes that was not counted; but each try that failed was
     * the success of another worker, and hundreds of them do not ask about one source at the same moment. */
    TRIES = 100
};
#define TIME_MASK       ((UINT64_C(1) << TIME_BITS) - 1)
#define SECOND_NS       UINT64_C(1000000000)
#define BURST_NS        (2 * SECOND_NS)
#define BUDGET_BURST_NS SECOND_NS
/* Beyond the burst, for workers whose now is older than that of others. */
#define AHEAD_MAX_NS (2 * BURST_NS)

/* A note has the same tag, then the seconds of its last line in 16 bits (they come round each 18 hours, and
 * may then hold a line back for 30 s), then a count; 0 is an empty place. */
enum {
    NOTE_TIME_SHIFT = 28,
    NOTE_TIME_MASK = 0xffff
};
#define NOTE_COUNT_MASK ((UINT64_C(1) << NOTE_TIME_SHIFT) - 1)

struct set {
    _Alignas(64) _Atomic uint64_t word[WAYS];
};

struct shared {
    _Alignas(64) _Atomic uint64_t budget; /* time of its own bucket, all 64 bits of it */
    struct set notes[NOTE_SETS];
    struct set sets[SETS];
};

struct rate {
    struct hash_key key;
    unsigned users; /* plans of the master */
    struct shared *shared;
};

struct rate *rate_open(void)
{
    struct rate *rate = calloc(1, sizeof(*rate));

    if (rate == NULL)
        return NULL;
    rate->users = 1;
    void *memory =
        mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory != MAP_FAILED && hash_key_make(&rate->key) == 0) {
        rate->shared = memory;
        return rate;
    }
    int saved = errno;
    if (memory != MAP_FAILED)
        munmap(memory, sizeof(struct shared));
    free(rate);
    errno = saved;
    return NULL;
}

struct rate *rate_share(struct rate *rate)
{
    rate->users++;
    return rate;
}

void rate_close(struct rate *rate)
{
    if (rate == NULL || --rate->users > 0)
        return;
    munmap(rate->shared, sizeof(struct shared));
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

/* The bits of ADDRESS that count, and how many they are, keep a source, its prefix, and those of IPv4 and
 * IPv6 apart. */
static inline uint64_t hash_prefix(const struct rate *rate, const uint8_t address[16], unsigned bits)
{
    uint64_t half;

    memcpy(&half, address + (bits > 64 ? 8 : 0), sizeof(half));
    return hash_word(&rate->key, be64toh(half) >> (bits > 64 ? 128 - bits : 64 - bits), (uint8_t) bits);
}

static uint64_t network_hash(const struct rate *rate, const uint8_t address[16])
{
    return hash_prefix(rate, address, addr_prefix_bits(address));
}

/* How long after NOW the bucket WORD will be empty; 0: it is. */
static inline uint64_t ahead_ns(uint64_t word, uint64_t now_ns)
{
    uint64_t ahead = (word - now_ns) & TIME_MASK;

    return ahead <= AHEAD_MAX_NS ? ahead : 0;
}

static bool same_tag(uint64_t word, uint64_t hash)
{
    return ((word ^ hash) & ~TIME_MASK) == 0;
}

/* The place of the bucket of HASH in SET, and what is in it; or if it has none, an empty place, or else the
 * one that is empty soonest: its owner loses least by it. A flood from more sources than there is room for
 * thus makes sources forgotten, and no newcomer refused; what it can make us answer is bounded by the budget.
 * There is no branch for each place, since nobody could foresee it. */
static unsigned find(struct set *set, uint64_t hash, uint64_t now_ns, uint64_t *found)
{
    uint64_t least = UINT64_MAX, word = 0;
    unsigned best = 0;

    for (unsigned i = 0; i < WAYS; i++) {
        uint64_t one = atomic_load_explicit(&set->word[i], memory_order_relaxed);
        uint64_t rank = same_tag(one, hash) ? 0 : 1 + ahead_ns(one, now_ns);
        best = rank < least ? i : best;
        word = rank < least ? one : word;
        least = rank < least ? rank : least;
    }
    *found = word;
    return best;
}

static bool change(_Atomic uint64_t *place, uint64_t *before, uint64_t after)
{
    return atomic_compare_exchange_strong_explicit(place, before, after, memory_order_relaxed,
                                                   memory_order_relaxed);
}

static struct set *set_of(const struct rate *rate, uint64_t hash)
{
    return &rate->shared->sets[hash % SETS];
}

/* What is refused is not counted, so that a source over its rate is still answered at its rate, and a flood
 * of what is refused writes no shared memory. */
static bool charge(struct rate *rate, uint64_t hash, uint64_t now_ns, uint64_t interval_ns)
{
    struct set *set = set_of(rate, hash);

    for (unsigned i = 0; i < TRIES; i++) {
        uint64_t word;
        unsigned at = find(set, hash, now_ns, &word);
        uint64_t due_ns = interval_ns + (same_tag(word, hash) ? ahead_ns(word, now_ns) : 0);
        if (due_ns > BURST_NS)
            return false;
        if (change(&set->word[at], &word, (hash & ~TIME_MASK) | ((now_ns + due_ns) & TIME_MASK)))
            return true;
    }
    return true;
}

bool rate_admit(struct rate *rate, uint64_t now_ns, const uint8_t address[16], uint64_t source_ns,
                uint64_t prefix_ns)
{
    uint64_t source = hash_prefix(rate, address, addr_source_bits(address)),
             network = network_hash(rate, address);

    /* It comes while the source is seen to: the atomic write there would keep it waiting. */
    __builtin_prefetch(set_of(rate, network), 1);
    /* The source first: one that is over its own rate takes nothing from its neighbours. */
    return charge(rate, source, now_ns, source_ns) && charge(rate, network, now_ns, prefix_ns);
}

unsigned rate_budget(struct rate *rate, uint64_t now_ns, uint64_t interval_ns, unsigned count)
{
    uint64_t time = atomic_load_explicit(&rate->shared->budget, memory_order_relaxed);

    if (interval_ns == 0)
        return count;
    for (unsigned i = 0; i < TRIES; i++) {
        uint64_t ahead = time > now_ns ? time - now_ns : 0;
        uint64_t room = ahead < BUDGET_BURST_NS ? (BUDGET_BURST_NS - ahead) / interval_ns : 0;
        unsigned taken = room < count ? (unsigned) room : count;
        if (taken == 0 || change(&rate->shared->budget, &time, now_ns + ahead + taken * interval_ns))
            return taken;
    }
    return count;
}

/* The last line of the note WORD was so long ago that another may follow. */
static bool is_old(uint64_t word, uint64_t now)
{
    return ((now - (word >> NOTE_TIME_SHIFT)) & NOTE_TIME_MASK) >= NOTE_SECONDS;
}

/* The note of HASH and what is in it; or a place for it, empty or old; or NULL. */
static _Atomic uint64_t *find_note(struct rate *rate, uint64_t hash, uint64_t now, uint64_t *found)
{
    struct set *set = &rate->shared->notes[hash % NOTE_SETS];
    _Atomic uint64_t *best = NULL;

    for (unsigned i = 0; i < WAYS; i++) {
        uint64_t word = atomic_load_explicit(&set->word[i], memory_order_relaxed);
        bool same = word != 0 && same_tag(word, hash);
        if (same || (best == NULL && (word == 0 || is_old(word, now)))) {
            best = &set->word[i];
            *found = word;
        }
        if (same)
            break;
    }
    return best;
}

uint32_t rate_refused(struct rate *rate, uint64_t now_ns, const uint8_t address[16])
{
    uint64_t hash = network_hash(rate, address), now = now_ns / SECOND_NS;
    uint64_t fresh = (hash & ~TIME_MASK) | (now & NOTE_TIME_MASK) << NOTE_TIME_SHIFT;

    for (unsigned i = 0; i < TRIES; i++) {
        uint64_t word = 0;
        _Atomic uint64_t *place = find_note(rate, hash, now, &word);
        if (place == NULL)
            return 0;
        bool known = word != 0 && same_tag(word, hash);
        uint64_t count = known ? word & NOTE_COUNT_MASK : 0;
        bool due = !known || is_old(word, now);
        if (!due && count == NOTE_COUNT_MASK)
            return 0; /* a full count stays so */
        if (change(place, &word, due ? fresh : word + 1))
            return due ? (uint32_t) count + 1 : 0;
    }
    return 0;
}
