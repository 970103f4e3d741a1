/* Hello, on datagrams: each one is answered with its own bytes and a greeting around them.
 *
 * Whether a datagram may be answered at all is the guard's question, not this one's: without the guard, two
 * such services would answer each other for ever. */
#include "protocol/answer.h"

static const struct texts hello_texts = {
    .prompt = {"", 0},
    .prefix = {"Hello, ", 7},
    .suffix = {"!", 1},
    .farewell = {"", 0},
};

static enum next hello(const struct texts *texts, const char *message, size_t length, char *out,
                       size_t *written)
{
    *written = answer_write(texts, message, length, out);
    return NEXT_CONTINUE;
}

const struct protocol protocol_hello = {
    .name = "hello",
    .serves = PROTOCOL_ON_DATAGRAM,
    .defaults = &hello_texts,
    .message = hello,
};
