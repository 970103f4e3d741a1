/* What bench learns of the words of a service from one conversation, under any bytes: words that are learnt
 * are those around the one probe, within their bounds, and others leave what was known alone.
 *
 * Input: one byte for the kind of socket, two for how much came before the probe's name was sent, then what
 * came.
 * "@" in it is the probe's name. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "client/bench_words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    HEADER = 3,
    INPUT_MAX = 2048,
    PROBE = sizeof(BENCH_WORDS_PROBE) - 1
};

static unsigned count_probes(const char *data, size_t length)
{
    unsigned count = 0;

    for (size_t i = 0; i + PROBE <= length; i++)
        count += memcmp(data + i, BENCH_WORDS_PROBE, PROBE) == 0;
    return count;
}

/* What is learnt and the probe between make up all that was heard. */
static void check_learnt(const struct bench_words *words, const char *heard, size_t prompt, size_t length)
{
    const struct texts *texts = &words->texts;

    assert(words->learnt && count_probes(heard + prompt, length - prompt) == 1);
    assert(texts->prompt.data == heard && texts->prompt.length == prompt && prompt <= BENCH_WORDS_MAX);
    assert(texts->prefix.data == heard + prompt);
    assert(memcmp(texts->prefix.data + texts->prefix.length, BENCH_WORDS_PROBE, PROBE) == 0);
    assert(texts->suffix.data == texts->prefix.data + texts->prefix.length + PROBE);
    assert(texts->suffix.data + texts->suffix.length == heard + length);
    assert(texts->prefix.length + texts->suffix.length <= BENCH_WORDS_MAX);
    assert(texts->farewell.length == 0);
}

static bool is_same(struct span one, struct span other)
{
    return one.data == other.data && one.length == other.length;
}

static void check_untouched(const struct bench_words *words, const struct bench_words *before)
{
    assert(!words->learnt && is_same(words->texts.prompt, before->texts.prompt));
    assert(is_same(words->texts.prefix, before->texts.prefix) &&
           is_same(words->texts.suffix, before->texts.suffix));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int types[] = {SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM};

    if (size < HEADER || size > INPUT_MAX)
        return 0;
    /* Exactly as many bytes as there are, so that the sanitizer sees a read beyond them. */
    size_t length = 0, room = 0;
    for (size_t i = HEADER; i < size; i++)
        room += data[i] == '@' ? PROBE : 1;
    char *heard = malloc(room > 0 ? room : 1);
    assert(heard != NULL);
    for (size_t i = HEADER; i < size; i++) {
        memcpy(heard + length, data[i] == '@' ? BENCH_WORDS_PROBE : (const char *) &data[i],
               data[i] == '@' ? PROBE : 1);
        length += data[i] == '@' ? PROBE : 1;
    }
    size_t prompt = ((size_t) data[1] << 8 | data[2]) % (length + 1);
    struct bench_words words = bench_words_builtin(types[data[0] % 3]), before = words;

    if (bench_words_learn(&words, heard, prompt, length))
        check_learnt(&words, heard, prompt, length);
    else
        check_untouched(&words, &before);
    free(heard);
    return 0;
}
