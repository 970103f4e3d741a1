/* The command line of `check`. Must not know how a service is asked. */
#ifndef HELLOD_CLIENT_CHECK_OPTIONS_H
#define HELLOD_CLIENT_CHECK_OPTIONS_H

#include <stdbool.h>

#include "client/range.h"
#include "client/target.h"
#include "protocol/protocol.h"

enum {
    CHECK_TEMPLATE_MAX = 255 /* bytes of a template: as many as the server takes */
};

/* What a plugin exits with, and what that is called: the Monitoring Plugins guidelines. */
enum check_state {
    CHECK_OK = 0,
    CHECK_WARNING = 1,
    CHECK_CRITICAL = 2,
    CHECK_UNKNOWN = 3
};

struct check_threshold {
    const char *text; /* as given; NULL: none */
    struct range range;
};

struct check_options {
    struct target_wish wish;
    struct check_threshold warning, critical; /* of seconds */
    unsigned timeout_s;
    unsigned verbosity;         /* how often -v was given */
    struct span prefix, suffix; /* of the answer that is wanted, perhaps within .store */
    char store[CHECK_TEMPLATE_MAX + 1];
};

/* Reads the ARGC words of ARGV, of which the first is how the command was called. Returns true when OPTIONS
 * are complete; they point into ARGV and into themselves. Else the help or the version has been printed, or
 * what is wrong: all to standard output, since monitoring systems read nothing else, and the guidelines want
 * CHECK_UNKNOWN for each. */
bool check_options_read(int argc, char **argv, struct check_options *options);

/* Says on one line that the command line is wrong, WHY, and how it should look. */
void check_options_wrong(const char *why);

#endif
