/* Conversations over socket pairs, with a clock that the test sets: every deadline to the millisecond. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "stream_help.h"

static void assert_total(enum counter counter, uint64_t expected)
{
    assert_int_equal(scoreboard_total(&board, counter), expected);
}

static void test_conversation(void **state)
{
    int client = connect_to(LINES);

    (void) state;
    assert_string_equal(hear(client), "What's your name?");
    say(client, "Bob\r\nAl");
    say(client, "ice\n\n");
    assert_string_equal(hear(client), "Hello, Bob!\r\nHello, Alice!\nWhat's your name?\n");
    assert_int_equal(worker.live, 1);
    say(client, "disconnect\n");
    assert_string_equal(hear(client), "|");
    assert_total(COUNTER_closed_farewell, 1);
    assert_total(COUNTER_messages, 4);
    assert_total(COUNTER_answers, 3);
    close(client);
}

/* A close with unread input would be a reset. */
static void test_more_behind_the_farewell(void **state)
{
    int client = connect_to(LINES);

    (void) state;
    say(client, "Bob\ndisconnect\nAlice\n");
    assert_string_equal(hear(client), "What's your name?Hello, Bob!\n|");
    assert_int_equal(worker.live, 1);
    close(client);
    pump();
    assert_int_equal(worker.live, 0);
    assert_total(COUNTER_closed_farewell, 1);
    assert_total(COUNTER_messages, 2);
}

static void test_half_close(void **state)
{
    int client = connect_to(LINES);

    (void) state;
    say(client, "Bob\nAlice");
    shutdown(client, SHUT_WR);
    pump();
    assert_string_equal(hear(client), "What's your name?Hello, Bob!\nHello, Alice!|");
    assert_total(COUNTER_closed_end, 1);
    close(client);
}

static void test_idle(void **state)
{
    int client = connect_to(LINES), other = connect_to(LINES);

    (void) state;
    assert_int_equal(stream_deadline(&worker), worker.now_ms + IDLE_MS);
    pass(IDLE_MS - 1);
    say(other, "still here\n");
    assert_int_equal(stream_deadline(&worker), worker.now_ms + 1);
    pass(1);
    assert_string_equal(hear(client), "What's your name?Sorry, you have been silent for too long.|");
    assert_string_equal(hear(other), "What's your name?Hello, still here!\n");
    assert_int_equal(worker.live, 2); /* until the client has closed too */
    close(client);
    pump();
    assert_int_equal(worker.live, 1);
    pass(IDLE_MS - 2);
    assert_string_equal(hear(other), "");
    pass(1);
    assert_string_equal(hear(other), "Sorry, you have been silent for too long.|");
    assert_int_equal(stream_deadline(&worker), worker.now_ms + LINGERING_MS);
    pass(LINGERING_MS - 1);
    assert_int_equal(worker.live, 1);
    pass(1); /* it never closes */
    assert_int_equal(worker.live, 0);
    assert_total(COUNTER_closed_idle, 2);
    assert_total(COUNTER_crossed, 0);
    assert_int_equal(stream_deadline(&worker), UINT64_MAX);
    close(other);
}

/* A client is counted once, whatever it says behind the end; and by the last look at the latest. */
static void test_questions_that_cross_the_end(void **state)
{
    int client = connect_to(LINES), late = connect_to(LINES), quiet = connect_to(LINES);

    (void) state;
    pass(IDLE_MS);
    say(client, "Bob\n");
    say(client, "Bob\n");
    assert_total(COUNTER_crossed, 1);
    assert_int_equal(send(late, "Bob\n", 4, 0), 4);
    worker.now_ms += LINGERING_MS;
    stream_timers(&worker);
    assert_total(COUNTER_crossed, 2);
    assert_total(COUNTER_closed_idle, 3);
    close(client);
    close(late);
    close(quiet);
    client = connect_to(LINES);
    stream_end_all(&worker);
    assert_int_equal(send(client, "Bob\n", 4, 0), 4);
    stream_close_all(&worker);
    assert_total(COUNTER_crossed, 3);
    assert_total(COUNTER_messages, 0);
    close(client);
}

static unsigned lingering(void)
{
    unsigned count = 0;

    for (unsigned i = 0; i < worker.conns.capacity; i++)
        count += conns_at(&worker.conns, i)->fd > 0 && conns_at(&worker.conns, i)->list == LIST_LINGER;
    return count;
}

/* A crowd that falls silent at the same moment: each of them is told, but others have their turn in between.
 */
static void test_many_deadlines_at_once(void **state)
{
    enum {
        CROWD = CONNECTIONS + REFUSALS_MAX
    };
    int clients[CROWD];

    (void) state;
    plan.limits.per_source = plan.limits.per_prefix = CROWD;
    for (unsigned i = 0; i < CROWD; i++)
        clients[i] = connect_to(LINES);
    worker.now_ms += IDLE_MS;
    stream_timers(&worker);
    assert_in_range(lingering(), 1, CROWD - 1);
    assert_int_equal(stream_deadline(&worker), worker.now_ms);
    stream_timers(&worker);
    assert_int_equal(lingering(), CROWD);
    for (unsigned i = 0; i < CROWD; i++) {
        assert_string_equal(hear(clients[i]), "What's your name?Sorry, you have been silent for too long.|");
        close(clients[i]);
    }
    pump();
    assert_total(COUNTER_closed_idle, CROWD);
}

static void test_delay(void **state)
{
    int client = connect_to(DELAYED);

    (void) state;
    say(client, "Bob\nAlice\nEve");
    assert_string_equal(hear(client), "What's your name?"); /* the prompt does not wait */
    assert_int_equal(stream_deadline(&worker), worker.now_ms + DELAY_MS);
    shutdown(client, SHUT_WR);
    pass(DELAY_MS - 1);
    assert_string_equal(hear(client), "");
    pass(1);
    assert_string_equal(hear(client), "Hello, Bob!\n");
    pass(DELAY_MS - 1);
    assert_string_equal(hear(client), "");
    pass(1);
    assert_string_equal(hear(client), "Hello, Alice!\n");
    pass(DELAY_MS - 1);
    assert_string_equal(hear(client), ""); /* the end of file is known, and there is still an answer owed */
    pass(1);
    assert_string_equal(hear(client), "Hello, Eve!|");
    assert_total(COUNTER_closed_end, 1);
    close(client);
}

static void test_too_long(void **state)
{
    int client = connect_to(LINES);

    (void) state;
    say(client, "12345678901234567890\r\n1234567890");
    assert_int_equal(worker.conns.buffers_used, 1);
    say(client, "12345678901\r\n and more that nobody reads\n");
    assert_string_equal(hear(client), "What's your name?Hello, 12345678901234567890!\r\n"
                                      "Sorry, a name has at most 20 bytes.\r\n|");
    assert_int_equal(worker.live, 1); /* so that what the client still sends does not end in a reset */
    assert_int_equal(worker.conns.buffers_used, 0);
    say(client, "more\n");
    close(client);
    pump();
    assert_int_equal(worker.live, 0);
    assert_total(COUNTER_closed_too_long, 1);
    assert_total(COUNTER_messages, 1);
}

/* Sends lines until no more are taken; returns how many. */
static unsigned flood(int client)
{
    unsigned lines = 0;

    while (send(client, "x\n", 2, MSG_NOSIGNAL) == 2) {
        lines++;
        if (lines % 100 == 0)
            pump();
    }
    pump();
    return lines;
}

static void test_client_that_does_not_read(void **state)
{
    int client = connect_to(LINES);

    (void) state;
    flood(client);
    pass(WRITE_MS - 1);
    assert_int_equal(worker.live, 1);
    assert_int_equal(stream_deadline(&worker), worker.now_ms + 1);
    pass(1);
    assert_int_equal(worker.live, 0);
    assert_total(COUNTER_closed_write, 1);
    close(client);
}

static void test_client_that_reads_late(void **state)
{
    int client = connect_to(LINES);
    unsigned lines = flood(client);

    (void) state;
    pass(WRITE_MS - 1);
    assert_int_equal(strlen(hear(client)), strlen("What's your name?") + lines * strlen("Hello, x!\n"));
    pass(WRITE_MS + 1);
    assert_int_equal(worker.live, 1);
    assert_int_equal(worker.conns.buffers_used, 0);
    assert_total(COUNTER_answers, lines);
    close(client);
}

/* All input has long been received when the output can go on. */
static void test_input_that_waits_for_output(void **state)
{
    enum {
        LINES_SAID = 1500 /* in one receive */
    };
    char text[2 * LINES_SAID + 1];
    int client = connect_to(LINES), small = 4608;
    const struct conn *conn = conns_first(&worker.conns, LIST_IDLE);

    (void) state;
    hear(client);
    assert_int_equal(setsockopt(conn->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
    for (unsigned i = 0; i < LINES_SAID; i++)
        memcpy(text + 2 * i, "x\n", 3);
    say(client, text);
    assert_int_equal(conn->list, LIST_WRITE);
    assert_int_equal(worker.conns.buffers_used, 1);
    assert_int_equal(strlen(hear(client)), LINES_SAID * strlen("Hello, x!\n"));
    assert_int_equal(worker.conns.buffers_used, 0);
    close(client);
}

static void test_drain(void **state)
{
    int silent = connect_to(LINES), client = connect_to(LINES), delayed = connect_to(DELAYED);

    (void) state;
    worker.draining = true;
    stream_drain(&worker);
    pass(999);
    say(client, "Bob\n");
    pass(1);
    assert_string_equal(hear(silent), "What's your name?|");
    assert_string_equal(hear(client), "What's your name?Hello, Bob!\n");
    assert_string_equal(hear(delayed), "What's your name?|");
    assert_false(stream_quiet(&worker));
    pass(999);
    assert_string_equal(hear(silent), "|");
    assert_string_equal(hear(client), "|");
    assert_string_equal(hear(delayed), "|");
    /* What crosses our end of file meets no closed socket. */
    say(client, "Eve\n");
    pass(1);
    say(client, "Eve\n");
    assert_false(stream_quiet(&worker));
    close(silent);
    close(client);
    close(delayed);
    pass(1);
    assert_true(stream_quiet(&worker));
    assert_total(COUNTER_closed_drain, 3);
}

/* Silence is over when the question is there, whoever looks first. */
static void test_drain_answers_what_has_come(void **state)
{
    int client = connect_to(LINES);

    (void) state;
    worker.draining = true;
    stream_drain(&worker);
    assert_string_equal(hear(client), "What's your name?");
    assert_int_equal(write(client, "Bob\n", 4), 4);
    worker.now_ms += 1000;
    stream_timers(&worker);
    assert_string_equal(hear(client), "Hello, Bob!\n");
    pass(1000);
    assert_string_equal(hear(client), "|");
    close(client);
    pass(1);
    assert_true(stream_quiet(&worker));
}

/* The time is over for all, whatever they are at; they hear the end of file and not a reset. */
static void test_end_of_all(void **state)
{
    int idle = connect_to(LINES), asks = connect_to(LINES), delayed = connect_to(DELAYED), refused[2];

    (void) state;
    say(delayed, "Bob\n");
    pass(1);
    assert_int_equal(write(asks, "Eve\n", 4), 4);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, refused), 0);
    stream_refuse(&worker, LINES, refused[0], SENTENCE_FULL);
    stream_end_all(&worker);
    assert_string_equal(hear(idle), "What's your name?|");
    assert_string_equal(hear(asks), "What's your name?Hello, Eve!\n|");
    assert_string_equal(hear(delayed), "What's your name?|");
    assert_string_equal(hear(refused[1]), SENTENCE_FULL "|");
    assert_false(stream_quiet(&worker));
    close(idle);
    close(asks);
    close(delayed);
    close(refused[1]);
    pass(1);
    assert_true(stream_quiet(&worker));
    assert_total(COUNTER_closed_drain, 3);
}

/* More of them than there are places to linger in. */
static void test_refused(void **state)
{
    enum {
        COUNT = CONNECTIONS + REFUSALS_MAX + 4
    };
    int clients[COUNT], ends[2];

    (void) state;
    for (unsigned i = 0; i < COUNT; i++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
        stream_refuse(&worker, LINES, ends[0], SENTENCE_FULL);
        clients[i] = ends[1];
        assert_string_equal(hear(clients[i]), SENTENCE_FULL "|");
    }
    assert_int_equal(worker.live, 0);
    assert_total(COUNTER_accepted, 0);
    close(clients[0]);
    pump();
    assert_false(stream_quiet(&worker));
    pass(LINGERING_MS);
    assert_true(stream_quiet(&worker));
    for (unsigned i = 1; i < COUNT; i++)
        close(clients[i]);
}

/* Who has been silent for longest goes first, unless an answer is owed to it, and not within a second. */
static void test_evicted(void **state)
{
    int silent = connect_to(LINES), owed = connect_to(DELAYED), speaks = connect_to(LINES);

    (void) state;
    pass(600);
    say(owed, "Bob\n");
    say(speaks, "Alice\n");
    pass(399);
    assert_null(stream_silent(&worker));
    pass(1);
    struct conn *found = stream_silent(&worker);
    assert_non_null(found);
    assert_int_equal(worker.live, 3);
    stream_evict(&worker, found);
    assert_int_equal(worker.live, 2); /* its place is free before it closes */
    assert_total(COUNTER_closed_evicted, 1);
    assert_string_equal(hear(silent), "What's your name?Sorry, you have been silent for too long.|");
    assert_null(stream_silent(&worker));
    pass(99); /* the delay ends after this */
    assert_string_equal(hear(owed), "What's your name?");
    pass(1);
    assert_string_equal(hear(owed), "Hello, Bob!\n");
    say(silent, "too late\n");
    pass(LINGERING_MS);
    assert_total(COUNTER_closed_evicted, 1);
    assert_int_equal(worker.refusing, 0);
    close(silent);
    close(owed);
    close(speaks);
}

/* What has come and was not read yet, a name or an end, is no silence. */
static void test_who_has_spoken_is_not_evicted(void **state)
{
    int speaks = connect_to(LINES), ended = connect_to(LINES);

    (void) state;
    pass(1000);
    assert_int_equal(send(speaks, "Bob\n", 4, MSG_NOSIGNAL), 4);
    shutdown(ended, SHUT_WR);
    assert_null(stream_silent(&worker));
    pump();
    assert_string_equal(hear(speaks), "What's your name?Hello, Bob!\n");
    assert_string_equal(hear(ended), "What's your name?|");
    assert_total(COUNTER_closed_end, 1);
    pass(1000);
    assert_non_null(stream_silent(&worker));
    close(speaks);
    close(ended);
}

/* More than there are places for those who are being refused: who finds none hears it all the same. */
static void test_evicted_while_many_are_refused(void **state)
{
    int client = connect_to(LINES), others[REFUSALS_MAX], ends[2];

    (void) state;
    pass(1000);
    for (unsigned i = 0; i < REFUSALS_MAX; i++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
        stream_refuse(&worker, LINES, ends[0], SENTENCE_FULL);
        others[i] = ends[1];
    }
    assert_int_equal(worker.refusing, REFUSALS_MAX);
    stream_evict(&worker, stream_silent(&worker));
    assert_int_equal(worker.refusing, REFUSALS_MAX);
    assert_int_equal(worker.live, 0);
    assert_total(COUNTER_closed_evicted, 1);
    assert_string_equal(hear(client), "What's your name?Sorry, you have been silent for too long.|");
    close(client);
    for (unsigned i = 0; i < REFUSALS_MAX; i++)
        close(others[i]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start_worker, stop_worker)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_conversation),
        TEST(test_more_behind_the_farewell),
        TEST(test_half_close),
        TEST(test_idle),
        TEST(test_questions_that_cross_the_end),
        TEST(test_many_deadlines_at_once),
        TEST(test_delay),
        TEST(test_too_long),
        TEST(test_client_that_does_not_read),
        TEST(test_client_that_reads_late),
        TEST(test_input_that_waits_for_output),
        TEST(test_drain),
        TEST(test_drain_answers_what_has_come),
        TEST(test_end_of_all),
        TEST(test_refused),
        TEST(test_evicted),
        TEST(test_who_has_spoken_is_not_evicted),
        TEST(test_evicted_while_many_are_refused),
    };

    return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}
