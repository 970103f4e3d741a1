/* The pool with real workers that have no or few sockets: started, killed, stopped, unable to start. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "master/pool.h"
#include "master/respawn.h"
#include "worker/sources.h"

enum {
    WORKERS = 3,
    DEADLINE_MS = 60000 /* for what happens at once, but perhaps on a busy machine and under valgrind */
};

static const uint8_t somebody[16] = {[10] = 0xff, [11] = 0xff, 192, 0, 2, 1};

/* A master in little. */
static struct {
    sd_event *event;
    struct pool *pool;
    struct plan plan;
    struct plan_service service;
    struct scoreboard scoreboard;
    int fds[WORKERS]; /* of the one socket, if there is one */
    unsigned ready, failed, gone;
    char reason[256];
} master;

static void on_ready(void *owner)
{
    assert_ptr_equal(owner, &master);
    master.ready++;
}

static void on_failed(void *owner, const char *reason)
{
    assert_ptr_equal(owner, &master);
    master.failed++;
    snprintf(master.reason, sizeof(master.reason), "%s", reason);
}

static void on_gone(void *owner)
{
    assert_ptr_equal(owner, &master);
    master.gone++;
}

static int set_up(void **state)
{
    static const struct pool_events events = {.ready = on_ready, .failed = on_failed, .gone = on_gone};
    sigset_t child;

    (void) state;
    fflush(NULL); /* what is in the buffers must not come out of each worker again */
    memset(&master, 0, sizeof(master));
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, NULL);
    log_set_level(LOG_LEVEL_ERROR);
    for (unsigned i = 0; i < WORKERS; i++)
        master.fds[i] = -1;
    master.plan.workers = WORKERS;
    master.plan.limits = (struct plan_limits){.connections = 10,
                                              .per_source = 5,
                                              .per_prefix = 5,
                                              .idle_ms = 60000,
                                              .write_ms = 60000,
                                              .drain_ms = 1000};
    if (scoreboard_open(&master.scoreboard) < 0 || sd_event_new(&master.event) < 0)
        return -1;
    master.plan.scoreboard = &master.scoreboard;
    master.plan.sources = sources_open(plan_tables(&master.plan), 10);
    master.pool = pool_new(master.event, &master.plan, &events, &master);
    return master.plan.sources == NULL || master.pool == NULL;
}

static int tear_down(void **state)
{
    (void) state;
    if (master.gone == 0) { /* the test has failed, or started nothing */
        pool_drain(master.pool, 0);
        pool_kill(master.pool);
        for (unsigned i = 0; i < 1000 && master.gone == 0; i++)
            sd_event_run(master.event, 10000);
    }
    pool_free(master.pool);
    sd_event_unref(master.event);
    sources_close(master.plan.sources);
    scoreboard_close(&master.scoreboard);
    for (unsigned i = 0; i < WORKERS; i++)
        if (master.fds[i] >= 0)
            close(master.fds[i]);
    return 0;
}

static struct score *block(uint32_t slot)
{
    return &master.scoreboard.blocks[scoreboard_index(0, slot)];
}

/* Turns the loop for MS, or until COUNT is not 0 any more. */
static void turn(const unsigned *count, uint64_t ms)
{
    uint64_t until = clock_ms() + ms;

    while ((count == NULL || *count == 0) && clock_ms() < until)
        assert_true(sd_event_run(master.event, 10000) >= 0);
}

static void turn_until(const unsigned *count)
{
    turn(count, DEADLINE_MS);
    assert_int_equal(*count, 1);
}

/* Turns the loop until another worker than the one called BEFORE is in SLOT; returns its pid. */
static pid_t turn_until_replaced(uint32_t slot, pid_t before)
{
    uint64_t until = clock_ms() + DEADLINE_MS;

    while (block(slot)->pid == before || block(slot)->pid == 0) {
        assert_true(clock_ms() < until);
        assert_true(sd_event_run(master.event, 10000) >= 0);
    }
    return block(slot)->pid;
}

static void turn_until_is_ready(uint32_t slot)
{
    uint64_t until = clock_ms() + DEADLINE_MS;

    while (block(slot)->ready == 0) {
        assert_true(clock_ms() < until);
        assert_true(sd_event_run(master.event, 10000) >= 0);
    }
}

static void drain(void)
{
    pool_drain(master.pool, 1000);
    turn_until(&master.gone);
    for (uint32_t i = 0; i < WORKERS; i++) {
        assert_int_equal(block(i)->pid, 0);
        assert_int_equal(block(i)->ready, 0);
    }
}

/* Gives the plan a socket that is FDS[i] for worker i. */
static void add_socket(void)
{
    master.service =
        (struct plan_service){.name = "upper", .protocol = protocol_find("upper"), .message_size = 10};
    master.plan.services[0] = master.service;
    master.plan.service_count = 1;
    master.plan.sockets[0] =
        (struct plan_socket){.family = AF_INET, .type = SOCK_STREAM, .fds = master.fds, .fd_count = WORKERS};
    master.plan.socket_count = 1;
}

/* What epoll does not take. */
static int unwatchable(void)
{
    int fd = memfd_create("test", MFD_CLOEXEC);

    assert_true(fd >= 0);
    return fd;
}

static int listening(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    assert_int_equal(listen(fd, 5), 0);
    return fd;
}

static void test_start_and_drain(void **state)
{
    (void) state;
    pool_start(master.pool);
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
    pool_drain(master.pool, 1000);
    assert_int_equal(master.gone, 1);
}

/* One death is replaced at once, and nothing of the dead worker goes on counting. */
static void test_killed_worker(void **state)
{
    (void) state;
    pool_start(master.pool);
    turn_until(&master.ready);
    pid_t before[WORKERS];
    for (uint32_t i = 0; i < WORKERS; i++)
        before[i] = block(i)->pid;
    /* As if it had connections. */
    block(1)->live = 4;
    score_add(block(1), COUNTER_accepted, 4);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(sources_add(master.plan.sources, plan_table(&master.plan, 0, 1), somebody, 5, 5),
                         SOURCES_ADMITTED);
    uint64_t start = clock_ms();
    kill(before[1], SIGKILL);
    turn_until_replaced(1, before[1]);
    assert_in_range(clock_ms() - start, 0, DEADLINE_MS / 2);
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

/* The first early death is replaced at once, the second after a second; siblings do not wait with it. */
static void test_back_off(void **state)
{
    (void) state;
    pool_start(master.pool);
    turn_until(&master.ready);
    pid_t pid = block(0)->pid;
    for (unsigned deaths = 0; deaths < 2; deaths++) {
        kill(pid, SIGKILL);
        if (deaths == 0)
            pid = turn_until_replaced(0, pid);
    }
    uint64_t start = clock_ms();
    turn(NULL, 100);
    pid_t sibling = block(1)->pid;
    kill(sibling, SIGKILL);
    turn_until_replaced(1, sibling);
    turn_until_replaced(0, pid);
    assert_in_range(clock_ms() - start, RESPAWN_FIRST_MS - 100, DEADLINE_MS);
    drain();
}

static void test_no_worker_can_start(void **state)
{
    (void) state;
    for (unsigned i = 0; i < WORKERS; i++)
        master.fds[i] = unwatchable();
    add_socket();
    pool_start(master.pool);
    turn_until(&master.failed);
    assert_string_equal(master.reason, "watching the sockets: Operation not permitted");
    turn(NULL, 50);
    assert_int_equal(master.failed, 1);
    assert_int_equal(master.ready, 0);
    for (uint32_t i = 0; i < WORKERS; i++)
        assert_int_equal(block(i)->pid, 0);
    drain();
}

/* One that can start proves that the service can; the others are tried again and again. */
static void test_one_of_three_can_start(void **state)
{
    (void) state;
    master.fds[0] = unwatchable();
    master.fds[1] = unwatchable();
    master.fds[2] = listening();
    add_socket();
    pool_start(master.pool);
    turn_until_is_ready(2);
    pid_t first = turn_until_replaced(0, 0), second = turn_until_replaced(0, first);
    turn_until_replaced(0, second); /* after a pause */
    assert_int_equal(block(2)->ready, 1);
    assert_int_equal(master.ready, 0);
    assert_int_equal(master.failed, 0);
    drain();
}

static void test_one_who_does_not_go_is_killed(void **state)
{
    (void) state;
    pool_start(master.pool);
    turn_until(&master.ready);
    kill(block(1)->pid, SIGSTOP);
    log_set_level(0); /* the warning that is to come */
    uint64_t start = clock_ms();
    pool_drain(master.pool, 100);
    turn_until(&master.gone);
    assert_in_range(clock_ms() - start, 1000, DEADLINE_MS);
}

static void test_kill_ends_all_at_once(void **state)
{
    (void) state;
    pool_start(master.pool);
    turn_until(&master.ready);
    for (uint32_t i = 0; i < WORKERS; i++)
        kill(block(i)->pid, SIGSTOP);
    pool_drain(master.pool, 3600000);
    pool_kill(master.pool);
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
        TEST(test_no_worker_can_start),
        TEST(test_one_of_three_can_start),
        TEST(test_one_who_does_not_go_is_killed),
        TEST(test_kill_ends_all_at_once),
        TEST(test_free_of_nothing),
    };

    return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
