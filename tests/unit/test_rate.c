/* Rate, budget and notes, with a clock that the tests set. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rate_help.h"
#include "seed.h"

/* Some time that is no beginning: what was before is past. */
#define START (3600 * SECOND_NS)

static int open_rate(void **state)
{
    *state = rate_open();
    return *state != NULL ? 0 : -1;
}

static int close_rate(void **state)
{
    rate_close(*state);
    return 0;
}

static void test_intervals(void **state)
{
    (void) state;
    assert_int_equal(rate_interval_ns(0), 0);
    assert_int_equal(rate_interval_ns(1), SECOND_NS);
    assert_int_equal(rate_interval_ns(100), 10 * MS);
    assert_int_equal(rate_interval_ns(10000000), 100);
}

static void test_burst_is_exactly_two_seconds(void **state)
{
    static const unsigned rates[] = {1, 3, 7, 100, 1000, 33333};

    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        struct source from = source_at("192.0.2.1");
        from.address[13] = (uint8_t) i;
        assert_int_equal(admitted(*state, START, from, rates[i], 2 * rates[i]), 2 * rates[i]);
        assert_int_equal(admitted(*state, START, from, rates[i], 10), 0);
    }
}

static void test_afterwards_one_each_interval(void **state)
{
    struct source from = source_at("192.0.2.1");

    assert_int_equal(admitted(*state, START, from, 100, 1000), 200);
    assert_int_equal(admitted(*state, START + 10 * MS - 1, from, 100, 10), 0);
    assert_int_equal(admitted(*state, START + 10 * MS, from, 100, 10), 1);
    assert_int_equal(admitted(*state, START + 35 * MS, from, 100, 10), 2);
    assert_int_equal(admitted(*state, START + 40 * MS, from, 100, 10), 1); /* the half is not lost */
    assert_int_equal(admitted(*state, START + 1040 * MS, from, 100, 1000), 100);
    /* A flood does not lengthen its own punishment, and patience does not pay beyond the burst. */
    assert_int_equal(admitted(*state, START + 60 * SECOND_NS, from, 100, 1000), 200);
}

/* In any stretch of time no more than the burst and what the time is worth; and no less, for one who asks
 * often enough. */
static void test_any_stretch(void **state)
{
    struct seed seed = seed_start();
    struct source from = source_at("2001:db8::1");
    uint64_t now = START;
    unsigned sum = 0;

    for (unsigned i = 0; i < 20000; i++) {
        now += seed_below(&seed, 3 * MS);
        sum += admitted(*state, now, from, 100, (unsigned) seed_below(&seed, 5));
    }
    assert_in_range(sum, 200 + (now - START) / (10 * MS) - 10, 200 + (now - START) / (10 * MS));
}

static void test_prefix(void **state)
{
    struct rate *rate = *state;
    struct source from = source_at("192.0.2.0"), beside = source_at("192.0.3.1");
    unsigned sum = 0;

    for (unsigned i = 0; i < 256; i++) {
        from.address[15] = (uint8_t) i;
        sum += admitted(rate, START, from, 100, 10);
    }
    assert_int_equal(sum, 1600);
    assert_int_equal(admitted(rate, START, beside, 100, 10), 10);
}

static void test_source_over_its_rate_takes_nothing_from_its_neighbours(void **state)
{
    assert_int_equal(admitted(*state, START, source_at("192.0.2.1"), 100, 100000), 200);
    assert_int_equal(admitted(*state, START, source_at("192.0.2.2"), 100, 1000), 200);
}

static void test_ipv6_source_is_a_64_and_prefix_a_48(void **state)
{
    struct rate *rate = *state;
    unsigned sum;

    sum = admitted(rate, START, source_at("2001:db8:1:1::1"), 100, 150);
    sum += admitted(rate, START, source_at("2001:db8:1:1:ffff:ffff:ffff:ffff"), 100, 150);
    assert_int_equal(sum, 200);
    sum = 200;
    for (unsigned i = 2; i < 20; i++) {
        struct source from = source_at("2001:db8:1::1");
        from.address[7] = (uint8_t) i;
        sum += admitted(rate, START, from, 100, 1000);
    }
    assert_int_equal(sum, 1600);
    assert_int_equal(admitted(rate, START, source_at("2001:db8:2::1"), 100, 1000), 200);
}

/* The same bits as another kind of thing are another thing. */
static void test_kinds_are_apart(void **state)
{
    struct rate *rate = *state;

    assert_int_equal(admitted(rate, START, source_at("0.0.2.1"), 100, 1000), 200);
    assert_int_equal(admitted(rate, START, source_at("0:0:0:201::"), 100, 1000), 200);
    assert_int_not_equal(cells_hash(&rate->cells, source_at("0.0.0.0").address, 128),
                         cells_hash(&rate->cells, source_at("0.0.0.0").address, 120));
    assert_int_not_equal(cells_hash(&rate->cells, source_at("::").address, 64),
                         cells_hash(&rate->cells, source_at("::").address, 48));
}

static void test_no_budget(void **state)
{
    assert_int_equal(rate_budget(*state, START, 0, 1000000), 1000000);
    assert_int_equal(rate_budget(*state, START, 0, 1000000), 1000000);
}

/* What was used up is time: after a change of the rate it is as many intervals of the new one. */
static void test_another_rate(void **state)
{
    struct source from = source_at("192.0.2.1");

    assert_int_equal(admitted(*state, START, from, 100, 100), 100);
    assert_int_equal(admitted(*state, START, from, 10, 1000), 10);
    assert_int_equal(admitted(*state, START, from, 100, 1000), 0);
}

/* One turn of 44 bits, and the clock beyond it; an age that is a turn less some seconds. */
static void test_time_comes_round(void **state)
{
    struct rate *rate = *state;
    uint64_t turn = UINT64_C(1) << TIME_BITS;
    struct source from = source_at("192.0.2.1");

    for (unsigned i = 0; i < 4; i++) {
        uint64_t now = (i + 1) * turn - SECOND_NS;
        assert_int_equal(admitted(rate, now, from, 100, 1000), 200);
        assert_int_equal(admitted(rate, now + 500 * MS, from, 100, 1000), 50);
        assert_int_equal(admitted(rate, now + 1500 * MS, from, 100, 1000), 100);
        assert_int_equal(admitted(rate, now + 1505 * MS, from, 100, 1000), 0);
        assert_int_equal(admitted(rate, now + 1510 * MS, from, 100, 1000), 1);
        assert_int_equal(admitted(rate, now + turn - turn / 4, from, 100, 1000), 200);
    }
}

/* A source whose network has its bucket in the same set, at a time for which the zero of an empty place seems
 * to be one to come: the network takes an empty place, not the one that its source has just taken. */
static void test_empty_place_is_empty_at_any_time(void **state)
{
    struct rate *rate = *state;
    uint64_t now = (UINT64_C(1) << TIME_BITS) - 3 * SECOND_NS;
    struct source from = source_at("10.0.0.1");

    for (uint32_t i = 0;; i++) {
        uint32_t bits = htonl(0x0a000000 + i);
        memcpy(from.address + 12, &bits, sizeof(bits));
        remember(rate, from.address);
        if (set_of(rate, rate->last.source.hash) == set_of(rate, rate->last.network.hash))
            break;
    }
    assert_int_equal(admitted(rate, now, from, 1, 10), 2);
}

static void test_what_is_left_from_a_turn_before_holds_nobody_up_for_long(void **state)
{
    struct rate *rate = *state;
    uint64_t turn = UINT64_C(1) << TIME_BITS, back = START + turn - SECOND_NS;
    struct source from = source_at("192.0.2.1");
    uint64_t waited = 0;

    assert_int_equal(admitted(rate, START, from, 100, 1000), 200);
    /* Three seconds ahead, as it seems. */
    while (admitted(rate, back + waited, from, 100, 1) == 0)
        waited += MS;
    assert_in_range(waited, 0, (AHEAD_MAX_NS - BURST_NS) + MS);
}

/* Of two workers one read its clock earlier, was then held up, and asks later. */
static void test_workers_whose_clocks_differ(void **state)
{
    struct source from = source_at("192.0.2.1");

    assert_int_equal(admitted(*state, START + 1900 * MS, from, 100, 1000), 200);
    assert_int_equal(admitted(*state, START, from, 100, 1000), 0);
    assert_int_equal(admitted(*state, START + 1910 * MS, from, 100, 1000), 1);
}

/* More sources at their full burst than there are places in a set: a newcomer is admitted and gets the place
 * of who has had least. */
static void test_full_set(void **state)
{
    struct rate *rate = *state;
    struct cells_set *set = &rate->shared->sets[5];
    struct trace sources[CELLS_WAYS + 1] = {0};

    for (unsigned i = 0; i <= CELLS_WAYS; i++)
        sources[i].hash = (uint64_t) (i + 1) << TIME_BITS | 5;
    for (unsigned i = 0; i < CELLS_WAYS; i++)
        for (unsigned j = 0; j <= (i == 3 ? 10 : 50); j++)
            assert_true(charge(rate, &sources[i], START, 10 * MS));
    for (unsigned i = 0; i < CELLS_WAYS; i++)
        assert_true(same_tag(set->word[i], sources[i].hash));
    for (unsigned i = 0; i < 200; i++)
        assert_true(charge(rate, &sources[CELLS_WAYS], START, 10 * MS));
    assert_false(charge(rate, &sources[CELLS_WAYS], START, 10 * MS));
    for (unsigned i = 0; i < CELLS_WAYS; i++)
        assert_true(same_tag(set->word[i], sources[i == 3 ? CELLS_WAYS : i].hash));
    /* Places that are empty by now are taken first; the one in which a source was last is another's. */
    assert_true(charge(rate, &sources[3], START + SECOND_NS, 10 * MS));
    assert_true(same_tag(set->word[0], sources[3].hash));
}

/* A flood of sources that come once each does not make the table forget one that is over its rate as long as
 * it has room. */
static void test_flood_of_newcomers(void **state)
{
    struct rate *rate = *state;
    struct source from = source_at("192.0.2.1"), other = source_at("10.0.0.0");
    uint64_t now = START;
    unsigned refused = 0;

    assert_int_equal(admitted(rate, now, from, 100, 1000), 200);
    for (uint32_t i = 0; i < 200000; i++) {
        uint32_t bits = htonl(0x0a000000 + i * 64);
        memcpy(other.address + 12, &bits, 4);
        now += 1000; /* a million a second */
        refused += admitted(rate, now, other, 100, 1) == 0;
    }
    assert_int_equal(refused, 0);
    assert_int_equal(admitted(rate, now, from, 100, 1000), (now - START) / (10 * MS));
}

static void test_memory_is_constant(void **state)
{
    (void) state;
    assert_int_equal(rate_memory(), (1 << 20) + 9 * 64);
}

static void test_budget(void **state)
{
    uint64_t interval = rate_interval_ns(1000);

    assert_int_equal(rate_budget(*state, START, interval, 64), 64);
    assert_int_equal(rate_budget(*state, START, interval, 900), 900);
    assert_int_equal(rate_budget(*state, START, interval, 64), 36);
    assert_int_equal(rate_budget(*state, START, interval, 64), 0);
    assert_int_equal(rate_budget(*state, START + 5 * MS, interval, 64), 5);
    assert_int_equal(rate_budget(*state, START, interval, 64), 0); /* an older clock */
    assert_int_equal(rate_budget(*state, START + 60 * SECOND_NS, interval, 5000), 1000);
    assert_int_equal(rate_budget(*state, START + 61 * SECOND_NS, rate_interval_ns(1), 5), 1);
}

static void test_one_note_for_a_prefix(void **state)
{
    struct rate *rate = *state;
    struct source from = source_at("192.0.2.1"), neighbour = source_at("192.0.2.200");

    assert_int_equal(rate_refused(rate, START, from.address), 1);
    assert_int_equal(rate_refused(rate, START + 29 * SECOND_NS, neighbour.address), 0);
    assert_int_equal(rate_refused(rate, START + 29 * SECOND_NS, source_at("192.0.3.1").address), 1);
    assert_int_equal(rate_refused(rate, START + 30 * SECOND_NS, from.address), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_rate, close_rate)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_intervals),
        TEST(test_burst_is_exactly_two_seconds),
        TEST(test_afterwards_one_each_interval),
        TEST(test_any_stretch),
        TEST(test_prefix),
        TEST(test_source_over_its_rate_takes_nothing_from_its_neighbours),
        TEST(test_ipv6_source_is_a_64_and_prefix_a_48),
        TEST(test_kinds_are_apart),
        TEST(test_no_budget),
        TEST(test_another_rate),
        TEST(test_time_comes_round),
        TEST(test_empty_place_is_empty_at_any_time),
        TEST(test_what_is_left_from_a_turn_before_holds_nobody_up_for_long),
        TEST(test_workers_whose_clocks_differ),
        TEST(test_full_set),
        TEST(test_flood_of_newcomers),
        TEST(test_memory_is_constant),
        TEST(test_budget),
        TEST(test_one_note_for_a_prefix),
    };

    return cmocka_run_group_tests_name("rate", tests, NULL, NULL);
}
