/* Lines that are due: one of a kind, and one about a source, in half a minute, whoever writes it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/wait.h>
#include <unistd.h>

#include "source_help.h"
#include "worker/lines.h"

enum {
    START_MS = 3600 * 1000,
    SECOND_MS = 1000
};

static int open_lines(void **state)
{
    *state = lines_open();
    return *state == NULL;
}

static int close_lines(void **state)
{
    lines_close(*state);
    return 0;
}

static void test_kinds(void **state)
{
    struct lines *lines = *state;

    assert_int_equal(lines_due(lines, START_MS, LINE_FULL, 1), 1);
    assert_int_equal(lines_due(lines, START_MS + 29 * SECOND_MS, LINE_FULL, 1), 0);
    assert_int_equal(lines_due(lines, START_MS + 29 * SECOND_MS, LINE_BUDGET, 40), 40);
    assert_int_equal(lines_due(lines, START_MS + 29 * SECOND_MS, LINE_SHORTAGE, 1), 1);
    assert_int_equal(lines_due(lines, START_MS + 30 * SECOND_MS, LINE_FULL, 1), 2);
    assert_int_equal(lines_due(lines, START_MS + 30 * SECOND_MS, LINE_BUDGET, 2), 0);
    assert_int_equal(lines_due(lines, START_MS + 59 * SECOND_MS, LINE_BUDGET, 3), 5);
}

static void test_sources(void **state)
{
    struct lines *lines = *state;
    const struct source one = source_at("192.0.2.1");

    assert_int_equal(lines_due_about(lines, START_MS, one.address, 128), 1);
    assert_int_equal(lines_due_about(lines, START_MS, one.address, 128), 0);
    assert_int_equal(lines_due_about(lines, START_MS, source_at("192.0.2.2").address, 128), 1);
    assert_int_equal(lines_due_about(lines, START_MS, one.address, 120), 1);
    assert_int_equal(lines_due_about(lines, START_MS, source_at("192.0.2.2").address, 120), 0);
    assert_int_equal(lines_due_about(lines, START_MS + 30 * SECOND_MS, one.address, 128), 2);
}

/* Neither a worker's death nor a reload begins it anew. */
static void test_it_is_shared(void **state)
{
    struct lines *lines = *state;
    pid_t child = fork();

    if (child == 0)
        _exit(lines_due(lines, START_MS, LINE_FULL, 1) == 1 ? 0 : 1);
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    struct lines *next = lines_share(lines);
    assert_int_equal(lines_due(next, START_MS + SECOND_MS, LINE_FULL, 1), 0);
    lines_close(next);
    assert_int_equal(lines_due(lines, START_MS + 30 * SECOND_MS, LINE_FULL, 1), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_lines, close_lines)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_kinds), TEST(test_sources), TEST(test_it_is_shared)};

    return cmocka_run_group_tests_name("lines", tests, NULL, NULL);
}
