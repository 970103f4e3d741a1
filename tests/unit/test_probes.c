/* What became of each probe: the verdicts one by one, and that the sums agree whatever comes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "client/probes.h"
#include "seed.h"

static struct probes probes;

static int setup(void **state)
{
    (void) state;
    memset(&probes, 0, sizeof(probes));
    return 0;
}

/* An answer to SEQ at NOW is VERDICT and took TOOK. */
static void assert_answer(uint32_t seq, uint64_t now, enum probe_verdict verdict, uint64_t took)
{
    uint64_t took_ns = 0;

    assert_int_equal(probes_answer(&probes, seq, now, &took_ns), verdict);
    assert_int_equal(took_ns, took);
}

static void test_answered(void **state)
{
    (void) state;
    assert_int_equal(probes_oldest_ns(&probes), UINT64_MAX);
    assert_int_equal(probes_send(&probes, 100), 1);
    assert_int_equal(probes_send(&probes, 200), 2);
    assert_int_equal(probes_oldest_ns(&probes), 100);
    assert_answer(1, 150, PROBE_FIRST, 50);
    assert_int_equal(probes_oldest_ns(&probes), 200);
    assert_answer(2, 205, PROBE_FIRST, 5);
    assert_int_equal(probes_oldest_ns(&probes), UINT64_MAX);
    assert_int_equal(probes.answered, 2);
    assert_int_equal(probes.waiting, 0);
}

static void test_reordered(void **state)
{
    (void) state;
    for (uint64_t i = 0; i < 4; i++)
        probes_send(&probes, i);
    assert_answer(3, 10, PROBE_FIRST, 8);
    assert_int_equal(probes_oldest_ns(&probes), 0);
    assert_answer(1, 10, PROBE_REORDERED, 10);
    assert_answer(2, 10, PROBE_REORDERED, 9);
    assert_answer(4, 10, PROBE_FIRST, 7);
    assert_int_equal(probes.reordered, 2);
    assert_int_equal(probes.answered, 4);
}

static void test_lost_late_doubled(void **state)
{
    (void) state;
    probes_send(&probes, 100);
    probes_send(&probes, 200);
    assert_int_equal(probes_expire(&probes, 99), 0);
    assert_int_equal(probes_expire(&probes, 100), 1);
    assert_int_equal(probes_expire(&probes, 100), 0);
    assert_answer(1, 300, PROBE_TOO_LATE, 200);
    assert_answer(1, 301, PROBE_DOUBLED, 201);
    assert_answer(2, 302, PROBE_FIRST, 102);
    assert_answer(2, 303, PROBE_DOUBLED, 103);
    assert_int_equal(probes.lost, 1);
    assert_int_equal(probes.late, 1);
    assert_int_equal(probes.doubled, 2);
}

static void test_failed(void **state)
{
    (void) state;
    probes_send(&probes, 1);
    probes_send(&probes, 2);
    assert_true(probes_fail(&probes, 2));
    assert_false(probes_fail(&probes, 2));
    assert_false(probes_fail(&probes, 3));
    assert_int_equal(probes_expire(&probes, 10), 1);
    assert_int_equal(probes_expire(&probes, 10), 0);
    assert_int_equal(probes.lost, 2);
}

static void test_unknown(void **state)
{
    (void) state;
    assert_answer(0, 5, PROBE_UNKNOWN, 0);
    assert_answer(1, 5, PROBE_UNKNOWN, 0);
    for (uint32_t i = 0; i < PROBES_MAX + 1; i++) {
        probes_send(&probes, 1);
        probes_expire(&probes, 1);
    }
    assert_answer(0, 5, PROBE_UNKNOWN, 0);
    assert_answer(1, 5, PROBE_UNKNOWN, 0);
    assert_answer(2, 5, PROBE_TOO_LATE, 4);
    assert_answer(PROBES_MAX + 1, 5, PROBE_TOO_LATE, 4);
    assert_answer(PROBES_MAX + 2, 5, PROBE_UNKNOWN, 0);
    assert_answer(UINT32_MAX, 5, PROBE_UNKNOWN, 0);
}

static void test_many_waiting(void **state)
{
    (void) state;
    for (uint64_t i = 1; i <= PROBES_MAX; i++)
        probes_send(&probes, i);
    assert_int_equal(probes_oldest_ns(&probes), 1);
    for (uint32_t i = PROBES_MAX; i > 1; i--)
        probes_answer(&probes, i, 9999, &(uint64_t){0});
    assert_int_equal(probes_oldest_ns(&probes), 1);
    assert_int_equal(probes.reordered, PROBES_MAX - 2);
    assert_int_equal(probes_expire(&probes, 1), 1);
    assert_int_equal(probes.waiting, 0);
}

static void assert_sums(void)
{
    assert_int_equal(probes.sent, probes.waiting + probes.answered + probes.lost);
    assert_true(probes.late <= probes.lost && probes.reordered <= probes.answered);
    assert_true(probes.waiting == 0 || probes.oldest < probes.sent);
    for (uint32_t seq = probes.oldest; seq > 0 && probes.sent - seq < PROBES_MAX; seq--)
        assert_int_not_equal(probes.ring[seq % PROBES_MAX].state, PROBE_WAITING);
}

static void test_random(void **state)
{
    struct seed seed = seed_start();
    (void) state;

    for (uint64_t now = 1; now < 20000; now++) {
        uint32_t seq = probes.sent - (uint32_t) seed_below(&seed, 40) + 1;
        switch (seed_below(&seed, 8)) {
        case 0:
            probes_fail(&probes, seq);
            break;
        case 1:
            while (probes_expire(&probes, now - 60) != 0)
                ;
            break;
        case 2:
        case 3:
        case 4:
            probes_send(&probes, now);
            break;
        default:
            probes_answer(&probes, seq, now, &(uint64_t){0});
        }
        assert_sums();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_answered, setup),
        cmocka_unit_test_setup(test_reordered, setup),
        cmocka_unit_test_setup(test_lost_late_doubled, setup),
        cmocka_unit_test_setup(test_failed, setup),
        cmocka_unit_test_setup(test_unknown, setup),
        cmocka_unit_test_setup(test_many_waiting, setup),
        cmocka_unit_test_setup(test_random, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
