/* What came of a check, in a plugin's output: one line, and more if asked. Must not know how it was found
 * out. */
#ifndef HELLOD_CLIENT_CHECK_REPORT_H
#define HELLOD_CLIENT_CHECK_REPORT_H

#include "client/check_ask.h"
#include "client/check_options.h"

struct check_report {
    const struct check_options *options;
    const struct target *target;
    const struct check_question *question;
    const struct check_ask *ask;
    enum check_state state;
};

/* Writes REPORT to standard output. */
void check_report(const struct check_report *report);

/* Writes the one line for STATE when nobody could be asked, because of WHY. */
void check_report_unasked(enum check_state state, const char *why);

#endif
