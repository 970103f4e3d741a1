/* Connections per source: one process that does as several would, against a naive count. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "seed.h"
#include "sources_help.h"

enum {
    TABLES = 3,
    CONNECTIONS = 16, /* a table; small, so that entries collide */
    ADDRESSES = 14
};

/* Some of one network and of one /64, some that differ in the last bit of either, and ones that are alike in
 * the wrong family. */
static const char *const texts[ADDRESSES] = {"::ffff:192.0.2.1",
                                             "::ffff:192.0.2.2",
                                             "::ffff:192.0.2.254",
                                             "::ffff:192.0.3.1",
                                             "::ffff:10.0.0.1",
                                             "2001:db8:1:2::1",
                                             "2001:db8:1:2:3:4:5:6",
                                             "2001:db8:1:3::1",
                                             "2001:db8:2::1",
                                             "2001:db8:2:0:8000::1",
                                             "::1",
                                             "::192.0.2.1",
                                             "2001:db8::1",
                                             "2001:db8:0:8000::1"};
static uint8_t addresses[ADDRESSES][16];

static int parse_addresses(void **state)
{
    (void) state;
    for (unsigned i = 0; i < ADDRESSES; i++)
        assert_int_equal(inet_pton(AF_INET6, texts[i], addresses[i]), 1);
    return 0;
}

/* What was admitted, one by one. */
struct admitted {
    unsigned table, address;
    uint32_t per_source, per_prefix;
};

static bool alike(unsigned a, unsigned b, unsigned ipv4_bits, unsigned ipv6_bits)
{
    bool ipv4 = addr_is_ipv4(addresses[a]);

    return ipv4 == addr_is_ipv4(addresses[b]) &&
           addr_same_prefix(addresses[a], addresses[b], ipv4 ? ipv4_bits : ipv6_bits);
}

static enum sources_verdict naive_verdict(const struct admitted *list, unsigned count, struct admitted wish)
{
    uint32_t source = 0, prefix = 0;

    for (unsigned i = 0; i < count; i++) {
        source += list[i].per_source > 0 && alike(list[i].address, wish.address, 128, 64);
        prefix += list[i].per_prefix > 0 && alike(list[i].address, wish.address, 120, 48);
    }
    if (wish.per_source > 0 && source >= wish.per_source)
        return SOURCES_SOURCE_FULL;
    return wish.per_prefix > 0 && prefix >= wish.per_prefix ? SOURCES_PREFIX_FULL : SOURCES_ADMITTED;
}

static unsigned forget_table(struct admitted *list, unsigned count, unsigned table)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < count; i++)
        if (list[i].table != table)
            list[kept++] = list[i];
    return kept;
}

static void add_one(struct seed *seed, struct sources *sources, struct admitted *list, unsigned *count)
{
    static const uint32_t limits[] = {0, 1, 3, 1000};
    struct admitted wish = {.table = (unsigned) seed_below(seed, TABLES),
                            .address = (unsigned) seed_below(seed, ADDRESSES),
                            .per_source = limits[seed_below(seed, 4)],
                            .per_prefix = limits[seed_below(seed, 4)]};
    unsigned in_table = 0;

    for (unsigned i = 0; i < *count; i++)
        in_table += list[i].table == wish.table;
    if (in_table == CONNECTIONS)
        return;
    enum sources_verdict verdict =
        sources_add(sources, wish.table, addresses[wish.address], wish.per_source, wish.per_prefix);
    assert_int_equal(verdict, naive_verdict(list, *count, wish));
    if (verdict == SOURCES_ADMITTED)
        list[(*count)++] = wish;
}

static void remove_one(struct sources *sources, struct admitted *list, unsigned *count, size_t which)
{
    struct admitted gone = list[which];

    sources_remove(sources, gone.table, addresses[gone.address], gone.per_source, gone.per_prefix);
    list[which] = list[--*count];
}

static void test_random_deeds(void **state)
{
    struct seed seed = seed_start();

    (void) state;
    for (unsigned round = 0; round < 100; round++) {
        struct sources *sources = sources_open(TABLES, CONNECTIONS);
        struct admitted list[TABLES * CONNECTIONS];
        unsigned count = 0;
        assert_non_null(sources);
        for (unsigned i = 0; i < 1000; i++) {
            size_t deed = seed_below(&seed, 100);
            if (deed < 60) {
                add_one(&seed, sources, list, &count);
            } else if (deed < 99 && count > 0) {
                remove_one(sources, list, &count, seed_below(&seed, count));
            } else if (deed == 99) {
                unsigned table = (unsigned) seed_below(&seed, TABLES);
                sources_clear(sources, table);
                assert_true(is_empty(sources, table));
                count = forget_table(list, count, table);
            }
        }
        while (count > 0)
            remove_one(sources, list, &count, count - 1);
        for (unsigned table = 0; table < TABLES; table++)
            assert_true(is_empty(sources, table));
        sources_close(sources);
    }
}

/* As many different sources as a table has connections, in an order that makes the entries move. */
static void test_full_table(void **state)
{
    struct seed seed = seed_start();
    struct sources *sources = sources_open(1, 4096);
    uint8_t(*various)[16] = calloc(4096, sizeof(*various));

    (void) state;
    for (unsigned i = 0; i < 4096; i++) {
        uint32_t words[4] = {0x20010db8, seed_next(&seed), seed_next(&seed), i};
        memcpy(various[i], words, sizeof(words));
        assert_int_equal(sources_add(sources, 0, various[i], 4096, 4096), SOURCES_ADMITTED);
    }
    for (unsigned i = 0; i < 4096; i++) {
        unsigned other = (unsigned) seed_below(&seed, 4096);
        uint8_t address[16];
        memcpy(address, various[i], sizeof(address));
        memcpy(various[i], various[other], sizeof(address));
        memcpy(various[other], address, sizeof(address));
    }
    for (unsigned i = 0; i < 4096; i++)
        sources_remove(sources, 0, various[i], 4096, 4096);
    assert_true(is_empty(sources, 0));
    free(various);
    sources_close(sources);
}

static void test_close_of_nothing(void **state)
{
    (void) state;
    sources_close(NULL);
}

/* Two plans that want the same have the same; the memory goes with the last. */
static void test_share(void **state)
{
    const uint8_t address[16] = {[10] = 0xff, [11] = 0xff, 192, 0, 2, 1};
    struct sources *sources = sources_open(2, 100);

    (void) state;
    assert_null(sources_share(NULL, 2, 100));
    assert_null(sources_share(sources, 3, 100));
    assert_null(sources_share(sources, 2, 99));
    assert_ptr_equal(sources_share(sources, 2, 100), sources);
    sources_close(sources);
    assert_int_equal(sources_add(sources, 0, address, 1, 0), SOURCES_ADMITTED);
    assert_int_equal(sources_add(sources, 1, address, 1, 0), SOURCES_SOURCE_FULL);
    sources_close(sources);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_deeds),
        cmocka_unit_test(test_full_table),
        cmocka_unit_test(test_close_of_nothing),
        cmocka_unit_test(test_share),
    };

    return cmocka_run_group_tests_name("sources", tests, parse_addresses, NULL);
}
