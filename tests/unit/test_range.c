/* Threshold ranges: the table of the Monitoring Plugins guidelines case by case, their command line examples,
 * the corners of the grammar, and what is refused. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "client/range.h"
#include "seed.h"

static struct range parsed(const char *text)
{
    struct range range;
    const char *error = range_parse(text, &range);

    if (error != NULL)
        fail_msg("\"%s\": %s", text, error);
    return range;
}

static void assert_alerts(const char *text, double value, bool expected)
{
    struct range range = parsed(text);

    if (range_alerts(&range, value) != expected)
        fail_msg("\"%s\" and %g: %s", text, value, expected ? "no alert" : "an alert");
}

/* The guidelines' table of example ranges: what is at, just below and just above each end. */
static void test_table(void **state)
{
    static const struct {
        const char *text;
        double value;
        bool alerts;
    } cases[] = {
        {"10", -0.001, true},   {"10", 0, false},     {"10", 10, false},       {"10", 10.001, true},
        {"10:", 9.999, true},   {"10:", 10, false},   {"10:", 1e12, false},    {"10:", -1, true},
        {"~:10", -1e12, false}, {"~:10", 10, false},  {"~:10", 10.001, true},  {"10:20", 9.999, true},
        {"10:20", 10, false},   {"10:20", 20, false}, {"10:20", 20.001, true}, {"@10:20", 9.999, false},
        {"@10:20", 10, true},   {"@10:20", 15, true}, {"@10:20", 20, true},    {"@10:20", 20.001, false},
    };

    (void) state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_alerts(cases[i].text, cases[i].value, cases[i].alerts);
}

/* The guidelines' table of command lines: 0 is fine, 1 a warning, 2 critical, which goes first. */
static void test_command_lines(void **state)
{
    static const struct {
        const char *warning, *critical;
        double value;
        int level;
    } cases[] = {
        {"10", "20", 21, 2},     {"10", "20", 11, 1},     {"10", "20", 10, 0},     {"10", "20", -1, 2},
        {"~:10", "~:20", -1, 0}, {"~:10", "~:20", 11, 1}, {"~:10", "~:20", 21, 2}, {"10:", "20", 9, 1},
        {"10:", "20", 10, 0},    {"10:", "20", 21, 2},    {"10:", "20", -1, 2},    {"~:0", "10", 11, 2},
        {"~:0", "10", 1, 1},     {"~:0", "10", 0, 0},     {"~:0", "10", -1, 2},
    };

    (void) state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct range warning = parsed(cases[i].warning), critical = parsed(cases[i].critical);
        int level = range_alerts(&critical, cases[i].value)  ? 2
                    : range_alerts(&warning, cases[i].value) ? 1
                                                             : 0;
        assert_int_equal(level, cases[i].level);
    }
    assert_alerts("1:", 0.999, true);
    assert_alerts("1:", 1, false);
    assert_alerts("5:6", 4, true);
    assert_alerts("5:6", 5.5, false);
    assert_alerts("5:6", 7, true);
    assert_alerts("@10:20", 10, true);
    assert_alerts("@10:20", 9, false);
}

static void assert_range(const char *text, double start, double end, bool inside)
{
    struct range range = parsed(text);

    assert_true(range.start == start && range.end == end && range.inside == inside);
}

static void test_forms(void **state)
{
    (void) state;
    assert_range("6", 0, 6, false);
    assert_range(":5.75", 0, 5.75, false);
    assert_range("@:5", 0, 5, true);
    assert_range("@5", 0, 5, true);
    assert_range("@5:", 5, INFINITY, true);
    assert_range("~:", -INFINITY, INFINITY, false);
    assert_range("@~:", -INFINITY, INFINITY, true);
    assert_range("@~:0", -INFINITY, 0, true);
    assert_range("~:-95.99", -INFINITY, -95.99, false);
    assert_range("-7:23", -7, 23, false);
    assert_range("-2:-1", -2, -1, false);
    assert_range("1:1", 1, 1, false);
    assert_range("0", 0, 0, false);
    assert_range("0:", 0, INFINITY, false);
    assert_range(".5:1.", 0.5, 1, false);
    assert_range("0.001:0.25", 0.001, 0.25, false);
    assert_range("@0:657.8210567", 0, 657.8210567, true);
    assert_range("12345678901234567890:", 12345678901234567890.0, INFINITY, false);
}

static void test_refused(void **state)
{
    static const char *const texts[] = {
        "",     "@",    ":",    "@:",   "~",     "@~",   "~:~",      "10:~",  "~10", "~10:", "10~:20",
        "-",    ".",    "-.",   "--1",  "1-",    "1..2", "1.2.3",    "+1",    "1e3", "1E3",  "0x10",
        "inf",  "-inf", "nan",  "inf:", "~:inf", "1,5",  "1;5",      "10s",   "10%", "5ms",  "a",
        " 10",  "10 ",  "10 :", "1: 2", "1:2:3", "::",   "1::2",     ":1:",   "@@1", "1@",   "1:@2",
        "10|1", "1\n",  "\t1",  "1:a",  "a:1",   "'1'",  "\xc2\xb2", "1:0x2", "-:1",
    };
    struct range range;
    char digits[500];

    (void) state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (range_parse(texts[i], &range) == NULL)
            fail_msg("\"%s\" was taken", texts[i]);
    for (size_t i = 0; i < sizeof(digits) - 1; i++)
        digits[i] = '9';
    digits[sizeof(digits) - 1] = '\0';
    assert_non_null(range_parse(digits, &range)); /* beyond what a double can say */
}

static void test_backwards(void **state)
{
    static const char *const texts[] = {"2:1", "@2:1", "0.2:0.1", "-1:-2", ":-1", "-0.1"};
    struct range range = {1, 2, true};

    (void) state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_string_equal(range_parse(texts[i], &range), "the start of a range is not above its end");
    assert_true(range.start == 1 && range.end == 2 && range.inside);
}

/* "@" turns each verdict around, and nothing else. */
static void test_random(void **state)
{
    struct seed seed = seed_start();

    (void) state;
    for (unsigned i = 0; i < 10000; i++) {
        size_t start = seed_below(&seed, 1000), end = start + seed_below(&seed, 1000);
        double value = (double) seed_below(&seed, 2500) / 100;
        char text[64];
        int length = snprintf(text, sizeof(text), "@%zu.%02zu:%zu.%02zu", start / 100, start % 100, end / 100,
                              end % 100);
        assert_in_range(length, 10, sizeof(text) - 1);
        struct range inside = parsed(text), outside = parsed(text + 1);
        bool within = value * 100 > (double) start - 0.5 && value * 100 < (double) end + 0.5;
        assert_int_equal(range_alerts(&inside, value), within);
        assert_int_equal(range_alerts(&outside, value), !within);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),   cmocka_unit_test(test_command_lines), cmocka_unit_test(test_forms),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_backwards),     cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
