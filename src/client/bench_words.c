/* Finding the words around a name. Must not know how they came here. */
#include "client/bench_words.h"

#include <string.h>
#include <sys/socket.h>

struct bench_words bench_words_builtin(int type)
{
    struct bench_words words = {
        .texts = type == SOCK_DGRAM ? *protocol_hello.defaults : *protocol_greeting.defaults,
        .ending = {"\n", type == SOCK_STREAM ? 1 : 0},
    };

    if (type == SOCK_STREAM)
        words.texts.suffix = (struct span){"!\n", 2};
    return words;
}

static bool same(struct span one, struct span other)
{
    return one.length == other.length && memcmp(one.data, other.data, one.length) == 0;
}

bool bench_words_learn(struct bench_words *words, const char *heard, size_t prompt, size_t length)
{
    static const size_t size = sizeof(BENCH_WORDS_PROBE) - 1;
    const char *answer = heard + prompt, *end = heard + length;
    const char *name = memmem(answer, length - prompt, BENCH_WORDS_PROBE, size);

    if (name == NULL || memmem(name + 1, (size_t) (end - name) - 1, BENCH_WORDS_PROBE, size) != NULL)
        return false;
    struct span prefix = {answer, (size_t) (name - answer)},
                suffix = {name + size, (size_t) (end - name) - size};
    if (prompt > BENCH_WORDS_MAX || prefix.length + suffix.length > BENCH_WORDS_MAX)
        return false;
    if (same((struct span){heard, prompt}, words->texts.prompt) && same(prefix, words->texts.prefix) &&
        same(suffix, words->texts.suffix))
        return false;
    words->texts = (struct texts){.prompt = {heard, prompt}, .prefix = prefix, .suffix = suffix};
    words->learnt = true;
    return true;
}
