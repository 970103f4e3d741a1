/* The look at the text of a config before libconfig gets it.
 *
 * Private to config*.c. It knows libconfig's tokens, and neither options nor libconfig itself. */
#ifndef HELLOD_BASE_CONFIG_SCAN_H
#define HELLOD_BASE_CONFIG_SCAN_H

#include <stddef.h>

enum {
    SCAN_DEPTH_MAX = 16 /* groups, lists and arrays inside each other; ours need three */
};

/* Makes the LENGTH bytes at TEXT, which text_copy() has ended, safe for libconfig, or says why they are not:
 * returns NULL, or a sentence without newline, and then sets *LINE. Refuses NUL bytes, @include, nesting
 * deeper than SCAN_DEPTH_MAX, strings and comments that are never closed, and strings in places where
 * libconfig would leak them. Numbers that do not fit an int, which libconfig 1.5 wraps silently, are replaced
 * in place by INT_MAX. */
const char *scan_check(char *text, size_t length, unsigned *line);

/* The line on which element INDEX (from 0) of the list or array called NAME begins, whose name stands on LINE
 * of the checked TEXT. libconfig itself says where the token after the element stands. LINE if there is no
 * such element. */
unsigned scan_element_line(const char *text, unsigned line, const char *name, unsigned index);

#endif
