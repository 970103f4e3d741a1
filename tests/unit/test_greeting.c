/* The words on the wire, byte for byte: greeting, hello and upper. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/protocol.h"

enum {
    OUT_SIZE = 2048
};

static void assert_says(const struct protocol *protocol, const struct texts *texts, const char *message,
                        size_t length, const char *answer, size_t answer_length)
{
    char out[OUT_SIZE];
    size_t written = SIZE_MAX;

    assert_int_equal(protocol->message(texts, message, length, out, &written), NEXT_CONTINUE);
    assert_int_equal(written, answer_length);
    assert_memory_equal(out, answer, answer_length);
}

#define assert_answer(protocol, message, answer) \
    assert_says(&(protocol), (protocol).defaults, message, sizeof(message) - 1, answer, sizeof(answer) - 1)

static void assert_ends(const struct texts *texts, const char *message)
{
    char out[OUT_SIZE];
    size_t written = SIZE_MAX;

    assert_int_equal(protocol_greeting.message(texts, message, strlen(message), out, &written), NEXT_CLOSE);
    assert_int_equal(written, 0);
}

static void test_server_speaks_first(void **state)
{
    char out[OUT_SIZE];

    (void) state;
    assert_int_equal(protocol_greeting.open(protocol_greeting.defaults, out), 17);
    assert_memory_equal(out, "What's your name?", 17);
}

static void test_greets_by_name(void **state)
{
    (void) state;
    assert_answer(protocol_greeting, "Bob", "Hello, Bob!");
    assert_answer(protocol_greeting, "B", "Hello, B!");
    assert_answer(protocol_greeting, "Bob\n", "Hello, Bob\n!");
    assert_answer(protocol_greeting, "a\0b\xFF\x1B[2J", "Hello, a\0b\xFF\x1B[2J!");
    assert_answer(protocol_greeting, "%s%n", "Hello, %s%n!");
}

static void test_empty_line_is_asked_again(void **state)
{
    (void) state;
    assert_answer(protocol_greeting, "", "What's your name?");
}

static void test_farewell_is_the_word_and_nothing_like_it(void **state)
{
    (void) state;
    assert_ends(protocol_greeting.defaults, "disconnect");
    assert_answer(protocol_greeting, "connect", "Hello, connect!");
    assert_answer(protocol_greeting, "disconnect ", "Hello, disconnect !");
    assert_answer(protocol_greeting, "Disconnect", "Hello, Disconnect!");
    assert_answer(protocol_greeting, "disconnecT", "Hello, disconnecT!");
}

static void test_own_words(void **state)
{
    struct texts words = {{"Name: ", 6}, {"<", 1}, {">\r\n", 3}, {"bye", 3}};
    char out[OUT_SIZE];

    (void) state;
    assert_int_equal(protocol_greeting.open(&words, out), 6);
    assert_memory_equal(out, "Name: ", 6);
    assert_says(&protocol_greeting, &words, "Bob", 3, "<Bob>\r\n", 7);
    assert_says(&protocol_greeting, &words, "", 0, "Name: ", 6);
    assert_says(&protocol_greeting, &words, "disconnect", 10, "<disconnect>\r\n", 14);
    assert_ends(&words, "bye");
}

static void test_without_a_farewell_nothing_ends_it(void **state)
{
    struct texts words = {{"Name: ", 6}, {"", 0}, {"", 0}, {"", 0}};

    (void) state;
    assert_says(&protocol_greeting, &words, "", 0, "Name: ", 6);
    assert_says(&protocol_greeting, &words, "disconnect", 10, "disconnect", 10);
}

/* Names of every length, so that every way of copying them is taken, into exactly the room that is promised.
 */
static void test_names_of_every_length(void **state)
{
    char expected[308] = "Hello, ", out[308], *name = expected + 7;

    (void) state;
    for (size_t length = 1; length <= 300; length++) {
        size_t written = SIZE_MAX;
        memset(out, 0, sizeof out);
        name[length - 1] = (char) ('0' + length % 75);
        name[length] = '!';
        protocol_greeting.message(protocol_greeting.defaults, name, length, out, &written);
        assert_int_equal(written, length + 8);
        assert_memory_equal(out, expected, written);
        for (size_t i = written; i < sizeof out; i++)
            assert_int_equal(out[i], 0);
    }
}

static void test_hello(void **state)
{
    (void) state;
    assert_answer(protocol_hello, "Bob", "Hello, Bob!");
    assert_answer(protocol_hello, "", "Hello, !");
    assert_answer(protocol_hello, "disconnect", "Hello, disconnect!");
    assert_answer(protocol_hello, "Bob\n", "Hello, Bob\n!");
}

static void test_upper_changes_ascii_letters_alone(void **state)
{
    char in[256], expected[256];

    (void) state;
    for (int i = 0; i < 256; i++) {
        in[i] = (char) i;
        expected[i] = (char) (i >= 'a' && i <= 'z' ? i - 32 : i);
    }
    assert_says(&protocol_upper, protocol_upper.defaults, in, 256, expected, 256);
    assert_answer(protocol_upper, "hello, Wörld!\n", "HELLO, WöRLD!\n");
    assert_answer(protocol_upper, "disconnect", "DISCONNECT");
}

static void test_sentences(void **state)
{
    char sentence[64];

    (void) state;
    assert_string_equal(SENTENCE_FULL, "Sorry, the server is full.");
    assert_string_equal(SENTENCE_SOURCE, "Sorry, too many connections from your address.");
    assert_string_equal(SENTENCE_IDLE, "Sorry, you have been silent for too long.");
    snprintf(sentence, sizeof sentence, SENTENCE_TOO_LONG, (size_t) 1024);
    assert_string_equal(sentence, "Sorry, a name has at most 1024 bytes.");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_server_speaks_first),
        cmocka_unit_test(test_greets_by_name),
        cmocka_unit_test(test_empty_line_is_asked_again),
        cmocka_unit_test(test_farewell_is_the_word_and_nothing_like_it),
        cmocka_unit_test(test_own_words),
        cmocka_unit_test(test_without_a_farewell_nothing_ends_it),
        cmocka_unit_test(test_names_of_every_length),
        cmocka_unit_test(test_hello),
        cmocka_unit_test(test_upper_changes_ascii_letters_alone),
        cmocka_unit_test(test_sentences),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
