/* Socket activation, right and wrong combinations: each is passed to a child as the service manager would. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "activation_help.h"
#include "base/addr.h"

static char own[32];  /* what our abstract names begin with */
static uint16_t port; /* of the internet socket that was made last */
static int made[64];  /* sockets of the test that runs */
static unsigned made_count;

static int name_our_sockets(void **state)
{
    (void) state;
    snprintf(own, sizeof(own), "hellod-test-%d", (int) getpid());
    return 0;
}

static int close_sockets(void **state)
{
    (void) state;
    while (made_count > 0)
        close(made[--made_count]);
    return 0;
}

/* TEXT with "$" as our abstract name and "#" as the port. */
static const char *expand(const char *text, char *out)
{
    char *end = out;

    for (; *text != '\0'; text++) {
        if (*text == '$')
            end += sprintf(end, "%s", own);
        else if (*text == '#')
            end += sprintf(end, "%u", port);
        else
            *end++ = *text;
    }
    *end = '\0';
    return out;
}

static int keep(int fd)
{
    int high = fcntl(fd, F_DUPFD_CLOEXEC, 100);

    assert_true(fd >= 0 && high >= 0);
    close(fd);
    return made[made_count++] = high;
}

/* A socket of TYPE at the abstract name of ours with ENDING. */
static int local_socket(int type, const char *ending, bool listening)
{
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    size_t length = (size_t) snprintf(local.sun_path + 1, sizeof(local.sun_path) - 1, "%s%s", own, ending);

    assert_int_equal(bind(fd, (const struct sockaddr *) &local,
                          (socklen_t) (offsetof(struct sockaddr_un, sun_path) + 1 + length)),
                     0);
    if (listening)
        assert_int_equal(listen(fd, 5), 0);
    return keep(fd);
}

/* A socket of TYPE at HOST and any port, or the last one again; -1 when the host cannot have it. */
static int internet_socket(int type, const char *host, bool v6only, bool same_port)
{
    struct sockaddr_storage address = {0};
    socklen_t length = addr_parse(host, same_port ? port : 0, &address);
    int fd = socket(address.ss_family, type | SOCK_CLOEXEC, 0), only = v6only;

    if (fd < 0)
        return -1;
    if (address.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only));
    if (bind(fd, (const struct sockaddr *) &address, length) < 0 ||
        (type == SOCK_STREAM && listen(fd, 5) < 0)) {
        close(fd);
        return -1;
    }
    length = sizeof(address);
    getsockname(fd, (struct sockaddr *) &address, &length);
    port = addr_port((const struct sockaddr *) &address);
    return keep(fd);
}

/* Passes COUNT sockets under NAMES for CONFIG. All must be taken, the first for MATCHED[0] and so on. */
static void assert_taken(const char *config, const char *names, const int *fds, unsigned count,
                         const unsigned *matched, unsigned met)
{
    char text[1024];
    struct offer offer = {.config = expand(config, text), .count = count, .names = names};

    memcpy(offer.fds, fds, count * sizeof(fds[0]));
    const struct outcome *outcome = offer_to_child(&offer);
    assert_int_equal(outcome->status, 0);
    assert_string_equal(outcome->said, "");
    assert_int_equal(outcome->result, count);
    assert_int_equal(outcome->met, met);
    assert_false(outcome->environment_left);
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(outcome->matched[i].fd, 3 + i);
        assert_int_equal(outcome->matched[i].wanted, matched[i]);
        assert_true(outcome->open[i] && outcome->tuned[i]);
    }
}

/* The same, but nothing may be taken, and SAID is the log. */
static void assert_refused(const char *config, const char *names, const int *fds, unsigned count,
                           const char *said)
{
    char text[1024], expected[2048];
    struct offer offer = {.config = expand(config, text), .count = count, .names = names};

    memcpy(offer.fds, fds, count * sizeof(fds[0]));
    const struct outcome *outcome = offer_to_child(&offer);
    assert_int_equal(outcome->status, 0);
    assert_string_equal(outcome->said, expand(said, expected));
    assert_int_equal(outcome->result, -1);
    assert_false(outcome->environment_left);
    for (unsigned i = 0; i < count; i++)
        assert_false(outcome->open[i]);
}

/* One of each kind, at names of ours. */
static const char three[] = "\nlisten = ( { name = \"a\"; protocol = \"p\";\n path = \"@$-a\"; },\n"
                            "{ name = \"b\"; protocol = \"p\"; path = \"@$-b\"; type = \"datagram\"; },\n"
                            "{ name = \"c\"; protocol = \"p\"; path = \"@$-c\"; type = \"seqpacket\"; } );";
/* Both families of one port. */
static const char everywhere[] =
    "listen = ( { name = \"a\"; protocol = \"p\"; address = \"*\"; port = #; } );";

static void test_nothing_is_passed(void **state)
{
    int fd = local_socket(SOCK_STREAM, "-a", true);

    (void) state;
    assert_taken(three, NULL, &fd, 0, NULL, 0);
    struct offer offer = {.config = "", .fds = {fd}, .count = 1, .pid = "1"};
    const struct outcome *outcome = offer_to_child(&offer);
    assert_int_equal(outcome->status, 0);
    assert_int_equal(outcome->result, 0);
    assert_string_equal(outcome->said, "");
    assert_true(outcome->open[0]); /* it is another's */
}

static void test_by_name_and_without(void **state)
{
    int fds[] = {local_socket(SOCK_SEQPACKET, "-c", true), local_socket(SOCK_STREAM, "-a", true),
                 local_socket(SOCK_DGRAM, "-b", false)};
    static const unsigned matched[] = {2, 0, 1};

    (void) state;
    assert_taken(three, "c:a:b", fds, 3, matched, 7);
    assert_taken(three, NULL, fds, 3, matched, 7);
    assert_taken(three, "hellod.socket:hellod.socket:hellod.socket", fds, 3, matched, 7);
    assert_taken(three, "::", fds, 3, matched, 7);
    assert_taken(three, "hellod.socket:a", fds, 2, matched, 5); /* b is left to be bound */
}

static void test_internet(void **state)
{
    int tcp = internet_socket(SOCK_STREAM, "127.0.0.1", false, false);
    int udp = internet_socket(SOCK_DGRAM, "127.0.0.1", false, true);
    static const unsigned matched[] = {1, 0};

    (void) state;
    if (udp < 0)
        skip(); /* the port is somebody else's */
    assert_taken(
        "listen = ( { name = \"a\"; protocol = \"p\"; address = \"127.0.0.1\"; port = #; },\n"
        "{ name = \"b\"; protocol = \"p\"; type = \"datagram\"; address = \"127.0.0.1\"; port = #; } );",
        NULL, (const int[]){udp, tcp}, 2, matched, 3);
    assert_taken("listen = ( { name = \"a\"; protocol = \"p\"; address = \"127.0.0.1\"; port = 0; } );", NULL,
                 &tcp, 1, matched + 1, 1); /* port 0: any */
}

/* Two listeners whom both sockets would fit: each gets one. */
static void test_any_port_twice(void **state)
{
    int fds[] = {internet_socket(SOCK_STREAM, "127.0.0.1", false, false),
                 internet_socket(SOCK_STREAM, "127.0.0.1", false, false)};
    static const unsigned matched[] = {0, 1};

    (void) state;
    assert_taken("listen = ( { name = \"a\"; protocol = \"p\"; address = \"127.0.0.1\"; port = 0; },\n"
                 "{ name = \"b\"; protocol = \"p\"; address = \"127.0.0.1\"; port = 0; } );",
                 NULL, fds, 2, matched, 3);
}

static void test_both_families(void **state)
{
    int both = internet_socket(SOCK_STREAM, "::", false, false);
    static const unsigned matched[] = {1, 0};

    (void) state;
    if (both < 0)
        skip();
    assert_taken(everywhere, "a", &both, 1, matched, 3);
    assert_refused(
        "listen = ( { name = \"a\"; protocol = \"p\";\n address = \"::\"; port = #; } );", "a", &both, 1,
        "<3>passed socket 3 (\"a\", tcp [::]:#) takes IPv4 too, which listener \"a\" does not want: change "
        "t.conf:2 to address = \"*\", or set BindIPv6Only=ipv6-only in the socket unit\n");
    close_sockets(NULL);
    int six = internet_socket(SOCK_STREAM, "::", true, false);
    assert_taken(everywhere, "a", &six, 1, matched, 2);
    int four = internet_socket(SOCK_STREAM, "0.0.0.0", false, true);
    if (four >= 0)
        assert_taken(everywhere, "a:a", (const int[]){six, four}, 2, matched, 3);
}

static void test_wrong_type(void **state)
{
    int fd = local_socket(SOCK_DGRAM, "-a", false);

    (void) state;
    assert_refused(
        three, "a", &fd, 1,
        "<3>passed socket 3 (\"a\", unix datagram @$-a) has another type than listener \"a\", which wants "
        "unix stream @$-a: change t.conf:2, or ListenDatagram= in the socket unit\n");
    assert_refused(
        three, NULL, &fd, 1,
        "<3>passed socket 3 (\"unknown\", unix datagram @$-a) matches no listener: add one to t.conf, or "
        "take its ListenDatagram= line out of the socket unit\n");
}

static void test_wrong_address(void **state)
{
    int fd = local_socket(SOCK_STREAM, "-other", true);
    int tcp = internet_socket(SOCK_STREAM, "127.0.0.1", false, false);

    (void) state;
    assert_refused(
        three, "a", &fd, 1,
        "<3>passed socket 3 (\"a\", unix stream @$-other) has another address than listener \"a\", which "
        "wants unix stream @$-a: change t.conf:3, or ListenStream= in the socket unit\n");
    assert_refused(
        three, "a", &tcp, 1,
        "<3>passed socket 3 (\"a\", tcp 127.0.0.1:#) has another address family than listener \"a\", which "
        "wants unix stream @$-a: change t.conf:3, or ListenStream= in the socket unit\n");
    assert_refused(
        "listen = ( { name = \"a\"; protocol = \"p\";\naddress = \"127.0.0.1\";\nport = 1; } );", "a", &tcp,
        1,
        "<3>passed socket 3 (\"a\", tcp 127.0.0.1:#) has another port than listener \"a\", which wants "
        "tcp 127.0.0.1:1: change t.conf:3, or ListenStream= in the socket unit\n");
    assert_refused(
        "listen = ( { name = \"a\"; protocol = \"p\";\naddress = \"127.0.0.2\";\nport = #; } );", "a", &tcp,
        1,
        "<3>passed socket 3 (\"a\", tcp 127.0.0.1:#) has another address than listener \"a\", which wants "
        "tcp 127.0.0.2:#: change t.conf:2, or ListenStream= in the socket unit\n");
}

static void test_not_listening(void **state)
{
    int fd = local_socket(SOCK_STREAM, "-a", false);

    (void) state;
    assert_refused(
        three, NULL, &fd, 1,
        "<3>passed socket 3 (\"unknown\", unix stream @$-a) for listener \"a\" (t.conf:2) is not listening: "
        "it must come from ListenStream= of a socket unit with Accept=no\n");
}

/* All that is wrong is said at once, and the good ones are closed with the others. */
static void test_several_wrongs(void **state)
{
    int ends[2], good = local_socket(SOCK_STREAM, "-a", true);

    (void) state;
    assert_int_equal(pipe(ends), 0);
    int in = keep(ends[0]), out = keep(ends[1]);
    assert_refused(
        three, "x:a:a:y", (const int[]){in, good, good, out}, 4,
        "<3>passed descriptor 3 (\"x\") is not a socket: take it out of the unit that passes it\n"
        "<3>passed socket 5 (\"a\", unix stream @$-a) is a second one for listener \"a\" (t.conf:2): take "
        "one "
        "out of the socket unit\n"
        "<3>passed descriptor 6 (\"y\") is not a socket: take it out of the unit that passes it\n");
}

static void test_environment_that_contradicts(void **state)
{
    static const struct {
        const char *pid, *fds, *names;
        int error;
    } rows[] = {{NULL, NULL, "a:b", EINVAL},        {NULL, "2", NULL, EBADF},  {NULL, "0", NULL, EINVAL},
                {NULL, "-1", NULL, EINVAL},         {NULL, "x", NULL, EINVAL}, {"x", NULL, NULL, EINVAL},
                {NULL, "99999999999", NULL, ERANGE}};

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[1024], said[512];
        struct offer offer = {.config = expand(three, text),
                              .fds = {local_socket(SOCK_STREAM, "-a", true)},
                              .count = 1,
                              .pid = rows[i].pid,
                              .listen_fds = rows[i].fds,
                              .names = rows[i].names};
        const struct outcome *outcome = offer_to_child(&offer);
        close_sockets(NULL);
        assert_int_equal(outcome->status, 0);
        assert_int_equal(outcome->result, -1);
        assert_int_equal(outcome->met, 0);
        snprintf(
            said, sizeof(said),
            "<3>the passed sockets cannot be used: LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES do not agree "
            "with each other or with the descriptors: %s\n",
            strerror(rows[i].error));
        assert_string_equal(outcome->said, said);
    }
}

#define TEST(name) cmocka_unit_test_teardown(name, close_sockets)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_nothing_is_passed), TEST(test_by_name_and_without), TEST(test_internet),
        TEST(test_both_families),     TEST(test_wrong_type),          TEST(test_wrong_address),
        TEST(test_not_listening),     TEST(test_several_wrongs),      TEST(test_environment_that_contradicts),
        TEST(test_any_port_twice),
    };

    return cmocka_run_group_tests_name("activation", tests, name_our_sockets, NULL);
}
