/* What a worker sees of its siblings, what it leaves to them, and a real listening socket that says how many
 * wait. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/scoreboard.h"
#include "worker/siblings.h"

enum {
    WORKERS = 4,
    OWN = 1,     /* the slot of the worker that looks */
    CLIENTS = 3, /* that wait */
    SOCKET = 0
};

static struct plan plan;
static struct scoreboard board;
static struct worker worker;
static int wake_fds[WORKERS], clients[CLIENTS], listener;

static struct score *score_of(unsigned slot)
{
    return &board.blocks[scoreboard_index(0, slot)];
}

/* All ready, none asleep; slot I has 10 * I connections. */
static int start(void **state)
{
    (void) state;
    plan = (struct plan){.socket_count = 1, .service_count = 1, .workers = WORKERS, .wake_fds = wake_fds};
    plan.sockets[SOCKET] = (struct plan_socket){.family = AF_INET, .type = SOCK_STREAM, .fd_count = 1};
    if (scoreboard_open(&board) < 0)
        return -1;
    plan.scoreboard = &board;
    for (unsigned i = 0; i < WORKERS; i++) {
        wake_fds[i] = eventfd(0, EFD_NONBLOCK);
        score_of(i)->ready = 1;
        score_of(i)->live = 10 * i;
        score_of(i)->beat = 100;
    }
    worker = (struct worker){.plan = &plan, .place = {.slot = OWN}, .live = 10 * OWN, .accepting.asked = -1};
    return 0;
}

static int end(void **state)
{
    (void) state;
    for (unsigned i = 0; i < WORKERS; i++)
        close(wake_fds[i]);
    scoreboard_close(&board);
    return 0;
}

/* And CLIENTS wait at the listening socket. */
static int start_with_clients(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);

    listener = socket(AF_INET, SOCK_STREAM, 0);
    if (start(state) < 0 || bind(listener, (struct sockaddr *) &address, length) < 0 ||
        listen(listener, 2 * CLIENTS) < 0 || getsockname(listener, (struct sockaddr *) &address, &length) < 0)
        return -1;
    worker.fds[SOCKET] = listener;
    for (unsigned i = 0; i < CLIENTS; i++) {
        clients[i] = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(clients[i], (struct sockaddr *) &address, length) < 0)
            return -1;
    }
    return 0;
}

static int end_with_clients(void **state)
{
    for (unsigned i = 0; i < CLIENTS; i++)
        close(clients[i]);
    close(listener);
    return end(state);
}

static void test_view(void **state)
{
    (void) state;
    score_of(0)->watch = score_of(3)->watch = WATCH_ASLEEP;
    score_of(OWN)->watch = WATCH_ASLEEP; /* its own says nothing */
    struct balance_view view = siblings_view(&worker, SILENT_MS);
    assert_int_equal(view.workers, WORKERS);
    assert_int_equal(view.live, 60);
    assert_int_equal(view.asleep, 2);
    assert_int_equal(view.emptiest, 0);
    assert_int_equal(view.emptiest_live, 0);
    assert_int_equal(view.emptiest_watch, WATCH_ASLEEP);

    score_of(0)->ready = 0;
    view = siblings_view(&worker, SILENT_MS);
    assert_int_equal(view.workers, WORKERS - 1);
    assert_int_equal(view.asleep, 1);
    assert_int_equal(view.emptiest, 2);
}

static void test_alone(void **state)
{
    (void) state;
    for (unsigned i = 0; i < WORKERS; i++)
        score_of(i)->ready = i == OWN;
    struct balance_view view = siblings_view(&worker, SILENT_MS);
    assert_int_equal(view.workers, 1);
    assert_int_equal(view.emptiest_live, UINT32_MAX);
}

/* One that was asked in vain does not count, whatever it says of its sleep, until it moves. */
static void test_silent(void **state)
{
    uint64_t rung;

    (void) state;
    score_of(0)->watch = WATCH_ASLEEP;
    siblings_ask(&worker, 0);
    assert_int_equal(read(wake_fds[0], &rung, sizeof(rung)), sizeof(rung));
    worker.now_ms = 50;
    siblings_judge(&worker);
    assert_int_equal(worker.accepting.asked, -1);
    struct balance_view view = siblings_view(&worker, SILENT_MS);
    assert_int_equal(view.workers, WORKERS - 1);
    assert_int_equal(view.asleep, 0);
    assert_int_equal(siblings_view(&worker, LOST_MS).workers, WORKERS);
    worker.now_ms = 50 + LOST_MS;
    assert_int_equal(siblings_view(&worker, LOST_MS).workers, WORKERS - 1);

    score_of(0)->beat++;
    view = siblings_view(&worker, SILENT_MS);
    assert_int_equal(view.workers, WORKERS);
    assert_int_equal(view.asleep, 1);
}

static void test_expected_and_moved(void **state)
{
    uint64_t rung;

    (void) state;
    siblings_expect(&worker, 2);
    assert_int_equal(read(wake_fds[2], &rung, sizeof(rung)), -1); /* nobody was woken */
    score_of(2)->beat++;
    siblings_judge(&worker);
    assert_int_equal(siblings_view(&worker, SILENT_MS).workers, WORKERS);
    siblings_judge(&worker); /* nobody is expected any more */
    assert_int_equal(siblings_view(&worker, SILENT_MS).workers, WORKERS);
}

/* Those who sleep are doubted, until they move; the others have said nothing of the kind. */
static void test_doubt(void **state)
{
    (void) state;
    score_of(0)->watch = score_of(3)->watch = score_of(OWN)->watch = WATCH_ASLEEP;
    score_of(2)->watch = WATCH_ENOUGH;
    siblings_doubt(&worker);
    struct balance_view view = siblings_view(&worker, SILENT_MS);
    assert_int_equal(view.workers, 2);
    assert_int_equal(view.asleep, 0);
    score_of(3)->beat++;
    view = siblings_view(&worker, SILENT_MS);
    assert_int_equal(view.workers, 3);
    assert_int_equal(view.asleep, 1);
}

static void test_what_can_be_left(void **state)
{
    (void) state;
    assert_true(siblings_have(&worker, SOCKET) && siblings_can_be_left(&worker, SOCKET));
    plan.sockets[SOCKET].family = AF_UNIX;
    assert_true(siblings_have(&worker, SOCKET) && !siblings_can_be_left(&worker, SOCKET));
    plan.sockets[SOCKET].family = AF_INET6;
    plan.sockets[SOCKET].fd_count = WORKERS;
    assert_false(siblings_have(&worker, SOCKET) || siblings_can_be_left(&worker, SOCKET));
    plan.sockets[SOCKET].fd_count = 1;
    plan.workers = 1;
    assert_false(siblings_have(&worker, SOCKET) || siblings_can_be_left(&worker, SOCKET));
}

static void put_to_sleep(unsigned count)
{
    for (unsigned i = 0; i < WORKERS; i++)
        score_of(i)->watch = i < count + (count > OWN) ? WATCH_ASLEEP : WATCH_AWAKE;
}

static void test_waiting(void **state)
{
    (void) state;
    put_to_sleep(CLIENTS - 1);
    assert_int_equal(siblings_waiting(&worker, SOCKET), CLIENTS);
    assert_false(siblings_are_woken(&worker, SOCKET));
    int taken = accept(listener, NULL, NULL);
    assert_int_equal(siblings_waiting(&worker, SOCKET), CLIENTS - 1);
    assert_true(siblings_are_woken(&worker, SOCKET));
    close(taken);
}

/* Nobody sleeps: nobody was woken. And where nobody knows how many wait, they may be more than sleep. */
static void test_nobody_is_woken(void **state)
{
    int pair[2];

    (void) state;
    for (unsigned i = 0; i < CLIENTS; i++)
        close(accept(listener, NULL, NULL));
    put_to_sleep(WORKERS - 1);
    assert_true(siblings_are_woken(&worker, SOCKET));
    put_to_sleep(0);
    assert_false(siblings_are_woken(&worker, SOCKET));

    put_to_sleep(WORKERS - 1);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    worker.fds[SOCKET] = pair[0]; /* the kernel has no such answer */
    assert_int_equal(siblings_waiting(&worker, SOCKET), UINT32_MAX);
    assert_false(siblings_are_woken(&worker, SOCKET));
    worker.fds[SOCKET] = listener;
    plan.sockets[SOCKET].family = AF_UNIX;
    assert_int_equal(siblings_waiting(&worker, SOCKET), UINT32_MAX);
    close(pair[0]);
    close(pair[1]);
}

int main(void)
{
#define TEST(name)         cmocka_unit_test_setup_teardown(name, start, end)
#define WITH_CLIENTS(name) cmocka_unit_test_setup_teardown(name, start_with_clients, end_with_clients)
    static const struct CMUnitTest tests[] = {
        TEST(test_view),
        TEST(test_alone),
        TEST(test_silent),
        TEST(test_expected_and_moved),
        TEST(test_doubt),
        TEST(test_what_can_be_left),
        WITH_CLIENTS(test_waiting),
        WITH_CLIENTS(test_nobody_is_woken),
    };

    return cmocka_run_group_tests_name("siblings", tests, NULL, NULL);
}
