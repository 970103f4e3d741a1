/* The scoreboard: what each worker has done, in memory that the master shares with its workers.
 *
 * One block a worker, written by that worker alone (by the master when it is dead), read by the master and by
 * siblings. Counters stay when a worker dies and its successor goes on from there, so that the service's
 * totals never go backwards. The memory is a memfd (memfd_create(2)), so that it can outlive an exec of the
 * master. This module does not know what the counters are counted for. */
#ifndef HELLOD_BASE_SCOREBOARD_H
#define HELLOD_BASE_SCOREBOARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Every counter: name, help. For stream connections that were admitted this holds at any moment of rest, over
 * all blocks: accepted = live + the sum of all closed_*. */
#define SCOREBOARD_COUNTERS(X)                                                                     \
    X(accepted, "connections accepted and admitted")                                               \
    X(refused_full, "connections refused: the worker had as many as it may have")                  \
    X(refused_source, "connections refused: too many from one address")                            \
    X(refused_prefix, "connections refused: too many from one network")                            \
    X(refused_penalty, "connections refused: its address has offended too often")                  \
    X(refused_access, "connections refused: not from an allowed address")                          \
    X(refused_descriptors, "connections refused: no descriptors or no memory in the kernel")       \
    X(closed_farewell, "connections closed: the client said so")                                   \
    X(closed_end, "connections closed: the client sent end of file")                               \
    X(closed_reset, "connections closed: the client was gone")                                     \
    X(closed_too_long, "connections closed: a message was too long")                               \
    X(closed_idle, "connections closed: silent for too long")                                      \
    X(closed_evicted, "connections closed: silent, and a newcomer needed the place")               \
    X(closed_write, "connections closed: the client did not read its answers")                     \
    X(closed_drain, "connections closed: the worker was told to go")                               \
    X(closed_killed, "connections lost: their worker died")                                        \
    X(crossed, "connections whose client said more while it was told the end")                     \
    X(messages, "messages received on connections")                                                \
    X(answers, "answers given on connections")                                                     \
    X(datagrams, "datagrams received")                                                             \
    X(datagram_answers, "datagrams answered")                                                      \
    X(datagram_unsent, "datagrams whose answer the kernel did not take")                           \
    X(drop_access, "datagrams dropped: not from an allowed address")                               \
    X(drop_oversize, "datagrams dropped: longer than message_size")                                \
    X(drop_empty, "datagrams dropped: empty")                                                      \
    X(drop_port, "datagrams dropped: source port 0, below 1024 or our own")                        \
    X(drop_source, "datagrams dropped: impossible source address")                                 \
    X(drop_destination, "datagrams dropped: sent to a multicast or broadcast address")             \
    X(drop_reply, "datagrams dropped: themselves an answer")                                       \
    X(drop_text, "datagrams dropped: not text")                                                    \
    X(drop_rate, "datagrams dropped: over the rate of their address or network")                   \
    X(drop_budget, "datagrams dropped: over the budget of answers")                                \
    X(would_drop_rate, "datagrams over the rate of their address or network, in a dry run")        \
    X(would_drop_budget, "datagrams over the budget of answers, in a dry run")                     \
    X(accept_pauses, "times that accepting was paused: no descriptors or no memory in the kernel") \
    X(handed_on, "times that a worker left what waits to a sibling")                               \
    X(log_lost, "log lines that could not be written")                                             \
    X(sandbox_violations, "system calls that the sandbox forbids; each ended a worker")

enum counter {
#define X(name, help) COUNTER_##name,
    SCOREBOARD_COUNTERS(X)
#undef X
    COUNTER_COUNT
};

enum {
    SCOREBOARD_SLOTS_MAX = 256, /* workers of one generation */
    SCOREBOARD_GENERATIONS = 3, /* generations alive at once */
    SCOREBOARD_BLOCKS = SCOREBOARD_SLOTS_MAX * SCOREBOARD_GENERATIONS
};

/* One worker's block. What siblings look at, on every accept, has a cache line of its own. */
struct score {
    _Alignas(64) _Atomic uint32_t live; /* connections that count against the worker's limit */
    _Atomic uint32_t ready;             /* not 0: it takes connections */
    _Atomic int32_t pid;                /* 0: no worker is in this slot */
    uint32_t slot;
    uint32_t generation;
    _Alignas(64) _Atomic uint64_t beat; /* passes of the event loop */
    _Atomic uint64_t counter[COUNTER_COUNT];
};

struct scoreboard_header {
    _Atomic uint32_t slots; /* slots ever used in any generation; blocks beyond were never touched */
    uint32_t block_size;
};

struct scoreboard {
    int fd; /* the memfd, -1 when unset */
    struct scoreboard_header *header;
    struct score *blocks;
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

/* For the master: worker PID takes the block over. */
void scoreboard_enter(struct scoreboard *scoreboard, uint32_t generation, uint32_t slot, pid_t pid);

/* For the master: the worker has died. Its live connections are counted as closed_killed and its gauges go to
 * zero, so that sums agree again. */
void scoreboard_leave(struct scoreboard *scoreboard, uint32_t generation, uint32_t slot);

/* The sum of COUNTER over all blocks. */
uint64_t scoreboard_total(const struct scoreboard *scoreboard, enum counter counter);

/* The sum of live connections over all blocks. */
uint64_t scoreboard_live(const struct scoreboard *scoreboard);

/* "accepted" and so on. */
const char *scoreboard_counter_name(enum counter counter);

/* What it counts, in words. */
const char *scoreboard_counter_help(enum counter counter);

/* Adds N to a value that this process alone writes: a load, an add and a store, no locked instruction. */
static inline void score_add(struct score *score, enum counter counter, uint64_t n)
{
    uint64_t old = atomic_load_explicit(&score->counter[counter], memory_order_relaxed);

    atomic_store_explicit(&score->counter[counter], old + n, memory_order_relaxed);
}

#endif
