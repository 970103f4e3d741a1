/* Upper, on streams: each chunk comes back with its ASCII letters in upper case.
 *
 * It has no words of its own, and the locale has no say: toupper(3) would change other bytes too. */
#include "protocol/protocol.h"

static const struct texts upper_texts = {
    .prompt = {"", 0},
    .prefix = {"", 0},
    .suffix = {"", 0},
    .farewell = {"", 0},
};

static enum next upper(const struct texts *texts, const char *message, size_t length, char *out,
                       size_t *written)
{
    (void) texts;
    for (size_t i = 0; i < length; i++) {
        char byte = message[i];
        out[i] = byte >= 'a' && byte <= 'z' ? (char) (byte - 'a' + 'A') : byte;
    }
    *written = length;
    return NEXT_CONTINUE;
}

const struct protocol protocol_upper = {
    .name = "upper",
    .serves = PROTOCOL_ON_STREAM,
    .chunks_only = true,
    .defaults = &upper_texts,
    .message = upper,
};
