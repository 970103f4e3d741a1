/* Which sockets a config asks for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "config_help.h"
#include "master/wanted.h"

static struct wanted wanted[PLAN_SOCKETS_MAX];

/* What the one listener with OPTIONS wants. */
static unsigned want(const char *options)
{
    char text[512];

    snprintf(text, sizeof(text), "listen = ( { name = \"a\"; protocol = \"p\"; %s } );", options);
    struct config *config = good_config_of(text);
    unsigned count = wanted_list(config, wanted);
    config_free(config);
    return count;
}

static void assert_wanted(const struct wanted *one, const char *expected)
{
    char text[WANTED_TEXT_MAX];

    assert_ptr_equal(wanted_text(one->binding.type, (const struct sockaddr *) &one->binding.address,
                                 one->binding.length, text),
                     text);
    assert_string_equal(text, expected);
    assert_false(one->met);
}

static void test_everywhere_is_two(void **state)
{
    (void) state;
    assert_int_equal(want(""), 2);
    assert_wanted(&wanted[0], "tcp 0.0.0.0:3288");
    assert_wanted(&wanted[1], "tcp [::]:3288");
    for (unsigned i = 0; i < 2; i++) {
        assert_true(wanted[i].optional);
        assert_false(wanted[i].binding.foreign);
        assert_int_equal(wanted[i].listener, 0);
        assert_int_equal(wanted[i].binding.backlog, 4096);
        assert_int_equal(wanted[i].binding.type, SOCK_STREAM);
    }
    assert_int_equal(wanted[0].binding.length, sizeof(struct sockaddr_in));
    assert_int_equal(wanted[1].binding.length, sizeof(struct sockaddr_in6));
}

static void test_one_address(void **state)
{
    static const struct {
        const char *options, *text;
    } rows[] = {{"address = \"127.0.0.1\"; port = 0;", "tcp 127.0.0.1:0"},
                {"address = \"::1\"; port = 65535; type = \"datagram\";", "udp [::1]:65535"},
                {"address = \"0.0.0.0\";", "tcp 0.0.0.0:3288"},
                {"address = \"::\";", "tcp [::]:3288"},
                {"address = \"fe80::1%lo\"; type = \"datagram\";", "udp [fe80::1%lo]:3288"}};

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(want(rows[i].options), 1);
        assert_wanted(&wanted[0], rows[i].text);
        assert_false(wanted[0].optional);
        assert_true(wanted[0].binding.foreign);
    }
}

/* The config takes it, since the interface may come later; there is nothing to bind until it does. */
static void test_interface_that_is_not_there(void **state)
{
    (void) state;
    assert_int_equal(want("address = \"fe80::1%no-such-one\";"), 1);
    assert_int_equal(wanted[0].binding.length, 0);
    assert_false(wanted[0].optional);
}

static void test_paths(void **state)
{
    static const struct {
        const char *options, *text;
        int type;
        size_t length; /* of the name, as the kernel counts it */
        const char *name;
    } rows[] = {
        {"path = \"/run/a\";", "unix stream /run/a", SOCK_STREAM, 7, "/run/a"},
        {"path = \"/run/a\"; type = \"datagram\";", "unix datagram /run/a", SOCK_DGRAM, 7, "/run/a"},
        {"path = \"/run/a\"; type = \"seqpacket\";", "unix seqpacket /run/a", SOCK_SEQPACKET, 7, "/run/a"},
        {"path = \"@a\"; backlog = 3;", "unix stream @a", SOCK_STREAM, 2, "\0a"}};

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sockaddr_un local;
        assert_int_equal(want(rows[i].options), 1);
        assert_wanted(&wanted[0], rows[i].text);
        memcpy(&local, &wanted[0].binding.address, sizeof(local));
        assert_int_equal(local.sun_family, AF_UNIX);
        assert_memory_equal(local.sun_path, rows[i].name, rows[i].length);
        assert_int_equal(wanted[0].binding.type, rows[i].type);
        assert_int_equal(wanted[0].binding.length, offsetof(struct sockaddr_un, sun_path) + rows[i].length);
        assert_false(wanted[0].optional);
        assert_false(wanted[0].binding.foreign);
    }
    assert_int_equal(wanted[0].binding.backlog, 3);
}

static void test_longest_paths(void **state)
{
    char path[CONFIG_PATH_MAX + 1], options[CONFIG_PATH_MAX + 32], text[CONFIG_PATH_MAX + 32];

    (void) state;
    memset(path, 'x', sizeof(path));
    path[CONFIG_PATH_MAX] = '\0';
    for (const char *first = "/@"; *first != '\0'; first++) {
        path[0] = *first;
        snprintf(options, sizeof(options), "path = \"%s\";", path);
        snprintf(text, sizeof(text), "unix stream %s", path);
        assert_int_equal(want(options), 1);
        assert_wanted(&wanted[0], text);
    }
}

static void test_many_listeners(void **state)
{
    char text[CONFIG_LISTENERS_MAX * 80] = "listen = (", *end = text + strlen(text);

    (void) state;
    for (unsigned i = 0; i < CONFIG_LISTENERS_MAX; i++)
        end +=
            sprintf(end, "%s{ name = \"n%u\"; protocol = \"p\"; port = %u; }", i == 0 ? "" : ",", i, i + 1);
    sprintf(end, ");");
    struct config *config = good_config_of(text);
    assert_int_equal(wanted_list(config, wanted), PLAN_SOCKETS_MAX);
    for (unsigned i = 0; i < PLAN_SOCKETS_MAX; i++) {
        assert_int_equal(wanted[i].listener, i / 2);
        assert_int_equal(addr_port((const struct sockaddr *) &wanted[i].binding.address), i / 2 + 1);
    }
    config_free(config);
}

static void test_words_for_other_sockets(void **state)
{
    struct sockaddr_in ipv4 = {.sin_family = AF_INET, .sin_port = htons(7)};
    char text[WANTED_TEXT_MAX];

    (void) state;
    assert_string_equal(wanted_text(SOCK_RAW, (const struct sockaddr *) &ipv4, sizeof(ipv4), text),
                        "socket 0.0.0.0:7");
    assert_string_equal(wanted_text(SOCK_SEQPACKET, (const struct sockaddr *) &ipv4, sizeof(ipv4), text),
                        "seqpacket 0.0.0.0:7");
}

static void test_directives(void **state)
{
    (void) state;
    assert_string_equal(wanted_directive(SOCK_STREAM), "ListenStream=");
    assert_string_equal(wanted_directive(SOCK_DGRAM), "ListenDatagram=");
    assert_string_equal(wanted_directive(SOCK_SEQPACKET), "ListenSequentialPacket=");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everywhere_is_two),
        cmocka_unit_test(test_one_address),
        cmocka_unit_test(test_interface_that_is_not_there),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_longest_paths),
        cmocka_unit_test(test_many_listeners),
        cmocka_unit_test(test_words_for_other_sockets),
        cmocka_unit_test(test_directives),
    };

    return cmocka_run_group_tests_name("wanted", tests, NULL, NULL);
}
