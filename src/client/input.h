/* Lines from standard input: from a person at a terminal, or from a pipe or file. */
#ifndef HELLOD_CLIENT_INPUT_H
#define HELLOD_CLIENT_INPUT_H

#include <stddef.h>

enum {
    INPUT_MAX = 65535 /* bytes of a line without its ending */
};

enum input_news {
    INPUT_LINE,    /* a line came */
    INPUT_WATCHED, /* the watched descriptor has something to read */
    INPUT_END,     /* there is no more */
    INPUT_FAILED,  /* errno says why */
    INPUT_TOO_LONG /* a line has more than INPUT_MAX bytes */
};

/* A line as it came, without LF or CRLF; the input's until the next call. */
struct input_line {
    const char *text;
    size_t length;
};

/* Standard input as it comes in; zero at the beginning. */
struct input {
    size_t used;                /* bytes in the buffer */
    size_t taken;               /* of these belong to the line that was given out last */
    char buffer[INPUT_MAX + 2]; /* a line with CR and LF */
};

/* Waits for the next line of standard input, or until WATCHED (-1: none) can be read. For input that is no
 * terminal; what comes after the end of the last line counts as one. */
enum input_news input_next(struct input *input, int watched, struct input_line *line);

#endif
