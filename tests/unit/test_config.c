/* The config loader with what is right: values, defaults, and where each came from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/config.h"
#include "config_help.h"

static void defaults_are_those_of_the_design(void **state)
{
    struct config *config = good_config_of("");

    assert_string_equal(config->user, "hellod");
    assert_string_equal(config->group, "hellod");
    assert_int_equal(config->activation, CONFIG_ACTIVATION_AUTO);
    assert_int_equal(config->sandbox, CONFIG_SANDBOX_ENFORCE);
    assert_string_equal(config->control, "/run/hellod/control");
    assert_in_range(config->workers, 1, 256);
    assert_int_equal(config->limits.connections, 4096);
    assert_int_equal(config->limits.per_source, 64);
    assert_int_equal(config->limits.per_prefix, 1024);
    assert_true(config->limits.idle_timeout == 300.0 && config->limits.write_timeout == 10.0);
    assert_true(config->limits.drain_timeout == 10.0 && config->limits.penalty == 600.0);
    assert_int_equal(config->log_level, CONFIG_LOG_INFO);
    assert_false(config->log_access);
    assert_int_equal(config->exempt.count, 2);
    assert_int_equal(config->exempt.list[0].bits, 96 + 8);
    assert_int_equal(config->exempt.list[0].address[12], 127);
    assert_int_equal(config->exempt.list[1].bits, 128);
    assert_int_equal(config->exempt.list[1].address[15], 1);
    assert_string_equal(place_of(config, "limits.connections"), "default");
    assert_string_equal(place_of(config, "listen"), "default");
    config_free(config);
    config_free(NULL);
    (void) state;
}

static void default_listeners_are_greeting_and_hello(void **state)
{
    struct config *config = good_config_of("");
    const struct config_listener *one = &config->listeners[0], *two = &config->listeners[1];
    char where[64];

    assert_int_equal(config->listener_count, 2);
    assert_string_equal(one->name, "greeting");
    assert_string_equal(one->protocol, "greeting");
    assert_int_equal(one->type, CONFIG_STREAM);
    assert_string_equal(two->name, "hello");
    assert_string_equal(two->protocol, "hello");
    assert_int_equal(two->type, CONFIG_DATAGRAM);
    for (unsigned i = 0; i < 2; i++) {
        const struct config_listener *listener = &config->listeners[i];
        assert_string_equal(listener->address, "*");
        assert_int_equal(listener->port, 3288);
        assert_string_equal(listener->path, "");
        assert_int_equal(listener->framing, CONFIG_FRAMING_AUTO);
        assert_true(listener->delay == 0.0);
        assert_string_equal(listener->prompt, "What's your name?");
        assert_string_equal(listener->answer, "Hello, %s!");
        assert_string_equal(listener->farewell, "disconnect");
        assert_int_equal(listener->backlog, 4096);
        assert_false(listener->per_worker);
        assert_int_equal(listener->message_size, 1024);
        assert_true(listener->guard.empty && listener->guard.port && listener->guard.source);
        assert_true(listener->guard.destination && listener->guard.reply && listener->guard.text);
    }
    assert_string_equal(config_where(config, one, CONFIG_KEY_PORT, where, sizeof(where)), "t.conf");
    config_free(config);
    (void) state;
}

static void every_global_is_taken(void **state)
{
    struct config *config =
        good_config_of("workers = 7; user = \"u\"; group = \"g\"; activation = \"require\"; sandbox = "
                       "\"log\"; exempt = [];\n"
                       "control = \"/c\";\n"
                       "limits = { connections = 1; per_source = 2; per_prefix = 3; idle_timeout = 4;\n"
                       "  write_timeout = 0.1; drain_timeout = 1.5; penalty = 0; };\n"
                       "log = { level = \"debug\"; access = true; };\n");

    assert_int_equal(config->workers, 7);
    assert_string_equal(config->user, "u");
    assert_string_equal(config->group, "g");
    assert_int_equal(config->activation, CONFIG_ACTIVATION_REQUIRE);
    assert_int_equal(config->sandbox, CONFIG_SANDBOX_LOG);
    assert_string_equal(config->control, "/c");
    assert_int_equal(config->exempt.count, 0);
    assert_int_equal(config->limits.connections, 1);
    assert_int_equal(config->limits.per_source, 2);
    assert_int_equal(config->limits.per_prefix, 3);
    assert_true(config->limits.idle_timeout == 4.0 && config->limits.write_timeout == 0.1);
    assert_true(config->limits.drain_timeout == 1.5 && config->limits.penalty == 0.0);
    assert_int_equal(config->log_level, CONFIG_LOG_DEBUG);
    assert_true(config->log_access);
    config_free(config);
    (void) state;
}

/* Where the control socket is when RUNTIME_DIRECTORY is FOLDER and the file has TEXT. */
static void check_control(const char *folder, const char *text, const char *wanted)
{
    setenv("RUNTIME_DIRECTORY", folder, 1);
    struct config *config = good_config_of(text);

    unsetenv("RUNTIME_DIRECTORY");
    assert_string_equal(config->control, wanted);
    assert_int_equal(config_is_set(config, "control"), *text != '\0');
    config_free(config);
}

static void control_is_in_the_runtime_directory_unless_set(void **state)
{
    char longest[100], longer[101], wanted[CONFIG_PATH_MAX + 1];

    (void) state;
    check_control("/run/two", "", "/run/two/control");
    check_control("/run/two:/run/three", "", "/run/two/control");
    check_control("/run/two", "control = \"/c\";", "/c");
    check_control("/run/two", "control = \"\";", "");
    /* Not what a service manager would say. */
    check_control("", "", "/run/hellod/control");
    check_control("here", "", "/run/hellod/control");
    snprintf(longest, sizeof(longest), "/%098d", 0);
    snprintf(wanted, sizeof(wanted), "%s/control", longest);
    assert_int_equal(strlen(wanted), CONFIG_PATH_MAX);
    check_control(longest, "", wanted);
    snprintf(longer, sizeof(longer), "/%099d", 0);
    check_control(longer, "", "/run/hellod/control");
}

static void every_option_of_a_listener_is_taken(void **state)
{
    struct config *config =
        good_config_of("listen = ( { name = \"n.-_1\"; protocol = \"p\"; type = \"datagram\";\n"
                       "  address = \"fe80::1%eth0\"; port = 0; framing = \"line\"; delay = 1; \n"
                       "  prompt = \"\"; answer = \"a\"; farewell = \"f\"; backlog = 5; per_worker = true;\n"
                       "  message_size = 6; guard = { empty = false; port = false; source = false;\n"
                       "    destination = false; reply = false; text = false; }; } );\n");
    const struct config_listener *listener = &config->listeners[0];

    assert_int_equal(config->listener_count, 1);
    assert_string_equal(listener->name, "n.-_1");
    assert_string_equal(listener->protocol, "p");
    assert_int_equal(listener->type, CONFIG_DATAGRAM);
    assert_string_equal(listener->address, "fe80::1%eth0");
    assert_int_equal(listener->port, 0);
    assert_int_equal(listener->framing, CONFIG_FRAMING_LINE);
    assert_true(listener->delay == 1.0);
    assert_string_equal(listener->prompt, "");
    assert_string_equal(listener->answer, "a");
    assert_string_equal(listener->farewell, "f");
    assert_int_equal(listener->backlog, 5);
    assert_true(listener->per_worker);
    assert_int_equal(listener->message_size, 6);
    assert_false(listener->guard.empty || listener->guard.port || listener->guard.source);
    assert_false(listener->guard.destination || listener->guard.reply || listener->guard.text);
    config_free(config);
    (void) state;
}

static void paths_have_neither_address_nor_port(void **state)
{
    struct config *config = good_config_of(
        "listen = ( { name = \"a\"; protocol = \"p\"; path = \"/run/a\"; },\n"
        "{ name = \"b\"; protocol = \"p\"; type = \"seqpacket\"; path = \"@b\"; address = \"\"; } );");

    for (unsigned i = 0; i < 2; i++) {
        assert_string_equal(config->listeners[i].address, "");
        assert_int_equal(config->listeners[i].port, 0);
    }
    assert_string_equal(config->listeners[1].path, "@b");
    config_free(config);
    (void) state;
}

static void origins_name_file_and_line(void **state)
{
    struct config *config = good_config_of("workers = 1;\n"
                                           "limits = {\n"
                                           "  connections = 5;\n"
                                           "};\n"
                                           "listen = (\n"
                                           "  {\n"
                                           "    name = \"a\"; protocol = \"p\";\n"
                                           "    guard = {\n"
                                           "      text = false;\n"
                                           "    };\n"
                                           "  }\n"
                                           ");\n");
    const struct config_listener *listener = &config->listeners[0];
    char where[64], small[4];

    assert_string_equal(place_of(config, "limits.connections"), "t.conf:3");
    assert_string_equal(place_of(config, "limits.per_source"), "default");
    assert_string_equal(place_of(config, "listen"), "t.conf:5");
    assert_string_equal(config_where_set(config, "limits.connections", small, sizeof(small)), "t.c");
    assert_string_equal(config_where(config, listener, CONFIG_KEY_NAME, where, sizeof(where)), "t.conf:7");
    assert_string_equal(config_where(config, listener, CONFIG_KEY_GUARD, where, sizeof(where)), "t.conf:8");
    assert_string_equal(config_where(config, listener, CONFIG_KEY_GUARD_TEXT, where, sizeof(where)),
                        "t.conf:9");
    assert_string_equal(config_where(config, listener, CONFIG_KEY_PORT, where, sizeof(where)), "t.conf:6");
    assert_string_equal(config_where(config, NULL, CONFIG_KEY_PORT, where, sizeof(where)), "t.conf");
    assert_string_equal(config_where(config, NULL, CONFIG_KEY_PORT, small, sizeof(small)), "t.c");
    config_free(config);
    (void) state;
}

static void networks_are_masked_and_mapped(void **state)
{
    static const struct {
        const char *text, *shown;
        unsigned bits;
    } cases[] = {
        {"10.1.2.3/8", "\"10.0.0.0/8\"", 104},
        {"10.1.2.3", "\"10.1.2.3\"", 128},
        {"255.255.255.255/31", "\"255.255.255.254/31\"", 127},
        {"0.0.0.0/0", "\"0.0.0.0/0\"", 96},
        {"2001:db8:ffff::1/33", "\"2001:db8:8000::/33\"", 33},
        {"::/0", "\"::/0\"", 0},
        {"::1", "\"::1\"", 128},
        {"::ffff:1.2.3.4/104", "\"1.0.0.0/8\"", 104},
    };
    char text[128];

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        snprintf(text, sizeof(text), "exempt = ( \"%s\" );", cases[i].text);
        struct config *config = good_config_of(text);
        char *shown = listing_of(config);
        assert_int_equal(config->exempt.count, 1);
        assert_int_equal(config->exempt.list[0].bits, cases[i].bits);
        assert_non_null(strstr(shown, cases[i].shown));
        free(shown);
        config_free(config);
    }
    (void) state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_those_of_the_design),
        cmocka_unit_test(default_listeners_are_greeting_and_hello),
        cmocka_unit_test(every_global_is_taken),
        cmocka_unit_test(control_is_in_the_runtime_directory_unless_set),
        cmocka_unit_test(every_option_of_a_listener_is_taken),
        cmocka_unit_test(paths_have_neither_address_nor_port),
        cmocka_unit_test(origins_name_file_and_line),
        cmocka_unit_test(networks_are_masked_and_mapped),
    };

    unsetenv("RUNTIME_DIRECTORY"); /* of whatever service runs the tests */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
