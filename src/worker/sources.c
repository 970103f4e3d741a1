/* Connections per source, in open-addressing tables of atomic words. Knows nothing of who connects and why.
 */
#include "worker/sources.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/addr.h"
#include "worker/cells.h"

/* A word is a keyed hash of 44 bits and a count of 20; 0 is an empty place. Two sources with the same hash
 * would share a count: with 10 000 entries that happens once in 10^5 services, and the key is secret. */
enum {
    COUNT_BITS = 20
};
#define COUNT_MASK ((UINT64_C(1) << COUNT_BITS) - 1)

/* How many entries a table has. All of these stand together, in front of the tables, so that a reader skips
 * an empty table without touching its memory; each has a cache line of its own. */
struct fill {
    _Alignas(64) _Atomic uint32_t used;
};

struct sources {
    struct cells cells;
    unsigned tables;
    uint32_t connections;     /* as asked for */
    uint32_t mask;            /* places of a table, less one */
    struct fill *fills;       /* the memory begins here */
    _Atomic uint64_t *places; /* of all tables, one after the other */
};

/* One table, for the functions that work on it. */
struct table {
    struct fill *fill;
    _Atomic uint64_t *places;
};

struct sources *sources_open(unsigned tables, uint32_t connections)
{
    struct sources *sources = calloc(1, sizeof(*sources));
    uint32_t places = 64;

    if (sources == NULL)
        return NULL;
    /* Two entries a connection, and never more than half full, so that a search ends soon. */
    while (places < 4 * (uint64_t) connections)
        places *= 2;
    sources->tables = tables;
    sources->connections = connections;
    sources->mask = places - 1;
    size_t front = sizeof(struct fill) * tables;
    sources->fills = cells_open(&sources->cells, front + sizeof(uint64_t) * places * tables);
    if (sources->fills != NULL) {
        sources->places = (_Atomic uint64_t *) (void *) ((char *) sources->fills + front);
        return sources;
    }
    free(sources);
    return NULL;
}

struct sources *sources_share(struct sources *sources, unsigned tables, uint32_t connections)
{
    if (sources == NULL || sources->tables != tables || sources->connections != connections)
        return NULL;
    cells_share(&sources->cells);
    return sources;
}

void sources_close(struct sources *sources)
{
    if (sources != NULL && cells_close(&sources->cells))
        free(sources);
}

static struct table table_at(const struct sources *sources, unsigned number)
{
    assert(number < sources->tables);
    return (struct table){&sources->fills[number], sources->places + number * ((size_t) sources->mask + 1)};
}

/* Hashes in their place in a word; a source and its prefix are different entries. */
static uint64_t source_entry(const struct sources *sources, const uint8_t address[16])
{
    return cells_hash(&sources->cells, address, addr_source_bits(address)) << COUNT_BITS;
}

static uint64_t prefix_entry(const struct sources *sources, const uint8_t address[16])
{
    return cells_hash(&sources->cells, address, addr_prefix_bits(address)) << COUNT_BITS;
}

static uint32_t home(const struct sources *sources, uint64_t word)
{
    return (uint32_t) (word >> COUNT_BITS) & sources->mask;
}

/* The place of ENTRY in TABLE, or the empty one where it would go. */
static uint32_t find(const struct sources *sources, struct table table, uint64_t entry)
{
    uint32_t at = home(sources, entry);

    for (;; at = (at + 1) & sources->mask) {
        uint64_t word = atomic_load_explicit(&table.places[at], memory_order_relaxed);
        if (word == 0 || (word & ~COUNT_MASK) == entry)
            return at;
    }
}

static uint64_t count_everywhere(const struct sources *sources, uint64_t entry)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < sources->tables; i++) {
        struct table table = table_at(sources, i);
        if (atomic_load_explicit(&table.fill->used, memory_order_relaxed) == 0)
            continue;
        sum += atomic_load_explicit(&table.places[find(sources, table, entry)], memory_order_relaxed) &
               COUNT_MASK;
    }
    return sum;
}

static void increment(const struct sources *sources, struct table table, uint64_t entry)
{
    _Atomic uint64_t *place = &table.places[find(sources, table, entry)];
    uint64_t word = atomic_load_explicit(place, memory_order_relaxed);

    if (word == 0) {
        uint32_t used = atomic_load_explicit(&table.fill->used, memory_order_relaxed);
        atomic_store_explicit(&table.fill->used, used + 1, memory_order_relaxed);
        word = entry;
    }
    atomic_store_explicit(place, word + 1, memory_order_relaxed);
}

/* Closes the gap at HOLE by moving back what would otherwise not be found beyond it. A reader that passes in
 * that moment may miss an entry once and admit a connection too many, which the next one puts right. */
static void close_gap(const struct sources *sources, struct table table, uint32_t hole)
{
    for (uint32_t at = (hole + 1) & sources->mask;; at = (at + 1) & sources->mask) {
        uint64_t word = atomic_load_explicit(&table.places[at], memory_order_relaxed);
        if (word == 0)
            break;
        uint32_t distance = (at - home(sources, word)) & sources->mask;
        if (distance < ((at - hole) & sources->mask))
            continue; /* its home lies behind the hole: it stays */
        atomic_store_explicit(&table.places[hole], word, memory_order_relaxed);
        hole = at;
    }
    atomic_store_explicit(&table.places[hole], 0, memory_order_relaxed);
}

static void decrement(const struct sources *sources, struct table table, uint64_t entry)
{
    uint32_t at = find(sources, table, entry);
    uint64_t word = atomic_load_explicit(&table.places[at], memory_order_relaxed);

    assert((word & COUNT_MASK) > 0);
    if ((word & COUNT_MASK) > 1) {
        atomic_store_explicit(&table.places[at], word - 1, memory_order_relaxed);
        return;
    }
    close_gap(sources, table, at);
    uint32_t used = atomic_load_explicit(&table.fill->used, memory_order_relaxed);
    atomic_store_explicit(&table.fill->used, used - 1, memory_order_relaxed);
}

enum sources_verdict sources_add(struct sources *sources, unsigned table, const uint8_t address[16],
                                 uint32_t per_source, uint32_t per_prefix)
{
    struct table own = table_at(sources, table);
    uint64_t source = per_source > 0 ? source_entry(sources, address) : 0;
    uint64_t prefix = per_prefix > 0 ? prefix_entry(sources, address) : 0;

    if (per_source > 0)
        increment(sources, own, source);
    if (per_prefix > 0)
        increment(sources, own, prefix);
    /* First count, then look: of two workers at the limit at least one sees the other. */
    atomic_thread_fence(memory_order_seq_cst);
    enum sources_verdict verdict = SOURCES_ADMITTED;
    if (per_source > 0 && count_everywhere(sources, source) > per_source)
        verdict = SOURCES_SOURCE_FULL;
    else if (per_prefix > 0 && count_everywhere(sources, prefix) > per_prefix)
        verdict = SOURCES_PREFIX_FULL;
    if (verdict != SOURCES_ADMITTED)
        sources_remove(sources, table, address, per_source, per_prefix);
    return verdict;
}

void sources_remove(struct sources *sources, unsigned table, const uint8_t address[16], uint32_t per_source,
                    uint32_t per_prefix)
{
    struct table own = table_at(sources, table);

    if (per_source > 0)
        decrement(sources, own, source_entry(sources, address));
    if (per_prefix > 0)
        decrement(sources, own, prefix_entry(sources, address));
}

void sources_clear(struct sources *sources, unsigned table)
{
    struct table own = table_at(sources, table);

    if (atomic_load(&own.fill->used) == 0)
        return;
    for (uint32_t i = 0; i <= sources->mask; i++)
        atomic_store_explicit(&own.places[i], 0, memory_order_relaxed);
    atomic_store(&own.fill->used, 0);
}
