/* A status as metrics, for a monitoring system. */
#ifndef HELLOD_CTL_METRICS_H
#define HELLOD_CTL_METRICS_H

#include <stdio.h>

#include "ctl/exposition.h"
#include "ctl/status.h"

/* Writes STATUS to OUT in FORM: the service, its last reload, listeners and workers by a table that is here,
 * and all that the service itself has told name, kind, unit and help of. */
void metrics_print(FILE *out, const struct status *status, enum exposition_form form);

#endif
