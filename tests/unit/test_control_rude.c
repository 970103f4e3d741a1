/* The control socket with clients that are slow, silent, mad, or too many, and without descriptors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sys/resource.h>

#include "control_help.h"
#include "seed.h"

/* Takes all that comes from FD until LENGTH bytes or the end. */
static size_t take_all(int fd, size_t length)
{
    static char buffer[65536];
    uint64_t until = clock_ms() + WAIT_MS;
    size_t used = 0;

    while (used < length && clock_ms() < until) {
        size_t room = length - used < sizeof(buffer) ? length - used : sizeof(buffer);
        ssize_t count = recv(fd, buffer, room, MSG_DONTWAIT);
        if (count == 0)
            break;
        if (count > 0)
            used += (size_t) count;
        else
            turn();
    }
    return used;
}

static void test_slow_reader(void **state)
{
    int slow = connect_client();
    struct control_client *client = only_client();
    int quick = connect_client();

    (void) state;
    master.status_size = 1 << 20;
    say(slow, "1 status\n1 status\n");
    settle();
    assert_non_null(client->out);
    assert_int_equal(master.statuses, 1); /* the second waits until the first is taken */
    master.status_size = 0;
    say(quick, "1 status\n");
    expect(quick, "x number=2\nok\n");
    size_t whole = client->out_length;
    assert_true(whole > 1 << 20);
    assert_int_equal(take_all(slow, whole), whole);
    expect(slow, "x number=3\nok\n");
    assert_null(client->out);
    close(slow);
    close(quick);
}

/* Has the client's deadline come now, after asserting that it is due in at most MS, and not much before. */
static void run_out(struct control_client *client, uint64_t ms)
{
    uint64_t now, due;
    int enabled;

    assert_true(sd_event_now(master.event, CLOCK_MONOTONIC, &now) >= 0);
    assert_true(sd_event_source_get_time(client->deadline, &due) >= 0);
    assert_true(sd_event_source_get_enabled(client->deadline, &enabled) >= 0);
    assert_int_equal(enabled, SD_EVENT_ONESHOT);
    assert_true(due <= now + ms * 1000 && due + WAIT_MS * 1000 / 4 > now + ms * 1000);
    assert_true(sd_event_source_set_time(client->deadline, 1) >= 0);
}

static void test_reply_that_is_not_taken(void **state)
{
    int fd = connect_client();

    (void) state;
    master.status_size = 1 << 20;
    say(fd, "1 status\n");
    settle();
    run_out(only_client(), CONTROL_WRITE_MS);
    wait_until_clients_are(0);
    assert_true(take_all(fd, SIZE_MAX) < 1 << 20);
    expect_end(fd);
}

static void test_idle_client(void **state)
{
    int fd = connect_client();

    (void) state;
    run_out(only_client(), CONTROL_IDLE_MS);
    expect_end(fd);
    fd = connect_client();
    say(fd, "1 status\n");
    expect(fd, "x number=1\nok\n");
    run_out(only_client(), CONTROL_IDLE_MS);
    expect_end(fd);
}

/* Who waits for a reload, or for the end of the service, has no deadline, and is not made to go. */
static void test_who_waits_may_be_silent(void **state)
{
    int reloading = connect_client(), stopping, fds[CONTROL_CLIENTS_MAX];
    int enabled;

    (void) state;
    say(reloading, "1 reload\n");
    settle();
    sd_event_source_get_enabled(only_client()->deadline, &enabled);
    assert_int_equal(enabled, SD_EVENT_OFF);
    stopping = connect_client();
    say(stopping, "1 stop\n");
    expect(stopping, "ok\n");
    sd_event_source_get_enabled(master.control->clients[1].deadline, &enabled);
    assert_int_equal(enabled, SD_EVENT_OFF);
    for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++)
        fds[i] = connect_client();
    expect_silence(stopping);
    control_reloaded(master.control, 1, NULL);
    expect(reloading, "ok\n");
    close(reloading);
    close(stopping);
    for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++)
        close(fds[i]);
}

static void test_one_client_too_many(void **state)
{
    int fds[CONTROL_CLIENTS_MAX + 1];

    (void) state;
    for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++)
        fds[i] = connect_client();
    /* The first has spoken since, so that the second was silent longest. */
    say(fds[0], "1 status\n");
    expect(fds[0], "x number=1\nok\n");
    fds[CONTROL_CLIENTS_MAX] = connect_client();
    expect_end(fds[1]);
    assert_int_equal(clients(), CONTROL_CLIENTS_MAX);
    for (unsigned i = 0; i <= CONTROL_CLIENTS_MAX; i++) {
        if (i == 1)
            continue;
        say(fds[i], "1 log-level err\n");
        expect(fds[i], "ok\n");
        close(fds[i]);
    }
    wait_until_clients_are(0);
}

static void test_full_of_those_who_wait(void **state)
{
    int fds[CONTROL_CLIENTS_MAX];

    (void) state;
    for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        fds[i] = connect_client();
        say(fds[i], "1 reload\n");
    }
    settle();
    int more = dial(master.path);
    assert_true(more >= 0);
    expect(more, "failed too many clients\n");
    expect_end(more);
    control_reloaded(master.control, 1, NULL);
    for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        expect(fds[i], "ok\n");
        close(fds[i]);
    }
}

/* One that asks and asks and never reads: it is not read from any more, and the others do not notice. */
static void test_flood_of_orders(void **state)
{
    static char orders[7 * 1000];
    int mad = connect_client(), quick = connect_client();
    size_t sent = 0;

    (void) state;
    for (size_t i = 0; i < sizeof(orders); i += 7)
        memcpy(orders + i, "1 help\n", 7);
    for (unsigned round = 0; round < 20000; round++) {
        ssize_t count = send(mad, orders + sent % 7, sizeof(orders) - sent % 7, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (count > 0)
            sent += (size_t) count;
        if (sd_event_run(master.event, 0) == 0 && count < 0)
            break;
    }
    assert_true(sent > 0);
    assert_true(send(mad, orders, 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno == EAGAIN);
    settle();
    say(quick, "1 status\n");
    expect(quick, "x number=1\nok\n");
    close(mad);
    wait_until_clients_are(1);
    close(quick);
}

static void test_flood_of_nonsense(void **state)
{
    struct seed seed = seed_start();
    int quick = connect_client();
    char bytes[5000];

    (void) state;
    for (unsigned round = 0; round < 50; round++) {
        int mad = connect_client();
        for (size_t i = 0; i < sizeof(bytes); i++)
            bytes[i] = (char) (seed_below(&seed, 20) == 0 ? '\n' : seed_below(&seed, 256));
        send(mad, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL);
        settle();
        close(mad);
        wait_until_clients_are(1);
    }
    assert_int_equal(master.stops + master.reloads, 0);
    say(quick, "1 status\n");
    expect(quick, "x number=1\nok\n");
    close(quick);
}

/* Signals, children and timers of the service go first, so that a mad client holds none of them up. */
static void test_clients_come_last(void **state)
{
    int fd = connect_client();
    int64_t priority;

    (void) state;
    assert_true(sd_event_source_get_priority(only_client()->io, &priority) >= 0);
    assert_true(priority > SD_EVENT_PRIORITY_NORMAL);
    assert_true(sd_event_source_get_priority(master.control->listening.io, &priority) >= 0);
    assert_true(priority > SD_EVENT_PRIORITY_NORMAL);
    close(fd);
}

/* Without descriptors it waits, and does not spin; then it goes on. */
static void test_no_descriptors(void **state)
{
    struct rlimit before, none = {.rlim_cur = 0};
    int fd = dial(master.path), enabled = SD_EVENT_ON;
    unsigned turns = 0;

    (void) state;
    assert_true(fd >= 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none.rlim_max = before.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    for (uint64_t until = clock_ms() + WAIT_MS; enabled != SD_EVENT_OFF && clock_ms() < until;) {
        turns += sd_event_run(master.event, 10000) > 0;
        sd_event_source_get_enabled(master.control->listening.io, &enabled);
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(enabled, SD_EVENT_OFF);
    assert_in_range(turns, 1, 5);
    /* valgrind refuses a connection by ending it, where the kernel leaves it in the queue. */
    if (getenv("HELLOD_SANITIZED") != NULL) {
        close(fd);
        fd = dial(master.path);
    }
    say(fd, "1 status\n");
    expect(fd, "x number=1\nok\n");
    close(fd);
}

/* Orders cut into random pieces, on several connections at once: every reply is the right one. */
static void test_random_pieces(void **state)
{
    enum {
        CLIENTS = 8,
        ORDERS = 200
    };
    static char orders[ORDERS * 20], replies[ORDERS * 50];
    struct seed seed = seed_start();
    size_t length = 0, expected = 0, sent[CLIENTS] = {0};
    int fds[CLIENTS];

    (void) state;
    for (unsigned i = 0; i < ORDERS; i++) {
        bool good = seed_below(&seed, 2) == 0;
        length += (size_t) sprintf(orders + length, "%s", good ? "1 log-level info\n" : "1 log-level in\n");
        expected += (size_t) sprintf(replies + expected, "%s",
                                     good ? "ok\n" : "failed log-level takes one of err, warning, ");
        expected += (size_t) sprintf(replies + expected, "%s", good ? "" : "notice, info and debug\n");
    }
    for (unsigned i = 0; i < CLIENTS; i++)
        fds[i] = connect_client();
    for (size_t left = CLIENTS * length; left > 0;) {
        size_t i = seed_below(&seed, CLIENTS), piece = 1 + seed_below(&seed, 300);
        piece = piece < length - sent[i] ? piece : length - sent[i];
        ssize_t count = send(fds[i], orders + sent[i], piece, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (count > 0) {
            sent[i] += (size_t) count;
            left -= (size_t) count;
        }
        assert_true(sd_event_run(master.event, 0) >= 0);
    }
    for (unsigned i = 0; i < CLIENTS; i++) {
        expect(fds[i], replies);
        expect_silence(fds[i]);
        close(fds[i]);
    }
}

/* At the end of the service the connections end: that is what "stop" waits for. */
static void test_end_of_the_service(void **state)
{
    int stopping = connect_client(), reloading = connect_client(), slow = connect_client();

    (void) state;
    say(stopping, "1 stop\n");
    expect(stopping, "ok\n");
    say(reloading, "1 reload\n");
    master.status_size = 1 << 20;
    say(slow, "1 status\n");
    settle();
    control_free(master.control);
    master.control = NULL;
    expect_end(stopping);
    expect_end(reloading);
    take_all(slow, SIZE_MAX);
    expect_end(slow);
    assert_int_equal(access(master.path, F_OK), -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_listening, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_slow_reader),         TEST(test_reply_that_is_not_taken),
        TEST(test_idle_client),         TEST(test_who_waits_may_be_silent),
        TEST(test_one_client_too_many), TEST(test_full_of_those_who_wait),
        TEST(test_flood_of_orders),     TEST(test_flood_of_nonsense),
        TEST(test_clients_come_last),   TEST(test_no_descriptors),
        TEST(test_random_pieces),       TEST(test_end_of_the_service),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
