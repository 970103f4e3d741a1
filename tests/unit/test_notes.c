/* Notes, with a clock that the tests set. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker/notes.c"

enum {
    START_S = 3600,
    TURN_S = TIME_MASK + 1
};

/* A hash as it might be, another for each NUMBER. */
static uint64_t hash_of(uint64_t number)
{
    return (number + 1) * UINT64_C(0x9E3779B97F4A7C15);
}

static void test_one_line_each_half_minute(void **state)
{
    static struct notes notes; /* aligned, which gcc's AddressSanitizer does not keep on its own stack */

    (void) state;
    assert_int_equal(notes_add(&notes, START_S, hash_of(1), 1), 1);
    for (unsigned i = 1; i < 30; i++)
        for (unsigned j = 0; j < 100; j++)
            assert_int_equal(notes_add(&notes, START_S + i, hash_of(1), 1), 0);
    assert_int_equal(notes_add(&notes, START_S + 30, hash_of(1), 1), 2901);
    assert_int_equal(notes_add(&notes, START_S + 30, hash_of(1), 1), 0);
    assert_int_equal(notes_add(&notes, START_S + 30, hash_of(2), 1), 1);
    assert_int_equal(notes_add(&notes, START_S + 60, hash_of(1), 1), 2);
}

static void test_lines_are_few(void **state)
{
    static struct notes notes;

    (void) state;
    for (unsigned turn = 0; turn < 3; turn++) {
        unsigned lines = 0;
        for (unsigned i = 0; i < 65536; i++)
            lines += notes_add(&notes, START_S + turn * 30 + i / 2200, hash_of(i), 1) > 0;
        assert_in_range(lines, 1, NOTES_SETS * CELLS_WAYS);
    }
}

static void test_full_count_stays_so(void **state)
{
    static struct notes notes;

    (void) state;
    assert_int_equal(notes_add(&notes, START_S, hash_of(1), 1), 1);
    notes.sets[hash_of(1) % NOTES_SETS].word[0] |= COUNT_MASK;
    assert_int_equal(notes_add(&notes, START_S, hash_of(1), 1), 0);
    assert_int_equal(notes_add(&notes, START_S + 30, hash_of(1), 1), COUNT_MASK + 1);
}

static void test_several_at_once(void **state)
{
    static struct notes notes;

    (void) state;
    assert_int_equal(notes_add(&notes, START_S, hash_of(1), 7), 7);
    assert_int_equal(notes_add(&notes, START_S + 1, hash_of(1), 100), 0);
    assert_int_equal(notes_add(&notes, START_S + 30, hash_of(1), 5), 105);
    assert_int_equal(notes_add(&notes, START_S + 31, hash_of(1), UINT32_MAX), 0);
    assert_int_equal(notes_add(&notes, START_S + 32, hash_of(1), UINT32_MAX), 0);
    assert_int_equal(notes_add(&notes, START_S + 60, hash_of(1), 1), COUNT_MASK + 1);
}

static void test_first_after_boot(void **state)
{
    static struct notes notes;

    (void) state;
    assert_int_equal(notes_add(&notes, 0, hash_of(1), 1), 1);
    assert_int_equal(notes_add(&notes, 5, hash_of(1), 1), 0);
    assert_int_equal(notes_add(&notes, 5, 0, 1), 1); /* a hash that begins as an empty place does */
    assert_int_equal(notes_add(&notes, 5, 0, 1), 0);
}

static void test_time_comes_round(void **state)
{
    static struct notes notes;

    (void) state;
    assert_int_equal(notes_add(&notes, TURN_S - 10, hash_of(1), 1), 1);
    assert_int_equal(notes_add(&notes, TURN_S + 19, hash_of(1), 1), 0);
    assert_int_equal(notes_add(&notes, TURN_S + 20, hash_of(1), 1), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_line_each_half_minute), cmocka_unit_test(test_lines_are_few),
        cmocka_unit_test(test_full_count_stays_so),       cmocka_unit_test(test_first_after_boot),
        cmocka_unit_test(test_several_at_once),           cmocka_unit_test(test_time_comes_round),
    };

    return cmocka_run_group_tests_name("notes", tests, NULL, NULL);
}
