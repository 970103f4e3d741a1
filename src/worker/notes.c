/* Notes in sets of atomic words. Knows nothing of who writes lines and why. */
#include "worker/notes.h"

#include <stdbool.h>
#include <stddef.h>

/* A note has 20 bits of the hash, then the seconds of its last line in 16 bits (they come round each 18
 * hours, and may then hold a line back for 30 s), then a count; 0 is an empty place. */
enum {
    TAG_SHIFT = 44,
    TIME_SHIFT = 28,
    TIME_MASK = 0xffff
};
#define COUNT_MASK ((UINT64_C(1) << TIME_SHIFT) - 1)

static bool same_tag(uint64_t word, uint64_t hash)
{
    return (word ^ hash) >> TAG_SHIFT == 0;
}

/* The last line of the note WORD was so long ago that another may follow. */
static bool is_old(uint64_t word, uint64_t now_s)
{
    return ((now_s - (word >> TIME_SHIFT)) & TIME_MASK) >= NOTES_SECONDS;
}

/* The note of HASH and what is in it; or a place for it, empty or old; or NULL. */
static _Atomic uint64_t *find(struct notes *notes, uint64_t hash, uint64_t now_s, uint64_t *found)
{
    struct cells_set *set = &notes->sets[hash % NOTES_SETS];
    _Atomic uint64_t *best = NULL;

    for (unsigned i = 0; i < CELLS_WAYS; i++) {
        uint64_t word = atomic_load_explicit(&set->word[i], memory_order_relaxed);
        bool same = word != 0 && same_tag(word, hash);
        if (same || (best == NULL && (word == 0 || is_old(word, now_s)))) {
            best = &set->word[i];
            *found = word;
        }
        if (same)
            break;
    }
    return best;
}

uint32_t notes_add(struct notes *notes, uint64_t now_s, uint64_t hash, uint32_t times)
{
    uint64_t fresh = hash >> TAG_SHIFT << TAG_SHIFT | (now_s & TIME_MASK) << TIME_SHIFT;

    for (unsigned i = 0; i < CELLS_TRIES; i++) {
        uint64_t word = 0;
        _Atomic uint64_t *place = find(notes, hash, now_s, &word);
        if (place == NULL)
            return 0;
        bool known = word != 0 && same_tag(word, hash);
        uint64_t count = known ? word & COUNT_MASK : 0;
        bool due = !known || is_old(word, now_s);
        /* A full count stays so. */
        uint64_t more = times < COUNT_MASK - count ? times : COUNT_MASK - count;
        if (cells_change(place, &word, due ? fresh : word + more))
            return due ? (uint32_t) (count + times) : 0;
    }
    return 0;
}
