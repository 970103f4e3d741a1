/* Addresses as text and bytes: known values, edges, and random ones there and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "base/addr.h"
#include "seed.h"

union address {
    struct sockaddr any;
    struct sockaddr_in ipv4;
    struct sockaddr_in6 ipv6;
    struct sockaddr_un local;
    struct sockaddr_storage storage;
};

/* The socket address of HOST and PORT; returns its length. */
static socklen_t make(union address *address, const char *host, uint16_t port)
{
    memset(address, 0, sizeof(*address));
    if (inet_pton(AF_INET, host, &address->ipv4.sin_addr) == 1) {
        address->ipv4.sin_family = AF_INET;
        address->ipv4.sin_port = htons(port);
        return sizeof(address->ipv4);
    }
    assert_int_equal(inet_pton(AF_INET6, host, &address->ipv6.sin6_addr), 1);
    address->ipv6.sin6_family = AF_INET6;
    address->ipv6.sin6_port = htons(port);
    return sizeof(address->ipv6);
}

/* A local address of the LENGTH bytes at PATH and no more. */
static socklen_t make_local(union address *address, const char *path, size_t length)
{
    memset(address, 0, sizeof(*address));
    address->local.sun_family = AF_UNIX;
    memcpy(address->local.sun_path, path, length);
    return (socklen_t) (offsetof(struct sockaddr_un, sun_path) + length);
}

static void assert_text(const union address *address, socklen_t length, const char *expected)
{
    char text[ADDR_TEXT_MAX];

    assert_ptr_equal(addr_text(&address->any, length, text), text);
    assert_string_equal(text, expected);
}

static void assert_peer_text(const union address *address, const char *expected)
{
    struct addr_peer peer = addr_peer(&address->any);
    char text[ADDR_TEXT_MAX];

    assert_ptr_equal(addr_peer_text(&peer, text), text);
    assert_string_equal(text, expected);
}

static void test_internet_text(void **state)
{
    static const struct {
        const char *host;
        uint16_t port;
        const char *text, *peer_text;
    } rows[] = {
        {"127.0.0.1", 3288, "127.0.0.1:3288", "127.0.0.1:3288"},
        {"0.0.0.0", 0, "0.0.0.0:0", "0.0.0.0:0"},
        {"255.255.255.255", 65535, "255.255.255.255:65535", "255.255.255.255:65535"},
        {"::1", 3288, "[::1]:3288", "[::1]:3288"},
        {"::", 1, "[::]:1", "[::]:1"},
        {"2001:db8:1:2:3:4:5:6", 65535, "[2001:db8:1:2:3:4:5:6]:65535", "[2001:db8:1:2:3:4:5:6]:65535"},
        /* As a peer it is the IPv4 client that it is. */
        {"::ffff:192.0.2.7", 80, "[::ffff:192.0.2.7]:80", "192.0.2.7:80"},
        {"::192.0.2.7", 80, "[::192.0.2.7]:80", "[::192.0.2.7]:80"},
    };
    union address address;

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        socklen_t length = make(&address, rows[i].host, rows[i].port);
        assert_text(&address, length, rows[i].text);
        assert_peer_text(&address, rows[i].peer_text);
        assert_int_equal(addr_port(&address.any), rows[i].port);
    }
}

static void test_local_text(void **state)
{
    char path[109] = "/run/", name[110] = "@";
    union address address;

    (void) state;
    assert_text(&address, make_local(&address, "/run/hello", 11), "/run/hello");
    assert_text(&address, make_local(&address, "/run/hello", 10), "/run/hello"); /* the NUL is not counted */
    assert_text(&address, make_local(&address, "\0name", 5), "@name");
    assert_text(&address, make_local(&address, "\0", 1), "@");
    assert_text(&address, make_local(&address, "", 0), "unnamed");
    assert_int_equal(addr_port(&address.any), 0);
    assert_peer_text(&address, "local");
    /* The longest: all of sun_path. The kernel counts a NUL behind it that has no room there (unix(7)). */
    memset(path + 5, 'x', 103);
    assert_text(&address, make_local(&address, path, 108), path);
    assert_text(&address, make_local(&address, path, 108) + 1, path);
    memset(name + 1, 'x', 107);
    path[0] = '\0';
    memset(path + 1, 'x', 107);
    assert_text(&address, make_local(&address, path, 108), name);
}

static void test_interface_of_link_local(void **state)
{
    union address address;
    socklen_t length = make(&address, "fe80::1", 7);
    struct sockaddr_storage store;

    (void) state;
    assert_text(&address, length, "[fe80::1]:7");
    address.ipv6.sin6_scope_id = if_nametoindex("lo");
    if (address.ipv6.sin6_scope_id == 0)
        skip();
    assert_text(&address, length, "[fe80::1%lo]:7");
    assert_int_equal(addr_parse("fe80::1%lo", 7, &store), sizeof(struct sockaddr_in6));
    assert_memory_equal(&store, &address, sizeof(struct sockaddr_in6));
}

static void test_other_family(void **state)
{
    union address address;

    (void) state;
    memset(&address, 0xff, sizeof(address));
    address.any.sa_family = AF_UNSPEC;
    assert_text(&address, sizeof(address.any), "local");
    assert_int_equal(addr_port(&address.any), 0);
}

static void test_peer_is_one_source(void **state)
{
    union address plain, mapped;

    (void) state;
    make(&plain, "192.0.2.7", 40000);
    make(&mapped, "::ffff:192.0.2.7", 40000);
    struct addr_peer a = addr_peer(&plain.any), b = addr_peer(&mapped.any);
    assert_memory_equal(a.address, b.address, sizeof(a.address));
    assert_int_equal(a.port, 40000);
    assert_int_equal(b.port, 40000);
    assert_true(a.is_internet && b.is_internet && addr_is_ipv4(a.address));
}

static void test_is_ipv4(void **state)
{
    static const char *const not_mapped[] = {"::1", "::192.0.2.7", "1::ffff:192.0.2.7", "::fffe:192.0.2.7"};
    uint8_t bytes[16];

    (void) state;
    inet_pton(AF_INET6, "::ffff:0.0.0.0", bytes);
    assert_true(addr_is_ipv4(bytes));
    for (size_t i = 0; i < sizeof(not_mapped) / sizeof(not_mapped[0]); i++) {
        inet_pton(AF_INET6, not_mapped[i], bytes);
        assert_false(addr_is_ipv4(bytes));
    }
}

/* Bit by bit. */
static bool naive_same_prefix(const uint8_t a[16], const uint8_t b[16], unsigned bits)
{
    for (unsigned i = 0; i < bits; i++)
        if (((a[i / 8] ^ b[i / 8]) >> (7 - i % 8) & 1) != 0)
            return false;
    return true;
}

static void test_network_text(void **state)
{
    static const struct {
        const char *address;
        unsigned bits;
        const char *text;
    } rows[] = {{"::ffff:203.0.113.9", 120, "203.0.113.0/24"},
                {"::ffff:203.0.113.9", 128, "203.0.113.9"},
                {"::ffff:203.0.113.9", 127, "203.0.113.8/31"},
                {"::ffff:203.0.113.9", 96, "0.0.0.0/0"},
                {"::ffff:203.0.113.9", 95, "::fffe:0:0/95"},
                {"2001:db8:1:2:3:4:5:6", 48, "2001:db8:1::/48"},
                {"2001:db8:1:2:3:4:5:6", 64, "2001:db8:1:2::/64"},
                {"2001:db8:1:2:3:4:5:6", 128, "2001:db8:1:2:3:4:5:6"},
                {"2001:db8:1:2:3:4:5:6", 0, "::/0"}};

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t address[16];
        char text[ADDR_TEXT_MAX];
        assert_int_equal(inet_pton(AF_INET6, rows[i].address, address), 1);
        assert_string_equal(addr_network_text(address, rows[i].bits, text), rows[i].text);
    }
}

static void test_same_prefix(void **state)
{
    struct seed seed = seed_start();

    (void) state;
    for (unsigned round = 0; round < 2000; round++) {
        uint8_t a[16], b[16];
        for (size_t i = 0; i < 16; i++)
            a[i] = (uint8_t) seed_next(&seed);
        memcpy(b, a, 16);
        size_t differing = seed_below(&seed, 129);
        if (differing < 128)
            b[differing / 8] ^= (uint8_t) (0x80u >> differing % 8);
        for (unsigned bits = 0; bits <= 128; bits++)
            if (addr_same_prefix(a, b, bits) != naive_same_prefix(a, b, bits))
                fail_msg("%u bits of addresses that differ in bit %zu", bits, differing);
    }
}

static void test_parse_refuses(void **state)
{
    static const char *const bad[] = {
        "",          "localhost", "1.2.3.4.5", "256.0.0.1", "1.2.3.4:80",
        "1.2.3.4/8", "::g",       "[::1]",     ":::",       "1::2::3",
        "::1/64",    " ::1",      "::1 ",      "12345::",   "fe80::1%no-such-interface-here"};
    struct sockaddr_storage store;

    (void) state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (addr_parse(bad[i], 80, &store) != 0)
            fail_msg("\"%s\" is taken for an address", bad[i]);
}

static void test_there_and_back(void **state)
{
    struct seed seed = seed_start();

    (void) state;
    for (unsigned round = 0; round < 1000; round++) {
        union address address = {0}, parsed = {0};
        char host[INET6_ADDRSTRLEN];
        bool ipv6 = seed_below(&seed, 2) == 1;
        uint16_t port = (uint16_t) seed_next(&seed);
        uint8_t bytes[16];
        for (size_t i = 0; i < sizeof(bytes); i++) /* many zeros, for the short forms */
            bytes[i] = seed_below(&seed, 3) > 0 ? 0 : (uint8_t) seed_next(&seed);
        if (bytes[0] == 0xfe || bytes[0] == 0xff)
            bytes[0] = 0x20; /* link-local and multicast addresses may need an interface */
        inet_ntop(ipv6 ? AF_INET6 : AF_INET, bytes, host, sizeof(host));
        socklen_t length = make(&address, host, port);
        assert_int_equal(addr_parse(host, port, &parsed.storage), length);
        assert_memory_equal(&parsed, &address, length);
        char expected[ADDR_TEXT_MAX];
        snprintf(expected, sizeof(expected), ipv6 ? "[%s]:%u" : "%s:%u", host, port);
        assert_text(&parsed, length, expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_internet_text),
        cmocka_unit_test(test_local_text),
        cmocka_unit_test(test_interface_of_link_local),
        cmocka_unit_test(test_other_family),
        cmocka_unit_test(test_peer_is_one_source),
        cmocka_unit_test(test_is_ipv4),
        cmocka_unit_test(test_network_text),
        cmocka_unit_test(test_same_prefix),
        cmocka_unit_test(test_parse_refuses),
        cmocka_unit_test(test_there_and_back),
    };

    return cmocka_run_group_tests_name("addr", tests, NULL, NULL);
}
