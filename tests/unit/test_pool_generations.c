/* Generations of the pool: one comes, the one before goes; one that fails leaves the other alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "pool_help.h"

/* Plans for generations after the first, which share its scoreboard and its tables. */
static struct plan plans[4];

static struct plan *next_plan(unsigned number, uint32_t workers)
{
    struct plan *plan = &plans[number];

    *plan = master.plan;
    plan->workers = workers;
    plan->wake_fds = NULL;
    return plan;
}

static void start_first(void)
{
    pool_start(master.pool, &master.plan);
    turn_until(&master.ready);
    master.ready = 0;
}

/* What the scoreboard says of SLOT in GENERATION. */
static struct score *block_of(uint32_t generation, uint32_t slot)
{
    return &master.scoreboard.blocks[scoreboard_index(generation, slot)];
}

static unsigned workers_of(uint32_t generation)
{
    unsigned count = 0;

    for (uint32_t i = 0; i < SCOREBOARD_SLOTS_MAX; i++)
        count += block_of(generation, i)->pid != 0;
    return count;
}

static void end(void)
{
    pool_drain(master.pool, FOR_EVER_MS);
    turn_until(&master.gone);
}

static void test_next_takes_over(void **state)
{
    struct plan *plan = next_plan(0, 2);

    (void) state;
    start_first();
    pool_start(master.pool, plan);
    assert_int_equal(workers_of(0), WORKERS); /* it serves until the other is ready */
    turn_until(&master.ready);
    assert_int_equal(pool_generation(master.pool), 1);
    assert_int_equal(workers_of(1), 2);
    if (master.switched == 0)
        turn_until(&master.switched);
    if (master.retired == 0)
        turn_until(&master.retired);
    assert_ptr_equal(master.last_retired, &master.plan);
    assert_int_equal(workers_of(0), 0);
    assert_int_equal(pool_ready_count(master.pool), 2);
    assert_int_equal(master.failed, 0);
    end();
    assert_int_equal(master.retired, 1);
}

/* A plan whose workers cannot start: epoll does not take a file. */
static struct plan *hopeless_plan(unsigned number, uint32_t workers, int *fd)
{
    struct plan *plan = next_plan(number, workers);

    plan->services[0] =
        (struct plan_service){.name = "upper", .protocol = protocol_find("upper"), .message_size = 10};
    plan->service_count = 1;
    plan->sockets[0] = (struct plan_socket){.family = AF_INET, .type = SOCK_STREAM, .fds = fd, .fd_count = 1};
    plan->socket_count = 1;
    return plan;
}

/* The death of a worker that is new means that the others would not do either. The place of the generation
 * that serves is passed over however often that happens. */
static void test_next_fails_with_its_first_worker(void **state)
{
    int file = memfd_create("test", MFD_CLOEXEC);

    (void) state;
    start_first();
    log_set_level(0);
    for (unsigned i = 0; i < 4; i++) {
        master.retired = master.failed = 0;
        pool_start(master.pool, hopeless_plan(i, 1 + i % WORKERS, &file));
        turn_until(&master.failed);
        assert_string_equal(master.reason, "watching the sockets: Operation not permitted");
        if (master.retired == 0)
            turn_until(&master.retired);
        assert_ptr_equal(master.last_retired, &plans[i]);
        assert_int_equal(master.ready + master.switched, 0);
        assert_int_equal(pool_generation(master.pool), 0);
        assert_int_equal(pool_ready_count(master.pool), WORKERS);
    }
    assert_int_equal(workers_of(0), WORKERS);
    end();
    close(file);
}

/* A worker that dies later is replaced, in its own generation. */
static void test_deaths_after_the_change(void **state)
{
    (void) state;
    start_first();
    pool_start(master.pool, next_plan(0, 2));
    turn_until(&master.ready);
    turn_until(&master.retired);
    pid_t before = block_of(1, 0)->pid;
    log_set_level(0);
    kill(before, SIGKILL);
    uint64_t until = clock_ms() + DEADLINE_MS;
    while (block_of(1, 0)->pid == before || block_of(1, 0)->ready == 0) {
        assert_true(clock_ms() < until);
        assert_true(sd_event_run(master.event, 10000) >= 0);
    }
    assert_int_equal(workers_of(0), 0);
    end();
}

/* Two that finish and do not come to an end leave no room; the oldest is told to hurry, and killed if it does
 * not. */
static void test_three_at_most(void **state)
{
    (void) state;
    master.plan.limits.drain_ms = FOR_EVER_MS;
    log_set_level(0);
    start_first();
    for (unsigned i = 0; i < 2; i++) {
        for (uint32_t slot = 0; slot < 2; slot++)
            kill(block_of(i, slot)->pid, SIGSTOP);
        assert_true(pool_has_room(master.pool));
        master.ready = 0;
        pool_start(master.pool, next_plan(i, 2));
        turn_until(&master.ready);
    }
    assert_false(pool_has_room(master.pool));
    assert_int_equal(master.retired, 0);
    pool_hurry(master.pool);
    turn_until(&master.retired);
    assert_ptr_equal(master.last_retired, &master.plan);
    assert_true(pool_has_room(master.pool));
    assert_int_equal(workers_of(1), 2);
    pool_drain(master.pool, 0); /* the stopped ones have no more time than the others */
    turn_until(&master.gone);
}

/* A stop while the next one starts ends both. */
static void test_stop_meanwhile(void **state)
{
    (void) state;
    start_first();
    pool_start(master.pool, next_plan(0, 2));
    pool_drain(master.pool, FOR_EVER_MS);
    turn_until(&master.gone);
    assert_int_equal(master.ready, 0);
    assert_int_equal(master.failed, 0);
    assert_int_equal(workers_of(0) + workers_of(1), 0);
}

static void count_slot(const struct slot *slot, void *userdata)
{
    unsigned *counts = userdata;

    counts[slot->state]++;
}

static void test_look(void **state)
{
    unsigned counts[SLOT_AWAY + 1] = {0};

    (void) state;
    start_first();
    pool_look(master.pool, count_slot, counts);
    assert_int_equal(counts[SLOT_READY], WORKERS);
    pool_start(master.pool, next_plan(0, 2));
    pool_look(master.pool, count_slot, counts);
    assert_int_equal(counts[SLOT_READY], 2 * WORKERS);
    assert_int_equal(counts[SLOT_STARTING], 2);
    end();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_next_takes_over),         TEST(test_next_fails_with_its_first_worker),
        TEST(test_deaths_after_the_change), TEST(test_three_at_most),
        TEST(test_stop_meanwhile),          TEST(test_look),
    };

    return cmocka_run_group_tests_name("pool's generations", tests, NULL, NULL);
}
