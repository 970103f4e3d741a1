/* The lines of "status" that metrics are made of: for each family a line that says what it is, then a line
 * for each of its series. Must not know who reads them. */
#ifndef HELLOD_MASTER_SERIES_H
#define HELLOD_MASTER_SERIES_H

#include <stdint.h>
#include <stdio.h>

#include "base/scoreboard.h"

/* Writes the line about the family NAME of KIND ("counter", "gauge", "histogram") in UNIT (""; "bytes", "ms",
 * "us") with its HELP to OUT. */
void series_family(const char *name, const char *kind, const char *unit, const char *help, FILE *out);

/* Writes the line of a family that has one series, whose VALUE this is. */
void series_value(const char *name, uint64_t value, FILE *out);

/* Writes the fields of a line that say which listener it is about. */
void series_listener(const char *name, const char *protocol, const char *type, FILE *out);

/* The word for a listener whose sockets are of TYPE (SOCK_STREAM and so on). */
const char *series_type(int type);

/* Writes all that SCOREBOARD has counted to OUT. */
void series_write(const struct scoreboard *scoreboard, FILE *out);

#endif
