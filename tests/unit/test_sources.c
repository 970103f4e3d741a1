/* Connections per source: one process against a naive count, then several at once, and one killed in the
 * middle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "seed.h"
#include "worker/sources.c"

enum {
    TABLES = 3,
    CONNECTIONS = 16, /* a table; small, so that entries collide */
    WORKERS = 4,
    ADDRESSES = 14,
    DEADLINE_SECONDS = 120
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

/* Nothing is left in TABLE. */
static bool is_empty(const struct sources *sources, unsigned table)
{
    struct table own = table_at(sources, table);

    for (uint32_t i = 0; i <= sources->mask; i++)
        if (own.places[i] != 0)
            return false;
    return own.fill->used == 0;
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

/* A table so large, and a key so chosen, that no entry ever moves for another: then the limit is exact also
 * for workers that count at the same moment. */
static struct sources *open_roomy(void)
{
    for (;;) {
        struct sources *sources = sources_open(WORKERS, 65536);
        assert_non_null(sources);
        uint64_t entries[2 * ADDRESSES];
        unsigned near = 0;
        for (unsigned i = 0; i < ADDRESSES; i++) {
            entries[2 * i] = source_entry(sources, addresses[i]);
            entries[2 * i + 1] = prefix_entry(sources, addresses[i]);
        }
        for (unsigned i = 0; i < 2 * ADDRESSES; i++)
            for (unsigned j = 0; j < i; j++)
                near += entries[i] != entries[j] &&
                        ((home(sources, entries[i]) - home(sources, entries[j]) + 1) & sources->mask) <= 2;
        if (near == 0)
            return sources;
        sources_close(sources);
    }
}

/* What the workers of a test share. */
struct common {
    _Atomic int now[ADDRESSES];
    _Atomic unsigned too_many, refused, deeds;
};

static struct common *open_common(void)
{
    void *memory =
        mmap(NULL, sizeof(struct common), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    assert_true(memory != MAP_FAILED);
    return memory;
}

enum {
    HAMMERED = 4, /* addresses of different sources: 0, 3, 5, 8 */
    LIMIT = 6,
    HELD_MAX = 8
};
static const unsigned hammered[HAMMERED] = {0, 3, 5, 8};

static void give_back(struct sources *sources, struct common *common, unsigned table, unsigned which)
{
    atomic_fetch_sub(&common->now[which], 1);
    sources_remove(sources, table, addresses[which], LIMIT, 1000);
}

/* A worker: takes and gives back the same few sources; never ends by itself when DEEDS is 0. */
static void hammer(struct sources *sources, struct common *common, unsigned table, struct seed seed,
                   unsigned deeds)
{
    unsigned held[HELD_MAX], count = 0;

    for (unsigned i = 0; deeds == 0 || i < deeds; i++) {
        atomic_fetch_add(&common->deeds, 1);
        unsigned which = hammered[seed_below(&seed, HAMMERED)];
        if (count < HELD_MAX &&
            sources_add(sources, table, addresses[which], LIMIT, 1000) == SOURCES_ADMITTED) {
            held[count++] = which;
            if (atomic_fetch_add(&common->now[which], 1) >= LIMIT)
                atomic_fetch_add(&common->too_many, 1);
            continue;
        }
        common->refused += count < HELD_MAX;
        for (size_t give = seed_below(&seed, HELD_MAX); count > 0 && give > 0; give--)
            give_back(sources, common, table, held[--count]);
    }
    while (count > 0)
        give_back(sources, common, table, held[--count]);
}

static pid_t start_hammer(struct sources *sources, struct common *common, unsigned table, struct seed *seed,
                          unsigned deeds)
{
    struct seed own = {seed_next(seed)};

    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid > 0)
        return pid;
    hammer(sources, common, table, own, deeds);
    _exit(0);
}

static void test_workers_at_once(void **state)
{
    struct seed seed = seed_start();
    struct sources *sources = open_roomy();
    struct common *common = open_common();
    pid_t workers[WORKERS];

    (void) state;
    for (unsigned i = 0; i < WORKERS; i++)
        workers[i] = start_hammer(sources, common, i, &seed, 20000);
    for (unsigned i = 0; i < WORKERS; i++) {
        int status;
        assert_int_equal(waitpid(workers[i], &status, 0), workers[i]);
        assert_int_equal(status, 0);
    }
    assert_int_equal(common->too_many, 0);
    assert_true(common->refused > 0);
    for (unsigned i = 0; i < WORKERS; i++)
        assert_true(is_empty(sources, i));
    munmap(common, sizeof(*common));
    sources_close(sources);
}

/* Whatever it was at when it was killed: once its table is cleared, exactly the others' connections count. */
static void test_killed_worker(void **state)
{
    struct seed seed = seed_start();
    struct sources *sources = sources_open(2, CONNECTIONS);
    struct common *common = open_common();

    (void) state;
    alarm(DEADLINE_SECONDS); /* for a worker that does nothing */
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(sources_add(sources, 0, addresses[hammered[0]], 1000, 1000), SOURCES_ADMITTED);
    for (unsigned round = 0; round < 40; round++) {
        unsigned until = common->deeds + 100 + (unsigned) seed_below(&seed, 2000);
        pid_t worker = start_hammer(sources, common, 1, &seed, 0);
        while ((int) (until - common->deeds) > 0)
            sched_yield();
        kill(worker, SIGKILL);
        assert_int_equal(waitpid(worker, NULL, 0), worker);
        sources_clear(sources, 1);
        assert_true(is_empty(sources, 1));
        assert_int_equal(count_everywhere(sources, source_entry(sources, addresses[hammered[0]])), 3);
        assert_int_equal(sources_add(sources, 0, addresses[hammered[0]], 3, 0), SOURCES_SOURCE_FULL);
        assert_int_equal(sources_add(sources, 0, addresses[hammered[0]], 4, 4), SOURCES_ADMITTED);
        sources_remove(sources, 0, addresses[hammered[0]], 4, 4);
    }
    alarm(0);
    munmap(common, sizeof(*common));
    sources_close(sources);
}

static void test_close_of_nothing(void **state)
{
    (void) state;
    sources_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_deeds),     cmocka_unit_test(test_full_table),
        cmocka_unit_test(test_workers_at_once),  cmocka_unit_test(test_killed_worker),
        cmocka_unit_test(test_close_of_nothing),
    };

    return cmocka_run_group_tests_name("sources", tests, parse_addresses, NULL);
}
