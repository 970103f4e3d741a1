/* What an answer is worth: every kind of answer, whole, in pieces, and with what may stand around it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "client/check_judge.h"

static const struct span answer = {"Hello, CHECK-1!", 15};

/* A text as bytes; a literal's NULs count. */
#define SPAN(text) ((struct span){(text), sizeof(text) - 1})

static void assert_stream(struct span got, bool over, enum check_verdict expected, const char *words)
{
    struct span found;
    enum check_verdict verdict = check_judge_stream(got, answer, over, &found);

    if (verdict != expected)
        fail_msg("\"%.*s\": %d instead of %d", (int) got.length, got.data, verdict, expected);
    if (words != NULL) {
        assert_int_equal(found.length, strlen(words));
        assert_memory_equal(found.data, words, found.length);
    }
}

static void test_right(void **state)
{
    static const char *const texts[] = {
        "Hello, CHECK-1!",
        "Hello, CHECK-1!\n",
        "Hello, CHECK-1!\r\n",
        "What's your name?Hello, CHECK-1!",
        "What's your name?\nHello, CHECK-1!\n",
        "Wer da? Hello, CHECK-1!",
        "Hello, CHECK-1!Hello, CHECK-1!",
    };

    (void) state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        for (int over = 0; over < 2; over++)
            assert_stream((struct span){texts[i], strlen(texts[i])}, over, CHECK_RIGHT, NULL);
    assert_stream(SPAN("What's your name?Hello, CHECK-1!\n"), false, CHECK_RIGHT, "Hello, CHECK-1!");
}

static void test_more_is_awaited(void **state)
{
    static const char whole[] = "What's your name?Hello, CHECK-1!";

    (void) state;
    for (size_t length = 0; length < sizeof(whole) - 1; length++)
        assert_stream((struct span){whole, length}, false, CHECK_MORE, NULL);
    assert_stream(SPAN("Hello, CHECK-2!\n"), false, CHECK_MORE, NULL);
    assert_stream(SPAN("Sorry, the server is full."), false, CHECK_MORE, NULL);
}

static void test_nothing(void **state)
{
    (void) state;
    assert_stream(SPAN(""), true, CHECK_NOTHING, "");
    assert_stream(SPAN("What's your name?"), true, CHECK_NOTHING, "");
    assert_stream(SPAN("What's your name?\r\n"), true, CHECK_NOTHING, "");
    assert_stream(SPAN("\n"), true, CHECK_NOTHING, "");
}

static void test_cut(void **state)
{
    (void) state;
    assert_stream(SPAN("What's"), true, CHECK_CUT, "What's");
    assert_stream(SPAN("What's your name?H"), true, CHECK_CUT, "H");
    assert_stream(SPAN("What's your name?Hello, CHECK-1"), true, CHECK_CUT, "Hello, CHECK-1");
    assert_stream(SPAN("Hello, "), true, CHECK_CUT, "Hello, ");
}

static void test_wrong(void **state)
{
    (void) state;
    assert_stream(SPAN("What's your name?Hello, CHECK-2!\n"), true, CHECK_WRONG, "Hello, CHECK-2!");
    assert_stream(SPAN("Hello, CHECK-1! "), true, CHECK_WRONG, "Hello, CHECK-1! ");
    assert_stream(SPAN("Hello, CHECK-1!\n\n"), true, CHECK_WRONG, "Hello, CHECK-1!\n");
    assert_stream(SPAN("Hello, CHECK-1!\r"), true, CHECK_WRONG, "Hello, CHECK-1!\r");
    assert_stream(SPAN("Hello, CHECK-1!\0"), true, CHECK_WRONG, NULL);
    assert_stream(SPAN("HELLO, CHECK-1!"), true, CHECK_WRONG, NULL);
    assert_stream(SPAN("CHECK-1"), true, CHECK_WRONG, NULL);
    assert_stream(SPAN("\0"), true, CHECK_WRONG, NULL);
    assert_stream(SPAN("Sorry, the server is fool."), true, CHECK_WRONG, NULL);
    assert_stream(SPAN("Sorry, the server is full. Bye."), true, CHECK_WRONG, NULL);
    assert_stream(SPAN("Sorry, a name has at most many bytes."), true, CHECK_WRONG, NULL);
    assert_stream(SPAN("SSSS"), true, CHECK_WRONG, NULL);
}

static void test_refused(void **state)
{
    static const char *const sentences[] = {
        SENTENCE_FULL,
        SENTENCE_SOURCE,
        SENTENCE_IDLE,
        "Sorry, a name has at most 5 bytes.",
    };
    static const char *const before[] = {"", "What's your name?", "So? Sorry? "};
    static const char *const behind[] = {"", "\n", "\r\n"};

    (void) state;
    for (size_t i = 0; i < 4; i++)
        for (size_t j = 0; j < 3; j++)
            for (size_t k = 0; k < 3; k++) {
                char text[128];
                int length = snprintf(text, sizeof(text), "%s%s%s", before[j], sentences[i], behind[k]);
                assert_stream((struct span){text, (size_t) length}, true, CHECK_REFUSED, sentences[i]);
            }
}

static void test_datagrams(void **state)
{
    (void) state;
    assert_int_equal(check_judge_datagram(SPAN("Hello, CHECK-1!"), answer), CHECK_RIGHT);
    assert_int_equal(check_judge_datagram(SPAN(""), answer), CHECK_WRONG);
    assert_int_equal(check_judge_datagram(SPAN("Hello, CHECK-1"), answer), CHECK_WRONG);
    assert_int_equal(check_judge_datagram(SPAN("Hello, CHECK-1!\n"), answer), CHECK_WRONG);
    assert_int_equal(check_judge_datagram(SPAN(" Hello, CHECK-1!"), answer), CHECK_WRONG);
    assert_int_equal(check_judge_datagram(SPAN("Hello, CHECK-2!"), answer), CHECK_WRONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_right),     cmocka_unit_test(test_more_is_awaited),
        cmocka_unit_test(test_nothing),   cmocka_unit_test(test_cut),
        cmocka_unit_test(test_wrong),     cmocka_unit_test(test_refused),
        cmocka_unit_test(test_datagrams),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
