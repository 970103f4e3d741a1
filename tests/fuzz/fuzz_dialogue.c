/* What a server may say in a conversation, in whatever pieces and at whatever times, on a clock that runs as
 * fast as we like. Whatever comes, no wait outlasts its deadline, what was heard is within its bounds, and
 * the first answer of a server that did not speak first has the name in it. A server that does as hellod does
 * is understood to the letter.
 *
 * Input: one byte for the kind of server and how it ends, then for a rude server pieces of a byte each for
 * when and how long, and the words, in which each "@" is the name asked for last; for a polite one a byte for
 * each piece that its words are cut into. */
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "client/dialogue_judge.c"

/* The dialogue's own world: one server, no time but its. */
#define clock_ms fake_clock_ms
#define poll     fake_poll
#define recv     fake_recv
#define send     fake_send
static uint64_t fake_clock_ms(void);
static int fake_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
static ssize_t fake_recv(int fd, void *buffer, size_t room, int flags);
static ssize_t fake_send(int fd, const void *data, size_t length, int flags);
#include "client/dialogue.c"
#undef clock_ms
#undef poll
#undef recv
#undef send

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    NAMES = 5,
    SAYING_MAX = 64,
    PATIENCE_MS = 20000
};

static const char *const names[NAMES] = {"Ada", "J\xc3\xbcrgen", "Hello, Eve!", "What's your name?", "!"};

static const unsigned delays_ms[] = {0, 10, 150, 3000}; /* the last one is beyond all patience with silence */

/* The bits of the first byte. */
enum {
    IS_POLITE = 1,
    IS_LATE = 2,    /* polite: greets after all patience */
    IS_CHUNKS = 4,  /* polite: takes a receive for a message */
    IS_PACKETS = 8, /* rude: each piece is a packet */
    ENDS = 16,      /* rude: closes behind its last word */
    RESETS = 32     /* rude: or breaks off */
};

static struct {
    const uint8_t *script, *end;
    unsigned kind;
    uint64_t now_ms;
    uint64_t at_ms;          /* when the next piece is there */
    const char *name;        /* that was asked for last */
    unsigned said, awaited;  /* names said, and of these taken notice of by the server */
    char saying[SAYING_MAX]; /* rude: a piece; polite: the greeting or an answer */
    size_t length, given;    /* bytes of it, and of these received */
} world;

static uint8_t next_byte(void)
{
    return world.script < world.end ? *world.script++ : 0;
}

/* Makes the next piece of a rude server: delay, whether it waits for a name, length; and words. */
static void say_rudely(void)
{
    uint8_t head = next_byte();

    if ((head & 4) != 0 && world.awaited == world.said) {
        world.script--; /* not before the next name */
        return;
    }
    world.awaited = (head & 4) != 0 ? world.said : world.awaited;
    world.at_ms = world.now_ms + delays_ms[head & 3];
    for (unsigned left = head >> 3; left > 0 && world.script < world.end; left--) {
        const char one[] = {(char) next_byte(), '\0'}, *part = one[0] == '@' ? world.name : one;
        size_t length = one[0] == '@' ? strlen(part) : 1;
        if (world.length + length > SAYING_MAX)
            break;
        memcpy(world.saying + world.length, part, length);
        world.length += length;
    }
}

/* Has something to be received, if there is anything. */
static void prepare(void)
{
    if (world.given < world.length || (world.kind & IS_POLITE) != 0)
        return;
    world.given = world.length = 0;
    while (world.length == 0 && world.script < world.end) {
        const uint8_t *before = world.script;
        say_rudely();
        if (world.script == before)
            return;
    }
}

static bool is_over(void)
{
    return (world.kind & IS_POLITE) == 0 && world.length == 0 && world.script == world.end &&
           (world.kind & (ENDS | RESETS)) != 0;
}

static uint64_t fake_clock_ms(void)
{
    return world.now_ms;
}

static int fake_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    uint64_t until_ms = world.now_ms + (uint64_t) timeout_ms;

    assert(count == 1 && timeout_ms > 0);
    if (fds->events == POLLOUT)
        return 1;
    prepare();
    if (is_over())
        return 1;
    if (world.given < world.length && world.at_ms <= until_ms) {
        world.now_ms = world.at_ms > world.now_ms ? world.at_ms : world.now_ms;
        return 1;
    }
    world.now_ms = until_ms;
    return 0;
}

/* A polite server's pieces are cut here; inside of what it says it is quick enough. */
static size_t cut(size_t length)
{
    uint8_t head = next_byte();
    size_t piece = 1 + (head >> 2) % 32U;

    world.at_ms = world.now_ms + delays_ms[head % 3];
    return piece < length ? piece : length;
}

static ssize_t fake_recv(int fd, void *buffer, size_t room, int flags)
{
    (void) fd;
    (void) flags;
    prepare();
    size_t length = world.length - world.given;
    if (length == 0 || world.at_ms > world.now_ms) {
        errno = is_over() && (world.kind & RESETS) != 0 ? ECONNRESET : EAGAIN;
        return is_over() && (world.kind & ENDS) != 0 ? 0 : -1;
    }
    if ((world.kind & IS_POLITE) != 0)
        length = cut(length);
    if (length > room)
        length = room;
    memcpy(buffer, world.saying + world.given, length);
    world.given += length;
    return (ssize_t) length;
}

/* What hellod answers to the LENGTH bytes at DATA, behind a greeting that is still on its way. */
static void answer_politely(const char *data, size_t length)
{
    size_t left = world.length - world.given;
    bool is_line = (world.kind & IS_CHUNKS) == 0;

    memmove(world.saying, world.saying + world.given, left);
    assert(!is_line || data[length - 1] == '\n');
    int added = snprintf(world.saying + left, SAYING_MAX - left, "Hello, %.*s!%s",
                         (int) (is_line ? length - 1 : length), data, is_line ? "\n" : "");
    if (left == 0)
        world.at_ms = world.now_ms + delays_ms[next_byte() % 4];
    world.given = 0;
    world.length = left + (size_t) added;
    assert(world.length < SAYING_MAX);
}

static ssize_t fake_send(int fd, const void *data, size_t length, int flags)
{
    (void) fd;
    (void) flags;
    world.said++;
    if ((world.kind & IS_POLITE) != 0 && world.said <= NAMES) /* then it is the farewell */
        answer_politely(data, length);
    return (ssize_t) length;
}

static void check_bounds(const struct dialogue *dialogue, const struct heard *heard)
{
    assert(heard->words >= dialogue->buffer);
    assert(heard->words + heard->length <= dialogue->buffer + HEARD_MAX);
    assert(heard->words[heard->length] == '\0');
    assert(dialogue->used == 0 && dialogue->skipped == 0);
}

/* Whether the answer is one, after silence: it has the name in it, in any case, or it refuses. */
static bool is_sound(const struct heard *heard)
{
    struct listening listening = {.name = {world.name, strlen(world.name)}};

    for (size_t i = 0; i < heard->length; i++)
        if (begins_with_name(&listening, heard->words + i, heard->length - i))
            return true;
    return show_is_refusal(heard->words, heard->length);
}

static void check_polite(enum heard_kind kind, const struct heard *heard)
{
    char right[SAYING_MAX];
    int length = snprintf(right, sizeof(right), "Hello, %s!", world.name);

    assert(kind == HEARD_WORDS);
    assert(heard->length == (size_t) length && memcmp(heard->words, right, heard->length) == 0);
}

static bool ask(struct dialogue *dialogue, const char *name)
{
    struct heard heard = {.words = NULL};
    bool is_ungreeted;

    world.name = name;
    /* As talk does: what is there is no answer. */
    if ((world.kind & IS_POLITE) == 0 && dialogue_overhear(dialogue, &heard) == HEARD_END)
        return false;
    is_ungreeted = dialogue->ungreeted;
    uint64_t deadline_ms = world.now_ms + PATIENCE_MS;
    enum heard_kind kind = dialogue_ask(dialogue, name, strlen(name), deadline_ms, &heard);
    assert(world.now_ms <= deadline_ms);
    check_bounds(dialogue, &heard);
    if ((world.kind & IS_POLITE) != 0)
        check_polite(kind, &heard);
    assert(kind != HEARD_WORDS || !is_ungreeted || is_sound(&heard));
    assert(kind != HEARD_WORDS || !dialogue->lines || memchr(heard.words, '\n', heard.length) == NULL);
    return kind == HEARD_WORDS;
}

static void begin(const uint8_t *data, size_t size)
{
    memset(&world, 0, sizeof(world));
    world.kind = data[0];
    world.script = data + 1;
    world.end = data + size;
    world.name = names[0];
    if ((world.kind & IS_POLITE) != 0) {
        world.length = (size_t) snprintf(world.saying, SAYING_MAX, "What's your name?");
        world.at_ms = (world.kind & IS_LATE) != 0 ? 3000 : 0;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dialogue dialogue;
    struct heard heard;

    if (size == 0)
        return 0;
    begin(data, size);
    bool is_packets = (world.kind & (IS_POLITE | IS_PACKETS)) == IS_PACKETS;
    if (dialogue_open(&dialogue, 0, is_packets ? SOCK_SEQPACKET : SOCK_STREAM) < 0)
        abort();
    enum heard_kind kind = dialogue_greeting(&dialogue, PATIENCE_MS, &heard);
    assert(world.now_ms <= PATIENCE_MS);
    check_bounds(&dialogue, &heard);
    bool goes_on = kind == HEARD_WORDS || (kind == HEARD_NOTHING && heard.length == 0);
    for (unsigned i = 0; goes_on && i < NAMES; i++)
        goes_on = ask(&dialogue, names[i]);
    dialogue.fd = -1; /* it was none of ours to close */
    dialogue_end(&dialogue);
    return 0;
}
