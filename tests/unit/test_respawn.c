/* The back-off: lives and the delays that follow them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "master/respawn.h"

/* One slot's history, death after death. */
struct death {
    uint64_t lived_ms, delay_ms;
};

static void check(const struct death *deaths, size_t count)
{
    struct respawn respawn = {0};
    uint64_t now_ms = 1000000;

    for (size_t i = 0; i < count; i++) {
        now_ms += deaths[i].lived_ms;
        assert_int_equal(respawn_after(&respawn, now_ms, deaths[i].lived_ms), deaths[i].delay_ms);
        assert_int_equal(respawn.not_before_ms, now_ms + deaths[i].delay_ms);
        now_ms += deaths[i].delay_ms;
    }
}

#define CHECK(deaths) check(deaths, sizeof(deaths) / sizeof(deaths[0]))

static void test_doubling_to_a_minute(void **state)
{
    static const struct death deaths[] = {{0, 0},     {0, 1000},  {0, 2000},  {0, 4000},  {0, 8000},
                                          {0, 16000}, {0, 32000}, {0, 60000}, {0, 60000}, {0, 60000}};

    (void) state;
    CHECK(deaths);
}

static void test_a_healthy_life_resets(void **state)
{
    static const struct death deaths[] = {{10, 0}, {10, 1000}, {10, 2000}, {2000, 0}, {10, 0}, {10, 1000}};

    (void) state;
    CHECK(deaths);
}

static void test_where_health_begins(void **state)
{
    static const struct death just_early[] = {{1999, 0}, {1999, 1000}, {1999, 2000}};
    static const struct death just_healthy[] = {{2000, 0}, {2000, 0}, {2000, 0}, {UINT64_MAX / 4, 0}};

    (void) state;
    CHECK(just_early);
    CHECK(just_healthy);
}

/* Somebody who can crash a worker now and then gets it back at once, as often as it lives long enough. */
static void test_crashes_now_and_then(void **state)
{
    struct respawn respawn = {0};

    (void) state;
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(respawn_after(&respawn, i * 3000, 3000), 0);
}

static void test_hundreds_of_deaths(void **state)
{
    struct respawn respawn = {0};
    uint64_t before = 0;

    (void) state;
    for (unsigned i = 0; i < 100000; i++) {
        uint64_t delay = respawn_after(&respawn, 0, 0);
        assert_true(delay >= before && delay <= RESPAWN_LONGEST_MS);
        before = delay;
    }
    assert_int_equal(before, RESPAWN_LONGEST_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_doubling_to_a_minute), cmocka_unit_test(test_a_healthy_life_resets),
        cmocka_unit_test(test_where_health_begins),  cmocka_unit_test(test_crashes_now_and_then),
        cmocka_unit_test(test_hundreds_of_deaths),
    };

    return cmocka_run_group_tests_name("respawn", tests, NULL, NULL);
}
