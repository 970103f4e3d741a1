/* A whole conversation: any bytes through framing and greeting into an output of exactly the room that is
 * promised, compared with what a slow and simple reading of the protocol would say.
 *
 * Input: one byte for framing and words, one for message_size - 1, one for the size of the receives, then the
 * bytes that a client sends. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    HEADER = 3,
    INPUT_MAX = 4096,
    WORDS_MAX = 64, /* bytes in a prompt or around a name, and some to spare */
    OUTPUT_MAX = INPUT_MAX * WORDS_MAX
};

struct conversation {
    char out[OUTPUT_MAX];
    size_t length;
    bool over;
};

static const struct texts own_words[] = {
    {{"", 0}, {"", 0}, {"", 0}, {"", 0}},
    {{"Who?", 4}, {"", 0}, {"\r\n", 2}, {"a", 1}},
    {{"A prompt that is longer than most names are", 43},
     {"Good morning to you, dear ", 26},
     {"", 0},
     {"bye", 3}},
};

static void say(struct conversation *conversation, const char *data, size_t length)
{
    assert(conversation->length + length <= sizeof conversation->out);
    memcpy(conversation->out + conversation->length, data, length);
    conversation->length += length;
}

/* What the protocol's description says in answer to one message. */
static void answer_simply(struct conversation *conversation, const struct texts *texts, const char *message,
                          size_t length, enum line_ending ending)
{
    static const struct span endings[] = {{"", 0}, {"\n", 1}, {"\r\n", 2}};
    struct span farewell = texts->farewell;

    if (length > 0 && length == farewell.length && strncmp(message, farewell.data, length) == 0) {
        conversation->over = true;
        return;
    }
    if (length == 0) {
        say(conversation, texts->prompt.data, texts->prompt.length);
    } else {
        say(conversation, texts->prefix.data, texts->prefix.length);
        say(conversation, message, length);
        say(conversation, texts->suffix.data, texts->suffix.length);
    }
    say(conversation, endings[ending].data, endings[ending].length);
}

static void answer(struct conversation *conversation, const struct protocol *protocol,
                   const struct texts *texts, const struct message *message, size_t message_size)
{
    size_t room = protocol_answer_max(texts, message_size), written = SIZE_MAX;
    char *out = malloc(room + 2), *copy = malloc(message->length > 0 ? message->length : 1);

    assert(out != NULL && copy != NULL);
    memcpy(copy, message->data, message->length);
    enum next next = protocol->message(texts, copy, message->length, out, &written);
    assert(written <= room);
    assert(next == NEXT_CONTINUE || next == NEXT_CLOSE);
    conversation->over = next == NEXT_CLOSE;
    if (!conversation->over)
        written += framing_end(message->ending, out + written);
    say(conversation, out, written);
    free(out);
    free(copy);
}

/* One receive: DATA up to AVAILABLE is there, *DONE of it is dealt with. */
static void receive(struct conversation *talk, struct conversation *simple, const struct texts *texts,
                    struct framing *framing, const char *data, size_t available, bool end,
                    size_t message_size, size_t *done)
{
    struct message message;

    while (!talk->over) {
        enum framing_result result =
            framing_next(framing, data + *done, available - *done, end, message_size, &message);
        if (result == FRAMING_TOO_LONG)
            talk->over = simple->over = true;
        if (result != FRAMING_MESSAGE)
            return;
        answer(talk, &protocol_greeting, texts, &message, message_size);
        answer_simply(simple, texts, message.data, message.length, message.ending);
        assert(talk->over == simple->over);
        *done += message.consumed;
        assert(*done <= available);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct conversation talk, simple;

    if (size < HEADER || size > INPUT_MAX)
        return 0;
    const char *bytes = (const char *) data + HEADER;
    unsigned words = data[0] >> 2 & 3;
    const struct texts *texts = words == 0 ? protocol_greeting.defaults : &own_words[words - 1];
    size_t length = size - HEADER, message_size = (size_t) data[1] + 1, done = 0;
    struct framing framing = {data[0] & 3, ENDING_NONE};

    talk.length = simple.length = 0;
    talk.over = simple.over = false;
    talk.length = protocol_greeting.open(texts, talk.out);
    say(&simple, texts->prompt.data, texts->prompt.length);
    for (size_t available = 0; available < length && !talk.over;) {
        available = length - available > (size_t) data[2] + 1 ? available + data[2] + 1 : length;
        receive(&talk, &simple, texts, &framing, bytes, available, false, message_size, &done);
    }
    receive(&talk, &simple, texts, &framing, bytes, length, true, message_size, &done);
    assert(talk.over || done == length);
    assert(talk.length == simple.length && memcmp(talk.out, simple.out, talk.length) == 0);
    return 0;
}
