/* Foreign text in a plugin's output: what stays as it is, what is escaped, and that the end is the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/check_text.h"

static void assert_text(const char *text, size_t length, const char *expected)
{
    char *made = NULL;
    size_t size;
    FILE *out = open_memstream(&made, &size);

    assert_non_null(out);
    check_text(out, text, length);
    fclose(out);
    assert_string_equal(made, expected);
    free(made);
}

static void test_harmless(void **state)
{
    static const char text[] = "Hello, \"Gr\xc3\xbc\xc3\x9f Gott\" ~$%s%n'\\ \xe2\x82\xac\xf0\x9f\x90\xa7";

    (void) state;
    assert_text("", 0, "");
    assert_text(text, sizeof(text) - 1, text);
}

static void test_escaped(void **state)
{
    (void) state;
    assert_text("a|b", 3, "a\\x7cb");
    assert_text("<b>&", 4, "\\x3cb\\x3e\\x26");
    assert_text("\r\n\t\x1b[\x7f", 6, "\\x0d\\x0a\\x09\\x1b[\\x7f");
    assert_text("a\0b\0", 4, "a\\x00b\\x00");
    assert_text("\xc2\x9b\xff\xc0\xaf", 5, "\\xc2\\x9b\\xff\\xc0\\xaf");
}

static void test_end(void **state)
{
    (void) state;
    assert_text("Hello", 4, "Hell");
    assert_text("a\xe2\x82\xac", 4, "a\xe2\x82\xac");
    assert_text("a\xe2\x82\xac", 3, "a\\xe2\\x82");
    assert_text("a\xe2\x82\xac", 2, "a\\xe2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_harmless), cmocka_unit_test(test_escaped),
                                       cmocka_unit_test(test_end)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
