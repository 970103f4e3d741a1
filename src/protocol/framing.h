/* Framing: where a message begins and ends in the bytes of a connection.
 *
 * Pure and without memory of its own: the caller keeps the bytes, this says what they are. It must not know
 * what a message means. */
#ifndef HELLOD_PROTOCOL_FRAMING_H
#define HELLOD_PROTOCOL_FRAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum framing_mode {
    FRAMING_AUTO,  /* chunks until the first newline arrives, that chunk included; lines from then on */
    FRAMING_CHUNK, /* what one receive returned, cut every message_size bytes */
    FRAMING_LINE,  /* lines; one CR before the LF is not part of the line */
    FRAMING_PACKET /* what one receive returned is one message, whole */
};

enum line_ending {
    ENDING_NONE,
    ENDING_LF,
    ENDING_CRLF
};

/* What is remembered between calls; two bytes, so that a connection can afford it. */
struct framing {
    uint8_t mode;   /* enum framing_mode; AUTO turns into LINE */
    uint8_t ending; /* enum line_ending: what the client used last, ENDING_NONE before its first line */
};

enum framing_result {
    FRAMING_MESSAGE, /* the message is set */
    FRAMING_MORE,    /* the rest, if any, begins a message: keep it, at most message_size + 1 bytes */
    FRAMING_TOO_LONG /* a message longer than message_size; message->ending says how to end the sentence
                        (never NONE in line mode). The conversation cannot go on. */
};

struct message {
    const char *data; /* into the caller's bytes */
    size_t length;
    size_t consumed; /* bytes of input to skip: the message and its line ending */
    enum line_ending ending;
};

/* The whole of framing_next() without its shortcut; for framing_next() alone. */
enum framing_result framing_next_any(struct framing *framing, const char *data, size_t length, bool end,
                                     size_t message_size, struct message *message);

/* Sets MESSAGE to the line from DATA to NEWLINE and remembers its ending; for framing alone. */
static inline void framing_cut_line(struct framing *framing, const char *data, const char *newline,
                                    struct message *message)
{
    size_t bytes = (size_t) (newline - data);
    bool cr = bytes > 0 && newline[-1] == '\r';

    message->data = data;
    message->length = bytes - cr;
    message->consumed = bytes + 1;
    message->ending = cr ? ENDING_CRLF : ENDING_LF;
    framing->ending = (uint8_t) message->ending;
}

/* Finds the next message in the LENGTH bytes at DATA. END says that the peer will send no more: in line mode
 * the rest then counts as a message, without ending, and a CR at its end is part of it, because no LF
 * follows. An empty line is a message of length 0; no other message is empty. Never reads beyond LENGTH and
 * never returns FRAMING_MESSAGE with consumed 0, so that a loop over it ends. In mode AUTO, DATA must hold
 * all that the receive returned and nothing older. MESSAGE is set for FRAMING_MESSAGE and FRAMING_TOO_LONG;
 * for the latter it is the part of the message that is there. */
static inline enum framing_result framing_next(struct framing *framing, const char *data, size_t length,
                                               bool end, size_t message_size, struct message *message)
{
    /* The shortcut is for pipelined lines: a newline within this reach ends a line that is not too long. */
    if (framing->mode == FRAMING_LINE) {
        size_t reach = length <= message_size ? length : message_size + 1;
        const char *newline = (const char *) memchr(data, '\n', reach);

        if (newline != NULL) {
            framing_cut_line(framing, data, newline, message);
            return FRAMING_MESSAGE;
        }
    }
    return framing_next_any(framing, data, length, end, message_size, message);
}

/* Appends ENDING to OUT (room for 2 bytes); returns the bytes written: 0, 1 or 2. */
static inline size_t framing_end(enum line_ending ending, char *out)
{
    if (ending == ENDING_NONE)
        return 0;
    if (ending == ENDING_LF) {
        out[0] = '\n';
        return 1;
    }
    out[0] = '\r';
    out[1] = '\n';
    return 2;
}

#endif
