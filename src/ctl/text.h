/* A status as text for a person with a terminal of 80 columns: how the service is first, then how much, then
 * what went wrong for its clients, then the last reload. */
#ifndef HELLOD_CTL_TEXT_H
#define HELLOD_CTL_TEXT_H

#include <stdio.h>

#include "ctl/status.h"

/* Writes STATUS to OUT; nothing in it can do harm to a terminal. */
void text_status(FILE *out, const struct status *status);

/* Writes the line about the service's health to OUT. */
void text_health(FILE *out, const struct status *status);

/* Writes the line about the last reload to OUT. */
void text_reload(FILE *out, const struct status *status);

#endif
