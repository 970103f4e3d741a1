/* The control socket and its clients: what is asked and answered, at once or after a reload. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control_help.h"

/* ---- What is asked and answered ---- */

static void test_each_command(void **state)
{
    int fd = connect_client();

    (void) state;
    say(fd, "1 status\n");
    expect(fd, "x number=1\nok\n");
    say(fd, "1 log-level debug\n");
    expect(fd, "ok\n");
    assert_int_equal(master.levels, 1);
    assert_int_equal(master.level, LOG_LEVEL_DEBUG);
    say(fd, "1 help\n");
    expect(fd, "command name=\"status\" ");
    settle();
    say(fd, "1 stop\n1 stop\n");
    settle();
    assert_int_equal(master.stops, 2);
    assert_int_equal(master.who.pid, getpid());
    assert_int_equal(master.who.uid, getuid());
    assert_int_equal(master.who.gid, getgid());
    close(fd);
    wait_until_clients_are(0);
}

static void test_what_is_wrong_is_said(void **state)
{
    int fd = connect_client();

    (void) state;
    say(fd, "1 reload now\n");
    expect(fd, "failed this command takes no argument\n");
    say(fd, "1 nonsense\n");
    expect(fd, "failed unknown command; \"1 help\" lists all\n");
    say_bytes(fd, "1 stop\0\n", 8);
    expect(fd, "failed a request is text, without NUL bytes\n");
    say(fd, "1 status\n");
    expect(fd, "x number=1\nok\n");
    assert_int_equal(master.reloads + master.stops, 0);
    close(fd);
}

static void test_another_version_is_the_end(void **state)
{
    int fd = connect_client();

    (void) state;
    say(fd, "2 stop\n1 stop\n");
    expect(fd, "failed unknown version; a request is \"1 COMMAND\", and \"1 help\" lists all commands\n");
    expect_end(fd);
    assert_int_equal(master.stops, 0);
}

static void test_lines_in_pieces(void **state)
{
    static const char text[] = "1 status\n1 log-level err\n1 status\n";
    int fd = connect_client();

    (void) state;
    for (const char *at = text; *at != '\0'; at++) {
        say_bytes(fd, at, 1);
        settle();
    }
    expect(fd, "x number=1\nok\nok\nx number=2\nok\n");
    expect_silence(fd);
    close(fd);
}

static void test_several_lines_at_once(void **state)
{
    int fd = connect_client();

    (void) state;
    say(fd, "1 status\n1 nonsense\n1 log-level err\n1 status\n1 sta");
    expect(fd, "x number=1\nok\nfailed unknown command; \"1 help\" lists all\nok\nx number=2\nok\n");
    expect_silence(fd);
    say(fd, "tus\n");
    expect(fd, "x number=3\nok\n");
    close(fd);
}

static void test_line_of_full_length(void **state)
{
    char line[REQUEST_MAX + 1];
    int fd = connect_client();

    (void) state;
    memset(line, 'x', sizeof(line));
    line[0] = '1';
    line[1] = ' ';
    line[REQUEST_MAX] = '\n';
    for (unsigned i = 0; i < 3; i++) {
        say_bytes(fd, line, sizeof(line));
        expect(fd, "failed unknown command; \"1 help\" lists all\n");
    }
    close(fd);
}

/* Whether its end has come or not. */
static void test_line_too_long(void **state)
{
    static const size_t sizes[] = {REQUEST_MAX + 1, REQUEST_MAX + 2, 10000};
    char line[10000];

    (void) state;
    memset(line, 'x', sizeof(line));
    line[0] = '1';
    line[1] = ' ';
    line[REQUEST_MAX + 1] = '\n';
    for (unsigned i = 0; i < 3; i++) {
        int fd = connect_client();
        say_bytes(fd, line, sizes[i]);
        expect(fd, "failed a request has at most 255 bytes\n");
        expect_end(fd);
    }
    assert_int_equal(clients(), 0);
}

static void test_half_closed(void **state)
{
    int fd = connect_client();

    (void) state;
    say(fd, "1 status\n1 status\n1 reload\n1 stop");
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    expect(fd, "x number=1\nok\nx number=2\nok\n");
    expect_silence(fd);
    control_reloaded(master.control, 1, NULL);
    expect(fd, "ok\n");
    expect_end(fd);
    assert_int_equal(master.stops, 0); /* what is unfinished may be half of something else */
}

/* Who says it and goes is obeyed too: a script need not wait. */
static void test_order_of_somebody_who_has_gone(void **state)
{
    int fd = connect_client();

    (void) state;
    say(fd, "1 reload\n");
    close(fd);
    wait_until_clients_are(0);
    assert_int_equal(master.reloads, 1);
}

/* ---- Reloads ---- */

static void test_all_who_wait_are_answered(void **state)
{
    int first = connect_client(), second = connect_client(), third = connect_client();

    (void) state;
    say(first, "1 reload\n1 status\n");
    settle();
    master.number = 2;
    say(second, "1 reload\n");
    say(third, "1 reload\n");
    settle();
    assert_int_equal(master.reloads, 3);
    assert_int_equal(master.who.pid, getpid());
    control_reloaded(master.control, 1, "hellod.conf:1: one\nhellod.conf:2: two\n");
    expect(first, "error hellod.conf:1: one\nerror hellod.conf:2: two\n"
                  "failed the configuration in force stays\nx number=1\nok\n");
    expect_silence(second);
    expect_silence(third);
    control_reloaded(master.control, 2, NULL);
    expect(second, "ok\n");
    expect(third, "ok\n");
    expect_silence(first);
    control_reloaded(master.control, 3, "nobody waits for it\n");
    expect_silence(first);
    say(second, "1 status\n");
    expect(second, "x number=2\nok\n");
    close(first);
    close(second);
    close(third);
}

/* A reload that follows another answers those too who somehow wait for the one before. */
static void test_a_later_reload_answers_the_earlier(void **state)
{
    int fd = connect_client();

    (void) state;
    say(fd, "1 reload\n");
    settle();
    control_reloaded(master.control, 7, NULL);
    expect(fd, "ok\n");
    close(fd);
}

static void test_reload_that_ends_at_once(void **state)
{
    int waiting = connect_client(), fd = connect_client();

    (void) state;
    say(waiting, "1 reload\n");
    settle();
    master.at_once = true;
    master.errors = "x.conf:3: no\n\nlast line";
    master.number = 2;
    say(fd, "1 reload\n");
    expect(fd, "error x.conf:3: no\nerror last line\nfailed the configuration in force stays\n");
    expect(waiting, "error x.conf:3: no\nerror last line\nfailed the configuration in force stays\n");
    master.errors = "";
    master.number = 3;
    say(fd, "1 reload\n");
    expect(fd, "failed the configuration in force stays\n");
    master.errors = NULL;
    master.number = 4;
    say(fd, "1 reload\n1 reload\n");
    expect(fd, "ok\nok\n");
    expect_silence(waiting);
    close(fd);
    close(waiting);
}

static void test_client_gone_during_a_reload(void **state)
{
    int fd = connect_client(), other = connect_client();

    (void) state;
    say(fd, "1 reload\n1 stop\n");
    say(other, "1 reload\n");
    settle();
    close(fd);
    wait_until_clients_are(1);
    control_reloaded(master.control, 1, NULL);
    expect(other, "ok\n");
    assert_int_equal(master.stops, 0);
    close(other);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_listening, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_each_command),
        TEST(test_what_is_wrong_is_said),
        TEST(test_another_version_is_the_end),
        TEST(test_lines_in_pieces),
        TEST(test_several_lines_at_once),
        TEST(test_line_of_full_length),
        TEST(test_line_too_long),
        TEST(test_half_closed),
        TEST(test_order_of_somebody_who_has_gone),
        TEST(test_all_who_wait_are_answered),
        TEST(test_a_later_reload_answers_the_earlier),
        TEST(test_reload_that_ends_at_once),
        TEST(test_client_gone_during_a_reload),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
