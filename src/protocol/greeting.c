/* Greeting, on streams: the server asks for a name, and each message is answered with it until the farewell
 * comes.
 *
 * What a message is was settled by framing; here is only what to say to it. */
#include "protocol/answer.h"

static const struct texts greeting_texts = {
    .prompt = {"What's your name?", 17},
    .prefix = {"Hello, ", 7},
    .suffix = {"!", 1},
    .farewell = {"disconnect", 10},
};

static size_t ask(const struct texts *texts, char *out)
{
    return (size_t) (answer_append(out, texts->prompt.data, texts->prompt.length) - out);
}

static enum next greet(const struct texts *texts, const char *message, size_t length, char *out,
                       size_t *written)
{
    /* Before the farewell, which may be empty: an empty line must not end the conversation by accident. */
    if (length == 0) {
        *written = ask(texts, out);
        return NEXT_CONTINUE;
    }
    if (length == texts->farewell.length && memcmp(message, texts->farewell.data, length) == 0) {
        *written = 0;
        return NEXT_CLOSE;
    }
    *written = answer_write(texts, message, length, out);
    return NEXT_CONTINUE;
}

const struct protocol protocol_greeting = {
    .name = "greeting",
    .serves = PROTOCOL_ON_STREAM,
    .defaults = &greeting_texts,
    .open = ask,
    .message = greet,
};
