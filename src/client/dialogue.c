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
#include "protocol/protocol.h"

enum {
    QUIET_MS =
        200, /* after that, words without an end are over: more than a network's jitter, hardly a wait */
    SILENCE_MS = 1000, /* after that, a server is taken for one that does not speak first */
    PARTS_MAX = 3
};

/* What is listened for. */
struct listening {
    struct dialogue *dialogue;
    struct span expected[PARTS_MAX]; /* what hellod says by default, in parts */
    struct span name;                /* that was asked for; empty: the greeting is listened for */
    uint64_t deadline_ms;
};

enum verdict {
    VERDICT_MORE,  /* the words are not complete */
    VERDICT_MAYBE, /* they are, if nothing follows */
    VERDICT_COMPLETE
};

static const struct texts *words_of_hellod(void)
{
    return protocol_greeting.defaults;
}

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

/* Compares the words with those expected, which are complete if *IS_ALL. Returns whether they begin so. */
static bool is_as_expected(const struct listening *listening, bool *is_all)
{
    const char *data = listening->dialogue->buffer;
    size_t left = listening->dialogue->used, missing = 0;

    for (unsigned i = 0; i < PARTS_MAX; i++) {
        struct span part = listening->expected[i];
        size_t length = left < part.length ? left : part.length;
        if (part.data != NULL && memcmp(data, part.data, length) != 0)
            return false;
        missing += part.length - length;
        data += length;
        left -= length;
    }
    *is_all = missing == 0;
    return left == 0;
}

/* Whether the LENGTH bytes of words end with the name that was asked for. */
static bool ends_with_name(const struct listening *listening, size_t length)
{
    struct span name = listening->name;
    const char *words = listening->dialogue->buffer;

    return length >= name.length && memcmp(words + length - name.length, name.data, name.length) == 0;
}

/* The verdict on words with a newline at LENGTH. Right behind the name it may be the one that was sent, when
 * the server takes chunks; more follows then, and the newline is taken out. */
static enum verdict judge_line(const struct listening *listening, size_t length)
{
    struct dialogue *dialogue = listening->dialogue;
    char *newline = dialogue->buffer + length;

    if (dialogue->lines || !ends_with_name(listening, length))
        return VERDICT_COMPLETE;
    if (length + 1 == dialogue->used)
        return VERDICT_MAYBE;
    dialogue->used--;
    memmove(newline, newline + 1, dialogue->used - length);
    dialogue->chunks = true;
    return VERDICT_MORE;
}

/* The verdict on words that no newline ends. */
static enum verdict judge_chunk(const struct listening *listening)
{
    const struct dialogue *dialogue = listening->dialogue;
    bool is_all, is_expected = is_as_expected(listening, &is_all);

    if (dialogue->packets)
        return VERDICT_COMPLETE;
    /* What is half there is worth waiting for; who says other words may have said all of them. */
    if (!is_expected)
        return VERDICT_MAYBE;
    if (!is_all)
        return VERDICT_MORE;
    return dialogue->chunks || listening->name.length == 0 ? VERDICT_COMPLETE : VERDICT_MAYBE;
}

static enum verdict judge(const struct listening *listening)
{
    struct dialogue *dialogue = listening->dialogue;
    bool wants_line = listening->name.length > 0 && !dialogue->chunks && !dialogue->packets;
    const char *newline = wants_line ? memchr(dialogue->buffer, '\n', dialogue->used) : NULL;

    if (dialogue->used == 0)
        return VERDICT_MORE;
    if (newline != NULL) {
        enum verdict verdict = judge_line(listening, (size_t) (newline - dialogue->buffer));
        return verdict == VERDICT_MORE ? judge_chunk(listening) : verdict;
    }
    return wants_line && dialogue->lines ? VERDICT_MORE : judge_chunk(listening);
}

/* Drops hellod's greeting where an answer should begin: the server was only slow. */
static void drop_late_greeting(struct dialogue *dialogue)
{
    struct span prompt = words_of_hellod()->prompt;

    if (!dialogue->ungreeted || dialogue->used < prompt.length ||
        memcmp(dialogue->buffer, prompt.data, prompt.length) != 0)
        return;
    dialogue->ungreeted = false;
    dialogue->used -= prompt.length;
    memmove(dialogue->buffer, dialogue->buffer + prompt.length, dialogue->used);
}

/* Receives until the words are complete, or cannot be. */
static enum heard_kind receive_words(const struct listening *listening, struct heard *heard)
{
    struct dialogue *dialogue = listening->dialogue;

    for (;;) {
        drop_late_greeting(dialogue);
        enum verdict verdict = judge(listening);
        uint64_t until_ms = listening->deadline_ms, quiet_ms = clock_ms() + QUIET_MS;
        if (verdict == VERDICT_COMPLETE)
            return HEARD_WORDS;
        if (verdict == VERDICT_MAYBE && quiet_ms < until_ms)
            until_ms = quiet_ms;
        if (!wait_for(dialogue->fd, POLLIN, until_ms))
            return verdict == VERDICT_MAYBE ? HEARD_WORDS : HEARD_NOTHING;
        enum heard_kind kind = receive(dialogue, heard);
        if (kind == HEARD_END && verdict == VERDICT_MAYBE)
            return HEARD_WORDS; /* nothing follows, indeed; the end is met again by who listens again */
        if (kind != HEARD_WORDS && kind != HEARD_NOTHING)
            return kind;
    }
}

static enum heard_kind listen_for(const struct listening *listening, struct heard *heard)
{
    struct dialogue *dialogue = listening->dialogue;
    enum heard_kind kind = receive_words(listening, heard);
    size_t length = dialogue->used;

    if (kind == HEARD_WORDS && listening->name.length > 0 && !dialogue->chunks && !dialogue->packets) {
        const char *newline = memchr(dialogue->buffer, '\n', length);
        dialogue->lines = newline != NULL;
        if (newline != NULL)
            length = (size_t) (newline - dialogue->buffer) + 1;
    }
    heard_set(heard, dialogue->buffer, length);
    dialogue->used = 0;
    return kind;
}

enum heard_kind dialogue_greeting(struct dialogue *dialogue, uint64_t deadline_ms, struct heard *heard)
{
    struct listening listening = {.dialogue = dialogue,
                                  .expected = {words_of_hellod()->prompt},
                                  .name = {"", 0},
                                  .deadline_ms = deadline_ms};
    uint64_t silence_ms = clock_ms() + SILENCE_MS;

    dialogue->ungreeted =
        !wait_for(dialogue->fd, POLLIN, silence_ms < deadline_ms ? silence_ms : deadline_ms);
    if (!dialogue->ungreeted)
        return listen_for(&listening, heard);
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
    const struct texts *words = words_of_hellod();
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

    heard_set(heard, dialogue->buffer, dialogue->used);
    dialogue->used = 0;
    return kind;
}

void dialogue_end(struct dialogue *dialogue)
{
    struct span farewell = words_of_hellod()->farewell;

    /* Without a newline, which not every way of framing knows; the end of file that follows ends a line. */
    if (dialogue->fd >= 0) {
        send(dialogue->fd, farewell.data, farewell.length, MSG_NOSIGNAL | MSG_DONTWAIT);
        close(dialogue->fd);
    }
    free(dialogue->buffer);
    *dialogue = (struct dialogue){.fd = -1};
}
