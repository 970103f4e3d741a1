/* A status as text for a person with a terminal of 80 columns: how the service is first, then how much, then
 * what went wrong for its clients, then the last reload. */
#ifndef HELLOD_CTL_TEXT_H
#define HELLOD_CTL_TEXT_H

#include <stdio.h>

#include "ctl/status.h"

enum text_part { /* from top to bottom */
    TEXT_HEAD,
    TEXT_LISTENERS,
    TEXT_WORKERS,
    TEXT_REFUSALS,
    TEXT_RELOAD,
    TEXT_PARTS
};

/* Writes whole lines about that PART of STATUS to OUT; nothing in it can do harm to a terminal. */
void text_part(FILE *out, const struct status *status, enum text_part part);

/* Writes all parts of STATUS to OUT. */
void text_status(FILE *out, const struct status *status);

/* Writes the line about the service's health to OUT. */
void text_health(FILE *out, const struct status *status);

/* Writes the line about the last reload to OUT. */
void text_reload(FILE *out, const struct status *status);

#endif
