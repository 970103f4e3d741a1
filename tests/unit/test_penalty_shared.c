/* Penalties, given by several processes at once, and by some that are killed in the middle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "source_help.h"
#include "worker/penalty.c"

enum {
    WORKERS = 4,
    CALLS = 2000,
    SOURCES = 300,
    DEADLINE_SECONDS = 120, /* for one that does nothing */
    LONGEST_MS = 600 * 1000
};
#define NOW_MS UINT64_C(3600000)

/* What the workers of a test share. */
struct common {
    struct penalty *penalty;
    unsigned calls; /* of each worker, about each source */
    _Atomic uint64_t ready, refusals, charged;
};

/* Source NUMBER. */
static struct source number(uint32_t number)
{
    struct source made = source_at("10.0.0.0");
    uint32_t bits = htonl(0x0a000000 + number);

    memcpy(made.address + 12, &bits, sizeof(bits));
    return made;
}

static int open_common(void **state)
{
    struct common *common =
        mmap(NULL, sizeof(*common), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (common == MAP_FAILED)
        return -1;
    common->penalty = penalty_open();
    *state = common;
    return common->penalty != NULL ? 0 : -1;
}

static int close_common(void **state)
{
    struct common *common = *state;

    penalty_close(common->penalty);
    munmap(common, sizeof(*common));
    return 0;
}

static void start(struct common *common, void (*work)(struct common *common), pid_t workers[WORKERS])
{
    for (unsigned i = 0; i < WORKERS; i++) {
        workers[i] = fork();
        assert_true(workers[i] >= 0);
        if (workers[i] > 0)
            continue;
        alarm(DEADLINE_SECONDS);
        work(common);
        _exit(0);
    }
}

static void wait_for(const pid_t workers[WORKERS])
{
    for (unsigned i = 0; i < WORKERS; i++) {
        int status;
        assert_int_equal(waitpid(workers[i], &status, 0), workers[i]);
        assert_true(WIFEXITED(status) ? WEXITSTATUS(status) == 0 : WTERMSIG(status) == SIGKILL);
    }
}

/* So that they do what follows at the same time, as far as there are processors. */
static void wait_for_all(struct common *common)
{
    common->ready++;
    while (common->ready < WORKERS)
        sched_yield();
}

static void offend_lightly(struct common *common)
{
    wait_for_all(common);
    for (uint32_t i = 0; i < SOURCES; i++)
        for (unsigned j = 0; j < common->calls; j++)
            common->refusals += penalty_charge(common->penalty, NOW_MS, number(i).address, 1, LONGEST_MS) > 0;
}

static uint64_t level_of(const struct penalty *penalty, struct source from)
{
    uint64_t hash = hash_of(penalty, from.address), word = 0;

    find(set_of(penalty, hash), hash, NOW_MS, LONGEST_MS, &word);
    return same_tag(word, hash) ? word & LEVEL_MASK : 0;
}

/* Whoever notes it: each offence counts once, and all together bring one refusal about. */
static void test_all_count_together(void **state)
{
    struct common *common = *state;
    uint64_t enough = (PENALTY_FORGIVEN + 1) * PENALTY_OFFENCE;
    pid_t workers[WORKERS];

    common->calls = (unsigned) enough / WORKERS - 1;
    start(common, offend_lightly, workers);
    wait_for(workers);
    assert_int_equal(common->refusals, 0);
    for (uint32_t i = 0; i < SOURCES; i++)
        assert_int_equal(level_of(common->penalty, number(i)), enough - WORKERS);
    common->calls = 10;
    common->ready = 0;
    start(common, offend_lightly, workers);
    wait_for(workers);
    assert_int_equal(common->refusals, SOURCES);
    for (uint32_t i = 0; i < SOURCES; i++)
        assert_int_equal(level_of(common->penalty, number(i)), enough);
}

static void offend_for_ever(struct common *common)
{
    for (uint32_t i = 0;; i++, common->charged++)
        penalty_charge(common->penalty, NOW_MS, number(i % SOURCES).address, PENALTY_OFFENCE, LONGEST_MS);
}

/* Whatever those who were killed left behind: later everybody is free, and begins anew. */
static void test_killed_in_the_middle(void **state)
{
    struct common *common = *state;
    uint64_t later = NOW_MS + LONGEST_MS + 20 * (uint64_t) PENALTY_MEMORY_MS;

    for (unsigned round = 0; round < 5; round++) {
        pid_t workers[WORKERS];
        uint64_t before = common->charged;
        start(common, offend_for_ever, workers);
        while (common->charged < before + CALLS)
            sched_yield();
        for (unsigned i = 0; i < WORKERS; i++)
            kill(workers[i], SIGKILL);
        wait_for(workers);
    }
    for (uint32_t i = 0; i < SOURCES; i++) {
        struct source from = number(i);
        assert_int_equal(penalty_left_ms(common->penalty, later, from.address, LONGEST_MS), 0);
        for (unsigned j = 0; j < PENALTY_FORGIVEN; j++)
            assert_int_equal(
                penalty_charge(common->penalty, later, from.address, PENALTY_OFFENCE, LONGEST_MS), 0);
        assert_int_equal(penalty_charge(common->penalty, later, from.address, PENALTY_OFFENCE, LONGEST_MS),
                         PENALTY_FIRST_MS);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_common, close_common)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_all_count_together), TEST(test_killed_in_the_middle)};

    return cmocka_run_group_tests_name("penalty shared", tests, NULL, NULL);
}
