/* Counting over time: bins that widen lose nothing, and points follow each other without gaps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "client/bench_series.h"
#include "client/bench_tally.c"
#include "seed.h"

#define SECOND UINT64_C(1000000000)

static struct bench_tally *fresh(void)
{
    struct bench_tally *tally = calloc(1, sizeof(*tally));

    assert_non_null(tally);
    bench_tally_init(tally);
    return tally;
}

static uint64_t sum(const uint64_t *counts)
{
    uint64_t total = 0;

    for (unsigned i = 0; i < BENCH_BINS; i++)
        total += counts[i];
    return total;
}

static void test_each_in_its_bin(void **state)
{
    struct bench_tally *tally = fresh();

    (void) state;
    bench_tally_answers(tally, BIN_NS - 1, 2);
    bench_tally_answers(tally, BIN_NS, 3);
    bench_tally_error(tally, 7 * BIN_NS, BENCH_WRONG, 4);
    bench_tally_answers(tally, 0, 1);
    assert_int_equal(tally->bins.answers[0], 3);
    assert_int_equal(tally->bins.answers[1], 3);
    assert_int_equal(tally->bins.errors[7], 4);
    assert_int_equal(tally->errors[BENCH_WRONG], 4);
    assert_int_equal(tally->answers, 6);
    /* Half of the bins more than there are: two by two they become one. */
    bench_tally_answers(tally, BENCH_BINS * BIN_NS, 5);
    assert_int_equal(tally->bins.width_ns, 2 * BIN_NS);
    assert_int_equal(tally->bins.answers[0], 6);
    assert_int_equal(tally->bins.errors[3], 4);
    assert_int_equal(tally->bins.answers[BENCH_BINS / 2], 5);
    free(tally);
}

/* Times at random, short loads and long ones, in two tallies that are merged. */
static void test_nothing_is_lost(void **state)
{
    struct seed seed = seed_start();

    (void) state;
    for (unsigned round = 0; round < 100; round++) {
        struct bench_tally *tallies[2] = {fresh(), fresh()}, *merged = fresh();
        uint64_t good = 0, bad = 0;
        for (unsigned i = 0; i < 200; i++) {
            struct bench_tally *tally = tallies[seed_below(&seed, 2)];
            uint64_t at_ns = ((uint64_t) seed_next(&seed) << 12) >> seed_below(&seed, 24);
            unsigned count = (unsigned) seed_below(&seed, 5);
            if (seed_below(&seed, 4) > 0) {
                bench_tally_answers(tally, at_ns, count);
                good += count;
            } else {
                bench_tally_error(tally, at_ns, (enum bench_error) seed_below(&seed, BENCH_ERRORS), count);
                bad += count;
            }
        }
        for (unsigned i = 0; i < 2; i++) {
            bench_tally_merge(merged, tallies[i]);
            free(tallies[i]);
        }
        assert_int_equal(merged->answers, good);
        assert_int_equal(sum(merged->bins.answers), good);
        assert_int_equal(bench_tally_errors(merged->errors), bad);
        assert_int_equal(sum(merged->bins.errors), bad);
        free(merged);
    }
}

static void test_every_error_has_a_name(void **state)
{
    (void) state;
    for (unsigned i = 0; i < BENCH_ERRORS; i++) {
        assert_non_null(bench_tally_name((enum bench_error) i));
        assert_non_null(bench_tally_words((enum bench_error) i));
    }
}

static void test_points(void **state)
{
    struct seed seed = seed_start();

    (void) state;
    for (unsigned round = 0; round < 300; round++) {
        struct bench_tally *tally = fresh();
        struct bench_point points[100];
        unsigned most = 1 + (unsigned) seed_below(&seed, 100);
        tally->elapsed_ns = 1 + seed_next(&seed) * UINT64_C(1000) % ((1 + seed_below(&seed, 60)) * SECOND);
        for (unsigned i = 0; i < 500; i++)
            bench_tally_answers(tally, seed_next(&seed) * UINT64_C(1000) % tally->elapsed_ns, 1);
        unsigned count = bench_series(tally, points, most);
        double answers = 0, end = 0;
        assert_in_range(count, 1, most);
        for (unsigned i = 0; i < count; i++) {
            assert_true(points[i].begin_s == end && points[i].end_s > points[i].begin_s);
            end = points[i].end_s;
            answers += points[i].answers * (points[i].end_s - points[i].begin_s);
        }
        assert_true(end * 1e9 > (double) tally->elapsed_ns * 0.999999 &&
                    end * 1e9 < (double) tally->elapsed_ns * 1.000001);
        assert_true(answers > 499.99 && answers < 500.01);
        free(tally);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_in_its_bin),
        cmocka_unit_test(test_nothing_is_lost),
        cmocka_unit_test(test_every_error_has_a_name),
        cmocka_unit_test(test_points),
    };

    return cmocka_run_group_tests_name("bench_tally", tests, NULL, NULL);
}
