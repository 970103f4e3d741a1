/* Shared counters. Knows neither master nor worker, only that one of them writes a block at a time. */
#include "base/scoreboard.h"

#include <assert.h>
#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    HEADER_SIZE = 64,
    SIZE = HEADER_SIZE + (int) sizeof(struct score) * SCOREBOARD_BLOCKS
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

void scoreboard_leave(struct scoreboard *scoreboard, uint32_t generation, uint32_t slot)
{
    struct score *score = &scoreboard->blocks[scoreboard_index(generation, slot)];

    score_add(score, COUNTER_closed_killed, atomic_load(&score->live));
    atomic_store(&score->live, 0);
    atomic_store(&score->ready, 0);
    atomic_store(&score->pid, 0);
}

/* Any worker can write there, one that was taken over, too: what it says must not lead out of the memory. */
static uint32_t slots_used(const struct scoreboard *scoreboard)
{
    uint32_t slots = atomic_load(&scoreboard->header->slots);

    return slots < SCOREBOARD_SLOTS_MAX ? slots : SCOREBOARD_SLOTS_MAX;
}

uint64_t scoreboard_total(const struct scoreboard *scoreboard, enum counter counter)
{
    uint32_t slots = slots_used(scoreboard);
    uint64_t sum = 0;

    for (uint32_t generation = 0; generation < SCOREBOARD_GENERATIONS; generation++)
        for (uint32_t slot = 0; slot < slots; slot++)
            sum +=
                atomic_load_explicit(&scoreboard->blocks[scoreboard_index(generation, slot)].counter[counter],
                                     memory_order_relaxed);
    return sum;
}

uint64_t scoreboard_live(const struct scoreboard *scoreboard)
{
    uint32_t slots = slots_used(scoreboard);
    uint64_t sum = 0;

    for (uint32_t generation = 0; generation < SCOREBOARD_GENERATIONS; generation++)
        for (uint32_t slot = 0; slot < slots; slot++)
            sum += atomic_load(&scoreboard->blocks[scoreboard_index(generation, slot)].live);
    return sum;
}

const char *scoreboard_counter_name(enum counter counter)
{
    static const char *const names[] = {
#define X(name, help) #name,
        SCOREBOARD_COUNTERS(X)
#undef X
    };

    return names[counter];
}

const char *scoreboard_counter_help(enum counter counter)
{
    static const char *const helps[] = {
#define X(name, help) help,
        SCOREBOARD_COUNTERS(X)
#undef X
    };

    return helps[counter];
}
