/* A status as text for a screen that may be too small for it. */
#ifndef HELLOD_CTL_FIT_H
#define HELLOD_CTL_FIT_H

#include <stdio.h>

#include "ctl/status.h"

/* Writes STATUS to OUT as text_status() does, in at most ROWS rows of COLUMNS characters: workers are left
 * out first, then listeners, and reasons of refusals last, and a line says how many lines that were. Of each
 * of these three there are some rows in any case. */
void fit_status(FILE *out, const struct status *status, unsigned rows, unsigned columns);

#endif
