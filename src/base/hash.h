/* A keyed hash for tables that strangers fill: without the key nobody can choose what collides.
 *
 * SipHash-1-3 (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012, with the rounds that hash
 * tables use). */
#ifndef HELLOD_BASE_HASH_H
#define HELLOD_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

struct hash_key {
    uint64_t word[2];
};

/* Fills KEY from getrandom(2). Returns 0, or -1 with errno. */
int hash_key_make(struct hash_key *key);

/* The hash of the LENGTH bytes at DATA. */
uint64_t hash_bytes(const struct hash_key *key, const void *data, size_t length);

/* The hash of WORD, which is of that KIND: the same words of different kinds have different hashes. Twice as
 * fast as by its bytes; another hash than that. */
uint64_t hash_word(const struct hash_key *key, uint64_t word, uint8_t kind);

#endif
