/* What waits at listening sockets of AF_UNIX: real ones, those that the kernel does not tell of, and answers
 * that no kernel gives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <sys/resource.h>

#include "master/backlog.c"
#include "seed.h"

enum {
    LIMIT = 7,
    UNTOUCHED = 12345
};

/* A socket of TYPE that listens at a name that the kernel has made up, which goes to ADDRESS. */
static int listening(int type, struct sockaddr_storage *address, socklen_t *length)
{
    const struct sockaddr bare = {.sa_family = AF_UNIX};
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

    *length = sizeof(*address);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, &bare, sizeof(bare.sa_family)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *) address, length), 0);
    assert_int_equal(listen(fd, LIMIT), 0);
    return fd;
}

static void assert_not_told(int fd)
{
    struct backlog backlog = {UNTOUCHED, UNTOUCHED};

    assert_false(backlog_ask(fd, &backlog));
    assert_int_equal(backlog.waiting, UNTOUCHED);
    assert_int_equal(backlog.limit, UNTOUCHED);
}

/* Some kernels have no unix_diag, and some sandboxes no netlink. */
static void skip_unless_told(void)
{
    struct sockaddr_storage address;
    struct backlog backlog;
    socklen_t length;
    int fd = listening(SOCK_STREAM, &address, &length);
    bool told = backlog_ask(fd, &backlog);

    close(fd);
    if (!told)
        skip();
}

static void waits(int type)
{
    struct sockaddr_storage address;
    struct backlog backlog;
    socklen_t length;
    int fd = listening(type, &address, &length), clients[LIMIT];

    for (uint32_t i = 0; i < LIMIT; i++) {
        assert_true(backlog_ask(fd, &backlog));
        assert_int_equal(backlog.waiting, i);
        assert_int_equal(backlog.limit, LIMIT);
        clients[i] = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(clients[i], (const struct sockaddr *) &address, length), 0);
    }
    close(accept(fd, NULL, NULL));
    assert_true(backlog_ask(fd, &backlog));
    assert_int_equal(backlog.waiting, LIMIT - 1);
    for (unsigned i = 0; i < LIMIT; i++)
        close(clients[i]);
    close(fd);
}

static void test_connections(void **state)
{
    (void) state;
    skip_unless_told();
    waits(SOCK_STREAM);
}

static void test_packets(void **state)
{
    (void) state;
    skip_unless_told();
    waits(SOCK_SEQPACKET);
}

static void test_what_is_no_such_socket(void **state)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void) state;
    skip_unless_told();
    assert_not_told(fd);
    close(fd);
}

/* As where netlink is forbidden: there is no socket to ask by. */
static void test_nobody_to_ask(void **state)
{
    struct sockaddr_storage address;
    struct rlimit before, none;
    socklen_t length;
    int fd = listening(SOCK_STREAM, &address, &length);

    (void) state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_not_told(fd);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    close(fd);
}

/* Nothing is left open, whatever becomes of the question. */
static void test_leaves_nothing(void **state)
{
    struct sockaddr_storage address;
    struct backlog backlog;
    socklen_t length;
    int fd = listening(SOCK_STREAM, &address, &length);
    int other = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), first = dup(fd);

    (void) state;
    close(first);
    backlog_ask(fd, &backlog);
    backlog_ask(other, &backlog);
    int next = dup(fd);
    assert_int_equal(next, first);
    close(next);
    close(other);
    close(fd);
}

/* ---- the answer ---- */

struct answer {
    struct nlmsghdr header;
    struct unix_diag_msg about;
    struct {
        struct nlattr head;
        uint8_t how;
        uint8_t padding[3];
    } other;
    struct {
        struct nlattr head;
        struct unix_diag_rqlen length;
    } queue;
};

static const struct answer good = {
    .header = {.nlmsg_len = sizeof(good), .nlmsg_type = SOCK_DIAG_BY_FAMILY},
    .about = {.udiag_family = AF_UNIX, .udiag_type = SOCK_STREAM},
    .other = {.head = {.nla_len = sizeof(struct nlattr) + 1, .nla_type = UNIX_DIAG_SHUTDOWN}, .how = 3},
    .queue = {.head = {.nla_len = sizeof(good.queue), .nla_type = UNIX_DIAG_RQLEN}, .length = {4, 128}}};

static bool is_answer(const void *answer, size_t length)
{
    struct unix_diag_rqlen queue;

    return parse(answer, length, &queue);
}

static void test_answer(void **state)
{
    struct unix_diag_rqlen queue;

    (void) state;
    assert_true(parse((const char *) &good, sizeof(good), &queue));
    assert_int_equal(queue.udiag_rqueue, 4);
    assert_int_equal(queue.udiag_wqueue, 128);
}

static void test_answer_without_it(void **state)
{
    struct answer answer = good;

    (void) state;
    answer.queue.head.nla_type = UNIX_DIAG_MEMINFO;
    assert_false(is_answer(&answer, sizeof(answer)));
    answer = good;
    answer.header.nlmsg_type = NLMSG_ERROR;
    assert_false(is_answer(&answer, sizeof(answer)));
    answer = good;
    answer.other.head.nla_len = 0; /* a step of no length would never end */
    assert_false(is_answer(&answer, sizeof(answer)));
    answer = good;
    answer.queue.head.nla_len = sizeof(struct nlattr) + 4;
    assert_false(is_answer(&answer, sizeof(answer)));
    for (size_t length = 0; length < sizeof(good); length++)
        assert_false(is_answer(&good, length));
}

/* In memory of just its length, so that valgrind and sanitizers see who reads on. */
static void parse_copy(const char *bytes, size_t length)
{
    char *copy = malloc(length);

    assert_non_null(copy);
    memcpy(copy, bytes, length);
    is_answer(copy, length);
    free(copy);
}

static void test_any_answer_is_taken_apart(void **state)
{
    struct seed seed = seed_start();
    char bytes[sizeof(good)];

    (void) state;
    for (unsigned round = 0; round < 100000; round++) {
        memcpy(bytes, &good, sizeof(good));
        for (size_t i = seed_below(&seed, 4); i > 0; i--)
            bytes[seed_below(&seed, sizeof(bytes))] = (char) seed_next(&seed);
        parse_copy(bytes, sizeof(bytes) - seed_below(&seed, 2) * seed_below(&seed, 12));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connections),
        cmocka_unit_test(test_packets),
        cmocka_unit_test(test_what_is_no_such_socket),
        cmocka_unit_test(test_nobody_to_ask),
        cmocka_unit_test(test_leaves_nothing),
        cmocka_unit_test(test_answer),
        cmocka_unit_test(test_answer_without_it),
        cmocka_unit_test(test_any_answer_is_taken_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
