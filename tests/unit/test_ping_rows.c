/* The rows of the picture: whatever was measured, all of it is in some row, and the rows are as fine as fits.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/ping_rows.h"
#include "seed.h"

#define US UINT64_C(1000)
#define MS (1000 * US)
#define S  (1000 * MS)

static void test_one_value(void **state)
{
    uint64_t edges[PING_ROWS_MAX];
    (void) state;

    assert_int_equal(ping_rows(50 * US, 50 * US, edges), 1);
    assert_int_equal(edges[0], 56 * US);
    assert_int_equal(ping_rows(0, 0, edges), 1);
    assert_int_equal(edges[0], US);
}

static void test_an_edge_belongs_to_the_row_above(void **state)
{
    uint64_t edges[PING_ROWS_MAX];
    (void) state;

    assert_int_equal(ping_rows(100 * US, 120 * US, edges), 2);
    assert_int_equal(edges[0], 120 * US);
    assert_int_equal(edges[1], 150 * US);
}

static void test_fine_and_coarse(void **state)
{
    uint64_t edges[PING_ROWS_MAX];
    (void) state;

    assert_int_equal(ping_rows(100 * US, 999 * US, edges), 12);
    assert_int_equal(ping_rows(100 * US, 9999 * US, edges), 12);
    assert_int_equal(edges[0], 150 * US);
    assert_int_equal(edges[1], 220 * US);
    assert_int_equal(ping_rows(1, 3600 * S, edges), 11);
    assert_int_equal(edges[0], US);
    assert_int_equal(edges[10], 10000 * S);
}

static void test_random(void **state)
{
    struct seed seed = seed_start();
    (void) state;

    for (int i = 0; i < 20000; i++) {
        uint64_t edges[PING_ROWS_MAX];
        uint64_t a = (uint64_t) seed_next(&seed) * 800 >> seed_below(&seed, 40);
        uint64_t b = (uint64_t) seed_next(&seed) * 800 >> seed_below(&seed, 40);
        uint64_t least = a < b ? a : b, most = a < b ? b : a;
        unsigned count = ping_rows(least, most, edges);
        assert_in_range(count, 1, PING_ROWS_MAX);
        assert_true(least < edges[0] && most < edges[count - 1]);
        assert_true(count == 1 || most >= edges[count - 2]);
        assert_true(edges[0] <= 10 * (least > US ? least : US));
        for (unsigned row = 1; row < count; row++)
            assert_true(edges[row] > edges[row - 1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_value),
        cmocka_unit_test(test_an_edge_belongs_to_the_row_above),
        cmocka_unit_test(test_fine_and_coarse),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
