/* The lines of the control protocol: what is printed, what is taken apart and what is refused, and random
 * strings there and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/quote.h"
#include "seed.h"

/* What PRINT makes of TEXT; the caller frees it. */
static char *printed(void (*print)(FILE *, const char *), const char *text)
{
    char *made = NULL;
    size_t length;
    FILE *out = open_memstream(&made, &length);

    assert_non_null(out);
    print(out, text);
    fclose(out);
    return made;
}

static void assert_print(const char *text, const char *quoted)
{
    char *made = printed(quote_print, text);

    assert_string_equal(made, quoted);
    free(made);
}

static void test_print(void **state)
{
    (void) state;
    assert_print("", "\"\"");
    assert_print("a b=c", "\"a b=c\"");
    assert_print("\"\\", "\"\\\"\\\\\"");
    assert_print("\n\x01\x7f", "\"\\x0a\\x01\\x7f\"");
    assert_print("\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\xa7", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\xa7\"");
    assert_print("\xc2\x9b", "\"\\xc2\\x9b\"");                   /* C1: as good as ESC [ to some terminals */
    assert_print("\xc0\xaf\xff", "\"\\xc0\\xaf\\xff\"");          /* overlong, no UTF-8 at all */
    assert_print("\xe0\x9f\xbf", "\"\\xe0\\x9f\\xbf\"");          /* overlong */
    assert_print("\xed\xa0\x80", "\"\\xed\\xa0\\x80\"");          /* a surrogate */
    assert_print("\xf4\x90\x80\x80", "\"\\xf4\\x90\\x80\\x80\""); /* beyond U+10FFFF */
    assert_print("\xe2\x82", "\"\\xe2\\x82\"");                   /* cut */
}

static void test_show(void **state)
{
    (void) state;
    char *made = printed(quote_show, "\x1b[31m \"x\\\" \xc3\xa9\xff");
    assert_string_equal(made, "\\x1b[31m \"x\\\" \xc3\xa9\\xff");
    free(made);
}

/* What does not fit is left out from a whole character on. */
static void test_copy(void **state)
{
    static const char text[] = "a\xc3\xa9\x9b\xf0\x9f\x98\x80z", shown[] = "a\xc3\xa9\\x9b\xf0\x9f\x98\x80z";
    static const size_t ends[] = {0, 1, 1, 3, 3, 3, 3, 7, 7, 7, 7, 11, 12, 12};

    (void) state;
    for (size_t room = 0; room < sizeof(ends) / sizeof(ends[0]); room++) {
        char out[16];
        memset(out, '#', sizeof(out));
        assert_int_equal(quote_copy(text, out, room), ends[room]);
        assert_memory_equal(out, shown, ends[room]);
        assert_int_equal(out[ends[room]], '#');
    }
}

static void test_parse(void **state)
{
    (void) state;
    char line[] =
        "worker-1 pid=4711 state=\"a \\\"b\\\\ \\xff\\x0a\" ok=true no=false low=-1 empty=\"\" zero=0";
    struct quote_line parsed;

    assert_int_equal(quote_parse(line, &parsed), 0);
    assert_string_equal(parsed.word, "worker-1");
    assert_int_equal(parsed.count, 7);
    assert_string_equal(quote_find(&parsed, "pid")->value, "4711");
    assert_int_equal(quote_find(&parsed, "pid")->type, QUOTE_NUMBER);
    assert_string_equal(quote_find(&parsed, "state")->value, "a \"b\\ \xff\n");
    assert_int_equal(quote_find(&parsed, "state")->type, QUOTE_STRING);
    assert_int_equal(quote_find(&parsed, "ok")->type, QUOTE_BOOLEAN);
    assert_int_equal(quote_find(&parsed, "no")->type, QUOTE_BOOLEAN);
    assert_string_equal(quote_find(&parsed, "low")->value, "-1");
    assert_string_equal(quote_find(&parsed, "empty")->value, "");
    assert_int_equal(quote_find(&parsed, "empty")->type, QUOTE_STRING);
    assert_null(quote_find(&parsed, "other"));
}

static void test_parse_word_alone(void **state)
{
    (void) state;
    char line[] = "ok";
    struct quote_line parsed;

    assert_int_equal(quote_parse(line, &parsed), 0);
    assert_string_equal(parsed.word, "ok");
    assert_int_equal(parsed.count, 0);
}

static void test_parse_refuses(void **state)
{
    static const char *const bad[] = {"",
                                      " ",
                                      "Word",
                                      "1word",
                                      "wo\xc3\xa9",
                                      " word",
                                      "word ",
                                      "word  a=1",
                                      "word a=1 ",
                                      "word a",
                                      "word =1",
                                      "word a=",
                                      "word a=b",
                                      "word a=01",
                                      "word a=-",
                                      "word a=1.5",
                                      "word a=+1",
                                      "word a=True",
                                      "word a=\"",
                                      "word a=\"b",
                                      "word a=\"b\"c",
                                      "word a=\"\\",
                                      "word a=\"\\\"",
                                      "word a=\"\\n\"",
                                      "word a=\"\\x1\"",
                                      "word a=\"\\x1g\"",
                                      "word a=\"\\x00\"",
                                      "word a=\"\\xFF\"",
                                      "word A=1",
                                      "word a=1 a=2",
                                      "word a=1\tb=2",
                                      "a=1",
                                      "word a=\"b\" ",
                                      "word a=\"b\"  c=1"};
    (void) state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char *line = strdup(bad[i]);
        struct quote_line parsed;
        if (quote_parse(line, &parsed) != -1)
            fail_msg("taken: %s", bad[i]);
        free(line);
    }
}

static void test_fields_have_an_end(void **state)
{
    (void) state;
    char line[QUOTE_FIELDS_MAX * 8 + 16] = "word";
    char *end = line + 4;
    struct quote_line parsed;

    for (int i = 0; i < QUOTE_FIELDS_MAX; i++)
        end += sprintf(end, " k%d=1", i);
    char *copy = strdup(line);
    assert_int_equal(quote_parse(copy, &parsed), 0);
    assert_int_equal(parsed.count, QUOTE_FIELDS_MAX);
    free(copy);
    sprintf(end, " more=1");
    assert_int_equal(quote_parse(line, &parsed), -1);
}

static void test_random_strings_come_back(void **state)
{
    enum {
        ROUNDS = 5000,
        LENGTH = 24
    };
    (void) state;
    struct seed seed = seed_start();
    for (int round = 0; round < ROUNDS; round++) {
        char text[LENGTH + 1] = "", *line = NULL;
        size_t length;
        struct quote_line parsed;
        /* Half of them are mostly about UTF-8. */
        size_t wanted = seed_below(&seed, LENGTH + 1);
        for (size_t i = 0; i < wanted; i++)
            text[i] = (char) (round % 2 ? 0x80 | seed_below(&seed, 0x80) : 1 + seed_below(&seed, 0xff));
        FILE *out = open_memstream(&line, &length);
        fputs("word a=", out);
        quote_print(out, text);
        fputs(" b=1", out);
        fclose(out);
        for (size_t at = 0, bytes; at < length; at += bytes)
            assert_true((bytes = quote_character(line + at)) > 0);
        assert_int_equal(quote_parse(line, &parsed), 0);
        assert_string_equal(quote_find(&parsed, "a")->value, text);
        assert_string_equal(quote_find(&parsed, "b")->value, "1");
        free(line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_print),
        cmocka_unit_test(test_show),
        cmocka_unit_test(test_copy),
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_parse_word_alone),
        cmocka_unit_test(test_parse_refuses),
        cmocka_unit_test(test_fields_have_an_end),
        cmocka_unit_test(test_random_strings_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
