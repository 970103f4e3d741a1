/* Shared counters. Knows neither master nor worker, only that one of them writes a block at a time. */
#include "base/scoreboard.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    HEADER_SIZE = 8192,
    SIZE = HEADER_SIZE + (int) sizeof(struct score) * (SCOREBOARD_BLOCKS + 1) /* and the master's */
};

_Static_assert(sizeof(struct scoreboard_header) <= HEADER_SIZE, "the blocks follow at a fixed place");
_Static_assert(sizeof(struct score) % 64 == 0, "no two workers share a cache line");

static int map(struct scoreboard *scoreboard, int fd, int protection)
{
    char *memory = mmap(NULL, SIZE, protection, MAP_SHARED, fd, 0);

    if (memory == MAP_FAILED)
        return -1;
    scoreboard->header = (struct scoreboard_header *) (void *) memory;
    scoreboard->blocks = (struct score *) (void *) (memory + HEADER_SIZE);
    return 0;
}

int scoreboard_open(struct scoreboard *scoreboard)
{
    int fd = memfd_create("hellod-scoreboard", MFD_CLOEXEC);

    if (fd < 0)
        return -1;
    /* Sparse: a block takes memory when its slot is first used. */
    if (ftruncate(fd, SIZE) < 0 || map(scoreboard, fd, PROT_READ | PROT_WRITE) < 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    scoreboard->fd = fd;
    scoreboard->header->block_size = sizeof(struct score);
    scoreboard->header->tallies = TALLY_LISTENERS;
    strcpy(scoreboard->header->listeners[TALLY_OTHER].name, "other");
    scoreboard->header->listeners[TALLY_OTHER].scope = SCOPE_BOTH;
    return 0;
}

int scoreboard_attach(struct scoreboard *scoreboard, int fd)
{
    struct stat status;

    if (fstat(fd, &status) < 0)
        return -1;
    if (status.st_size != SIZE) {
        errno = EINVAL;
        return -1;
    }
    if (map(scoreboard, fd, PROT_READ) < 0)
        return -1;
    scoreboard->fd = -1;
    if (scoreboard->header->block_size == sizeof(struct score))
        return 0;
    scoreboard_close(scoreboard);
    errno = EINVAL;
    return -1;
}

void scoreboard_close(struct scoreboard *scoreboard)
{
    if (scoreboard->header != NULL)
        munmap(scoreboard->header, SIZE);
    if (scoreboard->fd >= 0)
        close(scoreboard->fd);
    *scoreboard = (struct scoreboard){.fd = -1};
}

void scoreboard_enter(struct scoreboard *scoreboard, uint32_t generation, uint32_t slot, pid_t pid)
{
    assert(slot < SCOREBOARD_SLOTS_MAX);
    struct score *score = &scoreboard->blocks[scoreboard_index(generation, slot)];

    score->slot = slot;
    score->generation = generation;
    atomic_store(&score->pid, pid);
    if (atomic_load(&scoreboard->header->slots) <= slot)
        atomic_store(&scoreboard->header->slots, slot + 1);
}

void tally_took(struct tally *tally, enum histogram histogram, uint64_t ns, uint64_t n)
{
    uint64_t us = ns / 1000;

    tally_grow(&tally->histogram[histogram].bucket[bucket_of(us)], n);
    tally_grow(&tally->histogram[histogram].sum, us * n);
}

static uint64_t read_value(const _Atomic uint64_t *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

uint64_t tally_live(const struct tally *tally)
{
    uint64_t closed = 0;

    for (enum counter i = COUNTER_closed_farewell; i <= COUNTER_closed_killed; i++)
        closed += read_value(&tally->counter[i]);
    /* While a worker counts, or if it counts wrongly, more can be closed than were accepted. */
    uint64_t accepted = read_value(&tally->counter[COUNTER_accepted]);
    return accepted > closed ? accepted - closed : 0;
}

/* Any worker can write there, one that was taken over, too: what it says must not lead out of the memory. */
static uint32_t bounded(const _Atomic uint32_t *value, uint32_t most)
{
    uint32_t said = atomic_load(value);

    return said < most ? said : most;
}

unsigned scoreboard_tallies(const struct scoreboard *scoreboard)
{
    return bounded(&scoreboard->header->tallies, TALLY_COUNT);
}

uint32_t scoreboard_slots(const struct scoreboard *scoreboard)
{
    return bounded(&scoreboard->header->slots, SCOREBOARD_SLOTS_MAX);
}

/* Blocks of slots that were never used take no memory, and are not to begin with it by being looked at. */
static bool is_used(const struct scoreboard *scoreboard, unsigned block)
{
    return block == SCOREBOARD_BLOCKS || block % SCOREBOARD_SLOTS_MAX < scoreboard_slots(scoreboard);
}

void scoreboard_leave(struct scoreboard *scoreboard, uint32_t generation, uint32_t slot)
{
    struct score *score = &scoreboard->blocks[scoreboard_index(generation, slot)];

    for (unsigned i = 0; i < scoreboard_tallies(scoreboard); i++)
        tally_add(&score->tally[i], COUNTER_closed_killed, tally_live(&score->tally[i]));
    atomic_store(&score->live, 0);
    atomic_store(&score->ready, 0);
    atomic_store(&score->watch, WATCH_AWAKE);
    atomic_store(&score->pid, 0);
}

/* Adds what FROM has to TO, number by number: a tally is nothing but numbers. */
static void add_tally(struct tally *to, const struct tally *from)
{
    _Atomic uint64_t *into = (_Atomic uint64_t *) to;
    const _Atomic uint64_t *values = (const _Atomic uint64_t *) from;

    for (size_t i = 0; i < sizeof(*to) / sizeof(*into); i++)
        tally_grow(&into[i], read_value(&values[i]));
}

void scoreboard_sum(const struct scoreboard *scoreboard, unsigned tally, struct tally *sum)
{
    for (unsigned block = 0; block <= SCOREBOARD_BLOCKS; block++)
        if (is_used(scoreboard, block))
            add_tally(sum, &scoreboard->blocks[block].tally[tally]);
}

uint64_t scoreboard_counted(const struct scoreboard *scoreboard, unsigned block, enum counter counter)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < scoreboard_tallies(scoreboard); i++)
        sum += read_value(&scoreboard->blocks[block].tally[i].counter[counter]);
    return sum;
}

uint64_t scoreboard_total(const struct scoreboard *scoreboard, enum counter counter)
{
    uint64_t sum = 0;

    for (unsigned block = 0; block <= SCOREBOARD_BLOCKS; block++)
        if (is_used(scoreboard, block))
            sum += scoreboard_counted(scoreboard, block, counter);
    return sum;
}

uint64_t scoreboard_of_slot(const struct scoreboard *scoreboard, uint32_t slot, enum counter counter)
{
    uint64_t sum = 0;

    for (uint32_t generation = 0; generation < SCOREBOARD_GENERATIONS; generation++)
        sum += scoreboard_counted(scoreboard, scoreboard_index(generation, slot), counter);
    return sum;
}

uint64_t scoreboard_live(const struct scoreboard *scoreboard)
{
    uint64_t sum = 0;

    for (unsigned block = 0; block < SCOREBOARD_BLOCKS; block++)
        if (is_used(scoreboard, block))
            sum += atomic_load(&scoreboard->blocks[block].live);
    return sum;
}

static bool same_listener(const struct scoreboard_listener *a, const struct scoreboard_listener *b)
{
    return strncmp(a->name, b->name, sizeof(a->name)) == 0 &&
           strncmp(a->protocol, b->protocol, sizeof(a->protocol)) == 0 &&
           strncmp(a->type, b->type, sizeof(a->type)) == 0;
}

/* Takes TALLY away from the listener that had it. Nobody writes there any more. */
static void give_away(struct scoreboard *scoreboard, unsigned tally)
{
    scoreboard_sum(scoreboard, tally, &scoreboard_masters(scoreboard)->tally[TALLY_OTHER]);
    for (unsigned block = 0; block < SCOREBOARD_BLOCKS; block++)
        if (is_used(scoreboard, block))
            memset(&scoreboard->blocks[block].tally[tally], 0, sizeof(struct tally));
}

/* A tally for LISTENER: its own, else one that was never used, else one that is not used now. */
static unsigned find_tally(struct scoreboard *scoreboard, const struct scoreboard_listener *listener)
{
    const struct scoreboard_header *header = scoreboard->header;
    unsigned used = scoreboard_tallies(scoreboard);

    for (unsigned i = TALLY_LISTENERS; i < used; i++)
        if (same_listener(&header->listeners[i], listener))
            return i;
    if (used < TALLY_COUNT)
        return used;
    for (unsigned i = TALLY_LISTENERS; i < TALLY_COUNT; i++)
        if (scoreboard->users[i] == 0) {
            give_away(scoreboard, i);
            return i;
        }
    return TALLY_OTHER;
}

unsigned scoreboard_take(struct scoreboard *scoreboard, const struct scoreboard_listener *listener)
{
    unsigned tally = find_tally(scoreboard, listener);

    scoreboard->users[tally]++;
    if (tally == TALLY_OTHER)
        return tally;
    scoreboard->header->listeners[tally] = *listener;
    if (scoreboard_tallies(scoreboard) <= tally)
        atomic_store(&scoreboard->header->tallies, tally + 1);
    return tally;
}

void scoreboard_release(struct scoreboard *scoreboard, unsigned tally)
{
    assert(scoreboard->users[tally] > 0);
    scoreboard->users[tally]--;
}
