/* What a server says, shown to a person. */
#ifndef HELLOD_CLIENT_SHOW_H
#define HELLOD_CLIENT_SHOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Writes the LENGTH bytes at TEXT, behind which there is a NUL, to OUT as quote_show() does: valid UTF-8
 * without control characters, all else as \xNN. */
void show(FILE *out, const char *text, size_t length);

/* Whether the LENGTH bytes at TEXT, without line ending, are a sentence with which hellod refuses service:
 * full, too many from one source, silent for too long, a name too long. */
bool show_is_refusal(const char *text, size_t length);

#endif
