/* The conversation that words are learnt from. Must not know how a load is made.
 *
 * On a stream nothing says where a prompt ends, nor an answer in words that are not known. What comes before
 * the name is sent is the prompt; all that comes between the name and the end of file, which a half-close
 * asks for, is the answer. */
#include "client/bench_learn.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"

/* To wait for anything: who does not learn has nothing to tell of it. */
#define MOST_NS UINT64_C(2000000000)

/* What has been heard; the words that are learnt stay here. */
static char heard[4 * BENCH_WORDS_MAX];

struct lesson {
    int fd;
    uint64_t timeout_ns, deadline_ns;
    size_t length; /* in heard */
};

static void say(struct lesson *lesson, struct span text, struct span ending)
{
    char message[64];

    memcpy(message, text.data, text.length);
    memcpy(message + text.length, ending.data, ending.length);
    /* If it does not go, nothing comes back. */
    (void) !send(lesson->fd, message, text.length + ending.length, MSG_NOSIGNAL);
    lesson->deadline_ns = clock_ns() + lesson->timeout_ns;
}

/* Waits for more; false when there is none in time, or no room for it. */
static bool hear_more(struct lesson *lesson)
{
    uint64_t now_ns = clock_ns();
    struct pollfd wait = {.fd = lesson->fd, .events = POLLIN};

    if (now_ns >= lesson->deadline_ns || lesson->length == sizeof(heard) ||
        poll(&wait, 1, (int) ((lesson->deadline_ns - now_ns) / 1000000) + 1) <= 0)
        return false;
    ssize_t got = recv(lesson->fd, heard + lesson->length, sizeof(heard) - lesson->length, MSG_DONTWAIT);
    if (got <= 0)
        return false;
    lesson->length += (size_t) got;
    return true;
}

/* Listens for as long as what has come since FROM may become EXPECTED; true when it has. */
static bool hear_out(struct lesson *lesson, size_t from, struct span expected)
{
    size_t have = 0;

    while (have < expected.length && memcmp(heard + from, expected.data, have) == 0 && hear_more(lesson))
        have = lesson->length - from;
    return have == expected.length && memcmp(heard + from, expected.data, have) == 0;
}

/* True when the probe is answered in the built-in words. */
static bool hear_builtin(struct lesson *lesson, const struct texts *texts)
{
    char answer[64];
    char *end = mempcpy(answer, texts->prefix.data, texts->prefix.length);

    end = mempcpy(end, BENCH_WORDS_PROBE, sizeof(BENCH_WORDS_PROBE) - 1);
    end = mempcpy(end, texts->suffix.data, texts->suffix.length);
    return hear_out(lesson, lesson->length, (struct span){answer, (size_t) (end - answer)});
}

/* A service that has another farewell answers ours. */
static void learn_farewell(struct lesson *lesson, struct bench_words *words)
{
    say(lesson, words->texts.farewell, words->ending);
    if (hear_more(lesson))
        words->texts.farewell.length = 0;
}

void bench_learn_stream(struct bench_plan *plan, int fd)
{
    struct span probe = {BENCH_WORDS_PROBE, sizeof(BENCH_WORDS_PROBE) - 1};
    struct bench_words *words = &plan->words;
    struct lesson lesson = {.fd = fd, .timeout_ns = plan->timeout_ns < MOST_NS ? plan->timeout_ns : MOST_NS};

    *words = bench_words_builtin(plan->type);
    struct span prompt = words->texts.prompt;
    lesson.deadline_ns = clock_ns() + lesson.timeout_ns;
    bool known = hear_out(&lesson, 0, prompt);
    size_t first = lesson.length;
    say(&lesson, probe, words->ending);
    if (known && hear_builtin(&lesson, &words->texts)) {
        if (plan->messages > 0)
            learn_farewell(&lesson, words);
        return;
    }
    shutdown(fd, SHUT_WR);
    while (hear_more(&lesson))
        ;
    /* A greeting that came too late is no part of the answer. */
    if (first > 0 || lesson.length < prompt.length || memcmp(heard, prompt.data, prompt.length) != 0)
        bench_words_learn(words, heard, first, lesson.length);
}

bool bench_learn_datagram(struct bench_plan *plan, int fd, int wait_ms)
{
    struct span probe = {BENCH_WORDS_PROBE, sizeof(BENCH_WORDS_PROBE) - 1};
    struct lesson lesson = {.fd = fd, .timeout_ns = (uint64_t) wait_ms * 1000000};

    plan->words = bench_words_builtin(SOCK_DGRAM);
    say(&lesson, probe, plan->words.ending);
    if (!hear_more(&lesson))
        return false;
    bench_words_learn(&plan->words, heard, 0, lesson.length);
    return true;
}
