/* Rate, budget and notes, used by several processes at once, and by some that are killed in the middle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "rate_help.h"

enum {
    WORKERS = 8,
    PAIR = 2,
    ROUNDS = 5,
    HAMMER_MS = 100,
    DEADLINE_SECONDS = 120, /* for one that does nothing */
    CALLS = 20000,
    NEWCOMERS = 100000
};
#define SOURCE_NS UINT64_C(10000)
#define BUDGET_NS UINT64_C(10000)

/* What the workers of a test share. */
struct common {
    struct rate *rate;
    _Atomic uint64_t asked, admitted, answers, lines, noted;
    uint64_t end_ns;
    unsigned round;
    _Atomic unsigned arrived; /* of test_newcomer */
    _Atomic uint8_t of[NEWCOMERS];
};

static int open_common(void **state)
{
    struct common *common =
        mmap(NULL, sizeof(*common), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (common == MAP_FAILED)
        return -1;
    common->rate = rate_open();
    *state = common;
    return common->rate != NULL ? 0 : -1;
}

static int close_common(void **state)
{
    struct common *common = *state;

    rate_close(common->rate);
    munmap(common, sizeof(*common));
    return 0;
}

static void start_some(struct common *common, void (*work)(struct common *common), pid_t *workers,
                       unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        workers[i] = fork();
        assert_true(workers[i] >= 0);
        if (workers[i] > 0)
            continue;
        alarm(DEADLINE_SECONDS);
        work(common);
        _exit(0);
    }
}

static void start(struct common *common, void (*work)(struct common *common), pid_t workers[WORKERS])
{
    start_some(common, work, workers, WORKERS);
}

static void wait_for_some(const pid_t *workers, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        int status;
        assert_int_equal(waitpid(workers[i], &status, 0), workers[i]);
        assert_true(WIFEXITED(status) || WTERMSIG(status) == SIGKILL);
    }
}

static void wait_for(const pid_t workers[WORKERS])
{
    wait_for_some(workers, WORKERS);
}

static void hammer(struct common *common)
{
    struct source from = source_at("192.0.2.1");
    uint64_t now = clock_ns(), asked = 0, admitted_ones = 0, answers = 0;

    from.address[15] = (uint8_t) common->round;
    for (; now < common->end_ns; now = clock_ns(), asked++) {
        admitted_ones += rate_admit(common->rate, now, from.address, SOURCE_NS, 1);
        answers += rate_budget(common->rate, now, BUDGET_NS, 2);
    }
    common->asked += asked;
    common->admitted += admitted_ones;
    common->answers += answers;
}

/* What a bucket grants that is worth BURST at first, and then SPENT in nanoseconds; a hundredth more for
 * those who lose patience with it on a machine with many processors. */
static void assert_granted(uint64_t granted, uint64_t asked, uint64_t burst_ns, uint64_t spent_ns,
                           uint64_t interval_ns)
{
    uint64_t burst = burst_ns / interval_ns, most = (burst_ns + spent_ns) / interval_ns + 1;

    assert_in_range(granted, asked < burst ? asked : burst, most + most / 100);
}

/* Waits until all workers are as far as ROUND. */
static void meet(struct common *common, unsigned round)
{
    common->arrived++;
    for (unsigned turns = 0; common->arrived < PAIR * (round + 1); turns++)
        if (turns % 256 == 255)
            sched_yield(); /* there may be one processor */
}

static void newcomers(struct common *common)
{
    struct source from = source_at("10.0.0.1");

    for (unsigned round = 0; round < NEWCOMERS; round++) {
        from.address[13] = (uint8_t) (round >> 8);
        from.address[14] = (uint8_t) round;
        meet(common, round);
        for (unsigned i = 0; i < 2; i++)
            common->of[round] += rate_admit(common->rate, round * 3 * SECOND_NS, from.address, SECOND_NS, 1);
    }
}

/* Two who meet a source for the first time at the same moment do not count it in two places. */
static void test_newcomer(void **state)
{
    struct common *common = *state;
    pid_t workers[WORKERS];

    start_some(common, newcomers, workers, PAIR);
    wait_for_some(workers, PAIR);
    for (unsigned round = 0; round < NEWCOMERS; round++)
        assert_int_equal(common->of[round], 2);
}

/* However many ask at once, what all of them are granted is what one would be. In some rounds, each with a
 * source of its own, since on a busy machine they do not always meet. */
static void test_one_bucket_for_all(void **state)
{
    struct common *common = *state;
    uint64_t first = clock_ns(), answers = 0, asked = 0;

    for (common->round = 1; common->round <= ROUNDS; common->round++) {
        pid_t workers[WORKERS];
        uint64_t begin = clock_ns();
        common->asked = common->admitted = common->answers = 0;
        common->end_ns = begin + HAMMER_MS * MS;
        start(common, hammer, workers);
        wait_for(workers);
        assert_granted(common->admitted, common->asked, BURST_NS, HAMMER_MS * MS, SOURCE_NS);
        answers += common->answers;
        asked += 2 * common->asked;
    }
    assert_granted(answers, asked, BUDGET_BURST_NS, common->end_ns - first, BUDGET_NS);
}

static void note(struct common *common)
{
    for (unsigned i = 0; i < CALLS; i++) {
        uint32_t count = rate_refused(common->rate, SECOND_NS, source_at("192.0.2.1").address);
        common->lines += count > 0;
        common->noted += count;
    }
}

static void test_one_line_for_all(void **state)
{
    struct common *common = *state;
    pid_t workers[WORKERS];

    start(common, note, workers);
    wait_for(workers);
    assert_int_equal(common->lines, 1);
    uint32_t rest = rate_refused(common->rate, 31 * SECOND_NS, source_at("192.0.2.1").address);
    /* One that finds the word changed again and again gives up. */
    assert_in_range(common->noted + rest, WORKERS * CALLS - CALLS / 100, WORKERS * CALLS + 1);
}

static void hammer_many(struct common *common)
{
    struct source from = source_at("10.0.0.0");

    for (uint32_t i = 0;; i++) {
        uint32_t bits = htonl(0x0a000000 + i % 100000);
        memcpy(from.address + 12, &bits, 4);
        if (!rate_admit(common->rate, clock_ns(), from.address, 1000 * MS, 100 * MS))
            rate_refused(common->rate, clock_ns(), from.address);
        rate_budget(common->rate, clock_ns(), BUDGET_NS, 64);
        common->admitted++;
    }
}

/* Whatever those who were killed left behind: later everybody has all of his rate, and no more. */
static void test_killed_in_the_middle(void **state)
{
    struct common *common = *state;

    for (unsigned round = 0; round < 10; round++) {
        pid_t workers[WORKERS];
        uint64_t before = common->admitted;
        start(common, hammer_many, workers);
        while (common->admitted < before + 2000)
            sched_yield();
        for (unsigned i = 0; i < WORKERS; i++)
            kill(workers[i], SIGKILL);
        wait_for(workers);
    }
    uint64_t later = clock_ns() + AHEAD_MAX_NS + SECOND_NS;
    struct source from = source_at("10.0.0.0");
    for (uint32_t i = 0; i < 2000; i++) {
        from.address[13] = (uint8_t) (i >> 8);
        from.address[14] = (uint8_t) i;
        assert_int_equal(admitted(common->rate, later, from, 100, 300), 200);
    }
    assert_int_equal(rate_budget(common->rate, later, rate_interval_ns(1000), 5000), 1000);
    assert_int_not_equal(rate_refused(common->rate, later + NOTES_SECONDS * SECOND_NS, from.address), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_common, close_common)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_one_bucket_for_all), TEST(test_newcomer),
                                       TEST(test_one_line_for_all), TEST(test_killed_in_the_middle)};

    return cmocka_run_group_tests_name("rate shared", tests, NULL, NULL);
}
