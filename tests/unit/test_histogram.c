/* The histogram of latencies against sorted arrays: whatever is put in, each percentile is right to 1 %. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "client/histogram.c"
#include "seed.h"

enum {
    ROUNDS = 60,
    VALUES_MAX = 5000
};

static struct histogram a, b;

static void clear(void)
{
    a = b = (struct histogram){0};
}

static void test_empty(void **state)
{
    (void) state;
    clear();
    assert_int_equal(histogram_percentile(&a, 0), 0);
    assert_int_equal(histogram_percentile(&a, 999900), 0);
    assert_int_equal(histogram_mean(&a), 0);
    assert_int_equal(histogram_below(&a, HISTOGRAM_MAX_NS), 0);
    histogram_merge(&a, &b);
    assert_int_equal(a.count, 0);
}

static void test_one_value_is_every_percentile(void **state)
{
    static const uint64_t values[] = {0, 1, 255, 256, 257, 1000, 123456789, HISTOGRAM_MAX_NS};

    (void) state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        clear();
        histogram_add(&a, values[i]);
        for (uint32_t ppm = 0; ppm <= 1000000; ppm += 250000)
            assert_int_equal(histogram_percentile(&a, ppm), values[i]);
        assert_int_equal(histogram_mean(&a), values[i]);
    }
}

/* Ranks are whole numbers: of 10000 values, the 99.99th percentile is the last but one. */
static void test_ranks_are_exact(void **state)
{
    (void) state;
    clear();
    for (unsigned i = 0; i < 9999; i++)
        histogram_add(&a, 100);
    histogram_add(&a, 200);
    assert_int_equal(histogram_percentile(&a, 999900), 100);
    assert_int_equal(histogram_percentile(&a, 999901), 200);
    assert_int_equal(histogram_percentile(&a, 1000000), 200);
}

/* More than an hour is an hour, and stays within the array. */
static void test_longest(void **state)
{
    (void) state;
    clear();
    histogram_add(&a, UINT64_MAX);
    histogram_add(&a, HISTOGRAM_MAX_NS + 1);
    assert_int_equal(a.most_ns, HISTOGRAM_MAX_NS);
    assert_int_equal(histogram_percentile(&a, 500000), HISTOGRAM_MAX_NS);
    assert_in_range(histogram_bucket(HISTOGRAM_MAX_NS), 0, HISTOGRAM_BUCKETS - 1);
    assert_int_equal(histogram_below(&a, UINT64_MAX), 0);
}

/* Each bucket begins where the one before it ends, and none is wider than 1/128 of what is in it. */
static void test_buckets_have_no_gaps(void **state)
{
    (void) state;
    for (unsigned i = 0; i + 1 < HISTOGRAM_BUCKETS && bucket_top(i) < HISTOGRAM_MAX_NS; i++) {
        assert_int_equal(histogram_bucket(bucket_top(i)), i);
        assert_int_equal(histogram_bucket(bucket_top(i) + 1), i + 1);
        assert_true((bucket_top(i + 1) - bucket_top(i) - 1) * 128 <= bucket_top(i) + 1);
    }
}

static int compare(const void *left, const void *right)
{
    uint64_t x = *(const uint64_t *) left, y = *(const uint64_t *) right;

    return (x > y) - (x < y);
}

/* Any size with the same likelihood: as many of a few nanoseconds as of an hour. */
static uint64_t any_value(struct seed *seed)
{
    uint64_t bits = (uint64_t) seed_next(seed) << 32 | seed_next(seed);

    return (bits >> (22 + seed_below(seed, 42))) % (HISTOGRAM_MAX_NS + 1);
}

static void compare_with_sorted(const uint64_t *values, size_t count, uint32_t ppm)
{
    size_t rank = (size_t) (((uint64_t) count * ppm + 999999) / 1000000);
    uint64_t wanted = values[rank > 0 ? rank - 1 : 0], got = histogram_percentile(&a, ppm);

    assert_true(got >= wanted);
    assert_true(got - wanted <= wanted / 100);
    if (ppm == 0 || ppm == 1000000)
        assert_int_equal(got, wanted);
}

static void compare_below(const uint64_t *values, size_t count, uint64_t ns)
{
    size_t less = 0, surely = 0;

    for (size_t i = 0; i < count; i++) {
        less += values[i] < ns;
        surely += values[i] < ns - ns / 100;
    }
    assert_in_range(histogram_below(&a, ns), surely, less);
}

/* The values are shared out between two histograms at random and merged again. */
static void test_like_a_sorted_array(void **state)
{
    static uint64_t values[VALUES_MAX];
    static const uint32_t marks[] = {0, 1, 500000, 900000, 990000, 999000, 999900, 1000000};
    struct seed seed = seed_start();

    (void) state;
    for (unsigned round = 0; round < ROUNDS; round++) {
        size_t count = 1 + seed_below(&seed, VALUES_MAX);
        uint64_t sum = 0;
        clear();
        for (size_t i = 0; i < count; i++) {
            sum += values[i] = any_value(&seed);
            histogram_add(seed_below(&seed, 2) ? &a : &b, values[i]);
        }
        histogram_merge(&a, &b);
        qsort(values, count, sizeof(values[0]), compare);
        assert_int_equal(a.count, count);
        assert_int_equal(histogram_mean(&a), sum / count);
        for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
            compare_with_sorted(values, count, marks[i]);
        for (unsigned i = 0; i < 50; i++) {
            compare_with_sorted(values, count, (uint32_t) seed_below(&seed, 1000001));
            compare_below(values, count, any_value(&seed));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_one_value_is_every_percentile),
        cmocka_unit_test(test_ranks_are_exact),
        cmocka_unit_test(test_longest),
        cmocka_unit_test(test_buckets_have_no_gaps),
        cmocka_unit_test(test_like_a_sorted_array),
    };

    return cmocka_run_group_tests_name("histogram", tests, NULL, NULL);
}
