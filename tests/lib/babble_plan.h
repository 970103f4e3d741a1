/* What one client of babble says, piece by piece, and what a server must say to it. All of it comes from a
 * seed, so that it can be had again. It must not know sockets. */
#ifndef HELLOD_TESTS_LIB_BABBLE_PLAN_H
#define HELLOD_TESTS_LIB_BABBLE_PLAN_H

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/seed.h"

enum {
    PLAN_SAID_MAX = 48 * 1024, /* bytes */
    PLAN_PIECES_MAX = 64,      /* as many as a word has bits */
    PLAN_SHORT = 5,            /* pieces, mostly */
    PLAN_DATAGRAM = 2000       /* bytes in one, mostly; more is said now and then */
};

/* How a server takes what is said. */
enum plan_reading {
    PLAN_LINES,
    PLAN_PACKETS,   /* each piece is a message */
    PLAN_UPPER,     /* what was said, in capitals */
    PLAN_DATAGRAMS, /* each piece is a datagram */
    PLAN_PIECES     /* as the pieces arrive: only the beginning of the answer is known */
};

struct plan {
    char said[PLAN_SAID_MAX];
    size_t length;
    size_t ends[PLAN_PIECES_MAX]; /* of each piece, in said */
    unsigned pieces;
    char *expected; /* all that the server says if it is let finish; owned, freed by plan_free() */
    size_t expected_length;
    bool refused; /* with a sentence at its end, behind which a line ending may come */
};

static inline void plan_add(struct plan *plan, const char *data, size_t length)
{
    size_t room = PLAN_SAID_MAX - plan->length;

    memcpy(plan->said + plan->length, data, length < room ? length : room);
    plan->length += length < room ? length : room;
}

static inline void plan_fill(struct plan *plan, char byte, size_t length)
{
    for (size_t i = 0; i < length; i++)
        plan_add(plan, &byte, 1);
}

static inline void plan_add_noise(struct plan *plan, struct seed *chance)
{
    for (size_t left = seed_below(chance, 40); left > 0; left--)
        plan_fill(plan, (char) seed_next(chance), 1);
}

/* Words that a server knows, nearly knows, or should not choke on. */
static inline void plan_add_word(struct plan *plan, struct seed *chance)
{
    static const struct {
        const char *text;
        size_t length;
    } words[] = {{"Bob\n", 4},
                 {"Ann\r\n", 5},
                 {"\n", 1},
                 {"\r\n", 2},
                 {"disconnect\n", 11},
                 {"disconnect", 10},
                 {"disconnect\r\n", 12},
                 {"disconnect", 9},
                 {"t\n", 2},
                 {"\r", 1},
                 {"\0", 1},
                 {"Hello, Bob!", 11},
                 {"Hello, Hello, !!", 16},
                 {"J\xc3\xbcrgen\n", 8},
                 {"\xff\xf4\xff\xfd\x06", 5},
                 {"%s%n%s", 6},
                 {"GET / HTTP/1.1\r\n\r\n", 18},
                 {"\xe2\x80\xae\x1b[2J\n", 8},
                 {"What's your name?", 17},
                 {"\xed\xa0\x80\xc0\xaf", 5}};
    size_t number = seed_below(chance, sizeof(words) / sizeof(words[0]));

    plan_add(plan, words[number].text, words[number].length);
}

static inline void plan_add_piece(struct plan *plan, struct seed *chance, size_t message_size)
{
    size_t before = plan->length, kind = seed_below(chance, 64);

    for (size_t left = kind < 50 ? 1 + seed_below(chance, 4) : 0; left > 0; left--)
        plan_add_word(plan, chance);
    if (kind >= 50 && kind < 58)
        plan_add_noise(plan, chance);
    if (kind >= 58 && kind < 61) /* near the longest */
        plan_fill(plan, 'x', message_size - 2 + seed_below(chance, 5));
    if (kind == 61)
        plan_fill(plan, 'y', seed_below(chance, 8 * message_size));
    for (size_t left = kind == 62 ? seed_below(chance, 3000) : 0; left > 0; left--)
        plan_add_word(plan, chance);
    if (kind == 63)
        plan_fill(plan, '\n', seed_below(chance, 2000));
    /* No piece is empty: a packet of nothing is an end of file. */
    if (plan->length == before && plan->length < PLAN_SAID_MAX)
        plan_fill(plan, 'z', 1);
    if (plan->length > before)
        plan->ends[plan->pieces++] = plan->length;
}

static inline bool plan_is(const char *message, size_t length, const char *word)
{
    return length == strlen(word) && memcmp(message, word, length) == 0;
}

/* Writes what is answered to a message. Returns false when the conversation is over. */
static inline bool plan_answer(FILE *out, struct plan *plan, const char *message, size_t length,
                               const char *ending, size_t message_size)
{
    if (length > message_size) {
        fprintf(out, "Sorry, a name has at most %zu bytes.", message_size);
        plan->refused = true;
        return false;
    }
    if (plan_is(message, length, "disconnect"))
        return false;
    if (length == 0) {
        fprintf(out, "What's your name?%s", ending);
        return true;
    }
    fputs("Hello, ", out);
    fwrite(message, 1, length, out);
    fprintf(out, "!%s", ending);
    return true;
}

static inline void plan_answer_lines(FILE *out, struct plan *plan, size_t message_size)
{
    const char *at = plan->said, *end = at + plan->length, *newline;

    while ((newline = memchr(at, '\n', (size_t) (end - at))) != NULL) {
        bool cr = newline > at && newline[-1] == '\r';
        if (!plan_answer(out, plan, at, (size_t) (newline - at) - cr, cr ? "\r\n" : "\n", message_size))
            return;
        at = newline + 1;
    }
    if (at < end)
        plan_answer(out, plan, at, (size_t) (end - at), "", message_size);
}

static inline void plan_answer_packets(FILE *out, struct plan *plan, size_t message_size)
{
    size_t start = 0;

    for (unsigned i = 0; i < plan->pieces; start = plan->ends[i++])
        if (!plan_answer(out, plan, plan->said + start, plan->ends[i] - start, "", message_size))
            return;
}

/* Works out what is expected. */
static inline void plan_expect(struct plan *plan, enum plan_reading reading, size_t message_size)
{
    FILE *out = open_memstream(&plan->expected, &plan->expected_length);

    if (out == NULL)
        abort();
    if (reading != PLAN_UPPER && reading != PLAN_DATAGRAMS)
        fputs("What's your name?", out);
    for (size_t i = 0; reading == PLAN_UPPER && i < plan->length; i++)
        fputc(toupper((unsigned char) plan->said[i]), out);
    if (reading == PLAN_LINES)
        plan_answer_lines(out, plan, message_size);
    if (reading == PLAN_PACKETS)
        plan_answer_packets(out, plan, message_size);
    if (fclose(out) != 0)
        abort();
}

/* Makes PLAN of what CHANCE says, for a server that READS so and takes messages of MESSAGE_SIZE. */
static inline void plan_make(struct plan *plan, struct seed *chance, enum plan_reading reading,
                             size_t message_size)
{
    size_t pieces = 1 + seed_below(chance, seed_below(chance, 16) > 0 ? PLAN_SHORT : PLAN_PIECES_MAX);

    plan->length = plan->pieces = 0;
    plan->refused = false;
    while (plan->pieces < pieces && plan->length < PLAN_SAID_MAX)
        plan_add_piece(plan, chance, message_size);
    plan_expect(plan, reading, message_size);
}

static inline void plan_free(struct plan *plan)
{
    free(plan->expected);
    plan->expected = NULL;
}

static inline bool plan_is_line_ending(const char *text, size_t length)
{
    return length <= 2 && memcmp(text, &"\r\n"[2 - length], length) == 0;
}

/* Whether ANSWER of LENGTH bytes is one to a datagram of PLAN that has no bit in ANSWERED, and sets that bit.
 * A line ending at the end of a datagram is no part of the name. */
static inline bool plan_is_answered_by(const struct plan *plan, const char *answer, size_t length,
                                       uint64_t *answered)
{
    size_t start = 0;

    if (length < 8 || memcmp(answer, "Hello, ", 7) != 0 || answer[length - 1] != '!')
        return false;
    for (unsigned i = 0; i < plan->pieces; start = plan->ends[i++]) {
        const char *said = plan->said + start;
        size_t bytes = plan->ends[i] - start;
        for (unsigned cut = 0; cut <= 2 && cut <= bytes; cut++) {
            if (bytes - cut != length - 8 || memcmp(said, answer + 7, length - 8) != 0 ||
                !plan_is_line_ending(said + bytes - cut, cut) || (*answered >> i & 1) != 0)
                continue;
            *answered |= UINT64_C(1) << i;
            return true;
        }
    }
    return false;
}

/* A sentence of refusal, or as much of one as came; with its line ending. */
static inline bool plan_is_sentence(const char *text, size_t length)
{
    static const char start[] = "Sorry, ";
    size_t common = length < strlen(start) ? length : strlen(start);

    if (memcmp(text, start, common) != 0)
        return false;
    while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == '\r'))
        length--;
    for (size_t i = 0; i < length; i++)
        if (!isprint((unsigned char) text[i]))
            return false;
    return true;
}

#endif
