/* Closing what is not wanted, and the limit. Each test does it in a child, because it concerns a whole
 * process; what is wrong there is its exit code. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "seed.h"

enum {
    PLACES = 200, /* descriptors that a test looks at */
    SKIPPED = 77
};

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

/* Runs DEED in a child and expects it to return 0, or SKIPPED. */
static void in_child(int (*deed)(void *), void *argument)
{
    int status;

    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(deed(argument));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == SKIPPED)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* One random case. */
struct closing {
    bool open[PLACES], kept[PLACES];
    int keep[PLACES];
    size_t count;
};

static int close_others(void *argument)
{
    struct closing *closing = argument;

    for (int fd = 0; fd < PLACES; fd++) {
        if (!closing->open[fd])
            close(fd);
        else if (!is_open(fd) && dup2(STDIN_FILENO, fd) != fd)
            return 1;
    }
    descriptors_close_others(closing->keep, closing->count);
    for (int fd = 0; fd < PLACES; fd++)
        if (is_open(fd) != (closing->open[fd] && closing->kept[fd]))
            return 2;
    return 0;
}

static void test_random_ones_are_kept(void **state)
{
    struct seed seed = seed_start();

    (void) state;
    for (unsigned round = 0; round < 60; round++) {
        struct closing closing = {.open[STDIN_FILENO] = true};
        size_t density = 1 + seed_below(&seed, 10);
        for (int fd = 1; fd < PLACES; fd++)
            closing.open[fd] = seed_below(&seed, density) == 0;
        closing.count = 1 + seed_below(&seed, PLACES - 1);
        /* In any order, twice, unset, and some that are not open. */
        for (size_t i = 0; i < closing.count; i++) {
            closing.keep[i] = seed_below(&seed, 8) == 0 ? -1 : (int) seed_below(&seed, PLACES);
            if (closing.keep[i] >= 0)
                closing.kept[closing.keep[i]] = true;
        }
        in_child(close_others, &closing);
    }
}

static int close_all(void *argument)
{
    int high = fcntl(STDIN_FILENO, F_DUPFD, 1000);

    (void) argument;
    descriptors_close_others(&high, 0);
    for (int fd = 0; fd < PLACES; fd++)
        if (is_open(fd))
            return 1;
    return is_open(high) ? 2 : 0;
}

static void test_nothing_is_kept(void **state)
{
    (void) state;
    in_child(close_all, NULL);
}

static bool limit_is(rlim_t soft, rlim_t hard)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur == soft && limit.rlim_max == hard;
}

/* Valgrind keeps the hard limit for itself. */
static bool set_limit(rlim_t soft, rlim_t hard)
{
    struct rlimit limit = {soft, hard};

    return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

static int raise_limit(void *argument)
{
    unsigned long allowed = 0;

    (void) argument;
    if (!set_limit(64, 128))
        return SKIPPED;
    if (descriptors_raise_limit(10, &allowed) != 0 || allowed != 128 || !limit_is(64, 128))
        return 2; /* it is never lowered */
    if (descriptors_raise_limit(64, &allowed) != 0 || !limit_is(64, 128))
        return 3;
    if (descriptors_raise_limit(100, &allowed) != 0 || allowed != 128 || !limit_is(100, 128))
        return 4;
    if (descriptors_raise_limit(128, &allowed) != 0 || !limit_is(128, 128))
        return 5;
    /* Beyond the hard limit root may go, others not. */
    if (geteuid() == 0 && setuid(65534) < 0)
        return 6;
    errno = 0;
    if (descriptors_raise_limit(129, &allowed) != -1 || errno != EPERM || allowed != 128)
        return 7;
    return limit_is(128, 128) ? 0 : 8;
}

static void test_limit(void **state)
{
    (void) state;
    in_child(raise_limit, NULL);
}

static int raise_hard_limit(void *argument)
{
    unsigned long allowed = 0;

    (void) argument;
    if (!set_limit(64, 128))
        return SKIPPED;
    if (descriptors_raise_limit(200, &allowed) == 0)
        return limit_is(200, 200) && allowed == 128 ? 0 : 2;
    /* Root of a container may lack the right to. */
    return errno == EPERM && limit_is(64, 128) && allowed == 128 ? 0 : 3;
}

static void test_hard_limit(void **state)
{
    (void) state;
    in_child(raise_hard_limit, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_ones_are_kept),
        cmocka_unit_test(test_nothing_is_kept),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_hard_limit),
    };

    return cmocka_run_group_tests_name("descriptors", tests, NULL, NULL);
}
