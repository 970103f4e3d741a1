/* A load as one process makes it: what streams and datagrams have in common. */
#ifndef HELLOD_CLIENT_BENCH_LOAD_H
#define HELLOD_CLIENT_BENCH_LOAD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "client/bench_pace.h"
#include "client/bench_plan.h"
#include "client/bench_tally.h"

enum {
    BENCH_EVENTS = 256,      /* taken from the kernel at once */
    BENCH_SWEEP_MS = 50,     /* how often deadlines are looked at */
    BENCH_RETRY_MS = 100,    /* how long a connection that failed stays closed */
    BENCH_TIMER = UINT32_MAX /* the event that is no connection's */
};

struct bench_load {
    const struct bench_plan *plan; /* of this process alone */
    struct bench_tally *tally;
    const unsigned *stop; /* in shared memory; not 0: end at once */
    struct bench_pace pace;
    uint64_t now_ns;   /* as of the last bench_load_clock() */
    uint64_t sweep_ns; /* when deadlines are looked at again */
    uint64_t alive_ns; /* when something good last happened */
    int epoll_fd, timer_fd;
    int wait_ms; /* -1: the timer ticks often enough to wake us */
};

/* Reads the clock (clock_ns()) into load->now_ns, and returns it. */
static inline uint64_t bench_load_clock(struct bench_load *load)
{
    return load->now_ns = clock_ns();
}

/* Makes LOAD ready: it is over before it has started, so that connections can be made first. Returns 0, or -1
 * with errno; bench_load_end() is due in both cases. */
int bench_load_begin(struct bench_load *load, const struct bench_plan *plan, struct bench_tally *tally,
                     const unsigned *stop);

/* Starts the clock: from now on requests are due. Returns 0, or -1 with errno. */
int bench_load_start(struct bench_load *load);

/* Closes what bench_load_begin() opened, and notes the time the load took and the CPU time of this process.
 */
void bench_load_end(struct bench_load *load);

/* Watches FD for input, its end and errors, edge-triggered: an event is told once, with ID in data.u32.
 * Returns 0, or -1 with errno. */
int bench_load_watch(struct bench_load *load, int fd, uint32_t id);

/* Watches FD, which is watched, for room to send as well, once more if it was before. Only for those that
 * lack it: on a path each message that the server takes makes room, and would be an event. Returns 0, or -1
 * with errno. */
int bench_load_watch_room(struct bench_load *load, int fd, uint32_t id);

/* Waits for something to do: events, requests that fall due, deadlines. Returns the number of events. */
int bench_load_wait(struct bench_load *load, struct epoll_event events[BENCH_EVENTS]);

/* The event BENCH_TIMER has come: without this, it never comes again. */
void bench_load_tick(const struct bench_load *load);

/* True about every BENCH_SWEEP_MS: it is time to look at deadlines. */
bool bench_load_sweeps(struct bench_load *load);

/* True when no more requests are to be sent: it is over, or somebody said stop, or a load that has no end in
 * time has seen nothing good for ten timeouts. */
bool bench_load_over(const struct bench_load *load);

/* Counts COUNT answers, of BYTES together. How long each took is for bench_load_latency(). */
static inline void bench_load_answers(struct bench_load *load, unsigned count, size_t bytes)
{
    load->tally->bytes_in += bytes;
    load->alive_ns = load->now_ns;
    bench_tally_answers(load->tally, load->now_ns - load->pace.start_ns, count);
}

/* Notes that an answer has come now to a request that was due at DUE_NS. */
static inline void bench_load_latency(struct bench_load *load, uint64_t due_ns)
{
    histogram_add(&load->tally->latency, load->now_ns - due_ns);
}

/* Counts COUNT requests as failed. */
void bench_load_error(struct bench_load *load, enum bench_error error, uint64_t count);

/* Counts the requests that were due and have not been sent, when the load is over. */
void bench_load_note_unsent(struct bench_load *load);

/* What ERRNO of connect(2), send(2) or recv(2) is counted as. */
enum bench_error bench_load_errno(int error);

#endif
