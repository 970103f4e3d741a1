/* Lines from a person at a terminal: edited, and remembered from one time to the next. The one module that
 * sees libedit. */
#ifndef HELLOD_CLIENT_EDITOR_H
#define HELLOD_CLIENT_EDITOR_H

#include "client/input.h"

struct editor;

/* Prepares for lines from standard input, which is a terminal, after PROMPT, which outlives the editor. What
 * was remembered is read from helloc/history in $XDG_STATE_HOME. Returns NULL with errno when memory is
 * short. */
struct editor *editor_open(const char *prompt);

/* As input_next(), from the terminal. INPUT_WATCHED: what was typed so far is gone. Lines that are not empty
 * are remembered, the last 500, in a file for the user alone. */
enum input_news editor_next(struct editor *editor, int watched, struct input_line *line);

/* Gives the terminal back as it was, and frees EDITOR, which may be NULL. */
void editor_close(struct editor *editor);

#endif
