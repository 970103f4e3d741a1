/* One HTTP request on standard input, and its answer on standard output: for a service manager that starts a
 * program for each connection, as systemd.socket(5) does with Accept=yes, and inetd did. Knows nothing of
 * what the page says. */
#ifndef HELLOD_CTL_SERVE_H
#define HELLOD_CTL_SERVE_H

#include <stdbool.h>
#include <stdio.h>

/* Writes the page to OUT, in OpenMetrics or as plain text. Returns its Content-Type; NULL: it cannot be had,
 * and standard error says why. */
typedef const char *serve_page(FILE *out, bool openmetrics, void *userdata);

/* Serves PAGE at PATH, once: takes at most 5 seconds for the request to come, 5 for the answer to go, and 1
 * for the end, besides what PAGE takes. A request that is wrong is answered, one whose client has gone is
 * not. */
void serve_once(const char *path, serve_page *page, void *userdata);

#endif
