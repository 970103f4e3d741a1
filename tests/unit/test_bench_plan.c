/* The shares of a load's processes, its names, and the book in which they stand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/bench_book.h"
#include "client/bench_plan.c"
#include "seed.h"

static void test_shares_add_up(void **state)
{
    struct seed seed = seed_start();

    (void) state;
    for (unsigned round = 0; round < 500; round++) {
        struct bench_plan whole = {.connections = 64 + seed_next(&seed) % 60000,
                                   .processes = 1 + seed_next(&seed) % 64,
                                   .rate = 1000,
                                   .count = seed_next(&seed)};
        uint64_t connections = 0, count = 0;
        double rate = 0;
        for (unsigned i = 0; i < whole.processes; i++) {
            struct bench_plan part = bench_plan_share(&whole, i);
            assert_in_range(part.connections, 1, whole.connections);
            connections += part.connections;
            count += part.count;
            rate += part.rate;
        }
        assert_int_equal(connections, whole.connections);
        assert_int_equal(count, whole.count);
        assert_true(rate > 999.999 && rate < 1000.001);
    }
}

static void test_no_count_is_not_shared(void **state)
{
    struct bench_plan whole = {.connections = 2, .processes = 2, .count = UINT64_MAX};

    (void) state;
    assert_int_equal(bench_plan_share(&whole, 1).count, UINT64_MAX);
}

static void test_names(void **state)
{
    struct bench_plan plan = {.smallest = 16, .largest = 16};
    char text[32];
    uint64_t number;

    (void) state;
    assert_int_equal(bench_plan_name(&plan, 0x123456789abc, text), 16);
    assert_memory_equal(text, "123456789abcghij", 16);
    assert_true(bench_plan_number(text, &number));
    assert_int_equal(number, 0x123456789abc);
    assert_false(bench_plan_number("123456789abg", &number));
    assert_false(bench_plan_number("123456789ABC", &number));
    plan.smallest = plan.largest = 3;
    assert_int_equal(bench_plan_name(&plan, 0xabcdef, text), 3);
    assert_memory_equal(text, "def", 3);
}

/* Each size between the two comes, and no other; letters and digits alone, so that every guard lets them in.
 */
static void test_sizes(void **state)
{
    struct bench_plan plan = {.smallest = 1, .largest = 200};
    bool seen[201] = {false};
    char text[200];

    (void) state;
    for (uint64_t number = 0; number < 5000; number++) {
        size_t size = bench_plan_name(&plan, number, text);
        assert_in_range(size, 1, 200);
        seen[size] = true;
        for (size_t i = 0; i < size; i++)
            assert_true((text[i] >= 'a' && text[i] <= 'z') || (text[i] >= '0' && text[i] <= '9'));
    }
    for (unsigned size = 1; size <= 200; size++)
        assert_true(seen[size]);
}

/* Wherever in the circle one begins, the next entries are those of the following numbers. */
static void test_book(void **state)
{
    static const unsigned depths[] = {1, 127, 128, 129, 1024};

    (void) state;
    for (size_t i = 0; i < sizeof(depths) / sizeof(depths[0]); i++) {
        struct bench_plan plan = {
            .smallest = 5, .largest = 40, .depth = depths[i], .words = bench_words_builtin(SOCK_STREAM)};
        const struct texts *texts = &plan.words.texts;
        struct bench_book book;
        assert_int_equal(bench_book_write(&book, &plan), 0);
        assert_true(book.circle >= 2 * plan.depth && (book.circle & (book.circle - 1)) == 0);
        for (unsigned j = 0; j < book.circle + plan.depth; j++) {
            char text[200];
            size_t length = bench_plan_name(&plan, j % book.circle, text);
            assert_int_equal(book.names_at[j + 1] - book.names_at[j], length + 1);
            assert_memory_equal(book.names + book.names_at[j], text, length);
            assert_int_equal(book.names[book.names_at[j + 1] - 1], '\n');
            length = bench_plan_answer(&plan, texts, j % book.circle, text);
            assert_int_equal(book.answers_at[j + 1] - book.answers_at[j], length);
            assert_memory_equal(book.answers + book.answers_at[j], text, length);
        }
        bench_book_free(&book);
    }
}

/* What is expected is what the daemon's own protocols say. */
static void test_answers_are_the_protocols(void **state)
{
    struct bench_plan plan = {.smallest = 12, .largest = 300};
    char name[300], expected[400], answer[400];

    (void) state;
    for (uint64_t number = 0; number < 1000; number++) {
        size_t length = bench_plan_name(&plan, number, name), written;
        protocol_hello.message(protocol_hello.defaults, name, length, expected, &written);
        assert_int_equal(bench_plan_answer(&plan, protocol_hello.defaults, number, answer), written);
        assert_memory_equal(answer, expected, written);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shares_add_up), cmocka_unit_test(test_no_count_is_not_shared),
        cmocka_unit_test(test_names),         cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_book),          cmocka_unit_test(test_answers_are_the_protocols),
    };

    return cmocka_run_group_tests_name("bench_plan", tests, NULL, NULL);
}
