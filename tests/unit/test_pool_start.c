/* The pool's first generation, when some or all of its workers cannot start. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "pool_help.h"

static unsigned forks;

static void count_fork(void)
{
    forks++;
}

/* Gives the plan a socket that is FDS[i] for worker i. */
static void add_socket(void)
{
    master.plan.services[0] =
        (struct plan_service){.name = "upper", .protocol = protocol_find("upper"), .message_size = 10};
    master.plan.service_count = 1;
    master.plan.sockets[0] =
        (struct plan_socket){.family = AF_INET, .type = SOCK_STREAM, .fds = master.fds, .fd_count = WORKERS};
    master.plan.socket_count = 1;
    forks = 0;
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

static void assert_all_failed(void)
{
    turn_until(&master.failed);
    assert_string_equal(master.reason, "watching the sockets: Operation not permitted");
    turn(NULL, 50);
    assert_int_equal(master.failed, 1);
    assert_int_equal(master.ready, 0);
    assert_int_equal(forks, WORKERS); /* nobody was tried twice: the reason does not go away by itself */
    for (uint32_t i = 0; i < WORKERS; i++)
        assert_int_equal(block(i)->pid, 0);
    drain();
}

static void test_no_worker_can_start(void **state)
{
    (void) state;
    for (unsigned i = 0; i < WORKERS; i++)
        master.fds[i] = unwatchable();
    add_socket();
    pool_start(master.pool, &master.plan);
    assert_all_failed();
}

/* Words and death arrive together: whichever is looked at first, the words are the reason. */
static void test_last_words_are_heard(void **state)
{
    (void) state;
    for (unsigned i = 0; i < WORKERS; i++)
        master.fds[i] = unwatchable();
    add_socket();
    pool_start(master.pool, &master.plan);
    for (uint32_t i = 0; i < WORKERS; i++)
        wait_for_death(block(i)->pid);
    assert_all_failed();
}

/* One that can start proves that the service can; the others are tried again and again. */
static void test_one_of_three_can_start(void **state)
{
    (void) state;
    master.fds[0] = unwatchable();
    master.fds[1] = unwatchable();
    master.fds[2] = listening();
    add_socket();
    pool_start(master.pool, &master.plan);
    pid_t first = block(0)->pid;
    kill(block(2)->pid, SIGSTOP); /* last of all, unless it was very fast */
    wait_for_death(first);
    wait_for_death(block(1)->pid);
    turn(NULL, 50);
    kill(block(2)->pid, SIGCONT);
    turn_until_is_ready(2);
    pid_t second = turn_until_replaced(0, first);
    turn_until_replaced(0, second); /* after a pause */
    assert_int_equal(block(2)->ready, 1);
    assert_int_equal(master.ready, 0);
    assert_int_equal(master.failed, 0);
    drain();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_no_worker_can_start),
        TEST(test_last_words_are_heard),
        TEST(test_one_of_three_can_start),
    };

    pthread_atfork(NULL, count_fork, NULL);
    return cmocka_run_group_tests_name("pool's start", tests, NULL, NULL);
}
