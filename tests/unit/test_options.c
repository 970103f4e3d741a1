/* What the commands' lines have in common: which texts are numbers, times and operands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/options.h"

static void test_numbers(void **state)
{
    static const struct {
        const char *text, *rest; /* rest NULL: it is no number */
        unsigned long value;
    } cases[] = {
        {"1", "", 1},
        {"100", "", 100},
        {"007", "", 7},
        {"5-9", "-9", 5},
        {"5 ", " ", 5},
        {"0", NULL, 0},
        {"101", NULL, 0},
        {"", NULL, 0},
        {"-1", NULL, 0},
        {"+1", NULL, 0},
        {" 1", NULL, 0},
        {"x", NULL, 0},
        {"99999999999999999999", NULL, 0},
    };

    (void) state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unsigned long value = 0;
        const char *rest = options_number(cases[i].text, 1, 100, &value);
        assert_int_equal(rest == NULL, cases[i].rest == NULL);
        assert_int_equal(value, cases[i].value);
        if (rest != NULL)
            assert_string_equal(rest, cases[i].rest);
    }
}

static void test_seconds(void **state)
{
    static const char *const none[] = {"",   "x",    "nan",  "inf", "0x1", "1e1", "-1",  "+1",
                                       " 1", "1.2.", "1.1.", ".",   "0",   "0.0", "3.1", "0.0009"};
    static const struct {
        const char *text;
        uint64_t ns;
    } cases[] = {
        {"1", 1000000000}, {"0.001", 1000000}, {".5", 500000000}, {"2.", 2000000000}, {"3", 3000000000}};
    uint64_t ns;

    (void) state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_true(options_seconds(cases[i].text, 0.001, 3, &ns));
        assert_int_equal(ns, cases[i].ns);
    }
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        assert_false(options_seconds(none[i], 0.001, 3, &ns));
    assert_int_equal(ns, cases[4].ns);
}

static void test_family(void **state)
{
    struct target_wish wish = {.family = AF_UNSPEC};

    (void) state;
    assert_true(options_family(&wish, AF_INET6));
    assert_true(options_family(&wish, AF_INET6));
    assert_false(options_family(&wish, AF_INET));
    assert_int_equal(wish.family, AF_INET6);
}

static void test_operands(void **state)
{
    char host[] = "a", port[] = "1", more[] = "b";
    char *words[] = {host, port, more};
    struct target_wish wish = {.family = AF_UNSPEC};

    (void) state;
    assert_true(options_operands(&wish, 2, words));
    assert_ptr_equal(wish.host, host);
    assert_ptr_equal(wish.port, port);
    assert_false(options_operands(&wish, 3, words));
    assert_true(options_operands(&wish, 1, words));
    assert_null(wish.port);
    assert_true(options_operands(&wish, 0, words));
    assert_null(wish.host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_seconds),
        cmocka_unit_test(test_family),
        cmocka_unit_test(test_operands),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
