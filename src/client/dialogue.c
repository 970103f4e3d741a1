/* A conversation on a connection. Must not know who asks, or why. */
#include "client/dialogue.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

enum {
    QUIET_MS =
        200, /* after that, words without an end are over: more than a network's jitter, hardly a wait */
    SILENCE_MS = 1000 /* after that, a server is taken for one that does not speak first */
};

int dialogue_open(struct dialogue *dialogue, int fd, int type)
{
    *dialogue =
        (struct dialogue){.fd = fd, .packets = type == SOCK_SEQPACKET, .buffer = malloc(HEARD_MAX + 1)};
    if (dialogue->buffer != NULL)
        return 0;
    dialogue_end(dialogue);
    errno = ENOMEM;
    return -1;
}

/* Waits until FD is ready for EVENTS or DEADLINE_MS has passed. Returns whether it is. */
static bool wait_for(int fd, short events, uint64_t deadline_ms)
{
    struct pollfd poll_fd = {.fd = fd, .events = events};

    for (uint64_t now = clock_ms(); now < deadline_ms; now = clock_ms())
        if (poll(&poll_fd, 1, (int) (deadline_ms - now)) > 0)
            return true;
    return false;
}

/* Receives what there is; HEARD_NOTHING: there is nothing. */
static enum heard_kind receive(struct dialogue *dialogue, struct heard *heard)
{
    size_t room = HEARD_MAX - dialogue->used;

    if (room == 0)
        return HEARD_FLOOD;
    ssize_t bytes = recv(dialogue->fd, dialogue->buffer + dialogue->used, room, MSG_DONTWAIT);
    if (bytes < 0 && (errno == EAGAIN || errno == EINTR))
        return HEARD_NOTHING;
    if (bytes <= 0) {
        heard->error = bytes < 0 ? errno : 0;
        return HEARD_END;
    }
    dialogue->used += (size_t) bytes;
    return HEARD_WORDS;
}

/* Waits, in the light of VERDICT, for more of the words and receives it. HEARD_NOTHING: there is no more. */
static enum heard_kind receive_more(const struct listening *listening, enum verdict verdict,
                                    struct heard *heard)
{
    uint64_t until_ms = listening->deadline_ms, quiet_ms = clock_ms() + QUIET_MS;

    if (verdict == VERDICT_MAYBE && quiet_ms < until_ms)
        until_ms = quiet_ms;
    while (wait_for(listening->dialogue->fd, POLLIN, until_ms)) {
        enum heard_kind kind = receive(listening->dialogue, heard);
        if (kind != HEARD_NOTHING)
            return kind;
    }
    return HEARD_NOTHING;
}

/* Receives until it is known where a late greeting, if there is one, ends and the answer begins. */
static enum heard_kind receive_greeting(const struct listening *listening, struct heard *heard)
{
    struct dialogue *dialogue = listening->dialogue;

    for (;;) {
        size_t at;
        enum verdict verdict = dialogue_judge_ungreeted(listening, &at);
        enum heard_kind kind = HEARD_NOTHING;
        if (verdict == VERDICT_MORE && dialogue->packets)
            dialogue->used = 0; /* the answer is a packet of its own */
        if (verdict != VERDICT_COMPLETE)
            kind = receive_more(listening, verdict, heard);
        if (kind == HEARD_WORDS)
            continue;
        if (verdict == VERDICT_MORE || kind == HEARD_FLOOD)
            return kind;
        dialogue->skipped = at;
        return HEARD_WORDS; /* an end is met again */
    }
}

/* Receives until the words are complete, or cannot be. */
static enum heard_kind receive_words(const struct listening *listening, struct heard *heard)
{
    for (;;) {
        enum verdict verdict = dialogue_judge(listening);
        if (verdict == VERDICT_COMPLETE)
            return HEARD_WORDS;
        enum heard_kind kind = receive_more(listening, verdict, heard);
        /* Nothing follows, indeed; the end is met again by who listens again. */
        if (verdict == VERDICT_MAYBE && (kind == HEARD_NOTHING || kind == HEARD_END))
            return HEARD_WORDS;
        if (kind != HEARD_WORDS)
            return kind;
    }
}

static enum heard_kind listen_for(const struct listening *listening, struct heard *heard)
{
    struct dialogue *dialogue = listening->dialogue;
    bool is_answer = listening->name.length > 0;
    enum heard_kind kind = HEARD_WORDS;

    dialogue->skipped = 0;
    if (is_answer && dialogue->ungreeted)
        kind = receive_greeting(listening, heard);
    if (kind == HEARD_WORDS)
        kind = receive_words(listening, heard);
    if (kind != HEARD_WORDS)
        dialogue->skipped = 0; /* whatever was said may tell why */
    struct span words = dialogue_words(dialogue);
    if (kind == HEARD_WORDS && is_answer && !dialogue->chunks && !dialogue->packets) {
        const char *newline = memchr(words.data, '\n', words.length);
        dialogue->lines = newline != NULL;
        if (newline != NULL)
            words.length = (size_t) (newline - words.data) + 1;
    }
    heard_set(heard, dialogue->buffer + dialogue->skipped, words.length);
    dialogue->used = dialogue->skipped = 0;
    return kind;
}

/* Listens to what is said before a name was. */
static enum heard_kind listen_for_greeting(struct dialogue *dialogue, uint64_t deadline_ms,
                                           struct heard *heard)
{
    struct listening listening = {.dialogue = dialogue,
                                  .expected = {dialogue_defaults()->prompt},
                                  .name = {"", 0},
                                  .deadline_ms = deadline_ms};

    dialogue->ungreeted = false;
    return listen_for(&listening, heard);
}

enum heard_kind dialogue_greeting(struct dialogue *dialogue, uint64_t deadline_ms, struct heard *heard)
{
    uint64_t silence_ms = clock_ms() + SILENCE_MS;

    if (wait_for(dialogue->fd, POLLIN, silence_ms < deadline_ms ? silence_ms : deadline_ms))
        return listen_for_greeting(dialogue, deadline_ms, heard);
    dialogue->ungreeted = true;
    heard_set(heard, dialogue->buffer, 0);
    return HEARD_NOTHING;
}

/* Sends NAME in one piece, because what comes in pieces may be taken for several chunks. Returns 0
 * or errno; even then who closed may have said why, and listening will tell. */
static int say(struct dialogue *dialogue, const char *name, size_t length, uint64_t deadline_ms)
{
    char *next = dialogue->buffer;

    assert(length > 0 && length <= HEARD_MAX);
    memcpy(next, name, length);
    if (!dialogue->packets && !dialogue->chunks)
        next[length++] = '\n';
    while (length > 0 && wait_for(dialogue->fd, POLLOUT, deadline_ms)) {
        ssize_t bytes = send(dialogue->fd, next, length, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (bytes < 0 && errno != EAGAIN && errno != EINTR)
            return errno;
        if (bytes > 0) {
            next += bytes;
            length -= (size_t) bytes;
        }
    }
    return 0;
}

enum heard_kind dialogue_ask(struct dialogue *dialogue, const char *name, size_t length, uint64_t deadline_ms,
                             struct heard *heard)
{
    const struct texts *words = dialogue_defaults();
    struct listening listening = {.dialogue = dialogue,
                                  .expected = {words->prefix, {name, length}, words->suffix},
                                  .name = {name, length},
                                  .deadline_ms = deadline_ms};

    int error = say(dialogue, name, length, deadline_ms);
    dialogue->used = 0;
    enum heard_kind kind = listen_for(&listening, heard);
    dialogue->ungreeted = false;
    /* The kernel tells of a reset only once. */
    if (kind == HEARD_END && heard->error == 0 && error == ECONNRESET)
        heard->error = error;
    return kind;
}

enum heard_kind dialogue_overhear(struct dialogue *dialogue, struct heard *heard)
{
    enum heard_kind kind = receive(dialogue, heard);

    if (dialogue->ungreeted && kind == HEARD_WORDS) {
        /* The rest must not be taken for an answer. */
        kind = listen_for_greeting(dialogue, clock_ms() + SILENCE_MS, heard);
        return kind == HEARD_NOTHING ? HEARD_WORDS : kind;
    }
    heard_set(heard, dialogue->buffer, dialogue->used);
    dialogue->used = 0;
    return kind;
}

void dialogue_end(struct dialogue *dialogue)
{
    struct span farewell = dialogue_defaults()->farewell;

    /* Without a newline, which not every way of framing knows; the end of file that follows ends a line. */
    if (dialogue->fd >= 0) {
        send(dialogue->fd, farewell.data, farewell.length, MSG_NOSIGNAL | MSG_DONTWAIT);
        close(dialogue->fd);
    }
    free(dialogue->buffer);
    *dialogue = (struct dialogue){.fd = -1};
}
