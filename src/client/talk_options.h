/* The command line of `helloc [talk]`, which is also the overview of all commands. */
#ifndef HELLOD_CLIENT_TALK_OPTIONS_H
#define HELLOD_CLIENT_TALK_OPTIONS_H

#include <stdbool.h>

#include "client/target.h"

struct talk_options {
    struct target_wish wish;
    const char *message; /* the one name to say; NULL: those that are typed */
    unsigned wait_ms;    /* for the connection, and for each answer */
    bool done;           /* help or the version was asked for and given */
};

/* Reads the ARGC words of ARGV into OPTIONS, which points into them. Returns 0; or -1 after saying what is
 * wrong. */
int talk_options_read(struct talk_options *options, int argc, char **argv);

#endif
