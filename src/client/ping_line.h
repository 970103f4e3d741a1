/* One line on standard output for each thing that happens to a probe, as text or as JSON. */
#ifndef HELLOD_CLIENT_PING_LINE_H
#define HELLOD_CLIENT_PING_LINE_H

#include "client/ping_event.h"

enum {
    PING_SAID_MAX = 160 /* bytes of what a server said that are shown; the rest is "..." */
};

/* Prints the line about EVENT. */
void ping_line_print(const struct ping_style *style, const struct ping_event *event);

/* Prints the LENGTH bytes at TEXT, behind which there is a NUL, as a JSON string: what is no character of
 * UTF-8 becomes U+FFFD. */
void ping_line_json_string(const char *text, size_t length);

/* Prints the time of day, for STYLE with stamp: as "[1700000000.123456] ", or as a member of a JSON object
 * with a comma behind it. */
void ping_line_stamp(const struct ping_style *style);

#endif
