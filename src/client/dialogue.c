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
#include "client/show.h"
#include "protocol/protocol.h"

enum {
    QUIET_MS =
        200, /* after that, words without an end are over: more than a network's jitter, hardly a wait */
    SILENCE_MS = 1000, /* after that, a server is taken for one that does not speak first */
    NAME_SAMPLE = 64,  /* bytes of a name by which an answer is known; servers may cut what is longer */
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

/* The words that are judged: what has come but for a late greeting. */
static struct span words_of(const struct dialogue *dialogue)
{
    return (struct span){dialogue->buffer + dialogue->skipped, dialogue->used - dialogue->skipped};
}

/* Compares the words with those expected, which are complete if *IS_ALL. Returns whether they begin so. */
static bool is_as_expected(const struct listening *listening, bool *is_all)
{
    struct span words = words_of(listening->dialogue);
    const char *data = words.data;
    size_t left = words.length, missing = 0;

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
    const char *words = words_of(listening->dialogue).data;

    return length >= name.length && memcmp(words + length - name.length, name.data, name.length) == 0;
}

/* The verdict on words with a newline at LENGTH. Right behind the name it may be the one that was sent, when
 * the server takes chunks; more follows then, and the newline is taken out. */
static enum verdict judge_line(const struct listening *listening, size_t length)
{
    struct dialogue *dialogue = listening->dialogue;
    char *newline = dialogue->buffer + dialogue->skipped + length;
    size_t after = words_of(dialogue).length - length - 1;

    if (dialogue->lines || !ends_with_name(listening, length))
        return VERDICT_COMPLETE;
    if (after == 0)
        return VERDICT_MAYBE;
    dialogue->used--;
    memmove(newline, newline + 1, after);
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
    struct span words = words_of(dialogue);
    const char *newline = wants_line ? memchr(words.data, '\n', words.length) : NULL;

    if (words.length == 0)
        return VERDICT_MORE;
    if (newline != NULL) {
        enum verdict verdict = judge_line(listening, (size_t) (newline - words.data));
        return verdict == VERDICT_MORE ? judge_chunk(listening) : verdict;
    }
    return wants_line && dialogue->lines ? VERDICT_MORE : judge_chunk(listening);
}

static char to_upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char) (c - 'a' + 'A') : c;
}

/* Whether the LENGTH bytes at TEXT begin with the name that was asked for, in any case, because the protocol
 * "upper" changes it. */
static bool begins_with_name(const struct listening *listening, const char *text, size_t length)
{
    struct span name = listening->name;
    size_t sample = name.length < NAME_SAMPLE ? name.length : NAME_SAMPLE, i = 0;

    while (i < sample && i < length && to_upper(text[i]) == to_upper(name.data[i]))
        i++;
    return i == sample;
}

/* Whether a line that is there in full, at the beginning of the LENGTH bytes at TEXT, refuses service. */
static bool begins_with_refusal(const char *text, size_t length)
{
    const char *newline = memchr(text, '\n', length);
    size_t end = newline == NULL ? length : (size_t) (newline - text);

    if (newline != NULL && end > 0 && text[end - 1] == '\r')
        end--;
    return show_is_refusal(text, end);
}

static size_t prompt_length(const struct dialogue *dialogue)
{
    struct span prompt = words_of_hellod()->prompt;

    return dialogue->used >= prompt.length && memcmp(dialogue->buffer, prompt.data, prompt.length) == 0
               ? prompt.length
               : 0;
}

/* The verdict on the words of a server that was only slow, perhaps, and greets late: the answer is the line
 * with the name in it, all before it is a greeting. Of several lines it is the last one, as a greeting
 * may have the name in it by chance; nothing follows hellod's own answer. *AT is where it begins. */
static enum verdict judge_ungreeted(const struct listening *listening, size_t *at)
{
    const struct dialogue *dialogue = listening->dialogue;
    struct span prefix = words_of_hellod()->prefix;
    enum verdict verdict = VERDICT_MORE;
    size_t line = prompt_length(dialogue);

    for (size_t i = line; i < dialogue->used; i++) {
        const char *here = dialogue->buffer + i;
        bool is_name = begins_with_name(listening, here, dialogue->used - i);
        if (is_name || (i == line && begins_with_refusal(here, dialogue->used - i))) {
            *at = line;
            verdict = VERDICT_MAYBE;
        }
        if (is_name && i >= line + prefix.length &&
            memcmp(here - prefix.length, prefix.data, prefix.length) == 0) {
            *at = i - prefix.length;
            return VERDICT_COMPLETE;
        }
        if (*here == '\n')
            line = i + 1;
    }
    return verdict;
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

/* The same of a packet, which is a message of its own. */
static enum verdict judge_ungreeted_packet(const struct listening *listening)
{
    const struct dialogue *dialogue = listening->dialogue;
    bool is_answer = show_is_refusal(dialogue->buffer, dialogue->used);

    for (size_t i = 0; i < dialogue->used && !is_answer; i++)
        is_answer = begins_with_name(listening, dialogue->buffer + i, dialogue->used - i);
    return is_answer ? VERDICT_COMPLETE : VERDICT_MORE;
}

/* Receives until it is known where a late greeting, if there is one, ends and the answer begins. */
static enum heard_kind receive_greeting(const struct listening *listening, struct heard *heard)
{
    struct dialogue *dialogue = listening->dialogue;

    for (;;) {
        size_t at = 0;
        enum verdict verdict =
            dialogue->packets ? judge_ungreeted_packet(listening) : judge_ungreeted(listening, &at);
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
        enum verdict verdict = judge(listening);
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
    struct span words = words_of(dialogue);
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
                                  .expected = {words_of_hellod()->prompt},
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
    struct span farewell = words_of_hellod()->farewell;

    /* Without a newline, which not every way of framing knows; the end of file that follows ends a line. */
    if (dialogue->fd >= 0) {
        send(dialogue->fd, farewell.data, farewell.length, MSG_NOSIGNAL | MSG_DONTWAIT);
        close(dialogue->fd);
    }
    free(dialogue->buffer);
    *dialogue = (struct dialogue){.fd = -1};
}
