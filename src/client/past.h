/* The file in which lines are remembered. Must not know what wrote them. */
#ifndef HELLOD_CLIENT_PAST_H
#define HELLOD_CLIENT_PAST_H

#include <stdio.h>

/* The path of the history: helloc/history in $XDG_STATE_HOME or, when that is not set to an absolute path, in
 * ~/.local/state (XDG Base Directory Specification). Makes the folders that are missing, for the user alone.
 * The caller frees it; NULL: there is no place for it. */
char *past_path(void);

/* Puts what WRITE writes in place of the file at PATH, whole or not at all, readable by the user alone. A
 * failure is not told: lines that are not remembered hurt nobody. */
void past_replace(const char *path, void (*write)(FILE *out, void *owner), void *owner);

#endif
