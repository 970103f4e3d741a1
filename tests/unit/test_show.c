/* What a server says on its way to a terminal, and its refusals told from answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/show.h"
#include "protocol/protocol.h"

static void assert_shown(const char *text, size_t length, const char *expected)
{
    char *shown = NULL;
    size_t size;
    FILE *out = open_memstream(&shown, &size);

    assert_non_null(out);
    show(out, text, length);
    fclose(out);
    assert_string_equal(shown, expected);
    free(shown);
}

static void zero_bytes(void **state)
{
    (void) state;
    assert_shown("", 0, "");
    assert_shown("a\0b", 3, "a\\x00b");
    assert_shown("\0\0", 2, "\\x00\\x00");
    assert_shown("a\0", 2, "a\\x00");
}

static void controls(void **state)
{
    static const char text[] = "\033[2J\xc3\xbc\xff\xc2\x9b\n%s\\";

    (void) state;
    assert_shown(text, sizeof(text) - 1, "\\x1b[2J\xc3\xbc\\xff\\xc2\\x9b\\x0a%s\\");
    assert_shown("\xe2\x82", 2, "\\xe2\\x82"); /* the rest of a character is not there */
}

static bool is_refusal(const char *text)
{
    return show_is_refusal(text, strlen(text));
}

static void refusals(void **state)
{
    char text[100];

    (void) state;
    assert_true(is_refusal(SENTENCE_FULL));
    assert_true(is_refusal(SENTENCE_SOURCE));
    assert_true(is_refusal(SENTENCE_IDLE));
    snprintf(text, sizeof(text), SENTENCE_TOO_LONG, (size_t) 1024);
    assert_true(is_refusal(text));
}

static void no_refusals(void **state)
{
    static const char *const answers[] = {"",
                                          "Hello, Ada!",
                                          "Hello, Sorry, the server is full.!",
                                          "Sorry, the server is full",
                                          "Sorry, the server is full. ",
                                          "Sorry, a name has at most  bytes.",
                                          "Sorry, a name has at most x bytes.",
                                          "Sorry, a name has at most 10",
                                          "Sorry, a name has at most 10 bytes. "};

    (void) state;
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
        assert_false(is_refusal(answers[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zero_bytes),
        cmocka_unit_test(controls),
        cmocka_unit_test(refusals),
        cmocka_unit_test(no_refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
