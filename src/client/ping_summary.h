/* The end of a ping: what was lost, how long the answers took, and a picture of that, as text or as JSON. */
#ifndef HELLOD_CLIENT_PING_SUMMARY_H
#define HELLOD_CLIENT_PING_SUMMARY_H

#include "client/ping_side.h"

enum {
    PING_SIDES_MAX = 2
};

struct ping_summary {
    const char *name;    /* of the target, fit for a terminal */
    const char *address; /* the same */
    uint64_t took_ns;
    const struct ping_side *sides; /* COUNT of them */
    unsigned count;
    unsigned columns; /* of the terminal */
};

/* Prints SUMMARY to standard output. */
void ping_summary_print(const struct ping_style *style, const struct ping_summary *summary);

#endif
