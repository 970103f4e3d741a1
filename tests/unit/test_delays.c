/* What the buckets of a status say of how long it took. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/delays.c"
#include "ctl/status.c"

/* Of 100: 50 within 4, 98 within 16, 99 within 64. */
#define SERIES                                          \
    "bucket name=\"t\" listener=\"a\" le=4 value=50\n"  \
    "bucket name=\"t\" listener=\"a\" le=16 value=98\n" \
    "bucket name=\"t\" listener=\"a\" le=64 value=99\n" \
    "bucket name=\"t\" listener=\"a\" value=100\n"

static uint64_t within(const char *reply, unsigned thousandths)
{
    struct status status;

    assert_int_equal(status_parse(&status, reply), 0);
    uint64_t bound = delays_within(&status, "t", thousandths);
    status_free(&status);
    return bound;
}

struct row {
    unsigned thousandths;
    uint64_t bound;
};

static void assert_rows(const char *reply, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t bound = within(reply, rows[i].thousandths);
        if (bound != rows[i].bound)
            fail_msg("%u: %llu, not %llu", rows[i].thousandths, (unsigned long long) bound,
                     (unsigned long long) rows[i].bound);
    }
}

#define ASSERT_ROWS(reply, rows) assert_rows(reply, rows, sizeof(rows) / sizeof((rows)[0]))

static void one_series(void **state)
{
    static const struct row rows[] = {{1, 4},    {500, 4},  {501, 16},         {980, 16},
                                      {981, 64}, {990, 64}, {991, UINT64_MAX}, {999, UINT64_MAX}};

    (void) state;
    ASSERT_ROWS("service\n" SERIES, rows);
}

/* Of 200: 50 within 4, 98 within 16, 199 within 64. */
static void several_series(void **state)
{
    static const char reply[] = "service\n" SERIES "bucket name=\"t\" listener=\"b\" le=4 value=0\n"
                                "bucket name=\"t\" listener=\"b\" le=16 value=0\n"
                                "bucket name=\"t\" listener=\"b\" le=64 value=100\n"
                                "bucket name=\"t\" listener=\"b\" value=100\n";
    static const struct row rows[] = {{250, 4},  {251, 16}, {490, 16},
                                      {491, 64}, {995, 64}, {996, UINT64_MAX}};

    (void) state;
    ASSERT_ROWS(reply, rows);
}

/* Neither other histograms nor other lines about this one count. */
static void what_is_of_others(void **state)
{
    static const char reply[] =
        "service\nbucket name=\"s\" le=1 value=9\nbucket name=\"s\" le=4 value=1000\n"
        "bucket name=\"s\" value=1000\n" SERIES "sum name=\"t\" listener=\"a\" value=5\n"
        "value name=\"t\" le=2 value=100\n";
    static const struct row rows[] = {{1, 4}, {500, 4}, {501, 16}, {990, 64}};

    (void) state;
    ASSERT_ROWS(reply, rows);
}

static void nothing(void **state)
{
    static const struct row rows[] = {{1, DELAYS_NONE}, {999, DELAYS_NONE}};

    (void) state;
    ASSERT_ROWS("service\n", rows);
    ASSERT_ROWS("service\nbucket name=\"t\" le=4 value=0\nbucket name=\"t\" value=0\n", rows);
    ASSERT_ROWS("service\nbucket name=\"s\" le=4 value=7\nbucket name=\"s\" value=7\n", rows);
}

/* 0 says that nothing was measured: a bound of 0 is none. */
static void a_bound_of_0(void **state)
{
    (void) state;
    assert_int_equal(within("service\nbucket name=\"t\" le=0 value=9\nbucket name=\"t\" le=8 value=9\n"
                            "bucket name=\"t\" value=9\n",
                            500),
                     8);
}

static void numbers_that_cannot_be_counted_to(void **state)
{
    (void) state;
    assert_int_equal(within("service\nbucket name=\"t\" le=4 value=18446744073709551615\n"
                            "bucket name=\"t\" value=18446744073709551615\n",
                            999),
                     4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_series),        cmocka_unit_test(several_series),
        cmocka_unit_test(what_is_of_others), cmocka_unit_test(nothing),
        cmocka_unit_test(a_bound_of_0),      cmocka_unit_test(numbers_that_cannot_be_counted_to),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
