/* What comes of listening to a server, whatever carries its words. */
#ifndef HELLOD_CLIENT_HEARD_H
#define HELLOD_CLIENT_HEARD_H

#include <stddef.h>

enum heard_kind {
    HEARD_WORDS,   /* something was said */
    HEARD_NOTHING, /* not in time; on a stream, the words are what came of it */
    HEARD_END,     /* the other side has closed or broken off; the words are what came before */
    HEARD_FLOOD,   /* more than HEARD_MAX bytes without an end; the words are as many of them */
    HEARD_NOBODY   /* there is no other side; errno of each address is known */
};

enum {
    HEARD_MAX = 131072 /* bytes of words: any name that can be said, with many words around it */
};

struct heard {
    char *words; /* the listener's, until it listens again; a NUL follows them */
    size_t length;
    int error; /* HEARD_END: errno of what broke it off, 0 when it was closed */
};

/* Makes the words the LENGTH bytes at TEXT but for a line ending, LF or CR LF; there is room for a NUL. */
static inline void heard_set(struct heard *heard, char *text, size_t length)
{
    if (length > 0 && text[length - 1] == '\n') {
        length--;
        if (length > 0 && text[length - 1] == '\r')
            length--;
    }
    text[length] = '\0';
    heard->words = text;
    heard->length = length;
}

#endif
