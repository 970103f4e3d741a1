/* Networks from text, and the table beside a list that is searched from end to end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/addr.h"
#include "base/prefixes.h"
#include "seed.h"

enum {
    NETWORKS_MAX = 10000
};

struct entry {
    struct prefix network;
    unsigned value;
};

static struct prefix network_of(const char *text)
{
    struct prefix network;

    assert_null(prefix_parse(text, &network));
    return network;
}

static unsigned find(const struct prefixes *prefixes, const char *address)
{
    struct prefix host = network_of(address);

    assert_int_equal(host.bits, 128);
    return prefixes_find(prefixes, host.address);
}

static unsigned add(struct prefixes *prefixes, const char *text, unsigned value)
{
    struct prefix network = network_of(text);

    return prefixes_add(prefixes, &network, value);
}

static void test_text(void **state)
{
    static const struct {
        const char *text, *shown;
    } good[] = {
        {"10.1.2.3", "10.1.2.3"},
        {"10.1.2.3/32", "10.1.2.3"},
        {"10.1.2.3/8", "10.0.0.0/8"},
        {"::ffff:10.1.2.3/104", "10.0.0.0/8"},
        {"0.0.0.0/0", "0.0.0.0/0"},
        {"::/0", "::/0"},
        {"2001:db8::1/65", "2001:db8::/65"},
        {"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
        {"0:0:0:0:0:ffff:255.255.255.255/128", "255.255.255.255"},
    };
    static const char *const bad[] = {
        "",       "/8",        "10.0.0",     "10.0.0.0/",   "10.0.0.0/33",  "10.0.0.0/-1",
        "::/129", "::/ 1",     "::/1 ",      "::1%lo",      "10.0.0.0/8/8", "10.0.0.0/0x8",
        "host",   " 10.0.0.1", "010.0.0.1x", "::/00000001", "1::2::3"};
    char text[ADDR_TEXT_MAX];

    (void) state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct prefix network = network_of(good[i].text);
        assert_string_equal(addr_network_text(network.address, network.bits, text), good[i].shown);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct prefix network = {.bits = 77};
        assert_non_null(prefix_parse(bad[i], &network));
        assert_int_equal(network.bits, 77);
    }
}

static void test_empty(void **state)
{
    struct prefixes *prefixes = prefixes_create(0);

    (void) state;
    assert_non_null(prefixes);
    assert_int_equal(find(prefixes, "10.0.0.1"), 0);
    assert_int_equal(find(prefixes, "::"), 0);
    assert_int_equal(find(NULL, "::"), 0);
    prefixes_free(prefixes);
    prefixes_free(NULL);
}

static void test_the_smallest_network_decides(void **state)
{
    struct prefixes *prefixes = prefixes_create(6);

    (void) state;
    assert_int_equal(add(prefixes, "10.1.2.3", 4), 4);
    assert_int_equal(add(prefixes, "10.0.0.0/8", 2), 2);
    assert_int_equal(add(prefixes, "10.1.2.0/24", 3), 3);
    assert_int_equal(add(prefixes, "::/0", 1), 1);
    assert_int_equal(add(prefixes, "2001:db8::/32", 5), 5);
    assert_int_equal(add(prefixes, "10.1.3.0/24", 6), 6);
    assert_int_equal(find(prefixes, "10.1.2.3"), 4);
    assert_int_equal(find(prefixes, "::ffff:10.1.2.3"), 4);
    assert_int_equal(find(prefixes, "10.1.2.2"), 3);
    assert_int_equal(find(prefixes, "10.1.3.255"), 6);
    assert_int_equal(find(prefixes, "10.1.4.0"), 2);
    assert_int_equal(find(prefixes, "11.0.0.0"), 1);
    assert_int_equal(find(prefixes, "2001:db8:ffff::"), 5);
    assert_int_equal(find(prefixes, "2001:db9::"), 1);
    prefixes_free(prefixes);
}

static void test_ipv4_is_apart(void **state)
{
    struct prefixes *prefixes = prefixes_create(1);

    (void) state;
    add(prefixes, "0.0.0.0/0", 9);
    assert_int_equal(find(prefixes, "0.0.0.0"), 9);
    assert_int_equal(find(prefixes, "255.255.255.255"), 9);
    assert_int_equal(find(prefixes, "::1"), 0);
    assert_int_equal(find(prefixes, "::fffe:1.2.3.4"), 0);
    prefixes_free(prefixes);
}

static void test_the_first_value_stays(void **state)
{
    struct prefixes *prefixes = prefixes_create(4);

    (void) state;
    assert_int_equal(add(prefixes, "10.0.0.0/8", 1), 1);
    assert_int_equal(add(prefixes, "10.1.2.3/8", 2), 1);
    assert_int_equal(add(prefixes, "::/0", 255), 255);
    assert_int_equal(add(prefixes, "::/0", 1), 255);
    assert_int_equal(find(prefixes, "10.0.0.1"), 1);
    prefixes_free(prefixes);
}

/* A network, of those that share their beginning with many others or that do not. */
static struct prefix some_network(struct seed *seed)
{
    struct prefix network = {.bits = (unsigned) seed_below(seed, 129)};
    unsigned dense = (unsigned) seed_below(seed, 3);

    for (unsigned i = 0; i < 16; i++)
        network.address[i] = (uint8_t) (dense == 0 ? seed_next(seed) : seed_below(seed, 2) * 0x81);
    if (dense == 2) {
        memcpy(network.address, addr_mapped, sizeof(addr_mapped));
        network.bits = 96 + (unsigned) seed_below(seed, 33);
    }
    for (unsigned bit = network.bits; bit < 128; bit++)
        network.address[bit / 8] &= (uint8_t) ~(0x80U >> bit % 8);
    return network;
}

static unsigned search(const struct entry *list, size_t count, const uint8_t address[16])
{
    const struct entry *best = NULL;

    for (size_t i = 0; i < count; i++)
        if (addr_same_prefix(list[i].network.address, address, list[i].network.bits) &&
            (best == NULL || list[i].network.bits > best->network.bits))
            best = &list[i];
    return best != NULL ? best->value : 0;
}

/* An address near NETWORK, as often inside as just outside, or anywhere. */
static void some_address(struct seed *seed, const struct prefix *network, uint8_t address[16])
{
    struct prefix other = some_network(seed);

    memcpy(address, seed_below(seed, 4) == 0 ? other.address : network->address, 16);
    if (seed_below(seed, 2) == 0)
        for (unsigned i = 0; i < 16; i++)
            address[i] |= (uint8_t) (other.address[i] & (i < network->bits / 8 ? 0 : 0xff));
    unsigned bit = (unsigned) seed_below(seed, 128);
    if (seed_below(seed, 2) == 0)
        address[bit / 8] ^= (uint8_t) (0x80U >> bit % 8);
}

static void check_random(struct seed *seed, size_t count, unsigned questions)
{
    static struct entry list[NETWORKS_MAX];
    struct prefixes *prefixes = prefixes_create(count);

    assert_non_null(prefixes);
    for (size_t i = 0; i < count; i++) {
        list[i].network = some_network(seed);
        list[i].value = prefixes_add(prefixes, &list[i].network, 1 + (unsigned) seed_below(seed, 255));
        for (size_t j = 0; j < i && count < 200; j++)
            if (list[j].network.bits == list[i].network.bits &&
                memcmp(list[j].network.address, list[i].network.address, 16) == 0)
                assert_int_equal(list[i].value, list[j].value);
    }
    for (unsigned i = 0; i < questions; i++) {
        uint8_t address[16];
        some_address(seed, &list[seed_below(seed, count)].network, address);
        assert_int_equal(prefixes_find(prefixes, address), search(list, count, address));
    }
    prefixes_free(prefixes);
}

static void test_random(void **state)
{
    struct seed seed = seed_start();

    (void) state;
    for (unsigned round = 0; round < 1000; round++)
        check_random(&seed, 1 + seed_below(&seed, 40), 40);
    check_random(&seed, NETWORKS_MAX, 300);
}

/* Each bit a network of its own: the deepest that there can be. */
static void test_deepest(void **state)
{
    struct prefixes *prefixes = prefixes_create(129);
    struct prefix network = {.bits = 0};
    uint8_t address[16];

    (void) state;
    memset(network.address, 0xa5, sizeof(network.address));
    for (int bits = 128; bits >= 0; bits--) {
        network.bits = (unsigned) bits;
        assert_int_equal(prefixes_add(prefixes, &network, network.bits + 1), network.bits + 1);
    }
    assert_int_equal(prefixes_find(prefixes, network.address), 129);
    for (unsigned bit = 0; bit < 128; bit++) {
        memcpy(address, network.address, 16);
        address[bit / 8] ^= (uint8_t) (0x80U >> bit % 8);
        assert_int_equal(prefixes_find(prefixes, address), bit + 1);
    }
    prefixes_free(prefixes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_the_smallest_network_decides),
        cmocka_unit_test(test_ipv4_is_apart),
        cmocka_unit_test(test_the_first_value_stays),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_deepest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
