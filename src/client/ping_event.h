/* What can happen to a probe, as it is to be shown. Types alone. */
#ifndef HELLOD_CLIENT_PING_EVENT_H
#define HELLOD_CLIENT_PING_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How the time of a probe was spent; a datagram's is total alone. */
struct ping_times {
    uint64_t connect_ns;  /* until the connection stood */
    uint64_t greeting_ns; /* from then until the first word came; 0 if there was no greeting */
    uint64_t answer_ns;   /* from then until the whole answer was there */
    uint64_t total_ns;
    bool greeted; /* there was a greeting */
};

/* What a server said. */
struct ping_said {
    const char *text; /* a NUL stands behind it */
    size_t length;
};

enum ping_what {
    PING_ANSWERED, /* in time */
    PING_LATE,
    PING_DOUBLED,
    PING_LOST,
    PING_ALTERED, /* an answer with our name in it, but not the answer */
    PING_FOREIGN  /* nothing of ours in it */
};

/* Something to be shown. */
struct ping_event {
    enum ping_what what;
    const char *transport;
    uint32_t seq;            /* 0: it cannot be told */
    bool is_stream;          /* times has more than the total */
    bool reordered;          /* answered in time, but after a later probe */
    struct ping_times times; /* for ANSWERED, LATE and DOUBLED */
    const char *why;         /* for LOST: in a few words */
    struct ping_said said;   /* for LOST, ALTERED and FOREIGN; text is NULL: nothing */
};

/* How events are shown. */
struct ping_style {
    bool json;
    bool quiet; /* only the summary */
    bool stamp; /* with the time of day */
};

#endif
