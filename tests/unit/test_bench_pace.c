/* The timetable of a load: what is due when, at any rate, and what is left over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/bench_pace.c"
#include "seed.h"

#define SECOND UINT64_C(1000000000)

static void test_closed_loop_is_due_at_once(void **state)
{
    struct bench_pace pace = bench_pace(5, 100, 3, 0, 1000);
    uint64_t due_ns = 0;

    (void) state;
    for (uint64_t now = 7; now < 10; now++) {
        assert_true(bench_pace_take(&pace, now, &due_ns));
        assert_int_equal(due_ns, now);
    }
    assert_false(bench_pace_take(&pace, 11, &due_ns));
    assert_true(bench_pace_over(&pace, 11));
    assert_int_equal(bench_pace_missed(&pace, 1000), 0);
}

static void test_closed_loop_ends_in_time(void **state)
{
    struct bench_pace pace = bench_pace(5, 100, UINT64_MAX, 0, 1000);
    uint64_t due_ns;

    (void) state;
    assert_true(bench_pace_take(&pace, 104, &due_ns));
    assert_false(bench_pace_take(&pace, 105, &due_ns));
}

static void test_open_loop_keeps_what_it_could_not_send(void **state)
{
    struct bench_pace pace = bench_pace(SECOND, SECOND, UINT64_MAX, 10, SECOND / 2);
    uint64_t due_ns;

    (void) state;
    assert_false(bench_pace_take(&pace, SECOND - 1, &due_ns));
    assert_true(bench_pace_take(&pace, SECOND, &due_ns));
    assert_false(bench_pace_take(&pace, SECOND + 99999999, &due_ns));
    /* A stall of half a second: each request keeps the time that it was due at. */
    for (uint64_t i = 1; i <= 5; i++) {
        assert_true(bench_pace_take(&pace, SECOND + SECOND / 2, &due_ns));
        assert_int_equal(due_ns, SECOND + i * SECOND / 10);
    }
    assert_false(bench_pace_take(&pace, SECOND + SECOND / 2, &due_ns));
    /* Four are left at the end. They may be sent for half a second more, and not a moment longer. */
    assert_int_equal(bench_pace_missed(&pace, 9 * SECOND), 4);
    assert_true(bench_pace_take(&pace, 2 * SECOND + SECOND / 2 - 1, &due_ns));
    assert_false(bench_pace_take(&pace, 2 * SECOND + SECOND / 2, &due_ns));
    assert_true(bench_pace_over(&pace, 2 * SECOND + SECOND / 2));
    assert_int_equal(bench_pace_missed(&pace, 9 * SECOND), 3);
}

/* At any rate: as many as the rate says fall due, never before the tick before, never out of order, and each
 * exactly when the timer ticks. */
static void test_any_rate(void **state)
{
    struct seed seed = seed_start();

    (void) state;
    for (unsigned round = 0; round < 300; round++) {
        double rate = (double) (1 + seed_next(&seed) % 1000) * (double[]){0.1, 1, 30, 1000}[round % 4];
        uint64_t start_ns = seed_next(&seed), due_ns, before_ns = 0, count = 0;
        struct bench_pace pace = bench_pace(start_ns, SECOND, UINT64_MAX, rate, 0);
        pace.last_ns = UINT64_MAX;
        while (bench_pace_take(&pace, UINT64_MAX - 1, &due_ns)) {
            assert_in_range(due_ns, start_ns, start_ns + SECOND - 1);
            assert_true(due_ns >= before_ns);
            assert_int_equal((due_ns - start_ns) % pace.tick_ns, 0);
            before_ns = due_ns;
            count++;
        }
        assert_true((double) count >= rate * 0.9999 && (double) count <= rate * 1.0001 + 1 + pace.per_tick);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_closed_loop_is_due_at_once),
        cmocka_unit_test(test_closed_loop_ends_in_time),
        cmocka_unit_test(test_open_loop_keeps_what_it_could_not_send),
        cmocka_unit_test(test_any_rate),
    };

    return cmocka_run_group_tests_name("bench_pace", tests, NULL, NULL);
}
