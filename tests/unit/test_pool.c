/* The pool and the lives of its workers: started, killed, replaced, drained. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "master/respawn.h"
#include "pool_help.h"

static const uint8_t somebody[16] = {[10] = 0xff, [11] = 0xff, 192, 0, 2, 1};

static void test_start_and_drain(void **state)
{
    (void) state;
    pool_start(master.pool, &master.plan);
    turn_until(&master.ready);
    for (uint32_t i = 0; i < WORKERS; i++) {
        assert_int_equal(kill(block(i)->pid, 0), 0);
        assert_int_equal(block(i)->ready, 1);
        for (uint32_t j = 0; j < i; j++)
            assert_int_not_equal(block(i)->pid, block(j)->pid);
    }
    drain();
    assert_int_equal(master.ready, 1);
    assert_int_equal(master.failed, 0);
}

static void test_drain_of_nobody(void **state)
{
    (void) state;
    pool_drain(master.pool, FOR_EVER_MS);
    assert_int_equal(master.gone, 1);
}

/* One death is replaced at once, and nothing of the dead worker goes on counting. */
static void test_killed_worker(void **state)
{
    pid_t before[WORKERS];

    (void) state;
    pool_start(master.pool, &master.plan);
    turn_until(&master.ready);
    for (uint32_t i = 0; i < WORKERS; i++)
        before[i] = block(i)->pid;
    /* As if it had connections. */
    block(1)->live = 4;
    score_add(block(1), COUNTER_accepted, 4);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(sources_add(master.plan.sources, plan_table(&master.plan, 0, 1), somebody, 5, 5),
                         SOURCES_ADMITTED);
    kill(before[1], SIGKILL);
    turn_until_replaced(1, before[1]);
    turn_until_is_ready(1);
    turn(NULL, 50);
    assert_int_equal(master.ready, 1); /* the owner hears it once */
    assert_int_equal(block(0)->pid, before[0]);
    assert_int_equal(block(2)->pid, before[2]);
    assert_int_equal(scoreboard_live(&master.scoreboard), 0);
    assert_int_equal(scoreboard_total(&master.scoreboard, COUNTER_closed_killed), 4);
    assert_int_equal(scoreboard_total(&master.scoreboard, COUNTER_accepted), 4);
    assert_int_equal(sources_add(master.plan.sources, plan_table(&master.plan, 0, 2), somebody, 1, 1),
                     SOURCES_ADMITTED);
    drain();
}

/* Second early deaths of all workers: nobody is left, but the service has been ready and goes on after a
 * second. */
static void test_back_off(void **state)
{
    pid_t pids[WORKERS];

    (void) state;
    pool_start(master.pool, &master.plan);
    turn_until(&master.ready);
    for (uint32_t i = 0; i < WORKERS; i++) {
        kill(block(i)->pid, SIGKILL);
        pids[i] = turn_until_replaced(i, block(i)->pid);
    }
    uint64_t start = clock_ms();
    for (uint32_t i = 0; i < WORKERS; i++)
        kill(pids[i], SIGKILL);
    turn(NULL, 100);
    for (uint32_t i = 0; i < WORKERS; i++)
        turn_until_replaced(i, pids[i]);
    assert_in_range(clock_ms() - start, RESPAWN_FIRST_MS - 20, DEADLINE_MS);
    assert_int_equal(master.failed, 0);
    assert_int_equal(master.gone, 0);
    drain();
}

static void test_one_who_does_not_go_is_killed(void **state)
{
    (void) state;
    pool_start(master.pool, &master.plan);
    turn_until(&master.ready);
    kill(block(1)->pid, SIGSTOP);
    log_set_level(0); /* for the warning that is to come */
    uint64_t start = clock_ms();
    pool_drain(master.pool, 100);
    turn_until(&master.gone);
    assert_in_range(clock_ms() - start, 1000, DEADLINE_MS);
}

static void test_kill_ends_all_at_once(void **state)
{
    (void) state;
    pool_start(master.pool, &master.plan);
    turn_until(&master.ready);
    for (uint32_t i = 0; i < WORKERS; i++)
        kill(block(i)->pid, SIGSTOP);
    pool_drain(master.pool, FOR_EVER_MS);
    pool_kill(master.pool);
    turn_until(&master.gone);
}

/* A death between the call to drain and the end is no reason for a new worker. */
static void test_nobody_is_replaced_while_draining(void **state)
{
    (void) state;
    pool_start(master.pool, &master.plan);
    turn_until(&master.ready);
    kill(block(0)->pid, SIGSTOP);
    pid_t pid = block(2)->pid;
    kill(pid, SIGKILL);
    wait_for_death(pid);
    pool_drain(master.pool, FOR_EVER_MS);
    turn(NULL, 100);
    assert_int_equal(block(2)->pid, 0);
    assert_int_equal(master.gone, 0);
    kill(block(0)->pid, SIGCONT);
    turn_until(&master.gone);
}

static void test_free_of_nothing(void **state)
{
    (void) state;
    pool_free(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_start_and_drain),
        TEST(test_drain_of_nobody),
        TEST(test_killed_worker),
        TEST(test_back_off),
        TEST(test_one_who_does_not_go_is_killed),
        TEST(test_kill_ends_all_at_once),
        TEST(test_nobody_is_replaced_while_draining),
        TEST(test_free_of_nothing),
    };

    return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
