/* Offences of sources in sets of atomic words. Knows nothing of who offends and how. */
#include "worker/penalty.h"

#include <assert.h>
#include <stdlib.h>

#include "base/addr.h"
#include "worker/cells.h"
#include "worker/notes.h"

/* A word is 26 bits of a keyed hash, 27 bits of the time of the last offence, and 11 bits of what there is
 * against the source, in parts of an offence; how long it is refused, and what good conduct has taken back
 * since, follows from these. A source without offences is taken for another if it has the same set and the
 * same tag: with all places taken that happens to one in eight millions.
 *
 * The time comes round each 194 days. Then what is left in the table looks fresh for a while: a source that
 * was refused and comes again just one turn later may be refused once more. */
enum {
    TAG_SHIFT = 38,
    TIME_SHIFT = 11,
    LEVEL_MASK = (1 << TIME_SHIFT) - 1,
    TICK_MS = 125,
    EARLIER_TICKS = 1 << 16, /* more than two hours: nobody's clock was read that long ago */
    SETS = 1 << 13           /* 65536 places, 512 KiB, touched where an offender has one */
};
#define TIME_MASK ((UINT64_C(1) << (TAG_SHIFT - TIME_SHIFT)) - 1)

struct shared {
    /* Somebody has offended once. Until then nobody needs to look further, which costs a connection more than
     * the rest of what is asked about it, and the service a page for each neighbourhood of sources. */
    _Alignas(64) atomic_bool used;
    struct notes notes;
    struct cells_set sets[SETS];
};

struct penalty {
    struct cells cells;
    struct shared *shared; /* its memory */
};

struct penalty *penalty_open(void)
{
    struct penalty *penalty = calloc(1, sizeof(*penalty));

    if (penalty == NULL)
        return NULL;
    penalty->shared = cells_open(&penalty->cells, sizeof(struct shared));
    if (penalty->shared != NULL)
        return penalty;
    free(penalty);
    return NULL;
}

struct penalty *penalty_share(struct penalty *penalty)
{
    cells_share(&penalty->cells);
    return penalty;
}

void penalty_close(struct penalty *penalty)
{
    if (penalty != NULL && cells_close(&penalty->cells))
        free(penalty);
}

size_t penalty_memory(void)
{
    return sizeof(struct shared);
}

static uint64_t hash_of(const struct penalty *penalty, const uint8_t address[16])
{
    return cells_hash(&penalty->cells, address, addr_source_bits(address));
}

static struct cells_set *set_of(const struct penalty *penalty, uint64_t hash)
{
    return &penalty->shared->sets[hash % SETS];
}

static bool same_tag(uint64_t word, uint64_t hash)
{
    return (word ^ hash) >> TAG_SHIFT == 0;
}

/* Since the last offence; 0 if a worker whose clock was read later has noted it. */
static uint64_t elapsed_ms(uint64_t word, uint64_t now_ms)
{
    uint64_t ticks = (now_ms / TICK_MS - (word >> TIME_SHIFT)) & TIME_MASK;

    return ticks <= TIME_MASK - EARLIER_TICKS ? ticks * TICK_MS : 0;
}

/* For how long a source at LEVEL is refused, from its last offence on. */
static uint64_t refusal_ms(uint64_t level, uint64_t longest_ms)
{
    uint64_t offences = level / PENALTY_OFFENCE;

    if (offences <= PENALTY_FORGIVEN)
        return 0;
    uint64_t ms = (uint64_t) PENALTY_FIRST_MS << (offences - PENALTY_FORGIVEN - 1);
    return ms < longest_ms ? ms : longest_ms;
}

static uint64_t left_ms(uint64_t word, uint64_t now_ms, uint64_t longest_ms)
{
    uint64_t refused = refusal_ms(word & LEVEL_MASK, longest_ms), elapsed = elapsed_ms(word, now_ms);

    return elapsed < refused ? refused - elapsed : 0;
}

/* What is still held against a source. Only the time after a refusal is good conduct. */
static uint64_t level_now(uint64_t word, uint64_t now_ms, uint64_t longest_ms)
{
    uint64_t level = word & LEVEL_MASK, refused = refusal_ms(level, longest_ms);
    uint64_t elapsed = elapsed_ms(word, now_ms);
    uint64_t quiet = elapsed > refused ? elapsed - refused : 0;
    uint64_t forgotten = quiet * PENALTY_OFFENCE / PENALTY_MEMORY_MS;

    return level > forgotten ? level - forgotten : 0;
}

uint64_t penalty_left_ms(const struct penalty *penalty, uint64_t now_ms, const uint8_t address[16],
                         uint64_t longest_ms)
{
    if (!atomic_load_explicit(&penalty->shared->used, memory_order_relaxed))
        return 0;
    uint64_t hash = hash_of(penalty, address);
    struct cells_set *set = set_of(penalty, hash);

    for (unsigned i = 0; i < CELLS_WAYS; i++) {
        uint64_t word = atomic_load_explicit(&set->word[i], memory_order_relaxed);
        if (same_tag(word, hash))
            return left_ms(word, now_ms, longest_ms);
    }
    return 0;
}

/* When WORD can be forgotten without anybody's gain. */
static uint64_t forgotten_ms(uint64_t word, uint64_t now_ms, uint64_t longest_ms)
{
    return left_ms(word, now_ms, longest_ms) +
           level_now(word, now_ms, longest_ms) * PENALTY_MEMORY_MS / PENALTY_OFFENCE;
}

/* The place of HASH in its set, and what is in it; or if it has none, that of the one who has least against
 * it. */
static _Atomic uint64_t *find(struct cells_set *set, uint64_t hash, uint64_t now_ms, uint64_t longest_ms,
                              uint64_t *found)
{
    uint64_t least = UINT64_MAX;
    unsigned best = 0;

    for (unsigned i = 0; i < CELLS_WAYS; i++) {
        uint64_t word = atomic_load_explicit(&set->word[i], memory_order_relaxed);
        uint64_t rank = same_tag(word, hash) ? 0 : 1 + forgotten_ms(word, now_ms, longest_ms);
        if (rank < least) {
            least = rank;
            best = i;
            *found = word;
        }
    }
    return &set->word[best];
}

uint64_t penalty_charge(struct penalty *penalty, uint64_t now_ms, const uint8_t address[16], unsigned weight,
                        uint64_t longest_ms)
{
    uint64_t hash = hash_of(penalty, address), word = 0;
    uint64_t fresh = hash >> TAG_SHIFT << TAG_SHIFT | (now_ms / TICK_MS & TIME_MASK) << TIME_SHIFT;

    assert(longest_ms <= (uint64_t) PENALTY_LONGEST_S * 1000);
    if (!atomic_load_explicit(&penalty->shared->used, memory_order_relaxed))
        atomic_store_explicit(&penalty->shared->used, true, memory_order_relaxed);
    for (unsigned i = 0; i < CELLS_TRIES; i++) {
        _Atomic uint64_t *place = find(set_of(penalty, hash), hash, now_ms, longest_ms, &word);
        bool known = same_tag(word, hash);
        if (known && left_ms(word, now_ms, longest_ms) > 0)
            return 0;
        uint64_t level = known ? level_now(word, now_ms, longest_ms) : 0;
        /* Once the refusal is the longest, more of them would only take longer to be taken back. */
        level += refusal_ms(level, longest_ms) < longest_ms ? weight : 0;
        assert(level <= LEVEL_MASK);
        if (cells_change(place, &word, fresh | level))
            return refusal_ms(level, longest_ms);
    }
    return 0;
}

uint32_t penalty_note(struct penalty *penalty, uint64_t now_ms, const uint8_t address[16])
{
    return notes_add(&penalty->shared->notes, now_ms / 1000, hash_of(penalty, address), 1);
}
