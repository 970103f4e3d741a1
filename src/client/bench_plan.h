/* What a load is made of: where to, how much, how fast. Filled in from the options, read by all of bench.
 *
 * Also the names that are sent, which are made of a number each, so that what must come back need not be
 * kept. */
#ifndef HELLOD_CLIENT_BENCH_PLAN_H
#define HELLOD_CLIENT_BENCH_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/bench_words.h"
#include "client/target.h"

enum {
    BENCH_CONNECTIONS_MAX = 60000,
    BENCH_PROCESSES_MAX = 64,
    BENCH_DEPTH_MAX = 1024,
    BENCH_SIZE_MAX = 60000, /* what one datagram takes, with the answer's words around it */
    BENCH_TAG_SIZE = 12,    /* a datagram's name begins with its number, in so many hexadecimal digits */
    BENCH_ANSWER_EXTRA_MAX = BENCH_WORDS_MAX /* what stands around the name, the line ending included */
};

struct bench_plan {
    const struct target *target;     /* whose lifetime is the caller's */
    unsigned address;                /* the target's address that gets the load */
    int type;                        /* SOCK_STREAM, SOCK_SEQPACKET or SOCK_DGRAM */
    struct bench_words words;        /* of the service */
    unsigned connections, processes; /* processes <= connections */
    unsigned depth;                  /* requests on their way at once on a connection */
    unsigned messages;               /* in a conversation; 0: it never ends */
    unsigned smallest, largest;      /* bytes of a name, at least BENCH_TAG_SIZE for datagrams */
    double rate;                     /* requests a second in all; 0: as fast as answers come */
    uint64_t count;                  /* requests in all, UINT64_MAX: until the time is over */
    uint64_t duration_ns;            /* UINT64_MAX: until the count is reached */
    uint64_t timeout_ns;             /* how long to wait for an answer or a connection */
};

/* The part of PLAN that process INDEX (from 0) has to do; the parts add up to the whole. */
struct bench_plan bench_plan_share(const struct bench_plan *plan, unsigned index);

/* Writes the name of NUMBER (48 bits count) to OUT, which has room for plan->largest bytes, and returns its
 * length: the number, then letters. Sizes vary with the number. */
size_t bench_plan_name(const struct bench_plan *plan, uint64_t number, char *out);

/* Writes what must come back for NUMBER to OUT, which has room for plan->largest + BENCH_ANSWER_EXTRA_MAX
 * bytes, and returns its length; TEXTS are the service's words. */
size_t bench_plan_answer(const struct bench_plan *plan, const struct texts *texts, uint64_t number,
                         char *out);

/* The number that the BENCH_TAG_SIZE characters at TEXT begin a name with; false when it is none. */
bool bench_plan_number(const char *text, uint64_t *number);

#endif
