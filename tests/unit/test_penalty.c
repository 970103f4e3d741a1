/* Penalties, with a clock that the tests set. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "seed.h"
#include "source_help.h"
#include "worker/penalty.c"

enum {
    SECOND_MS = 1000,
    LONGEST_MS = 600 * SECOND_MS,
    MEMORY_MS = PENALTY_MEMORY_MS,
    TICK = TICK_MS /* what times are right to */
};

/* Some time that is no beginning. */
#define START_MS (UINT64_C(3600) * SECOND_MS)
/* All of the table's time. */
#define TURN_MS ((TIME_MASK + 1) * TICK_MS)

static int open_penalty(void **state)
{
    *state = penalty_open();
    return *state != NULL ? 0 : -1;
}

static int close_penalty(void **state)
{
    penalty_close(*state);
    return 0;
}

/* COUNT offences of FROM at NOW_MS; returns the refusal that they brought about. */
static uint64_t offend(struct penalty *penalty, uint64_t now_ms, const char *from, unsigned count)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < count; i++)
        sum += penalty_charge(penalty, now_ms, source_at(from).address, PENALTY_OFFENCE, LONGEST_MS);
    return sum;
}

static uint64_t left(const struct penalty *penalty, uint64_t now_ms, const char *from)
{
    return penalty_left_ms(penalty, now_ms, source_at(from).address, LONGEST_MS);
}

static void test_nobody_at_first(void **state)
{
    assert_int_equal(left(*state, 0, "192.0.2.1"), 0);
    assert_int_equal(left(*state, START_MS, "2001:db8::1"), 0);
}

static void test_a_few_are_forgiven(void **state)
{
    assert_int_equal(offend(*state, START_MS, "192.0.2.1", PENALTY_FORGIVEN), 0);
    assert_int_equal(left(*state, START_MS, "192.0.2.1"), 0);
    assert_int_equal(offend(*state, START_MS, "192.0.2.1", 1), PENALTY_FIRST_MS);
    assert_in_range(left(*state, START_MS, "192.0.2.1"), PENALTY_FIRST_MS - TICK, PENALTY_FIRST_MS);
    assert_in_range(left(*state, START_MS + 9 * SECOND_MS, "192.0.2.1"), 1, SECOND_MS);
    assert_int_equal(left(*state, START_MS + PENALTY_FIRST_MS, "192.0.2.1"), 0);
    assert_int_equal(left(*state, START_MS, "192.0.2.2"), 0);
}

/* Each further offence doubles the time; the limit is reached and kept, however many there are. */
static void test_time_grows_up_to_the_limit(void **state)
{
    static const unsigned expected_s[] = {10, 20, 40, 80, 160, 320, 600, 600, 600, 600};
    uint64_t now = START_MS;

    offend(*state, now, "192.0.2.1", PENALTY_FORGIVEN);
    for (size_t i = 0; i < sizeof(expected_s) / sizeof(expected_s[0]); i++) {
        uint64_t refused = offend(*state, now, "192.0.2.1", 1);
        assert_int_equal(refused, expected_s[i] * SECOND_MS);
        now += refused;
    }
    /* What was not needed to reach the limit need not be taken back: now it is seven steps above the
     * forgiven. */
    now += 7 * MEMORY_MS + TICK;
    assert_int_equal(offend(*state, now, "192.0.2.1", 1), PENALTY_FIRST_MS);
}

/* What a source has open when it is refused may end as badly: that is the same misdeed. */
static void test_while_refused_nothing_is_added(void **state)
{
    assert_int_equal(offend(*state, START_MS, "192.0.2.1", 60), PENALTY_FIRST_MS);
    assert_int_equal(offend(*state, START_MS + 9 * SECOND_MS, "192.0.2.1", 60), 0);
    assert_in_range(left(*state, START_MS + 9 * SECOND_MS, "192.0.2.1"), 1, SECOND_MS);
    assert_int_equal(offend(*state, START_MS + PENALTY_FIRST_MS, "192.0.2.1", 1), 2 * PENALTY_FIRST_MS);
}

static void test_good_conduct_takes_offences_back(void **state)
{
    uint64_t now = START_MS;

    /* One each ten minutes is forgiven for ever. */
    for (unsigned i = 0; i < 100; i++, now += MEMORY_MS + TICK)
        assert_int_equal(offend(*state, now, "192.0.2.1", 1), 0);
    now += 10 * MEMORY_MS;
    assert_int_equal(offend(*state, now, "192.0.2.1", 6), PENALTY_FIRST_MS);
    /* The time of the refusal itself is none of it. */
    now += PENALTY_FIRST_MS + MEMORY_MS - 2 * SECOND_MS;
    assert_int_equal(offend(*state, now, "192.0.2.1", 1), PENALTY_FIRST_MS);
    now += PENALTY_FIRST_MS;
    assert_int_equal(offend(*state, now, "192.0.2.1", 1), 2 * PENALTY_FIRST_MS);
    /* In the end nothing is left. */
    now += 2 * PENALTY_FIRST_MS + 6 * MEMORY_MS + TICK;
    assert_int_equal(offend(*state, now, "192.0.2.1", PENALTY_FORGIVEN), 0);
    assert_int_equal(offend(*state, now, "192.0.2.1", 1), PENALTY_FIRST_MS);
}

static void test_light_offences(void **state)
{
    struct source from = source_at("192.0.2.1");
    unsigned needed = (PENALTY_FORGIVEN + 1) * PENALTY_OFFENCE;

    for (unsigned i = 1; i < needed; i++)
        assert_int_equal(penalty_charge(*state, START_MS, from.address, 1, LONGEST_MS), 0);
    assert_int_equal(penalty_charge(*state, START_MS, from.address, 1, LONGEST_MS), PENALTY_FIRST_MS);
    /* Beyond what is forgiven each is enough, but the time hardly grows. */
    assert_int_equal(penalty_charge(*state, START_MS + PENALTY_FIRST_MS, from.address, 1, LONGEST_MS),
                     PENALTY_FIRST_MS);
}

static void test_ipv6_source_is_a_64(void **state)
{
    offend(*state, START_MS, "2001:db8:1:1::1", PENALTY_FORGIVEN);
    assert_int_equal(offend(*state, START_MS, "2001:db8:1:1:ffff::2", 1), PENALTY_FIRST_MS);
    assert_int_not_equal(left(*state, START_MS, "2001:db8:1:1::3"), 0);
    assert_int_equal(left(*state, START_MS, "2001:db8:1:2::1"), 0);
    assert_int_equal(offend(*state, START_MS, "2001:db8:1:2::1", PENALTY_FORGIVEN), 0);
}

/* The longest time may be another after a reload; it counts at once. */
static void test_another_longest_time(void **state)
{
    struct source from = source_at("192.0.2.1");
    uint64_t now = START_MS;

    for (unsigned i = 0; i < 10; i++)
        now += offend(*state, now, "192.0.2.1", 1);
    assert_int_equal(offend(*state, now, "192.0.2.1", 1), LONGEST_MS);
    assert_in_range(penalty_left_ms(*state, now, from.address, 5 * SECOND_MS), 5 * SECOND_MS - TICK,
                    5 * SECOND_MS);
    assert_int_equal(penalty_left_ms(*state, now + 6 * SECOND_MS, from.address, 5 * SECOND_MS), 0);
    assert_int_equal(penalty_left_ms(*state, now, from.address, 0), 0);
    assert_in_range(left(*state, now + 6 * SECOND_MS, "192.0.2.1"), 594 * SECOND_MS - TICK, 594 * SECOND_MS);
}

static void test_shortest_and_longest(void **state)
{
    static const uint64_t longest_ms[] = {1, 500, PENALTY_LONGEST_S * SECOND_MS};

    for (size_t i = 0; i < sizeof(longest_ms) / sizeof(longest_ms[0]); i++) {
        struct source from = source_at("192.0.2.1");
        uint64_t now = START_MS, refused = 0;
        from.address[13] = (uint8_t) i;
        for (unsigned j = 0; j < 100; j++, now += refused + TICK)
            refused = penalty_charge(*state, now, from.address, PENALTY_OFFENCE, longest_ms[i]);
        assert_int_equal(refused, longest_ms[i]);
    }
}

static void test_worker_whose_clock_was_read_earlier(void **state)
{
    uint64_t earlier = START_MS - 5 * SECOND_MS;

    offend(*state, START_MS, "192.0.2.1", PENALTY_FORGIVEN);
    assert_int_equal(offend(*state, earlier, "192.0.2.1", 1), PENALTY_FIRST_MS);
    offend(*state, START_MS, "192.0.2.2", PENALTY_FORGIVEN + 1);
    assert_int_equal(left(*state, earlier, "192.0.2.2"), PENALTY_FIRST_MS);
}

/* Over several turns of the clock. */
static void test_time_comes_round(void **state)
{
    static const char *const sources[] = {"192.0.2.0", "192.0.2.1", "192.0.2.2", "192.0.2.3"};

    for (unsigned i = 0; i < 4; i++) {
        uint64_t now = (i + 1) * TURN_MS - 5 * SECOND_MS;
        assert_int_equal(offend(*state, now, sources[i], PENALTY_FORGIVEN + 1), PENALTY_FIRST_MS);
        assert_int_equal(left(*state, now + 8 * SECOND_MS, sources[i]), 2 * SECOND_MS);
        assert_int_equal(left(*state, now + PENALTY_FIRST_MS, sources[i]), 0);
        assert_int_equal(left(*state, now + TURN_MS / 2, sources[i]), 0);
        assert_int_equal(offend(*state, now + TURN_MS / 2, sources[i], PENALTY_FORGIVEN), 0);
    }
}

/* What is left from a turn before holds its source up once more, and then it is as old as it is. */
static void test_what_is_left_from_a_turn_before(void **state)
{
    uint64_t now = START_MS + TURN_MS;

    offend(*state, START_MS, "192.0.2.1", PENALTY_FORGIVEN + 1);
    assert_int_equal(left(*state, now + SECOND_MS, "192.0.2.1"), 9 * SECOND_MS);
    assert_int_equal(left(*state, now + PENALTY_FIRST_MS, "192.0.2.1"), 0);
}

/* More offenders than there are places in a set: a newcomer has the place of who has least against him. */
static void test_full_set(void **state)
{
    struct penalty *penalty = *state;
    struct source sources[CELLS_WAYS + 1], from = source_at("10.0.0.0");
    unsigned found = 0;

    for (uint32_t i = 0; found <= CELLS_WAYS; i++) {
        uint32_t bits = htonl(0x0a000000 + i);
        memcpy(from.address + 12, &bits, 4);
        if (hash_of(penalty, from.address) % SETS == 5)
            sources[found++] = from;
    }
    for (unsigned i = 0; i < CELLS_WAYS; i++)
        for (unsigned j = 0; j < (i == 3 ? 2 : 5); j++)
            penalty_charge(penalty, START_MS, sources[i].address, PENALTY_OFFENCE, LONGEST_MS);
    for (unsigned j = 0; j < 5; j++)
        penalty_charge(penalty, START_MS, sources[CELLS_WAYS].address, PENALTY_OFFENCE, LONGEST_MS);
    for (unsigned i = 0; i <= CELLS_WAYS; i++)
        assert_int_equal(penalty_left_ms(penalty, START_MS, sources[i].address, LONGEST_MS) > 0, i != 3);
    /* The one who was forgotten begins anew. */
    assert_int_equal(
        penalty_charge(penalty, START_MS + 20 * SECOND_MS, sources[3].address, PENALTY_OFFENCE, LONGEST_MS),
        0);
}

/* A crowd that offends once each does not push those out who do so again and again, nor has anybody else
 * refused. */
static void test_crowd_of_newcomers(void **state)
{
    struct penalty *penalty = *state;
    struct source from = source_at("10.0.0.0");

    offend(penalty, START_MS, "192.0.2.1", PENALTY_FORGIVEN + 1);
    for (uint32_t i = 0; i < 100000; i++) {
        uint32_t bits = htonl(0x0a000000 + i);
        memcpy(from.address + 12, &bits, 4);
        assert_int_equal(penalty_charge(penalty, START_MS, from.address, PENALTY_OFFENCE, LONGEST_MS), 0);
    }
    assert_int_not_equal(left(penalty, START_MS, "192.0.2.1"), 0);
    assert_int_equal(left(penalty, START_MS, "198.51.100.1"), 0);
}

/* Whatever happens, nobody is refused for longer than the limit, and who is quiet is free in the end. */
static void test_random_lives(void **state)
{
    struct seed seed = seed_start();
    uint64_t now = START_MS;

    for (unsigned i = 0; i < 20000; i++) {
        struct source from = source_at("192.0.2.1");
        uint64_t longest = 1 + seed_below(&seed, LONGEST_MS);
        from.address[15] = (uint8_t) seed_below(&seed, 4);
        uint64_t refused = penalty_charge(*state, now, from.address,
                                          1 + (unsigned) seed_below(&seed, PENALTY_OFFENCE), longest);
        assert_true(refused <= longest);
        assert_true(penalty_left_ms(*state, now, from.address, longest) <= longest);
        assert_true(refused < 2 * TICK || penalty_left_ms(*state, now, from.address, longest) > 0);
        assert_int_equal(penalty_left_ms(*state, now + longest + TICK, from.address, longest), 0);
        now += seed_below(&seed, 3) == 0 ? seed_below(&seed, MEMORY_MS) : seed_below(&seed, SECOND_MS);
    }
}

static void test_memory_is_constant(void **state)
{
    (void) state;
    assert_int_equal(penalty_memory(), (1 << 19) + 9 * 64);
}

static void test_one_note_for_a_source(void **state)
{
    struct penalty *penalty = *state;

    assert_int_equal(penalty_note(penalty, START_MS, source_at("2001:db8::1").address), 1);
    assert_int_equal(penalty_note(penalty, START_MS + 29 * SECOND_MS, source_at("2001:db8::2").address), 0);
    assert_int_equal(penalty_note(penalty, START_MS, source_at("2001:db8:0:1::1").address), 1);
    assert_int_equal(penalty_note(penalty, START_MS + 30 * SECOND_MS, source_at("2001:db8::1").address), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_penalty, close_penalty)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_nobody_at_first),
        TEST(test_a_few_are_forgiven),
        TEST(test_time_grows_up_to_the_limit),
        TEST(test_while_refused_nothing_is_added),
        TEST(test_good_conduct_takes_offences_back),
        TEST(test_light_offences),
        TEST(test_ipv6_source_is_a_64),
        TEST(test_another_longest_time),
        TEST(test_shortest_and_longest),
        TEST(test_worker_whose_clock_was_read_earlier),
        TEST(test_time_comes_round),
        TEST(test_what_is_left_from_a_turn_before),
        TEST(test_full_set),
        TEST(test_crowd_of_newcomers),
        TEST(test_random_lives),
        TEST(test_memory_is_constant),
        TEST(test_one_note_for_a_source),
    };

    return cmocka_run_group_tests_name("penalty", tests, NULL, NULL);
}
