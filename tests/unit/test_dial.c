/* Getting through: which address is taken, when the next one is tried, and what is told of those that failed.
 * The addresses are on loopback; a port where nobody accepts stands for a silent host. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "client/dial.c"

enum {
    SILENT_CLIENTS = 4,
    LONG_MS = 20000 /* never waited for */
};

/* A TCP port that is listened on, or silent: its queue is full, and what comes to it is not answered. */
struct place {
    int fd;
    int clients[SILENT_CLIENTS];
    struct target_address address;
};

static void place_open(struct place *place, bool is_silent)
{
    struct sockaddr_in loopback = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(loopback);

    place->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(place->fd, (struct sockaddr *) &loopback, length), 0);
    assert_int_equal(getsockname(place->fd, (struct sockaddr *) &loopback, &length), 0);
    assert_int_equal(listen(place->fd, is_silent ? 0 : 8), 0);
    memcpy(&place->address.store, &loopback, sizeof(loopback));
    place->address.length = length;
    for (int i = 0; i < SILENT_CLIENTS; i++) {
        place->clients[i] = is_silent ? socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0) : -1;
        if (is_silent)
            (void) connect(place->clients[i], (struct sockaddr *) &loopback, length);
    }
}

static void place_close(struct place *place)
{
    close(place->fd);
    for (int i = 0; i < SILENT_CLIENTS; i++)
        if (place->clients[i] >= 0)
            close(place->clients[i]);
}

/* A target of the COUNT addresses in PLACES. */
static struct target target_of(const struct place *places, unsigned count)
{
    struct target target = {.type = SOCK_STREAM, .port = 1, .count = count};

    for (unsigned i = 0; i < count; i++)
        target.addresses[i] = places[i].address;
    return target;
}

static char *explained(const struct target *target, const struct dial *dial)
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);

    assert_non_null(out);
    dial_explain(out, target, dial);
    fclose(out);
    return text;
}

static void the_first_that_is_there(void **state)
{
    struct place places[2];
    struct dial dial;

    (void) state;
    place_open(&places[0], false);
    place_open(&places[1], false);
    const struct target target = target_of(places, 2);
    assert_int_equal(dial_connect(&target, LONG_MS, &dial), 0);
    assert_int_equal(dial.index, 0);
    assert_int_equal(dial.type, SOCK_STREAM);
    assert_true(dial.took_ns > 0);
    assert_true(fcntl(dial.fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(dial.fd, F_GETFD) & FD_CLOEXEC);
    int accepted = accept(places[0].fd, NULL, NULL);
    assert_true(accepted >= 0);
    assert_int_equal(accept(places[1].fd, NULL, NULL), -1);
    close(accepted);
    close(dial.fd);
    place_close(&places[0]);
    place_close(&places[1]);
}

static void a_refusal_costs_no_time(void **state)
{
    struct place places[2];
    struct dial dial;

    (void) state;
    place_open(&places[0], false);
    place_open(&places[1], false);
    const struct target target = target_of(places, 2);
    close(places[0].fd);
    assert_int_equal(dial_connect(&target, STEP_MS - 1, &dial), 0);
    assert_int_equal(dial.index, 1);
    assert_int_equal(dial.errors[0], ECONNREFUSED);
    close(dial.fd);
    place_close(&places[1]);
}

static void a_silent_one_is_overtaken(void **state)
{
    struct place places[2];
    struct dial dial;

    (void) state;
    place_open(&places[0], true);
    place_open(&places[1], false);
    const struct target target = target_of(places, 2);
    uint64_t begun_ns = clock_ns();
    assert_int_equal(dial_connect(&target, LONG_MS, &dial), 0);
    assert_in_range(clock_ns() - begun_ns, in_ns(STEP_MS), in_ns(LONG_MS));
    assert_int_equal(dial.index, 1);
    close(dial.fd);
    place_close(&places[0]);
    place_close(&places[1]);
}

static void nobody(void **state)
{
    struct place places[2];
    struct dial dial;
    char text[ADDR_TEXT_MAX], expected[400];

    (void) state;
    place_open(&places[0], true);
    place_open(&places[1], false);
    const struct target target = target_of(places, 2);
    close(places[1].fd);
    assert_int_equal(dial_connect(&target, 600, &dial), -1);
    assert_int_equal(dial.fd, -1);
    assert_int_equal(dial.errors[0], ETIMEDOUT);
    assert_int_equal(dial.errors[1], ECONNREFUSED);
    char *reasons = explained(&target, &dial);
    int used = snprintf(expected, sizeof(expected), "%s: no answer; ", target_text(&target, 0, text));
    snprintf(expected + used, sizeof(expected) - (size_t) used, "%s: Connection refused",
             target_text(&target, 1, text));
    assert_string_equal(reasons, expected);
    free(reasons);
    place_close(&places[0]);
}

/* However many addresses there are, they have the time of one: the third's turn comes after the end. */
static void the_wait_is_for_all(void **state)
{
    struct place places[3];
    struct dial dial;

    (void) state;
    for (int i = 0; i < 3; i++)
        place_open(&places[i], true);
    const struct target target = target_of(places, 3);
    assert_int_equal(dial_connect(&target, STEP_MS * 3 / 2, &dial), -1);
    assert_int_equal(dial.errors[0], ETIMEDOUT);
    assert_int_equal(dial.errors[2], 0);
    for (int i = 0; i < 3; i++)
        place_close(&places[i]);
}

static char path[64]; /* of the socket that path_open() makes; "": it has none */

static int path_close(void **state)
{
    (void) state;
    if (path[0] != '\0')
        unlink(path);
    path[0] = '\0';
    return 0;
}

/* Listens, if TYPE allows it, at a path or at an abstract name that the kernel chooses, and makes TARGET, of
 * type WISHED, of it. */
static int path_open(int type, bool is_abstract, struct target *target, int wished)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, type, 0);

    path_close(NULL);
    if (!is_abstract) {
        snprintf(path, sizeof(path), "/tmp/hellod-test-dial-%d", (int) getpid());
        memcpy(address.sun_path, path, sizeof(path));
    }
    *target = (struct target){.type = wished, .count = 1};
    target->addresses[0].length = sizeof(struct sockaddr_un);
    assert_int_equal(bind(fd, (const struct sockaddr *) &address,
                          is_abstract ? sizeof(address.sun_family) : sizeof(address)),
                     0);
    assert_int_equal(getsockname(fd, &target->addresses[0].any, &target->addresses[0].length), 0);
    if (type != SOCK_DGRAM)
        assert_int_equal(listen(fd, 0), 0);
    return fd;
}

static void paths(void **state)
{
    static const int types[] = {SOCK_STREAM, SOCK_SEQPACKET};
    struct target target;
    struct dial dial;

    (void) state;
    for (size_t i = 0; i < 4; i++) {
        int fd = path_open(types[i % 2], i < 2, &target, SOCK_STREAM);
        assert_int_equal(dial_connect(&target, LONG_MS, &dial), 0);
        assert_int_equal(dial.type, types[i % 2]);
        assert_true(fcntl(dial.fd, F_GETFL) & O_NONBLOCK);
        close(dial.fd);
        close(fd);
    }
}

static void the_wrong_kind_of_path(void **state)
{
    struct target target;
    struct dial dial;

    (void) state;
    int fd = path_open(SOCK_DGRAM, false, &target, SOCK_STREAM);
    assert_int_equal(dial_connect(&target, LONG_MS, &dial), -1);
    char *reasons = explained(&target, &dial);
    assert_string_equal(reasons, "it is a datagram socket, for -u");
    free(reasons);
    close(fd);
}

static void a_path_whose_queue_is_full(void **state)
{
    struct target target;
    struct dial first, second;

    (void) state;
    int fd = path_open(SOCK_STREAM, true, &target, SOCK_STREAM);
    assert_int_equal(dial_connect(&target, LONG_MS, &first), 0);
    assert_int_equal(dial_start(&target, 0, SOCK_STREAM), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(dial_connect(&target, 50, &second), -1);
    assert_int_equal(second.errors[0], ETIMEDOUT);
    close(first.fd);
    close(fd);
}

static void datagrams_can_be_answered(void **state)
{
    struct target target;
    struct sockaddr_un from;
    socklen_t length = sizeof(from);
    char data[8];

    (void) state;
    int fd = path_open(SOCK_DGRAM, true, &target, SOCK_DGRAM);
    int client = dial_start(&target, 0, SOCK_DGRAM);
    assert_true(client >= 0);
    assert_int_equal(send(client, "x", 1, 0), 1);
    assert_int_equal(recvfrom(fd, data, sizeof(data), 0, (struct sockaddr *) &from, &length), 1);
    assert_int_equal(sendto(fd, "yz", 2, 0, (struct sockaddr *) &from, length), 2);
    assert_int_equal(recv(client, data, sizeof(data), 0), 2);
    close(client);
    close(fd);
}

/* As without IPv6, or without a route. */
static void failing_at_once_is_not_waited_for(void **state)
{
    struct target target = {.type = SOCK_STREAM, .port = 1, .count = 2};
    struct dial dial;
    uint64_t begin_ns = clock_ns();

    (void) state;
    for (unsigned i = 0; i < target.count; i++) {
        target.addresses[i].any.sa_family = AF_MAX;
        target.addresses[i].length = sizeof(struct sockaddr_in);
    }
    assert_int_equal(dial_connect(&target, LONG_MS, &dial), -1);
    assert_int_equal(dial.errors[0], EAFNOSUPPORT);
    assert_int_equal(dial.errors[1], EAFNOSUPPORT);
    assert_true(clock_ns() - begin_ns < in_ns(LONG_MS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_that_is_there),
        cmocka_unit_test(a_refusal_costs_no_time),
        cmocka_unit_test(a_silent_one_is_overtaken),
        cmocka_unit_test(nobody),
        cmocka_unit_test(the_wait_is_for_all),
        cmocka_unit_test(failing_at_once_is_not_waited_for),
        cmocka_unit_test_teardown(paths, path_close),
        cmocka_unit_test_teardown(the_wrong_kind_of_path, path_close),
        cmocka_unit_test(a_path_whose_queue_is_full),
        cmocka_unit_test(datagrams_can_be_answered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
