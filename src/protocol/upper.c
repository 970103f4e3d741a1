/* Upper, on streams: each chunk comes back with its ASCII letters in upper case.
 *
 * It has no words of its own, and the locale has no say: toupper(3) would change other bytes too. */
#include "protocol/protocol.h"

#include <string.h>

static const struct texts upper_texts = {
    .prompt = {"", 0},
    .prefix = {"", 0},
    .suffix = {"", 0},
    .farewell = {"", 0},
};

enum {
    BLOCK = 16 /* so many at once, compilers turn into a few instructions */
};

static char upper_case(char byte)
{
    return byte >= 'a' && byte <= 'z' ? (char) (byte - 'a' + 'A') : byte;
}

static enum next upper(const struct texts *texts, const char *message, size_t length, char *out,
                       size_t *written)
{
    size_t done = 0;

    (void) texts;
    for (; length - done >= BLOCK; done += BLOCK) {
        char block[BLOCK];
        memcpy(block, message + done, BLOCK);
        for (size_t i = 0; i < BLOCK; i++)
            block[i] = upper_case(block[i]);
        memcpy(out + done, block, BLOCK);
    }
    for (; done < length; done++)
        out[done] = upper_case(message[done]);
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
