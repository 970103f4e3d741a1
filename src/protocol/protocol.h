/* What a protocol is, and the table of those we have.
 *
 * A protocol is one file of pure functions (bytes in, bytes out, what to do next), its line below, and one
 * row in the table in protocol.c. It sees no socket, no clock and no log, so that it can be tested and fuzzed
 * as plain functions. */
#ifndef HELLOD_PROTOCOL_PROTOCOL_H
#define HELLOD_PROTOCOL_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>

#include "protocol/framing.h"

/* A run of bytes that somebody else owns. */
struct span {
    const char *data;
    size_t length;
};

/* What a listener's operator may choose of the words on the wire. The bytes outlive every use. */
struct texts {
    struct span prompt;   /* said first, and on an empty line */
    struct span prefix;   /* the answer before the name */
    struct span suffix;   /* the answer after it */
    struct span farewell; /* the message that ends the conversation; when empty, none does */
};

/* What is to be done after a message. */
enum next {
    NEXT_CONTINUE, /* what was written is the answer; go on */
    NEXT_CLOSE     /* no answer; close */
};

enum {
    PROTOCOL_ON_STREAM = 1,  /* may serve stream and seqpacket sockets */
    PROTOCOL_ON_DATAGRAM = 2 /* may serve datagram sockets */
};

struct protocol {
    const char *name;
    unsigned serves;              /* PROTOCOL_ON_* */
    bool chunks_only;             /* framing is always "chunk", the config cannot choose */
    const struct texts *defaults; /* the built-in words */
    /* Writes what the server says first to OUT, which has room for texts->prompt.length bytes; returns the
     * length. NULL when the client speaks first. */
    size_t (*open)(const struct texts *texts, char *out);
    /* Answers MESSAGE of LENGTH bytes (never more than the listener's message_size) into OUT, which has room
     * for protocol_answer_max() bytes and does not overlap MESSAGE. Sets *WRITTEN. */
    enum next (*message)(const struct texts *texts, const char *message, size_t length, char *out,
                         size_t *written);
};

/* The protocols, each defined in the file of its name. Whoever serves them asks protocol_find(). */
extern const struct protocol protocol_greeting, protocol_hello, protocol_upper;

/* The protocol of that name, or NULL. */
const struct protocol *protocol_find(const char *name);

/* The names of all protocols, NULL-terminated, for error messages. */
const char *const *protocol_names(void);

/* The largest answer that any protocol gives with TEXTS to a message of at most MESSAGE_SIZE bytes, line
 * ending not counted. */
size_t protocol_answer_max(const struct texts *texts, size_t message_size);

/* Splits an answer template into the bytes before and after the name. "%s" is the place of the name and must
 * stand there exactly once, "%%" is a percent sign, any other "%" is an error. The unescaped bytes go to
 * STORE, which has room for strlen(TEMPLATE) bytes and must outlive PREFIX and SUFFIX. Returns NULL, or the
 * error in words (a constant; it has percent signs, so it is no printf(3) format), and then PREFIX and SUFFIX
 * are untouched. */
const char *template_parse(const char *template, char *store, struct span *prefix, struct span *suffix);

/* What the server says when it must end a conversation; exact bytes, no newline. "%zu" in too long:
 * message_size. */
#define SENTENCE_FULL     "Sorry, the server is full."
#define SENTENCE_SOURCE   "Sorry, too many connections from your address."
#define SENTENCE_IDLE     "Sorry, you have been silent for too long."
#define SENTENCE_TOO_LONG "Sorry, a name has at most %zu bytes."

#endif
