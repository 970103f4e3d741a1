/* A status as one JSON object (RFC 8259), for programs. */
#ifndef HELLOD_CTL_JSON_H
#define HELLOD_CTL_JSON_H

#include <stdio.h>

#include "ctl/status.h"

/* Writes STATUS to OUT, on one line that ends with a newline: service and reload as objects, listeners,
 * workers, and the metrics with their values, buckets and sums as arrays of objects, counters as an object of
 * numbers by name; empty where there is none. Members are those of the lines. What is not UTF-8 becomes
 * U+FFFD. */
void json_status(FILE *out, const struct status *status);

#endif
