/* Asking in datagrams where a name has several addresses: who is asked, in which order, and who is believed.
 * What a single server may do is in tests/process. */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/check_ask.h"

enum {
    LONG_MS = 60000,
    SHORT_MS = 600
};

static const struct check_question question = {{"CHECK-1", 7}, {"Hello, CHECK-1!", 15}};

/* A datagram socket on the loopback address HOST (host order), which becomes the next address of TARGET. Who
 * receives from it gives up in time, so that a question that never comes is a failed test and not a stuck
 * one. */
static int add_at(struct target *target, in_addr_t host)
{
    struct target_address *address = &target->addresses[target->count++];
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(host)};
    struct timeval patience = {.tv_sec = LONG_MS / 1000};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
    assert_int_equal(bind(fd, (struct sockaddr *) &own, sizeof(own)), 0);
    address->length = sizeof(address->store);
    assert_int_equal(getsockname(fd, &address->any, &address->length), 0);
    target->type = SOCK_DGRAM;
    target->port = 1;
    return fd;
}

static int add_server(struct target *target)
{
    return add_at(target, INADDR_LOOPBACK);
}

/* An address of TARGET where nobody is. It is not one of the servers', who could be given the port that was
 * just free. */
static void add_nobody(struct target *target)
{
    close(add_at(target, INADDR_LOOPBACK + 1 + target->count));
}

/* Answers the first datagram on the socket at CONTEXT. */
static void *answer_once(void *context)
{
    int fd = *(int *) context;
    struct sockaddr_storage source;
    socklen_t length = sizeof(source);
    char name[64];

    if (recvfrom(fd, name, sizeof(name), 0, (struct sockaddr *) &source, &length) == 7)
        sendto(fd, question.answer.data, question.answer.length, 0, (struct sockaddr *) &source, length);
    return NULL;
}

static struct check_ask ask_one_that_answers(struct target *target, int fd)
{
    struct check_ask ask;
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, answer_once, &fd), 0);
    check_ask_datagram(target, &question, LONG_MS, &ask);
    pthread_join(thread, NULL);
    assert_int_equal(ask.verdict, CHECK_RIGHT);
    assert_true(ask.reached && ask.answer_us > 0);
    return ask;
}

static void test_refusing_addresses_are_passed_over(void **state)
{
    struct target target = {.count = 0};
    const unsigned last = TARGET_ADDRESSES_MAX - 1;

    (void) state;
    while (target.count < last)
        add_nobody(&target);
    int fd = add_server(&target);
    struct check_ask ask = ask_one_that_answers(&target, fd);
    assert_int_equal(ask.dial.index, last);
    for (unsigned i = 0; i < last; i++)
        assert_int_equal(ask.dial.errors[i], ECONNREFUSED);
    assert_int_equal(ask.dial.errors[last], 0);
    assert_true(ask.answer_us < last * 250000); /* none of them had the time of one that is silent */
    close(fd);
}

static void test_silent_addresses_are_not_waited_for(void **state)
{
    struct target target = {.count = 0};
    char name[64];

    (void) state;
    int silent = add_server(&target), fd = add_server(&target);
    struct check_ask ask = ask_one_that_answers(&target, fd);
    assert_int_equal(ask.dial.index, 1);
    assert_int_equal(ask.dial.errors[0], 0);
    assert_true(ask.answer_us >= 250000); /* the first one had its time */
    assert_true(ask.asked >= 2);
    assert_int_equal(recv(silent, name, sizeof(name), MSG_DONTWAIT), 7);
    close(silent);
    close(fd);
}

static void test_all_refuse(void **state)
{
    struct target target = {.count = 0};
    struct check_ask ask;

    (void) state;
    for (unsigned i = 0; i < TARGET_ADDRESSES_MAX; i++)
        add_nobody(&target);
    check_ask_datagram(&target, &question, LONG_MS, &ask);
    assert_false(ask.reached);
    for (unsigned i = 0; i < TARGET_ADDRESSES_MAX; i++)
        assert_int_equal(ask.dial.errors[i], ECONNREFUSED);
}

static void test_some_refuse_and_others_are_silent(void **state)
{
    struct target target = {.count = 0};
    struct check_ask ask;

    (void) state;
    add_nobody(&target);
    int silent = add_server(&target);
    check_ask_datagram(&target, &question, SHORT_MS, &ask);
    assert_true(ask.reached && !ask.ended);
    assert_int_equal(ask.verdict, CHECK_NOTHING);
    assert_true(ask.answer_us >= SHORT_MS * 1000);
    close(silent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusing_addresses_are_passed_over),
        cmocka_unit_test(test_silent_addresses_are_not_waited_for),
        cmocka_unit_test(test_all_refuse),
        cmocka_unit_test(test_some_refuse_and_others_are_silent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
