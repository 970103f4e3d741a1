/* SipHash-1-3 against values of a second implementation, which gives the published ones of SipHash-2-4 too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "seed.h"

/* The key is the bytes 00 to 0f, the input the first N of the bytes 00, 01, 02 and so on, as in the paper. */
static const struct hash_key paper_key = {{0x0706050403020100, 0x0f0e0d0c0b0a0908}};
static const uint64_t expected[64] = {
    0xabac0158050fc4dc, 0xc9f49bf37d57ca93, 0x82cb9b024dc7d44d, 0x8bf80ab8e7ddf7fb, 0xcf75576088d38328,
    0xdef9d52f49533b67, 0xc50d2b50c59f22a7, 0xd3927d989bb11140, 0x369095118d299a8e, 0x25a48eb36c063de4,
    0x79de85ee92ff097f, 0x70c118c1f94dc352, 0x78a384b157b4d9a2, 0x306f760c1229ffa7, 0x605aa111c0f95d34,
    0xd320d86d2a519956, 0xcc4fdd1a7d908b66, 0x9cf2689063dbd80c, 0x8ffc389cb473e63e, 0xf21f9de58d297d1c,
    0xc0dc2f46a6cce040, 0xb992abfe2b45f844, 0x7ffe7b9ba320872e, 0x525a0e7fdae6c123, 0xf464aeb267349c8c,
    0x45cd5928705b0979, 0x3a3e35e3ca9913a5, 0xa91dc74e4ade3b35, 0xfb0bed02ef6cd00d, 0x88d93cb44ab1e1f4,
    0x540f11d643c5e663, 0x2370dd1f8c21d1bc, 0x81157b6c16a7b60d, 0x4d54b9e57a8ff9bf, 0x759f12781f2a753e,
    0xcea1a3bebf186b91, 0x2cf508d3ada26206, 0xb6101c2da3c33057, 0xb3f47496ae3a36a1, 0x626b57547b108392,
    0xc1d2363299e41531, 0x667cc1923f1ad944, 0x65704ffec8138825, 0x24f280d1c28949a6, 0xc2ca1cedfaf8876b,
    0xc2164bfc9f042196, 0xa16e9c9368b1d623, 0x49fb169c8b5114fd, 0x9f3143f8df074c46, 0xc6fdaf2412cc86b3,
    0x7eaf49d10a52098f, 0x1cf313559d292f9a, 0xc44a30dda2f41f12, 0x36fae98943a71ed0, 0x318fb34c73f0bce6,
    0xa27abf3670a7e980, 0xb4bcc0db243c6d75, 0x23f8d852fdb71513, 0x8f035f4da67d8a08, 0xd89cd0e5b7e8f148,
    0xf6f4e6bcf7a644ee, 0xaec59ad80f1837f2, 0xc3b2f6154b6694e0, 0x9d199062b7bbb3a8};

static void test_every_length(void **state)
{
    (void) state;
    for (size_t length = 0; length < 64; length++) {
        /* A block of exactly this size, so that a read beyond it is seen by the tools. */
        uint8_t *data = calloc(1, length + 1);
        for (size_t i = 0; i < length; i++)
            data[1 + i] = (uint8_t) i;
        assert_int_equal(hash_bytes(&paper_key, data + 1, length), expected[length]);
        free(data);
    }
}

static void test_other_keys(void **state)
{
    static const struct hash_key zeros = {{0, 0}}, ones = {{UINT64_MAX, UINT64_MAX}},
                                 digits = {{0x0123456789abcdef, 0xfedcba9876543210}};
    uint8_t data[300];

    (void) state;
    assert_int_equal(hash_bytes(&zeros, "", 0), 0xd1fba762150c532c);
    memset(data, 0xff, sizeof(data));
    assert_int_equal(hash_bytes(&ones, data, 17), 0xb9ae9c301641aec0);
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t) (i * 7);
    assert_int_equal(hash_bytes(&digits, data, sizeof(data)), 0x98b9c1737003b3d1);
}

/* Half of the bits change with any bit of the key or of the input, give or take what chance allows. */
static void test_every_bit_counts(void **state)
{
    struct seed seed = seed_start();
    uint8_t input[2][17];
    unsigned changed = 0, tries = 0;

    (void) state;
    for (size_t i = 0; i < sizeof(input[0]); i++)
        input[0][i] = (uint8_t) seed_next(&seed);
    uint64_t before = hash_bytes(&paper_key, input[0], sizeof(input[0]));
    for (unsigned bit = 0; bit < 8 * sizeof(input[0]); bit++, tries++) {
        memcpy(input[1], input[0], sizeof(input[0]));
        input[1][bit / 8] ^= (uint8_t) (1u << bit % 8);
        changed +=
            (unsigned) __builtin_popcountll(before ^ hash_bytes(&paper_key, input[1], sizeof(input[1])));
    }
    for (unsigned bit = 0; bit < 128; bit++, tries++) {
        struct hash_key key = paper_key;
        key.word[bit / 64] ^= UINT64_C(1) << bit % 64;
        changed += (unsigned) __builtin_popcountll(before ^ hash_bytes(&key, input[0], sizeof(input[0])));
    }
    assert_in_range(changed, 30 * tries, 34 * tries);
}

/* Half of the bits change with any bit of the key, of the word or of its kind, too. */
static void test_every_bit_of_a_word_counts(void **state)
{
    struct seed seed = seed_start();
    unsigned changed = 0, rounds = 1000;

    (void) state;
    for (unsigned round = 0; round < rounds; round++) {
        struct hash_key key = {{seed_next(&seed), seed_next(&seed)}}, other = key;
        uint64_t word = (uint64_t) seed_next(&seed) << 32 | seed_next(&seed), another = word;
        uint8_t kind = (uint8_t) seed_next(&seed), kin = kind;
        size_t bit = seed_below(&seed, 128 + 64 + 8);
        if (bit < 128)
            other.word[bit / 64] ^= UINT64_C(1) << bit % 64;
        else if (bit < 192)
            another ^= UINT64_C(1) << (bit - 128);
        else
            kin ^= (uint8_t) (1 << (bit - 192));
        unsigned differ =
            (unsigned) __builtin_popcountll(hash_word(&key, word, kind) ^ hash_word(&other, another, kin));
        assert_in_range(differ, 8, 56);
        changed += differ;
    }
    assert_in_range(changed / rounds, 30, 34);
}

/* Of an address the bits of its prefix count, and how many they are; those behind it do not, nor, for a
 * prefix of more than 64, those of the first half. */
static void test_prefixes(void **state)
{
    static const unsigned sizes[] = {48, 64, 120, 128};
    struct seed seed = seed_start();
    uint8_t address[16], other[16];

    (void) state;
    for (size_t i = 0; i < sizeof(address); i++)
        address[i] = (uint8_t) seed_next(&seed);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint64_t hash = hash_prefix(&paper_key, address, sizes[i]);
        for (unsigned bit = 0; bit < 128; bit++) {
            bool counts = bit < sizes[i] && (sizes[i] <= 64 || bit >= 64);
            memcpy(other, address, sizeof(other));
            other[bit / 8] ^= (uint8_t) (0x80 >> bit % 8);
            assert_int_equal(hash_prefix(&paper_key, other, sizes[i]) != hash, counts);
        }
        assert_true(hash_prefix(&paper_key, address, sizes[i] - 1) != hash);
    }
}

static void test_keys_differ(void **state)
{
    struct hash_key a = {{0, 0}}, b = {{0, 0}};

    (void) state;
    assert_int_equal(hash_key_make(&a), 0);
    assert_int_equal(hash_key_make(&b), 0);
    assert_memory_not_equal(&a, &b, sizeof(a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_length),     cmocka_unit_test(test_other_keys),
        cmocka_unit_test(test_every_bit_counts), cmocka_unit_test(test_every_bit_of_a_word_counts),
        cmocka_unit_test(test_prefixes),         cmocka_unit_test(test_keys_differ),
    };

    return cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}
