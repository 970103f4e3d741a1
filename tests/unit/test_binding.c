/* Internet sockets of our own binding, made for real on loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "base/addr.h"
#include "binding_help.h"

static int option(int fd, int level, int name)
{
    int value = -1;
    socklen_t length = sizeof(value);

    getsockopt(fd, level, name, &value, &length);
    return value;
}

static struct binding at(const char *host, uint16_t port, int type)
{
    struct binding binding = {.type = type, .backlog = 10};

    binding.length = addr_parse(host, port, &binding.address);
    assert_int_not_equal(binding.length, 0);
    return binding;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t length = sizeof(address);

    assert_int_equal(getsockname(fd, (struct sockaddr *) &address, &length), 0);
    return addr_port((const struct sockaddr *) &address);
}

static bool has_ipv6(void)
{
    struct binding binding = at("::1", 0, SOCK_STREAM);
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool has = fd >= 0 && bind(fd, (const struct sockaddr *) &binding.address, binding.length) == 0;

    if (fd >= 0)
        close(fd);
    return has;
}

static void test_stream(void **state)
{
    struct binding binding = at("127.0.0.1", 0, SOCK_STREAM);
    int fd = open_one(&binding);

    (void) state;
    assert_tuned(fd);
    assert_int_not_equal(port_of(fd), 0);
    assert_int_equal(option(fd, SOL_SOCKET, SO_ACCEPTCONN), 1);
    assert_int_equal(option(fd, SOL_SOCKET, SO_REUSEPORT), 0);
    assert_int_equal(option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
    close(fd);
}

static void test_datagram(void **state)
{
    struct binding binding = at("127.0.0.1", 0, SOCK_DGRAM);
    int fd = open_one(&binding);

    (void) state;
    assert_tuned(fd);
    assert_int_equal(option(fd, SOL_SOCKET, SO_REUSEADDR), 0);
    assert_int_equal(option(fd, IPPROTO_IP, IP_PKTINFO), 1);
    close(fd);
}

/* Both families on one port, each with its own socket. */
static void test_families_do_not_meet(void **state)
{
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM};

    (void) state;
    if (!has_ipv6())
        skip();
    for (size_t i = 0; i < 2; i++) {
        bool met = false;
        for (unsigned tries = 0; !met && tries < 20; tries++) {
            struct binding ipv6 = at("::", 0, types[i]);
            struct binding_path path = {.path = ""};
            int six = open_one(&ipv6), four;
            assert_tuned(six);
            assert_int_equal(option(six, IPPROTO_IPV6, IPV6_V6ONLY), 1);
            if (types[i] == SOCK_DGRAM) {
                assert_int_equal(option(six, IPPROTO_IPV6, IPV6_RECVPKTINFO), 1);
                assert_int_equal(option(six, IPPROTO_IP, IP_PKTINFO), 1);
            }
            /* The port may happen to be somebody else's over IPv4. */
            struct binding ipv4 = at("0.0.0.0", port_of(six), types[i]);
            met = binding_open(&ipv4, &four, 1, &path) == 0;
            if (met)
                close(four);
            close(six);
        }
        assert_true(met);
    }
}

static void test_address_of_somebody_else(void **state)
{
    static const char *const hosts[] = {"192.0.2.77", "2001:db8::77"};

    (void) state;
    for (size_t i = 0; i < (has_ipv6() ? 2 : 1); i++) {
        struct binding binding = at(hosts[i], 0, SOCK_STREAM);
        assert_refused(&binding, 1, EADDRNOTAVAIL);
        binding.foreign = true;
        close(open_one(&binding));
    }
}

static void test_group(void **state)
{
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM};

    (void) state;
    for (size_t i = 0; i < 2; i++) {
        struct binding binding = at("127.0.0.1", 0, types[i]);
        struct binding_path path = {.path = ""};
        unsigned before = count_open();
        int fds[4];
        assert_int_equal(binding_open(&binding, fds, 4, &path), 0);
        assert_int_equal(count_open(), before + 4);
        for (unsigned j = 0; j < 4; j++) {
            assert_tuned(fds[j]);
            assert_int_equal(option(fds[j], SOL_SOCKET, SO_REUSEPORT), 1);
            assert_int_equal(port_of(fds[j]), port_of(fds[0]));
            assert_true(j == 0 || fds[j] != fds[j - 1]);
        }
        for (unsigned j = 0; j < 4; j++)
            close(fds[j]);
    }
}

/* A port that somebody has is refused, however many sockets either side has. */
static void test_second_instance(void **state)
{
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM};

    (void) state;
    for (size_t i = 0; i < 2; i++) {
        for (unsigned count = 1; count <= 3; count += 2) {
            struct binding binding = at("127.0.0.1", 0, types[i]);
            struct binding_path path = {.path = ""};
            int fds[3];
            assert_int_equal(binding_open(&binding, fds, count, &path), 0);
            struct binding same = at("127.0.0.1", port_of(fds[0]), types[i]);
            assert_refused(&same, 1, EADDRINUSE);
            assert_refused(&same, 4, EADDRINUSE);
            for (unsigned j = 0; j < count; j++)
                close(fds[j]);
            close(open_one(&same)); /* and free again */
            assert_int_equal(binding_open(&same, fds, 3, &path), 0);
            for (unsigned j = 0; j < 3; j++)
                close(fds[j]);
        }
    }
}

/* Connections of before that still wait in the kernel do not keep a restarted service from its port. */
static void test_restart_with_old_connections(void **state)
{
    struct binding binding = at("127.0.0.1", 0, SOCK_STREAM);
    int fd = open_one(&binding), client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void) state;
    binding = at("127.0.0.1", port_of(fd), SOCK_STREAM);
    assert_int_equal(connect(client, (const struct sockaddr *) &binding.address, binding.length), 0);
    int server = accept(fd, NULL, NULL);
    assert_true(server >= 0);
    close(server); /* who closes first waits */
    close(client);
    close(fd);
    close(open_one(&binding));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stream),
        cmocka_unit_test(test_datagram),
        cmocka_unit_test(test_families_do_not_meet),
        cmocka_unit_test(test_address_of_somebody_else),
        cmocka_unit_test(test_group),
        cmocka_unit_test(test_second_instance),
        cmocka_unit_test(test_restart_with_old_connections),
    };

    return cmocka_run_group_tests_name("binding", tests, NULL, NULL);
}
