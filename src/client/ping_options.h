/* The command line of `helloc ping`. */
#ifndef HELLOD_CLIENT_PING_OPTIONS_H
#define HELLOD_CLIENT_PING_OPTIONS_H

#include "client/ping_event.h"
#include "client/target.h"

/* What `helloc ping` exits with, as ping(8) does. */
enum ping_exit {
    PING_EXIT_ANSWERED = 0,
    PING_EXIT_NONE = 1,   /* no answer came */
    PING_EXIT_TROUBLE = 2 /* usage, a name without address, or this system's fault */
};

struct ping_options {
    struct target_wish wish;
    bool both;
    uint32_t count; /* of probes; UINT32_MAX: as many as have a number */
    uint64_t interval_ns;
    uint64_t timeout_ns;
    const char *template; /* of the answer */
    struct ping_style style;
};

/* Reads the ARGC words of ARGV into OPTIONS. Returns true to go on; else *CODE is what to exit with, and all
 * has been said. */
bool ping_options_read(struct ping_options *options, int argc, char **argv, enum ping_exit *code);

#endif
