/* SipHash-1-3. Pure, but for making a key. */
#include "base/hash.h"

#include <endian.h>
#include <string.h>
#include <sys/random.h>

int hash_key_make(struct hash_key *key)
{
    return getrandom(key, sizeof(*key), 0) == sizeof(*key) ? 0 : -1;
}

static inline uint64_t rotate(uint64_t word, unsigned bits)
{
    return word << bits | word >> (64 - bits);
}

static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] = rotate(v[2], 32);
}

struct state {
    uint64_t v[4];
};

static inline struct state begin(const struct hash_key *key)
{
    return (struct state){{key->word[0] ^ 0x736f6d6570736575, key->word[1] ^ 0x646f72616e646f6d,
                           key->word[0] ^ 0x6c7967656e657261, key->word[1] ^ 0x7465646279746573}};
}

static inline void take(struct state *state, uint64_t word)
{
    state->v[3] ^= word;
    sip_round(state->v);
    state->v[0] ^= word;
}

static inline uint64_t end(struct state *state, uint8_t mark)
{
    uint64_t *v = state->v;

    v[2] ^= mark;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t hash_bytes(const struct hash_key *key, const void *data, size_t length)
{
    struct state state = begin(key);
    const uint8_t *bytes = data;
    uint64_t word;

    for (size_t left = length; left >= 8; left -= 8, bytes += 8) {
        memcpy(&word, bytes, 8);
        take(&state, le64toh(word));
    }
    word = (uint64_t) length << 56;
    for (unsigned i = 0; i < length % 8; i++)
        word |= (uint64_t) bytes[i] << (8 * i);
    take(&state, word);
    return end(&state, 0xff);
}

/* All have one length, so that no block need say it; the mark before the last rounds is the kind's, and never
 * that of bytes. */
uint64_t hash_word(const struct hash_key *key, uint64_t word, uint8_t kind)
{
    struct state state = begin(key);

    take(&state, word);
    return end(&state, kind);
}
