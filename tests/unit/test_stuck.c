/* Stuck workers: who is one, and what is done about it. Processor time and signals are the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t used_ms;
static int sent; /* the last signal */
static unsigned sent_count;

static int fake_clock(clockid_t clock, struct timespec *used)
{
    (void) clock;
    *used =
        (struct timespec){.tv_sec = (time_t) (used_ms / 1000), .tv_nsec = (long) (used_ms % 1000) * 1000000};
    return 0;
}

static int fake_kill(pid_t pid, int number)
{
    assert_int_equal(pid, getpid());
    sent = number;
    sent_count++;
    return 0;
}

#define clock_gettime fake_clock
#define kill          fake_kill
#include "master/stuck.c"
#undef clock_gettime
#undef kill

static bool check(struct stuck *stuck, pid_t pid, uint64_t beat, uint64_t now_ms)
{
    const struct fields_worker worker = {.slot = 1, .pid = pid};

    return stuck_check(stuck, &worker, beat, now_ms);
}

static int set_up(void **state)
{
    (void) state;
    used_ms = 0;
    sent = 0;
    sent_count = 0;
    log_set_level(0); /* what is logged is for the process tests */
    return 0;
}

static void test_who_is_stuck(void **state)
{
    struct stuck stuck = {0};

    (void) state;
    assert_false(stuck_judge(&stuck, 7, 400));
    assert_false(stuck_judge(&stuck, 7, 400 + STUCK_CPU_MS - 1));
    assert_true(stuck_judge(&stuck, 7, 400 + STUCK_CPU_MS));
    assert_true(stuck_judge(&stuck, 7, 400 + 10 * STUCK_CPU_MS));
    /* One beat, and the count begins again. */
    assert_false(stuck_judge(&stuck, 8, 400 + 10 * STUCK_CPU_MS));
    assert_false(stuck_judge(&stuck, 8, 400 + 11 * STUCK_CPU_MS - 1));
    assert_true(stuck_judge(&stuck, 8, 400 + 11 * STUCK_CPU_MS));
}

/* Failure 30: who gets no time to run does not beat, for as long as it may be. */
static void test_who_gets_no_time_is_not_stuck(void **state)
{
    struct stuck stuck = {0};

    (void) state;
    for (unsigned i = 0; i < 100000; i++)
        assert_false(stuck_judge(&stuck, 7, 400));
    /* A trickle: much less than it would need for one pass. */
    for (unsigned i = 0; i < STUCK_CPU_MS; i++)
        assert_false(stuck_judge(&stuck, 7, 400 + i));
}

static void test_who_beats_is_not_stuck(void **state)
{
    struct stuck stuck = {0};

    (void) state;
    for (uint64_t i = 0; i < 1000; i++)
        assert_false(stuck_judge(&stuck, i + 1, i * 100 * STUCK_CPU_MS));
}

/* One that never comes to its loop has a beat of 0, which is what a zeroed record says. */
static void test_who_never_beats_is_stuck(void **state)
{
    struct stuck stuck = {0};

    (void) state;
    assert_false(stuck_judge(&stuck, 0, STUCK_CPU_MS - 1));
    assert_true(stuck_judge(&stuck, 0, STUCK_CPU_MS));
}

/* A process that has just gone has used no time at all. */
static void test_time_that_goes_back(void **state)
{
    struct stuck stuck = {0};

    (void) state;
    assert_false(stuck_judge(&stuck, 7, 100 * STUCK_CPU_MS));
    assert_false(stuck_judge(&stuck, 7, 0));
    assert_false(stuck_judge(&stuck, 7, STUCK_CPU_MS - 1));
}

static void test_abort_then_kill(void **state)
{
    struct stuck stuck = {0};
    uint64_t now = 1000000;

    (void) state;
    assert_false(check(&stuck, getpid(), 7, now));
    used_ms = STUCK_CPU_MS - 1;
    assert_false(check(&stuck, getpid(), 7, now + 100000));
    assert_int_equal(sent_count, 0);
    used_ms = STUCK_CPU_MS;
    assert_true(check(&stuck, getpid(), 7, now));
    assert_int_equal(sent, SIGABRT);
    assert_int_equal(sent_count, 1);
    /* Time to end by itself, then no more. */
    assert_true(check(&stuck, getpid(), 7, now + STUCK_KILL_MS - 1));
    assert_int_equal(sent_count, 1);
    assert_true(check(&stuck, getpid(), 7, now + STUCK_KILL_MS));
    assert_int_equal(sent, SIGKILL);
    assert_int_equal(sent_count, 2);
    /* Again and again: there is nothing else that could be done. */
    assert_true(check(&stuck, getpid(), 7, now + 2 * STUCK_KILL_MS));
    assert_int_equal(sent, SIGKILL);
    assert_int_equal(sent_count, 3);
}

static void test_process_that_is_gone(void **state)
{
    struct stuck stuck = {.beat = 7};
    pid_t pid = fork();

    (void) state;
    if (pid == 0)
        _exit(0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    used_ms = 100 * STUCK_CPU_MS; /* what the clock would say if it were asked */
    assert_false(check(&stuck, pid, 7, 1000000));
    assert_int_equal(sent_count, 0);
}

static void test_who_will_not_go(void **state)
{
    struct stuck stuck = {0};
    uint64_t now = 1000000;

    (void) state;
    assert_false(stuck_for_good(&stuck, UINT64_MAX));
    assert_false(check(&stuck, getpid(), 7, now));
    used_ms = STUCK_CPU_MS;
    assert_true(check(&stuck, getpid(), 7, now));
    assert_false(stuck_for_good(&stuck, now + STUCK_FOR_GOOD_MS - 1));
    assert_true(stuck_for_good(&stuck, now + STUCK_FOR_GOOD_MS));
}

static void test_who_beats_again_is_forgiven(void **state)
{
    struct stuck stuck = {0};
    uint64_t now = 1000000;

    (void) state;
    used_ms = STUCK_CPU_MS;
    assert_true(check(&stuck, getpid(), 0, now));
    assert_false(check(&stuck, getpid(), 1, now + STUCK_KILL_MS));
    assert_int_equal(sent_count, 1);
    assert_false(stuck_for_good(&stuck, now + 10 * STUCK_FOR_GOOD_MS));
    /* And if it is stuck again, it is told to abort before it is killed. */
    used_ms += STUCK_CPU_MS;
    assert_true(check(&stuck, getpid(), 1, now + 10 * STUCK_KILL_MS));
    assert_int_equal(sent, SIGABRT);
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_who_is_stuck),
        TEST(test_who_gets_no_time_is_not_stuck),
        TEST(test_who_beats_is_not_stuck),
        TEST(test_who_never_beats_is_stuck),
        TEST(test_time_that_goes_back),
        TEST(test_abort_then_kill),
        TEST(test_process_that_is_gone),
        TEST(test_who_will_not_go),
        TEST(test_who_beats_again_is_forgiven),
    };

    return cmocka_run_group_tests_name("stuck", tests, NULL, NULL);
}
