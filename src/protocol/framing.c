/* Framing: the part that framing_next() in the header does not settle at once.
 *
 * It must not know what a message means, nor keep bytes from one call to the next. */
#include "protocol/framing.h"

#include <assert.h>

static enum framing_result whole(const char *data, size_t length, struct message *message)
{
    *message = (struct message){.data = data, .length = length, .consumed = length, .ending = ENDING_NONE};
    return FRAMING_MESSAGE;
}

static enum framing_result packet(const char *data, size_t length, size_t message_size,
                                  struct message *message)
{
    whole(data, length, message);
    return length > message_size ? FRAMING_TOO_LONG : FRAMING_MESSAGE;
}

static enum framing_result chunk(const char *data, size_t length, size_t message_size,
                                 struct message *message)
{
    return whole(data, length < message_size ? length : message_size, message);
}

/* The bytes have no newline: a line that goes on, the last one of a client that ended, or one too long. */
static enum framing_result unfinished_line(const struct framing *framing, const char *data, size_t length,
                                           bool end, size_t message_size, struct message *message)
{
    if (end && length <= message_size)
        return whole(data, length, message);
    /* One byte too many may still be the CR of the ending. */
    bool cr = length == message_size + 1 && data[length - 1] == '\r';
    if (!end && (length <= message_size || cr))
        return FRAMING_MORE;
    whole(data, length, message);
    message->ending = framing->ending == ENDING_CRLF ? ENDING_CRLF : ENDING_LF;
    return FRAMING_TOO_LONG;
}

static enum framing_result line(struct framing *framing, const char *data, size_t length, bool end,
                                size_t message_size, struct message *message)
{
    /* All bytes are searched, also those beyond message_size: the end of a line that is too long tells how to
     * end the sentence about it, and this happens at most once on a connection. */
    const char *newline = memchr(data, '\n', length);
    if (newline == NULL)
        return unfinished_line(framing, data, length, end, message_size, message);
    framing_cut_line(framing, data, newline, message);
    return message->length > message_size ? FRAMING_TOO_LONG : FRAMING_MESSAGE;
}

enum framing_result framing_next_any(struct framing *framing, const char *data, size_t length, bool end,
                                     size_t message_size, struct message *message)
{
    if (length == 0)
        return FRAMING_MORE;
    switch ((enum framing_mode) framing->mode) {
    case FRAMING_PACKET:
        return packet(data, length, message_size, message);
    case FRAMING_AUTO:
        if (memchr(data, '\n', length) == NULL)
            return chunk(data, length, message_size, message);
        framing->mode = FRAMING_LINE;
        return line(framing, data, length, end, message_size, message);
    case FRAMING_CHUNK:
        return chunk(data, length, message_size, message);
    case FRAMING_LINE:
        return line(framing, data, length, end, message_size, message);
    }
    assert(false);
    return FRAMING_MORE;
}
