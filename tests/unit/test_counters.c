/* The tables of what is counted, and the bounds of the histograms' buckets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/counters.h"
#include "seed.h"

static void test_names_are_all_different(void **state)
{
    (void) state;
    assert_string_equal(counter_rows[COUNTER_accepted].name, "accepted");
    assert_string_equal(counter_rows[COUNTER_drop_reply].name, "drop_reply");
    assert_string_equal(counter_rows[COUNTER_log_lost].name, "log_lost");
    for (int a = 0; a < COUNTER_COUNT; a++)
        for (int b = 0; b < a; b++)
            assert_string_not_equal(counter_rows[a].name, counter_rows[b].name);
    for (int a = 0; a < FAMILY_COUNT; a++)
        for (int b = 0; b < a; b++)
            assert_string_not_equal(family_rows[a].name, family_rows[b].name);
}

/* Families and their counters are in the same order, none is empty, and what has more than one has a label
 * that tells them apart. */
static void test_families(void **state)
{
    int family = -1;
    unsigned members[FAMILY_COUNT] = {0};

    (void) state;
    for (int i = 0; i < COUNTER_COUNT; i++) {
        const struct counter_row *row = &counter_rows[i];
        assert_true((int) row->family == family || (int) row->family == family + 1);
        family = (int) row->family;
        assert_int_equal(row->value[0] != '\0', family_rows[family].label[0] != '\0');
        assert_true(row->help[0] != '\0' && family_rows[family].help[0] != '\0');
        for (int j = 0; j < i; j++)
            assert_true(counter_rows[j].family != row->family ||
                        strcmp(counter_rows[j].value, row->value) != 0);
        members[family]++;
    }
    assert_int_equal(family, FAMILY_COUNT - 1);
    for (int i = 0; i < FAMILY_COUNT; i++)
        assert_true(members[i] == 1 || family_rows[i].label[0] != '\0');
}

static void assert_bucket(uint64_t us, unsigned bucket)
{
    assert_int_equal(bucket_of(us), bucket);
    assert_true(bucket == BUCKET_BOUNDS || us <= bucket_bound(bucket));
    assert_true(bucket == 0 || us > bucket_bound(bucket - 1));
}

static void test_buckets(void **state)
{
    static const uint32_t first[] = {4, 6, 8, 12, 16, 24};
    struct seed seed = seed_start();

    (void) state;
    for (unsigned i = 0; i < sizeof(first) / sizeof(first[0]); i++)
        assert_int_equal(bucket_bound(i), first[i]);
    assert_int_equal(bucket_bound(BUCKET_BOUNDS - 1), 1 << 20);
    assert_bucket(0, 0);
    assert_bucket(UINT64_MAX, BUCKET_BOUNDS);
    for (unsigned i = 0; i < BUCKET_BOUNDS; i++) {
        assert_bucket(bucket_bound(i), i);
        assert_bucket(bucket_bound(i) + UINT64_C(1), i + 1);
    }
    for (unsigned i = 0; i < 10000; i++) {
        uint64_t us = (uint64_t) seed_next(&seed) << 32;
        us |= seed_next(&seed);
        us >>= seed_below(&seed, 64);
        assert_bucket(us, bucket_of(us));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_are_all_different),
        cmocka_unit_test(test_families),
        cmocka_unit_test(test_buckets),
    };

    return cmocka_run_group_tests_name("counters", tests, NULL, NULL);
}
