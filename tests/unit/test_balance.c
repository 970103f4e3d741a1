/* The rule of balance: examples, what it promises of any view, and a pool that lives by it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "seed.h"
#include "worker/balance.h"

static void test_examples(void **state)
{
    static const struct {
        uint32_t workers;
        uint64_t live;
        uint32_t own;
        bool above;
    } rows[] = {
        {1, 0, 0, false},
        {1, 4096, 4096, false},
        {1, 1000000, 1000000, false},
        {2, 0, 0, false},
        {2, 8, 8, false}, /* so few are nobody's burden */
        {2, 9, 9, false},
        {2, 10, 10, true},
        {4, 4000, 1000, false},
        {4, 4000, 1129, false},
        {4, 4000, 1130, true},
        {4, 4000, 4000, true},
        {256, 256000, 1129, false},
        {256, 256000, 1130, true},
        {4, 0, 4, false},
        {4, 0, 5, true}, /* gauges are read one after the other and need not agree */
    };

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct balance_view view = {.workers = rows[i].workers, .live = rows[i].live};
        if (balance_above_share(&view, rows[i].own) != rows[i].above)
            fail_msg("%u of %llu connections with %u workers", rows[i].own, (unsigned long long) rows[i].live,
                     rows[i].workers);
    }
}

static void test_who_catches_up(void **state)
{
    static const struct {
        uint32_t workers;
        uint64_t live;
        uint32_t own;
        bool below;
    } rows[] = {{1, 1, 1, false},         {2, 1, 1, false},       {2, 2, 1, false},
                {8, 8, 1, false},         {8, 10, 1, true},       {4, 4000, 874, true},
                {4, 4000, 875, false},    {4, 4000, 1000, false}, {256, 256000, 874, true},
                {256, 256000, 875, false}};

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct balance_view view = {.workers = rows[i].workers, .live = rows[i].live};
        if (balance_below_share(&view, rows[i].own) != rows[i].below)
            fail_msg("%u of %llu connections with %u workers", rows[i].own, (unsigned long long) rows[i].live,
                     rows[i].workers);
    }
}

/* Who stops at its share has not more than it when its next turn comes. */
static void test_at_share(void **state)
{
    struct balance_view view = {.workers = 4, .live = 4000};

    (void) state;
    assert_false(balance_at_share(&view, 1061)); /* 1061 + 66 + 1 */
    assert_true(balance_at_share(&view, 1063));
    view.live = 0;
    assert_false(balance_at_share(&view, BALANCE_FEW - 1));
    assert_true(balance_at_share(&view, BALANCE_FEW));
    for (uint32_t own = 0; own < 2000; own++)
        assert_false(balance_above_share(&view, own) && !balance_at_share(&view, own));
}

static void test_largest_numbers(void **state)
{
    struct balance_view view = {.workers = 256, .live = 256 * (uint64_t) UINT32_MAX};

    (void) state;
    assert_false(balance_above_share(&view, UINT32_MAX));
    view.live = 255;
    assert_true(balance_above_share(&view, UINT32_MAX));
    assert_true(balance_above_share(&view, 1u << 29)); /* eight times that has no place in 32 bits */
}

static void test_promises(void **state)
{
    struct seed seed = seed_start();

    (void) state;
    for (unsigned round = 0; round < 100000; round++) {
        struct balance_view view = {.workers = 1 + (uint32_t) seed_below(&seed, 256)};
        uint32_t own = (uint32_t) seed_below(&seed, 10000);
        view.live = own + (uint64_t) seed_below(&seed, 10000) * (view.workers - 1);
        double mean = (double) view.live / view.workers;
        bool above = balance_above_share(&view, own);
        if (own <= mean && above)
            fail_msg("%u is not above the mean %f", own, mean);
        if (own >= mean && balance_below_share(&view, own))
            fail_msg("%u is not below the mean %f", own, mean);
        if (own > 1.125 * mean + 4.001 && !above)
            fail_msg("%u is far above the mean %f", own, mean);
        if (above && !balance_above_share(&view, own + 1))
            fail_msg("%u is, but one more is not", own);
    }
}

/* However the kernel wakes them: if a worker above its share always leaves the connection to another,
 * somebody always takes it, and the busiest stays below 1.25 times the mean. */
static void test_a_pool_that_obeys(void **state)
{
    struct seed seed = seed_start();

    (void) state;
    for (unsigned round = 0; round < 20; round++) {
        struct balance_view view = {.workers = 2 + (uint32_t) seed_below(&seed, 31)};
        uint32_t live[33] = {0}, most = 0;
        for (unsigned i = 0; i < 200 * view.workers; i++) {
            uint32_t worker = (uint32_t) seed_below(&seed, 2); /* woken nearly always: the first two */
            while (worker < view.workers && balance_above_share(&view, live[worker]))
                worker++;
            if (worker == view.workers)
                worker = 0;
            assert_false(balance_above_share(&view, live[worker]));
            live[worker]++;
            view.live++;
            if (live[worker] > most)
                most = live[worker];
        }
        assert_true(most <= 1.25 * 200);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples), cmocka_unit_test(test_who_catches_up),
        cmocka_unit_test(test_at_share), cmocka_unit_test(test_largest_numbers),
        cmocka_unit_test(test_promises), cmocka_unit_test(test_a_pool_that_obeys),
    };

    return cmocka_run_group_tests_name("balance", tests, NULL, NULL);
}
