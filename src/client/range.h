/* Threshold ranges, as the Monitoring Plugins guidelines define them: text to numbers, and whether a value
 * calls for an alert. Pure; it must not know what is measured. */
#ifndef HELLOD_CLIENT_RANGE_H
#define HELLOD_CLIENT_RANGE_H

#include <stdbool.h>

/* Numbers from START to END, both included. */
struct range {
    double start; /* perhaps -INFINITY */
    double end;   /* perhaps INFINITY; not below START */
    bool inside;  /* alert for what is in the range, not for what is out of it */
};

/* Parses "[@][START:][END]": a START that is not there is 0, "~" is minus infinity, an END that is not there
 * after a colon is infinity; "@" alerts inside. Numbers are decimal, with a fraction if need be, and without
 * exponent, sign "+" or unit. The process's LC_NUMERIC must be that of the C locale. Returns NULL, or the
 * error in words (a constant), and then RANGE is untouched. */
const char *range_parse(const char *text, struct range *range);

/* True when VALUE, which is a number, calls for an alert. */
bool range_alerts(const struct range *range, double value);

#endif
