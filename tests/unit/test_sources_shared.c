/* Connections per source, counted by several processes at once, and by one that is killed in the middle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "sources_help.h"

enum {
    WORKERS = 4,
    ADDRESSES = 4, /* of different sources */
    LIMIT = 6,     /* connections of each */
    HELD_MAX = 8,
    DEADLINE_SECONDS = 120, /* for one that does nothing */
    MEETINGS = 200000,
    MEETINGS_MS = 2000
};

static uint8_t addresses[ADDRESSES][16];

static int parse_addresses(void **state)
{
    static const char *const texts[ADDRESSES] = {"::ffff:192.0.2.1", "::ffff:192.0.3.1", "2001:db8:1::1",
                                                 "2001:db8:2::1"};

    (void) state;
    for (unsigned i = 0; i < ADDRESSES; i++)
        assert_int_equal(inet_pton(AF_INET6, texts[i], addresses[i]), 1);
    return 0;
}

/* A table so large, and a key so chosen, that no entry ever moves for another: then the limit is exact also
 * for workers that count at the same moment. */
static struct sources *open_roomy(void)
{
    for (;;) {
        struct sources *sources = sources_open(WORKERS, 65536);
        uint32_t homes[2 * ADDRESSES];
        unsigned near = 0;
        assert_non_null(sources);
        for (unsigned i = 0; i < ADDRESSES; i++) {
            homes[2 * i] = home(sources, source_entry(sources, addresses[i]));
            homes[2 * i + 1] = home(sources, prefix_entry(sources, addresses[i]));
        }
        for (unsigned i = 0; i < 2 * ADDRESSES; i++)
            for (unsigned j = 0; j < i; j++)
                near += ((homes[i] - homes[j] + 1) & sources->mask) <= 2;
        if (near == 0)
            return sources;
        sources_close(sources);
    }
}

/* What the workers of a test share. */
struct common {
    _Atomic int now[ADDRESSES];
    _Atomic unsigned too_many, refused, deeds;
    _Alignas(64) _Atomic unsigned arrived;
    _Alignas(64) _Atomic unsigned decided;
    _Atomic bool admitted[2], enough;
};

static struct common *open_common(void)
{
    void *memory =
        mmap(NULL, sizeof(struct common), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    assert_true(memory != MAP_FAILED);
    return memory;
}

static pid_t fork_quietly(void)
{
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    return pid;
}

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
        unsigned which = (unsigned) seed_below(&seed, ADDRESSES);
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
    pid_t pid = fork_quietly();

    if (pid > 0)
        return pid;
    hammer(sources, common, table, own, deeds);
    sources_close(sources);
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

/* Waits until both have raised COUNTER to ROUND. */
static void meet(_Atomic unsigned *counter, unsigned round)
{
    atomic_fetch_add(counter, 1);
    for (unsigned i = 1; *counter < 2 * round; i++)
        if (i % 256 == 0)
            sched_yield();
}

/* Two that want the last place at the same moment, again and again; counts how often both got it. */
static unsigned compete(struct sources *sources, struct common *common, unsigned own)
{
    uint64_t until = clock_ms() + MEETINGS_MS;
    unsigned both = 0;

    for (unsigned round = 1; round <= MEETINGS; round++) {
        if (own == 0 && round % 1024 == 0)
            common->enough = clock_ms() > until;
        meet(&common->arrived, round);
        if (common->enough)
            break;
        common->admitted[own] = sources_add(sources, own, addresses[0], 1, 0) == SOURCES_ADMITTED;
        meet(&common->decided, round);
        both += common->admitted[0] && common->admitted[1];
        if (common->admitted[own])
            sources_remove(sources, own, addresses[0], 1, 0);
    }
    return both;
}

static void test_the_last_place_is_given_once(void **state)
{
    struct sources *sources = open_roomy();
    struct common *common = open_common();

    (void) state;
    alarm(DEADLINE_SECONDS);
    pid_t other = fork_quietly();
    if (other == 0) {
        compete(sources, common, 1);
        sources_close(sources);
        _exit(0);
    }
    assert_int_equal(compete(sources, common, 0), 0);
    assert_int_equal(waitpid(other, NULL, 0), other);
    alarm(0);
    munmap(common, sizeof(*common));
    sources_close(sources);
}

/* Whatever it was at when it was killed: once its table is cleared, exactly the others' connections count. */
static void test_killed_worker(void **state)
{
    struct seed seed = seed_start();
    struct sources *sources = sources_open(2, 2 * HELD_MAX); /* small, so that entries move */
    struct common *common = open_common();

    (void) state;
    alarm(DEADLINE_SECONDS);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(sources_add(sources, 0, addresses[0], 1000, 1000), SOURCES_ADMITTED);
    for (unsigned round = 0; round < 40; round++) {
        unsigned until = common->deeds + 100 + (unsigned) seed_below(&seed, 2000);
        pid_t worker = start_hammer(sources, common, 1, &seed, 0);
        while ((int) (until - common->deeds) > 0)
            sched_yield();
        kill(worker, SIGKILL);
        assert_int_equal(waitpid(worker, NULL, 0), worker);
        sources_clear(sources, 1);
        assert_true(is_empty(sources, 1));
        assert_int_equal(count_everywhere(sources, source_entry(sources, addresses[0])), 3);
        assert_int_equal(sources_add(sources, 0, addresses[0], 3, 0), SOURCES_SOURCE_FULL);
        assert_int_equal(sources_add(sources, 0, addresses[0], 4, 4), SOURCES_ADMITTED);
        sources_remove(sources, 0, addresses[0], 4, 4);
    }
    alarm(0);
    munmap(common, sizeof(*common));
    sources_close(sources);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_workers_at_once),
        cmocka_unit_test(test_the_last_place_is_given_once),
        cmocka_unit_test(test_killed_worker),
    };

    return cmocka_run_group_tests_name("sources shared", tests, parse_addresses, NULL);
}
