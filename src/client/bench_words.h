/* The words of a service under load: what it says first, and what stands around a name in its answers. A
 * service may have words of its own, so they are learnt from one conversation. Bytes in, words out: knows no
 * sockets. */
#ifndef HELLOD_CLIENT_BENCH_WORDS_H
#define HELLOD_CLIENT_BENCH_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "protocol/protocol.h"

/* The name by which words are learnt: it has the form of bench's own names, so that whoever lets those in
 * lets it in, too. */
#define BENCH_WORDS_PROBE "00000000c0de"

enum {
    BENCH_WORDS_MAX = 320 /* of each: the longest that hellod.conf(5) takes is 255 */
};

struct bench_words {
    struct texts texts; /* line endings included; a farewell of no bytes: half-close instead */
    struct span ending; /* what goes after each name: a newline, or nothing */
    bool learnt;        /* they are not the built-in ones */
};

/* The built-in words, on sockets of TYPE (SOCK_STREAM, SOCK_SEQPACKET or SOCK_DGRAM). */
struct bench_words bench_words_builtin(int type);

/* Learns the words from the LENGTH bytes at HEARD, the first PROMPT of which came before the probe's name was
 * sent, and which must stay as they are for as long as WORDS is used. Returns false and leaves WORDS alone
 * unless the probe is answered there exactly once, in other words than it has, which are not too long. */
bool bench_words_learn(struct bench_words *words, const char *heard, size_t prompt, size_t length);

/* True when an answer ends with a newline, so that several may be on their way at once. */
static inline bool bench_words_are_lines(const struct bench_words *words)
{
    struct span suffix = words->texts.suffix;

    return words->ending.length > 0 && suffix.length > 0 && suffix.data[suffix.length - 1] == '\n';
}

#endif
