/* Names and answers: each name is one of its kind, and every way of being wrong is told from being right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "client/answer.h"
#include "seed.h"

#define RUN(prefix, suffix)                            \
    {                                                  \
        .key = {{1, 2}}, {prefix, sizeof(prefix) - 1}, \
        {                                              \
            suffix, sizeof(suffix) - 1                 \
        }                                              \
    }

static const struct answer_run run = RUN("Hello, ", "!");

/* Probe SEQ's name as text. */
static const char *name_of(const struct answer_run *of, uint32_t seq)
{
    static char texts[4][ANSWER_NAME_MAX + 1];
    static unsigned turn;
    char *text = texts[turn++ % 4];

    text[answer_name(of, seq, text)] = '\0';
    return text;
}

/* Writes TEXT to DATA, with the name of probe SEQ for each "@"; returns the length. */
static size_t fill_in(char data[200], const char *text, const char *name)
{
    size_t length = 0;

    for (; *text != '\0'; text++) {
        size_t bytes = *text == '@' ? strlen(name) : 1;
        memcpy(data + length, *text == '@' ? name : text, bytes);
        length += bytes;
    }
    return length;
}

/* TEXT, with the name of probe SEQ for each "@", is read as KIND of probe ABOUT. */
static void assert_read(const char *text, uint32_t seq, enum answer_kind kind, uint32_t about)
{
    char data[200];
    uint32_t got = 77;
    size_t length = fill_in(data, text, name_of(&run, seq));

    assert_int_equal(answer_read(&run, data, length, &got), kind);
    assert_int_equal(got, about);
}

static void test_names(void **state)
{
    struct answer_run other = run;
    (void) state;

    other.key.word[0]++;
    assert_string_equal(name_of(&run, 7), name_of(&run, 7));
    assert_string_not_equal(name_of(&run, 7), name_of(&run, 8));
    assert_string_not_equal(name_of(&run, 7), name_of(&other, 7));
    assert_memory_equal(name_of(&run, UINT32_MAX), "PING-", 5);
    assert_true(strlen(name_of(&run, UINT32_MAX)) < ANSWER_NAME_MAX);
    for (const char *at = name_of(&run, 12345); *at != '\0'; at++)
        assert_true(*at > 0x20 && *at < 0x7F);
}

static void test_right(void **state)
{
    (void) state;
    assert_read("Hello, @!", 1, ANSWER_RIGHT, 1);
    assert_read("Hello, @!\n", 4294967295, ANSWER_RIGHT, 4294967295);
    assert_read("Hello, @!\r\n", 17, ANSWER_RIGHT, 17);
}

static void test_altered(void **state)
{
    (void) state;
    assert_read("@", 3, ANSWER_ALTERED, 3);
    assert_read("Hello, @", 3, ANSWER_ALTERED, 3);
    assert_read("hello, @!", 3, ANSWER_ALTERED, 3);
    assert_read(" Hello, @!", 3, ANSWER_ALTERED, 3);
    assert_read("Hello, @! ", 3, ANSWER_ALTERED, 3);
    assert_read("Hello, @!\n\n", 3, ANSWER_ALTERED, 3);
    assert_read("Hello, @!\r", 3, ANSWER_ALTERED, 3);
    assert_read("Hello, x@!", 3, ANSWER_ALTERED, 3);
    assert_read("Hello, @!Hello, @!", 3, ANSWER_ALTERED, 3);
    assert_read("Hello, 9@!", 0, ANSWER_ALTERED, 0); /* no probe has number 0 */
}

/* All but its first bytes are gone: whose it is can be told, but not about which probe it is. */
static void test_half_a_name(void **state)
{
    char data[ANSWER_NAME_MAX];
    uint32_t seq = 9;
    (void) state;

    answer_name(&run, 123456, data);
    for (size_t length = 20; length >= 9; length--) {
        assert_int_equal(answer_read(&run, data, length, &seq), ANSWER_ALTERED);
        assert_int_equal(seq, 0);
    }
    assert_int_equal(answer_read(&run, data, 8, &seq), ANSWER_FOREIGN);
}

static void test_case_is_changed(void **state)
{
    char data[] = "HELLO, PING-00000000-00-00000000--------!";
    uint32_t seq;
    (void) state;

    /* A number whose name has letters to be changed. */
    snprintf(data + 7, sizeof(data) - 7, "%s!", name_of(&run, 5));
    for (char *at = data; *at != '\0'; at++)
        *at = (char) (*at >= 'a' && *at <= 'z' ? *at - 32 : *at);
    assert_int_equal(answer_read(&run, data, strlen(data), &seq), ANSWER_ALTERED);
    assert_int_equal(seq, 5);
}

static void test_foreign(void **state)
{
    struct answer_run other = run;
    char data[100];
    uint32_t seq = 9;
    (void) state;

    assert_read("", 1, ANSWER_FOREIGN, 0);
    assert_read("\n", 1, ANSWER_FOREIGN, 0);
    assert_read("Hello, Bob!", 1, ANSWER_FOREIGN, 0);
    assert_read("Hello, PING-0000000-1-0123456!", 1, ANSWER_FOREIGN, 0);
    assert_read("-4294967296-00000000-99999999999-00000000", 1, ANSWER_FOREIGN, 0);
    assert_read("-1-", 1, ANSWER_FOREIGN, 0);
    assert_read("-1-1234567", 1, ANSWER_FOREIGN, 0);
    other.key.word[1]++;
    int length = snprintf(data, sizeof(data), "Hello, %s!", name_of(&other, 3));
    assert_int_equal(answer_read(&run, data, (size_t) length, &seq), ANSWER_FOREIGN);
    assert_int_equal(seq, 0);
}

static void test_other_words(void **state)
{
    const struct answer_run bare = RUN("", ""), lines = RUN("Hi\n", "\n");
    char data[100];
    uint32_t seq;
    (void) state;

    assert_int_equal(answer_read(&bare, name_of(&bare, 2), strlen(name_of(&bare, 2)), &seq), ANSWER_RIGHT);
    int length = snprintf(data, sizeof(data), "Hi\n%s\n", name_of(&lines, 2));
    assert_int_equal(answer_read(&lines, data, (size_t) length, &seq), ANSWER_RIGHT);
    assert_int_equal(answer_read(&lines, data, (size_t) length - 1, &seq), ANSWER_ALTERED);
}

/* TEXT, with the name of probe SEQ for each "@", came on the stream of probe 6. */
static void assert_stream(const char *text, uint32_t seq, enum answer_kind kind)
{
    char data[200];
    size_t before;
    size_t length = fill_in(data, text, name_of(&run, seq));

    assert_int_equal(answer_read_stream(&run, 6, data, length, &before), kind);
    if (kind == ANSWER_RIGHT)
        assert_int_equal(before, strstr(text, "Hello") - text);
}

static void test_streams(void **state)
{
    (void) state;
    assert_stream("What's your name?Hello, @!", 6, ANSWER_RIGHT);
    assert_stream("What's your name?\nHello, @!\r\n", 6, ANSWER_RIGHT);
    assert_stream("Hello, @!", 6, ANSWER_RIGHT);
    assert_stream("What's your name?Hello, @", 6, ANSWER_ALTERED);
    assert_stream("What's your name?Hello, @!Hello, @!", 6, ANSWER_ALTERED);
    assert_stream("What's your name?Hello, @!", 5, ANSWER_ALTERED);
    assert_stream("Hello, @!What's your name?", 6, ANSWER_ALTERED);
    assert_stream("What's your name?", 6, ANSWER_FOREIGN);
    assert_stream("", 6, ANSWER_FOREIGN);
}

/* One byte changed anywhere: never right, and never about another probe. */
static void test_any_byte_altered(void **state)
{
    struct seed seed = seed_start();
    char data[100];
    (void) state;

    for (int i = 0; i < 100000; i++) {
        uint32_t number = seed_next(&seed) >> seed_below(&seed, 32), seq;
        size_t length = (size_t) snprintf(data, sizeof(data), "Hello, %s!", name_of(&run, number));
        size_t where = seed_below(&seed, length);
        char was = data[where];
        data[where] = (char) seed_next(&seed);
        enum answer_kind kind = answer_read(&run, data, length, &seq);
        assert_int_equal(kind, data[where] == was && number != 0 ? ANSWER_RIGHT : ANSWER_ALTERED);
        assert_true(seq == 0 || seq == number);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_right),
        cmocka_unit_test(test_altered),
        cmocka_unit_test(test_half_a_name),
        cmocka_unit_test(test_case_is_changed),
        cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_other_words),
        cmocka_unit_test(test_streams),
        cmocka_unit_test(test_any_byte_altered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
