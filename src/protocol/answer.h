/* The answer's bytes: what stands before the name, the name, what stands after it.
 *
 * For the protocols in this folder alone. */
#ifndef HELLOD_PROTOCOL_ANSWER_H
#define HELLOD_PROTOCOL_ANSWER_H

#include <stdint.h>
#include <string.h>

#include "protocol/protocol.h"

/* Copies LENGTH bytes and returns the end of the copy. Most names have less than 17 bytes and differ in
 * length, and a call of memcpy() for so few costs more than the rest of the answer; so four words that
 * overlap as the length needs it are moved without a branch on the length. By itself the compiler would call
 * this, too. */
static inline __attribute__((always_inline)) char *answer_append(char *out, const char *data, size_t length)
{
    uint32_t word[4];

    if (length > sizeof word) {
        memcpy(out, data, length);
    } else if (length >= 4) {
        size_t step = length / 8 * 4, last = length - 4;
        memcpy(&word[0], data, 4);
        memcpy(&word[1], data + step, 4);
        memcpy(&word[2], data + last - step, 4);
        memcpy(&word[3], data + last, 4);
        memcpy(out, &word[0], 4);
        memcpy(out + step, &word[1], 4);
        memcpy(out + last - step, &word[2], 4);
        memcpy(out + last, &word[3], 4);
    } else if (length > 0) {
        out[0] = data[0];
        out[length / 2] = data[length / 2];
        out[length - 1] = data[length - 1];
    }
    return out + length;
}

/* Writes the answer to NAME; OUT has room for protocol_answer_max() bytes. Returns the bytes written. */
static inline size_t answer_write(const struct texts *texts, const char *name, size_t length, char *out)
{
    char *end = answer_append(out, texts->prefix.data, texts->prefix.length);
    end = answer_append(end, name, length);
    end = answer_append(end, texts->suffix.data, texts->suffix.length);
    return (size_t) (end - out);
}

#endif
