/* The table of protocols: who is in it, under which name, and how large an answer may become. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/protocol.h"
#include "seed.h"

static void test_found_by_name(void **state)
{
    (void) state;
    assert_ptr_equal(protocol_find("greeting"), &protocol_greeting);
    assert_ptr_equal(protocol_find("hello"), &protocol_hello);
    assert_ptr_equal(protocol_find("upper"), &protocol_upper);
    assert_null(protocol_find("hell"));
    assert_null(protocol_find("hello "));
    assert_null(protocol_find("Hello"));
    assert_null(protocol_find(""));
}

static void test_every_name_is_listed_and_found(void **state)
{
    const char *const *names = protocol_names();
    size_t count = 0;

    (void) state;
    for (; names[count] != NULL; count++) {
        assert_non_null(protocol_find(names[count]));
        assert_string_equal(protocol_find(names[count])->name, names[count]);
        for (size_t i = 0; i < count; i++)
            assert_string_not_equal(names[i], names[count]);
    }
    assert_int_equal(count, 3);
    assert_ptr_equal(protocol_names(), names);
}

static void test_who_serves_what(void **state)
{
    (void) state;
    assert_int_equal(protocol_greeting.serves, PROTOCOL_ON_STREAM);
    assert_int_equal(protocol_hello.serves, PROTOCOL_ON_DATAGRAM);
    assert_int_equal(protocol_upper.serves, PROTOCOL_ON_STREAM);
    assert_false(protocol_greeting.chunks_only);
    assert_true(protocol_upper.chunks_only);
    assert_non_null(protocol_greeting.open);
    assert_null(protocol_hello.open);
    assert_null(protocol_upper.open);
}

/* Counted by hand in each protocol, so counted again here. */
static void test_built_in_words_have_a_length_that_fits(void **state)
{
    const char *const *names = protocol_names();

    (void) state;
    for (size_t i = 0; names[i] != NULL; i++) {
        const struct texts *texts = protocol_find(names[i])->defaults;
        assert_int_equal(texts->prompt.length, strlen(texts->prompt.data));
        assert_int_equal(texts->prefix.length, strlen(texts->prefix.data));
        assert_int_equal(texts->suffix.length, strlen(texts->suffix.data));
        assert_int_equal(texts->farewell.length, strlen(texts->farewell.data));
    }
}

static void test_answer_max(void **state)
{
    struct texts words = {{"12345", 5}, {"12", 2}, {"1", 1}, {"", 0}};

    (void) state;
    assert_int_equal(protocol_answer_max(&words, 1), 5);
    assert_int_equal(protocol_answer_max(&words, 2), 5);
    assert_int_equal(protocol_answer_max(&words, 3), 6);
    assert_int_equal(protocol_answer_max(protocol_greeting.defaults, 1024), 1032);
    assert_int_equal(protocol_answer_max(protocol_greeting.defaults, 1), 17);
    assert_int_equal(protocol_answer_max(protocol_hello.defaults, 1024), 1032);
    assert_int_equal(protocol_answer_max(protocol_upper.defaults, 1024), 1024);
}

/* No protocol writes beyond what protocol_answer_max() promises, whatever the words and the message. */
static void test_no_answer_is_larger(void **state)
{
    enum {
        SIZE = 64,
        MARK = 0x5A
    };
    struct seed seed = seed_start();
    const char *const *names = protocol_names();
    char bytes[SIZE], message[SIZE], out[4 * SIZE];

    (void) state;
    for (int round = 0; round < 20000; round++) {
        struct texts words = {{bytes, seed_below(&seed, SIZE)},
                              {bytes, seed_below(&seed, SIZE)},
                              {bytes, seed_below(&seed, SIZE)},
                              {bytes, seed_below(&seed, SIZE)}};
        size_t length = seed_below(&seed, SIZE), size = protocol_answer_max(&words, length);
        const struct protocol *protocol = protocol_find(names[seed_below(&seed, 3)]);
        for (size_t i = 0; i < SIZE; i++) {
            bytes[i] = (char) seed_next(&seed);
            message[i] = (char) seed_next(&seed);
        }
        memset(out, MARK, sizeof out);
        size_t written = SIZE_MAX;
        protocol->message(&words, message, length, out, &written);
        assert_true(written <= size);
        for (size_t i = written; i < sizeof out; i++)
            assert_int_equal(out[i], MARK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found_by_name),   cmocka_unit_test(test_every_name_is_listed_and_found),
        cmocka_unit_test(test_who_serves_what), cmocka_unit_test(test_built_in_words_have_a_length_that_fits),
        cmocka_unit_test(test_answer_max),      cmocka_unit_test(test_no_answer_is_larger),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
