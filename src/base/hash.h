/* A keyed hash for tables that strangers fill: without the key nobody can choose what collides.
 *
 * SipHash-1-3 (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012, with the rounds that hash
 * tables use). */
#ifndef HELLOD_BASE_HASH_H
#define HELLOD_BASE_HASH_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

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

/* The hash of the first BITS (up to 64, or from 65 those behind the first 64) of ADDRESS. The bits that
 * count, and how many they are, keep a source, its prefix, and those of IPv4 and IPv6 apart. */
static inline uint64_t hash_prefix(const struct hash_key *key, const uint8_t address[16], unsigned bits)
{
    uint64_t half;

    memcpy(&half, address + (bits > 64 ? 8 : 0), sizeof(half));
    return hash_word(key, be64toh(half) >> (bits > 64 ? 128 - bits : 64 - bits), (uint8_t) bits);
}

#endif
