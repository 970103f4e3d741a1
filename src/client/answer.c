/* The names that probes bear, and what an answer is worth. Reads what strangers send: every byte is looked at
 * before it is believed. */
#include "client/answer.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define NAME_BEGINS "PING-"

enum {
    MARK_LENGTH = 8,  /* hexadecimal digits that are the same in all names of a run */
    CHECK_LENGTH = 8, /* hexadecimal digits that belong to one number */
    DIGITS_MAX = 10   /* of a number */
};

/* Number 0 is no probe's, so its hash can serve as the mark of the run. */
static void print_hash(const struct answer_run *run, uint32_t seq, char text[CHECK_LENGTH + 1])
{
    uint32_t hash = (uint32_t) hash_bytes(&run->key, &seq, sizeof(seq));

    snprintf(text, CHECK_LENGTH + 1, "%08X", (unsigned) hash);
}

size_t answer_name(const struct answer_run *run, uint32_t seq, char name[ANSWER_NAME_MAX])
{
    char mark[MARK_LENGTH + 1], check[CHECK_LENGTH + 1];

    print_hash(run, 0, mark);
    print_hash(run, seq, check);
    return (size_t) snprintf(name, ANSWER_NAME_MAX, NAME_BEGINS "%s-%u-%s", mark, (unsigned) seq, check);
}

/* The number that the bytes from AT to END begin with, or 0; LENGTH is how many digits it has. */
static uint32_t read_number(const char *at, const char *end, size_t *length)
{
    uint64_t number = 0;

    *length = 0;
    while (at < end && *length < DIGITS_MAX && *at >= '0' && *at <= '9') {
        number = number * 10 + (uint64_t) (*at++ - '0');
        ++*length;
    }
    return number <= UINT32_MAX ? (uint32_t) number : 0;
}

/* The number of the first probe whose number and hash ("-NUMBER-HASH", in any case) are in the bytes, or 0.
 */
static uint32_t find_probe(const struct answer_run *run, const char *data, size_t length)
{
    const char *end = data + length, *at = data;

    while ((at = (const char *) memchr(at, '-', (size_t) (end - at))) != NULL) {
        size_t digits;
        uint32_t seq = read_number(++at, end, &digits);
        if (seq == 0 || (size_t) (end - at) <= digits + CHECK_LENGTH || at[digits] != '-')
            continue;
        char check[CHECK_LENGTH + 1];
        print_hash(run, seq, check);
        if (strncasecmp(at + digits + 1, check, CHECK_LENGTH) == 0)
            return seq;
    }
    return 0;
}

/* Whether TEXT, in any case, is in the bytes. */
static bool has_text(const char *data, size_t length, const char *text)
{
    size_t text_length = strlen(text);

    for (size_t i = 0; i + text_length <= length; i++)
        if (strncasecmp(data + i, text, text_length) == 0)
            return true;
    return false;
}

/* Whether the mark of the run is in the bytes, or what a name begins with and the first half of the mark. */
static bool has_mark(const struct answer_run *run, const char *data, size_t length)
{
    char mark[MARK_LENGTH + 1], half[sizeof(NAME_BEGINS) + MARK_LENGTH / 2];

    print_hash(run, 0, mark);
    snprintf(half, sizeof(half), NAME_BEGINS "%.*s", MARK_LENGTH / 2, mark);
    return has_text(data, length, mark) || has_text(data, length, half);
}

/* Takes the bytes of PART from the end of DATA, of which LENGTH are left. False if others are there. */
static bool take_from_end(const char *data, size_t *length, const char *part, size_t part_length)
{
    if (*length < part_length || memcmp(data + *length - part_length, part, part_length) != 0)
        return false;
    *length -= part_length;
    return true;
}

/* True when DATA ends with the answer to probe SEQ; LENGTH is then what comes before it. */
static bool ends_with_answer(const struct answer_run *run, uint32_t seq, const char *data, size_t *length)
{
    char name[ANSWER_NAME_MAX];
    size_t name_length = answer_name(run, seq, name);

    return take_from_end(data, length, run->suffix.data, run->suffix.length) &&
           take_from_end(data, length, name, name_length) &&
           take_from_end(data, length, run->prefix.data, run->prefix.length);
}

/* The same, and a line ending may follow the answer. */
static bool ends_with_line(const struct answer_run *run, uint32_t seq, const char *data, size_t *length)
{
    static const char *const endings[] = {"", "\n", "\r\n"};

    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        size_t left = *length;
        if (take_from_end(data, &left, endings[i], strlen(endings[i])) &&
            ends_with_answer(run, seq, data, &left)) {
            *length = left;
            return true;
        }
    }
    return false;
}

enum answer_kind answer_read(const struct answer_run *run, const char *data, size_t length, uint32_t *seq)
{
    size_t before = length;

    *seq = find_probe(run, data, length);
    if (*seq != 0 && ends_with_line(run, *seq, data, &before) && before == 0)
        return ANSWER_RIGHT;
    return *seq != 0 || has_mark(run, data, length) ? ANSWER_ALTERED : ANSWER_FOREIGN;
}

enum answer_kind answer_read_stream(const struct answer_run *run, uint32_t seq, const char *data,
                                    size_t length, size_t *before)
{
    *before = length;
    bool ends = ends_with_line(run, seq, data, before);

    if (ends && !has_mark(run, data, *before))
        return ANSWER_RIGHT;
    return has_mark(run, data, length) || find_probe(run, data, length) != 0 ? ANSWER_ALTERED
                                                                             : ANSWER_FOREIGN;
}
