/* Axes: whatever the values, ticks are in order and within the axis, and there are enough of them, but not
 * too many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "client/bench_axis.c"
#include "seed.h"

static void check_ticks(const struct bench_axis *axis, unsigned least, unsigned most)
{
    assert_in_range(axis->count, least, most);
    for (unsigned i = 0; i < axis->count; i++) {
        assert_true(axis->ticks[i] >= axis->low * 0.999 && axis->ticks[i] <= axis->high * 1.001);
        if (i > 0)
            assert_true(axis->ticks[i] > axis->ticks[i - 1]);
    }
}

static void test_linear(void **state)
{
    struct seed seed = seed_start();

    (void) state;
    for (unsigned round = 0; round < 2000; round++) {
        double high = pow(10, (double) seed_below(&seed, 1000) / 100 - 2);
        struct bench_axis axis = bench_axis_linear(high, 100, 20);
        check_ticks(&axis, 3, 8);
        assert_true(axis.high >= high * 0.999 && axis.high <= high * 2.6);
        assert_true(bench_axis_at(&axis, 0) == 100 && bench_axis_at(&axis, axis.high) == 20);
        assert_true(bench_axis_at(&axis, axis.high * 9) == 20);
    }
}

static void test_log(void **state)
{
    struct seed seed = seed_start();

    (void) state;
    for (unsigned round = 0; round < 2000; round++) {
        double low = pow(10, (double) seed_below(&seed, 1200) / 100),
               high = low * pow(10, (double) seed_below(&seed, 800) / 100);
        struct bench_axis axis = bench_axis_log(low, high, 360, 112);
        check_ticks(&axis, 2, 16);
        assert_true(axis.low <= low && axis.low * 10.01 >= low && axis.high >= high && axis.high <= high * 5);
        assert_true(bench_axis_at(&axis, low) >= bench_axis_at(&axis, high));
        assert_true(bench_axis_at(&axis, high) >= 112 && bench_axis_at(&axis, low) <= 360);
    }
}

static void test_labels(void **state)
{
    char label[BENCH_AXIS_LABEL_MAX];

    (void) state;
    assert_string_equal(bench_axis_time(999, label), "999 ns");
    assert_string_equal(bench_axis_time(1234, label), "1.23 \xC2\xB5s");
    assert_string_equal(bench_axis_time(20000000, label), "20 ms");
    assert_string_equal(bench_axis_time(3.6e12, label), "3600 s");
    assert_string_equal(bench_axis_number(0, label), "0");
    assert_string_equal(bench_axis_number(0.25, label), "0.25");
    assert_string_equal(bench_axis_number(2500, label), "2500");
    assert_string_equal(bench_axis_number(150000, label), "150 k");
    assert_string_equal(bench_axis_number(1200000, label), "1.2 M");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linear),
        cmocka_unit_test(test_log),
        cmocka_unit_test(test_labels),
    };

    return cmocka_run_group_tests_name("bench_axis", tests, NULL, NULL);
}
