/* What the command line of `helloc bench` asks for. */
#ifndef HELLOD_CLIENT_BENCH_OPTIONS_H
#define HELLOD_CLIENT_BENCH_OPTIONS_H

#include <stdbool.h>

#include "client/bench_plan.h"
#include "client/target.h"

struct bench_options {
    struct target_wish wish;
    struct bench_plan plan; /* all but the target's address */
    unsigned allowed;       /* how often --public was said */
    bool json, quiet;
    const char *plot; /* a file's name, NULL: none */
};

enum bench_options_result {
    BENCH_OPTIONS_GO,
    BENCH_OPTIONS_DONE, /* help was asked for, and given */
    BENCH_OPTIONS_WRONG /* and why was said */
};

/* Reads the ARGC words of ARGV, the first of which is the command's name, into OPTIONS, which points into
 * them. */
enum bench_options_result bench_options_read(struct bench_options *options, int argc, char **argv);

#endif
