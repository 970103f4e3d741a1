/* Framing under any bytes, in any mode, in any pieces: what it finds is what a slow and simple reading finds.
 *
 * Input: one byte for mode and end of file, one for message_size - 1, one that seeds the sizes of the pieces,
 * then the bytes that a client sends. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/framing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    HEADER = 3,
    INPUT_MAX = 4096
};

struct found {
    size_t start, length;
    enum line_ending ending;
};

/* All that was found in an input, and how it ended. */
struct reading {
    struct found found[INPUT_MAX];
    size_t count, consumed;
    bool too_long;
};

/* Not all of it: that is a hundred kilobytes, and most inputs find little. */
static void begin(struct reading *reading)
{
    reading->count = reading->consumed = 0;
    reading->too_long = false;
}

/* The definition of a line, byte by byte. */
static void read_lines_simply(const char *data, size_t length, bool end, size_t message_size,
                              struct reading *reading)
{
    begin(reading);
    for (size_t i = 0; i < length; i++) {
        if (data[i] != '\n')
            continue;
        size_t start = reading->consumed, bytes = i - start;
        enum line_ending ending = ENDING_LF;
        if (bytes > 0 && data[i - 1] == '\r') {
            bytes--;
            ending = ENDING_CRLF;
        }
        if (bytes > message_size) {
            reading->too_long = true;
            return;
        }
        reading->found[reading->count++] = (struct found){start, bytes, ending};
        reading->consumed = i + 1;
    }
    size_t rest = length - reading->consumed;
    bool may_be_cr = !end && rest == message_size + 1 && data[length - 1] == '\r';
    reading->too_long = rest > message_size && !may_be_cr;
    if (end && rest > 0 && !reading->too_long) {
        reading->found[reading->count++] = (struct found){reading->consumed, rest, ENDING_NONE};
        reading->consumed = length;
    }
}

/* framing_next() on a copy of exactly the bytes there are, so that the sanitizer sees a read beyond them. */
static enum framing_result next(struct framing *framing, const char *data, size_t length, bool end,
                                size_t message_size, struct message *message)
{
    char *bytes = malloc(length > 0 ? length : 1);

    assert(bytes != NULL);
    memcpy(bytes, data, length);
    enum framing_result result = framing_next(framing, bytes, length, end, message_size, message);
    assert(result == FRAMING_MORE || message->data == bytes);
    free(bytes);
    return result;
}

/* Whether MESSAGE, found in LENGTH bytes, is what the header promises. */
static bool is_sound(enum framing_result result, enum framing_mode mode, const struct message *message,
                     size_t length, size_t message_size)
{
    bool too_long = message->length > message_size;

    if (message->length > message->consumed || message->consumed > length || message->consumed == 0)
        return false;
    if (too_long != (result == FRAMING_TOO_LONG))
        return false;
    /* Only a line has an ending and may be empty; only a client's last one, if it is not too long, lacks it.
     */
    if (message->ending != ENDING_NONE)
        return mode == FRAMING_LINE;
    return message->length > 0 && !(too_long && mode == FRAMING_LINE);
}

/* Takes all messages from the bytes up to AVAILABLE. Returns false when the conversation is over. */
static bool take(struct framing *framing, const char *data, size_t available, bool end, size_t message_size,
                 struct reading *reading)
{
    for (;;) {
        size_t start = reading->consumed, rest = available - start;
        struct message message;
        enum framing_result result = next(framing, data + start, rest, end, message_size, &message);
        if (result == FRAMING_MORE) {
            assert(end || framing->mode != FRAMING_LINE ? rest == 0 : rest <= message_size + 1);
            return true;
        }
        assert(is_sound(result, framing->mode, &message, rest, message_size));
        reading->too_long = result == FRAMING_TOO_LONG;
        if (reading->too_long)
            return false;
        reading->found[reading->count++] = (struct found){start, message.length, message.ending};
        reading->consumed += message.consumed;
    }
}

static void assert_same(const struct reading *a, const struct reading *b)
{
    assert(a->count == b->count && a->consumed == b->consumed && a->too_long == b->too_long);
    for (size_t i = 0; i < a->count; i++)
        assert(a->found[i].start == b->found[i].start && a->found[i].length == b->found[i].length &&
               a->found[i].ending == b->found[i].ending);
}

static void read_in_pieces(const char *data, size_t length, bool end, size_t message_size, unsigned seed,
                           struct reading *reading)
{
    struct framing framing = {FRAMING_LINE, ENDING_NONE};
    size_t available = 0;

    begin(reading);
    while (available < length) {
        seed = seed * 1103515245 + 12345;
        size_t piece = 1 + (seed >> 16) % (seed >> 24 & 1 ? 3 : message_size + 3);
        available = piece < length - available ? available + piece : length;
        if (!take(&framing, data, available, false, message_size, reading))
            return;
    }
    if (end)
        take(&framing, data, length, true, message_size, reading);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct reading whole, pieces, simple;

    if (size < HEADER || size > INPUT_MAX)
        return 0;
    const char *bytes = (const char *) data + HEADER;
    size_t length = size - HEADER, message_size = (size_t) data[1] + 1;
    bool end = (data[0] & 4) != 0;
    struct framing framing = {data[0] & 3, ENDING_NONE};

    begin(&whole);
    take(&framing, bytes, length, end, message_size, &whole);
    if (framing.mode != FRAMING_LINE) {
        assert(whole.too_long || whole.consumed == length);
        return 0;
    }
    read_lines_simply(bytes, length, end, message_size, &simple);
    assert_same(&whole, &simple);
    read_in_pieces(bytes, length, end, message_size, data[2], &pieces);
    assert_same(&whole, &pieces);
    return 0;
}
