/* The text of a config in memory, and text that is shown to a person.
 *
 * Private to config*.c. It knows neither options nor libconfig. */
#ifndef HELLOD_BASE_CONFIG_TEXT_H
#define HELLOD_BASE_CONFIG_TEXT_H

#include <stddef.h>
#include <stdio.h>

/* A copy of the LENGTH bytes at TEXT, ended by a newline and a NUL as the rest of this file wants it; LENGTH
 * does not count them. The caller frees it. NULL when memory is short. */
char *text_copy(const char *text, size_t length);

/* Reads the file at PATH, at most CONFIG_FILE_MAX bytes, into memory that the caller frees; ended as by
 * text_copy(), *LENGTH does not count that. NULL with errno on errors, EISDIR for a folder, EFBIG for a file
 * too large. */
char *text_read(const char *path, size_t *length);

/* A text that is kept, and those kept before it. */
struct text_kept {
    struct text_kept *next;
    char text[];
};

/* Puts a copy of TEXT at the head of LIST, which owns it, and returns the copy; NULL when memory is short. */
const char *text_keep(struct text_kept **list, const char *text);

/* Frees all of LIST, which may be NULL. */
void text_forget(struct text_kept *list);

/* Writes TEXT to OUT with control bytes as \xNN, so that it stays one line and leaves a terminal alone. */
void text_show(FILE *out, const char *text);

/* Writes TEXT to OUT as a string of libconfig, in quotes, on one line. Returns the bytes written. */
int text_quote(FILE *out, const char *text);

#endif
