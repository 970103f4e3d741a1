/* What is counted: a row for each counter and each histogram, from which the status lines, the metrics and
 * the test of the manual come. It does not know where they are kept, nor who counts. */
#ifndef HELLOD_BASE_COUNTERS_H
#define HELLOD_BASE_COUNTERS_H

#include <stdint.h>

/* Of what there is one of each. */
enum counter_scope {
    SCOPE_SERVICE = 0,
    SCOPE_STREAM = 1,   /* a listener for connections */
    SCOPE_DATAGRAM = 2, /* a listener for datagrams */
    SCOPE_BOTH = SCOPE_STREAM | SCOPE_DATAGRAM
};

/* Families of counters: name, scope, unit ("": none), label that tells its counters apart ("": it has one),
 * help. */
#define COUNTER_FAMILIES(X)                                                                                 \
    X(connections_accepted, SCOPE_STREAM, "", "", "connections accepted and admitted")                      \
    X(connections_refused, SCOPE_STREAM, "", "cause", "connections refused")                                \
    X(connections_closed, SCOPE_STREAM, "", "cause", "connections closed that had been admitted")           \
    X(connections_crossed, SCOPE_STREAM, "", "", "connections whose client said more behind our end of it") \
    X(messages, SCOPE_STREAM, "", "", "messages received on connections")                                   \
    X(answers, SCOPE_STREAM, "", "", "answers given on connections")                                        \
    X(datagrams, SCOPE_DATAGRAM, "", "", "datagrams received")                                              \
    X(datagram_answers, SCOPE_DATAGRAM, "", "", "datagrams answered")                                       \
    X(datagrams_unsent, SCOPE_DATAGRAM, "", "", "datagrams whose answer the kernel did not take")           \
    X(datagrams_dropped, SCOPE_DATAGRAM, "", "rule", "datagrams dropped")                                   \
    X(datagrams_would_drop, SCOPE_DATAGRAM, "", "rule", "datagrams that a dry run would have dropped")      \
    X(received, SCOPE_BOTH, "bytes", "", "bytes received")                                                  \
    X(sent, SCOPE_BOTH, "bytes", "", "bytes sent")                                                          \
    X(accept_pauses, SCOPE_SERVICE, "", "", "times that accepting was paused: no descriptors or no memory") \
    X(handed_on, SCOPE_SERVICE, "", "", "times that a worker left what waits to a sibling")                 \
    X(worker_restarts, SCOPE_SERVICE, "", "", "workers that died and are replaced")                         \
    X(reloads, SCOPE_SERVICE, "", "result", "reloads of the configuration")                                 \
    X(log_lost, SCOPE_SERVICE, "", "", "log lines that could not be written")                               \
    X(sandbox_violations, SCOPE_SERVICE, "", "", "system calls that the sandbox forbids; each ended a worker")

/* Every counter: name, family, value of its label, help. For stream connections that were admitted this holds
 * at any moment of rest, over all blocks: accepted = live + the sum of all closed_*. */
#define COUNTERS(X)                                                                                         \
    X(accepted, connections_accepted, "", "connections accepted and admitted")                              \
    X(refused_full, connections_refused, "full",                                                            \
      "connections refused: the worker had as many as it may have")                                         \
    X(refused_source, connections_refused, "source", "connections refused: too many from one address")      \
    X(refused_prefix, connections_refused, "prefix", "connections refused: too many from one network")      \
    X(refused_penalty, connections_refused, "penalty",                                                      \
      "connections refused: its address has offended too often")                                            \
    X(refused_access, connections_refused, "access", "connections refused: not from an allowed address")    \
    X(refused_descriptors, connections_refused, "descriptors",                                              \
      "connections refused: no descriptors or no memory in the kernel")                                     \
    X(closed_farewell, connections_closed, "farewell", "connections closed: the client said so")            \
    X(closed_end, connections_closed, "end", "connections closed: the client sent end of file")             \
    X(closed_reset, connections_closed, "reset", "connections closed: the client was gone")                 \
    X(closed_too_long, connections_closed, "too_long", "connections closed: a message was too long")        \
    X(closed_idle, connections_closed, "idle", "connections closed: silent for too long")                   \
    X(closed_evicted, connections_closed, "evicted",                                                        \
      "connections closed: silent, and a newcomer needed the place")                                        \
    X(closed_write, connections_closed, "write", "connections closed: the client did not read its answers") \
    X(closed_drain, connections_closed, "drain", "connections closed: the worker was told to go")           \
    X(closed_killed, connections_closed, "killed", "connections lost: their worker died")                   \
    X(crossed, connections_crossed, "", "connections whose client said more while it was told the end")     \
    X(messages, messages, "", "messages received on connections")                                           \
    X(answers, answers, "", "answers given on connections")                                                 \
    X(datagrams, datagrams, "", "datagrams received")                                                       \
    X(datagram_answers, datagram_answers, "", "datagrams answered")                                         \
    X(datagram_unsent, datagrams_unsent, "", "datagrams whose answer the kernel did not take")              \
    X(drop_access, datagrams_dropped, "access", "datagrams dropped: not from an allowed address")           \
    X(drop_oversize, datagrams_dropped, "oversize", "datagrams dropped: longer than message_size")          \
    X(drop_empty, datagrams_dropped, "empty", "datagrams dropped: empty")                                   \
    X(drop_port, datagrams_dropped, "port", "datagrams dropped: source port 0, below 1024 or our own")      \
    X(drop_source, datagrams_dropped, "source", "datagrams dropped: impossible source address")             \
    X(drop_destination, datagrams_dropped, "destination",                                                   \
      "datagrams dropped: sent to a multicast or broadcast address")                                        \
    X(drop_reply, datagrams_dropped, "reply", "datagrams dropped: themselves an answer")                    \
    X(drop_text, datagrams_dropped, "text", "datagrams dropped: not text")                                  \
    X(drop_rate, datagrams_dropped, "rate", "datagrams dropped: over the rate of their address or network") \
    X(drop_budget, datagrams_dropped, "budget", "datagrams dropped: over the budget of answers")            \
    X(would_drop_rate, datagrams_would_drop, "rate",                                                        \
      "datagrams over the rate of their address or network, in a dry run")                                  \
    X(would_drop_budget, datagrams_would_drop, "budget",                                                    \
      "datagrams over the budget of answers, in a dry run")                                                 \
    X(received, received, "", "bytes received, on connections and in datagrams")                            \
    X(sent, sent, "", "bytes sent, on connections and in datagrams")                                        \
    X(accept_pauses, accept_pauses, "",                                                                     \
      "times that accepting was paused: no descriptors or no memory in the kernel")                         \
    X(handed_on, handed_on, "", "times that a worker left what waits to a sibling")                         \
    X(worker_restarts, worker_restarts, "", "workers that died and are replaced")                           \
    X(reloads_ok, reloads, "ok", "reloads that are in force or were")                                       \
    X(reloads_failed, reloads, "failed", "reloads that failed: what was in force stayed")                   \
    X(log_lost, log_lost, "", "log lines that could not be written")                                        \
    X(sandbox_violations, sandbox_violations, "",                                                           \
      "system calls that the sandbox forbids; each ended a worker")

/* Every histogram, in microseconds: name, scope, help. */
#define HISTOGRAMS(X)                                                                                     \
    X(greeting_time, SCOPE_STREAM,                                                                        \
      "from the event that tells of a connection to its greeting, in one pass in 16")                     \
    X(answer_time, SCOPE_BOTH, "from the event that tells of a message to its answer, in one pass in 16") \
    X(loop_lag, SCOPE_SERVICE, "one pass in 16 of a worker's loop: so long may whatever comes have to wait")

#define COUNTER_NAMES(name, ...)   COUNTER_##name,
#define FAMILY_NAMES(name, ...)    FAMILY_##name,
#define HISTOGRAM_NAMES(name, ...) HISTOGRAM_##name,
enum counter {
    COUNTERS(COUNTER_NAMES) COUNTER_COUNT
};
enum family {
    COUNTER_FAMILIES(FAMILY_NAMES) FAMILY_COUNT
};
enum histogram {
    HISTOGRAMS(HISTOGRAM_NAMES) HISTOGRAM_COUNT
};
#undef COUNTER_NAMES
#undef FAMILY_NAMES
#undef HISTOGRAM_NAMES

struct counter_row {
    const char *name, *value, *help;
    enum family family;
};

struct family_row {
    const char *name, *unit, *label, *help;
    enum counter_scope scope;
};

/* Families follow each other in the order of their counters. */
extern const struct counter_row counter_rows[COUNTER_COUNT];
extern const struct family_row family_rows[FAMILY_COUNT];
extern const struct family_row histogram_rows[HISTOGRAM_COUNT];

/* The name of COUNTER, "accepted" and so on. */
static inline const char *counter_name(enum counter counter)
{
    return counter_rows[counter].name;
}

enum {
    BUCKET_BOUNDS = 37,              /* 4 us to a second */
    BUCKET_COUNT = BUCKET_BOUNDS + 1 /* and beyond */
};

/* The highest value in microseconds that goes into bucket I, below BUCKET_BOUNDS: two to an octave. */
static inline uint32_t bucket_bound(unsigned i)
{
    return i % 2 == 0 ? UINT32_C(4) << i / 2 : UINT32_C(6) << i / 2;
}

/* The bucket of a value of US microseconds. */
static inline unsigned bucket_of(uint64_t us)
{
    if (us <= bucket_bound(0))
        return 0;
    unsigned octave = 63 - (unsigned) __builtin_clzll(us - 1);
    unsigned bucket = 2 * (octave - 2) + (unsigned) ((us - 1) >> (octave - 1) & 1) + 1;
    return bucket < BUCKET_BOUNDS ? bucket : BUCKET_BOUNDS;
}

#endif
