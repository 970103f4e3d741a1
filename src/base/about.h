/* What this program is: its version, how it was built, which libraries it has, and what the kernel under it
 * offers. For people and reports of errors; knows nothing of what is made of it. */
#ifndef HELLOD_BASE_ABOUT_H
#define HELLOD_BASE_ABOUT_H

#include <stdio.h>

/* Writes all that to OUT, in lines of which the first is the program's NAME and the version. */
void about_print(FILE *out, const char *name);

#endif
