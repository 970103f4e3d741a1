/* What became of a load: one process counts in memory that it shares with the one that reports.
 *
 * Each tally has one writer. The reader looks at the counters while they change, for the progress bar, and at
 * the rest after the writer has ended. */
#ifndef HELLOD_CLIENT_BENCH_TALLY_H
#define HELLOD_CLIENT_BENCH_TALLY_H

#include <stdint.h>

#include "client/histogram.h"

/* Why a request was not answered, or a connection not made. */
enum bench_error {
    BENCH_TIMEOUT,     /* nothing came in time */
    BENCH_REFUSED,     /* nobody listens there */
    BENCH_TURNED_AWAY, /* the server said sorry: it is full, or the like */
    BENCH_CLOSED,      /* the server ended the connection */
    BENCH_RESET,       /* the connection broke */
    BENCH_WRONG,       /* something else came */
    BENCH_OTHER,       /* the system said no: no descriptors, no ports, no route */
    BENCH_CUT_OFF,     /* still on its way when the load was interrupted */
    BENCH_ERRORS
};

enum {
    BENCH_BINS = 400
};

/* Answers and errors over time. The bins become twice as wide whenever the time does not fit any more. */
struct bench_bins {
    uint64_t width_ns;
    uint64_t now_ns; /* the beginning of bin number now: where the last answer was counted */
    unsigned now;
    uint64_t answers[BENCH_BINS], errors[BENCH_BINS];
};

struct bench_tally {
    uint64_t sent, answers, errors[BENCH_ERRORS]; /* sent is the sum of the others when a load is over */
    uint64_t unsent;                              /* due, but there was no connection free to send it on */
    uint64_t connected, conversations;            /* those begun, and those ended as they should */
    uint64_t connection_errors[BENCH_ERRORS];     /* without a request on its way */
    uint64_t late, doubled, strange;              /* datagrams that nobody waited for */
    uint64_t bytes_out, bytes_in;                 /* of requests and answers */
    uint64_t elapsed_ns, cpu_ns;                  /* set when the load is over */
    struct histogram latency, connecting;         /* connecting: until the greeting has come */
    struct bench_bins bins;
};

/* Makes TALLY, all zero bytes, ready to count. */
void bench_tally_init(struct bench_tally *tally);

/* Adds COUNT to a counter that another process may look at meanwhile. */
static inline void bench_tally_count(uint64_t *counter, uint64_t count)
{
    __atomic_store_n(counter, *counter + count, __ATOMIC_RELAXED);
}

/* Reads a counter of another process. */
static inline uint64_t bench_tally_read(const uint64_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* Counts COUNT answers that came AT_NS after the start. Their latencies are the caller's to count. */
void bench_tally_answers(struct bench_tally *tally, uint64_t at_ns, unsigned count);

/* Counts COUNT requests that failed AT_NS after the start. */
void bench_tally_error(struct bench_tally *tally, uint64_t at_ns, enum bench_error error, uint64_t count);

/* Adds FROM to INTO; elapsed_ns becomes the longer one. */
void bench_tally_merge(struct bench_tally *into, const struct bench_tally *from);

/* The sum of COUNTS, one for each error. */
uint64_t bench_tally_errors(const uint64_t counts[BENCH_ERRORS]);

/* The name of ERROR, one word, as it stands in JSON. */
const char *bench_tally_name(enum bench_error error);

/* ERROR in words. */
const char *bench_tally_words(enum bench_error error);

#endif
