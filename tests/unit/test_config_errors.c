/* The config loader with what is wrong: each error, its words and the line it names. */
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

struct mistake {
    const char *text;
    const char *said; /* without the "t.conf:" before each line */
};

/* SAID without the file's name, which must begin each line. */
static char *strip_name(const char *said)
{
    char *stripped = calloc(1, strlen(said) + 1);

    for (const char *line = said; *line; line = strchr(line, '\n') + 1) {
        assert_memory_equal(line, "t.conf:", 7);
        strncat(stripped, line + 7, (size_t) (strchr(line, '\n') + 1 - line) - 7);
    }
    return stripped;
}

static void check(const struct mistake *mistakes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *said = NULL;
        struct config *config = config_of(mistakes[i].text, &said);
        char *stripped = strip_name(said);
        unsigned lines = 0;
        for (const char *at = said; *at; at++)
            lines += *at == '\n';
        assert_string_equal(stripped, mistakes[i].said);
        assert_int_equal(config_errors(config), lines);
        free(stripped);
        free(said);
        config_free(config);
    }
}

#define CHECK(mistakes) check(mistakes, sizeof(mistakes) / sizeof(*(mistakes)))

static void unknown_keys_are_named_with_the_nearest(void **state)
{
    static const struct mistake mistakes[] = {
        {"usr = 1;", "1: unknown key \"usr\"; did you mean \"user\"?\n"},
        {"\n\ncolour = \"x\";", "3: unknown key \"colour\"\n"},
        {"limits = {\n conections = 1; };",
         "2: unknown key \"limits.conections\"; did you mean \"limits.connections\"?\n"},
        /* Right word, wrong place. */
        {"port = 1;", "1: unknown key \"port\"; did you mean \"listen.port\"?\n"},
        {"idle_timeout = 1;", "1: unknown key \"idle_timeout\"; did you mean \"limits.idle_timeout\"?\n"},
        {"limits = { workers = 1; };", "1: unknown key \"limits.workers\"; did you mean \"workers\"?\n"},
        {"listen = ( { name = \"a\"; protocol = \"p\";\n prt = 1;\n guard = { prt = true; }; } );",
         "2: unknown key \"listen.prt\"; did you mean \"listen.port\"?\n"
         "3: unknown key \"listen.guard.prt\"; did you mean \"listen.guard.port\"?\n"},
        {"listen = ( { name = \"a\"; protocol = \"p\"; guard = { oversize = true; }; } );",
         "1: the guard's rule \"oversize\" cannot be switched off\n"},
        {"listen = ( { name = \"a\"; protocol = \"p\"; guard = { access = false; }; } );",
         "1: the guard's rule \"access\" cannot be switched off\n"},
    };

    CHECK(mistakes);
    (void) state;
}

static void wrong_types_say_what_is_expected(void **state)
{
    static const struct mistake mistakes[] = {
        {"workers = \"1\";", "1: workers must be a whole number, not a string\n"},
        {"workers = 1.0;", "1: workers must be a whole number, not a number with a fraction\n"},
        {"user = 1L;", "1: user must be a string, not a whole number\n"},
        {"activation = true;", "1: activation must be a string, not a truth value\n"},
        {"log = { access = 1; };", "1: log.access must be true or false, not a whole number\n"},
        {"limits = { idle_timeout = []; };", "1: limits.idle_timeout must be a number, not an array\n"},
        {"limits = ();", "1: limits must be a group: { ... }, not a list\n"},
        {"exempt = \"x\";", "1: exempt must be an array of strings: [ ... ], not a string\n"},
        {"listen = { };", "1: listen must be a list of groups: ( { ... }, { ... } ), not a group\n"},
    };

    CHECK(mistakes);
    (void) state;
}

static void values_out_of_range_say_the_range(void **state)
{
    static const struct mistake mistakes[] = {
        {"workers = 257;", "1: workers must be 0..256 processes, not 257\n"},
        {"workers = -1;", "1: workers must be 0..256 processes, not -1\n"},
        {"limits = { connections = 0;\nper_source = 1000001;\nper_prefix = -1; };",
         "1: limits.connections must be 1..1000000 connections, not 0\n"
         "2: limits.per_source must be 0..1000000 connections, not 1000001\n"
         "3: limits.per_prefix must be 0..1000000 connections, not -1\n"},
        {"limits = { idle_timeout = 0.05;\nwrite_timeout = 86400.5;\ndrain_timeout = 3601; };",
         "1: limits.idle_timeout must be 0.1..86400 seconds, not 0.05\n"
         "2: limits.write_timeout must be 0.1..86400 seconds, not 86400.5\n"
         "3: limits.drain_timeout must be 0..3600 seconds, not 3601\n"},
        {"limits = { idle_timeout = 1.0e999; };",
         "1: limits.idle_timeout must be 0.1..86400 seconds, not a number so large\n"},
        {"activation = \"requires\";",
         "1: activation must be \"auto\" or \"require\", not \"requires\"; did you mean \"require\"?\n"},
        {"log = { level = \"all\"; };",
         "1: log.level must be \"err\", \"warning\", \"notice\", \"info\" or \"debug\", not \"all\"\n"},
        {"user = \"\";\ngroup = \"0123456789012345678901234567890123456789012345678901234567890123\";",
         "1: user must be 1..63 bytes, not 0\n2: group must be 1..63 bytes, not 64\n"},
        {"listen = ( { name = \"a\"; protocol = \"p\"; port = 65536;\nbacklog = 0;\nmessage_size = 16385;\n"
         "delay = 60.5; } );",
         "1: port must be 0..65535, not 65536\n2: backlog must be 1..65535 connections, not 0\n"
         "3: message_size must be 1..16384 bytes, not 16385\n4: delay must be 0..60 seconds, not 60.5\n"},
    };

    CHECK(mistakes);
    (void) state;
}

/* libconfig 1.5 takes 4294970584 for 3288. */
static void numbers_never_wrap(void **state)
{
    static const char *const numbers[] = {
        "4294967297", "4294967297L", "4294967297LL",         "2147483647",
        "2147483648", "-4294967295", "99999999999999999999", "0x100000001",
        "0x80000000", "0xFFFFFFFF",  "0x100000001LL",        "00000000004294967297",
    };
    char text[64];

    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
        char *said = NULL;
        snprintf(text, sizeof(text), "workers=%s", numbers[i]);
        struct config *config = config_of(text, &said);
        assert_int_equal(config_errors(config), 1);
        assert_memory_equal(said, "t.conf:1: workers must be 0..256 processes, not ", 48);
        free(said);
        config_free(config);
    }
    (void) state;
}

#define L "listen = ( { name = \"a\"; protocol = \"p\"; "

static void control_is_checked(void **state)
{
    static const struct mistake mistakes[] = {
        {"\ncontrol = true;", "2: control must be a string, not a truth value\n"},
        {"\ncontrol = \"run/control\";", "2: control \"run/control\" must begin with \"/\"\n"},
        {"control = \"@control\";", "1: control \"@control\" must begin with \"/\"\n"},
        {"control = \"/run/\";", "1: control \"/run/\" names no socket\n"},
        {"control = \"/\";", "1: control \"/\" names no socket\n"},
        {"control = \"/..............................................................................."
         "...........................\";",
         ""},
        {"control = \"/..............................................................................."
         "............................\";",
         "1: control must be 0..107 bytes, not 108\n"},
    };

    CHECK(mistakes);
    (void) state;
}

static void listeners_are_checked(void **state)
{
    static const struct mistake mistakes[] = {
        {"listen = ();", "1: listen must be 1..64 listeners, not 0\n"},
        {"listen = ( { },\n5, { name = \"a\"; protocol = \"p\"; }\n,\n\"x\"\n);",
         "1: name must be given\n1: protocol must be given\n"
         "2: a listener must be a group: { ... }, not a whole number\n"
         "4: a listener must be a group: { ... }, not a string\n"},
        {L "}, { \nname = \"a\"; protocol = \"p\"; } );",
         "2: name \"a\" is taken by the listener on t.conf:1\n"},
        {"listen = ( { name = \"a b\"; protocol = \"p\"; } );",
         "1: name \"a b\" may have only letters, digits, \"-\", \"_\" and \".\"\n"},
        {L "address = \"\"; } );", "1: neither address nor path is set\n"},
        {L "\naddress = \"localhost\"; } );",
         "2: address \"localhost\" is neither \"*\" nor a numeric address\n"},
        {L "address = \"1.2.3.4%lo\"; } );",
         "1: address \"1.2.3.4%lo\" is neither \"*\" nor a numeric address\n"},
        {L "address = \"fe80::1%\"; } );",
         "1: address \"fe80::1%\" is neither \"*\" nor a numeric address\n"},
        {L "address = \"::1\";\npath = \"/a\"; } );", "1: address and path cannot both be set\n"},
        {L "path = \"/a\";\nport = 3288; } );", "2: port has no meaning with a path\n"},
        {L "path = \"/a\";\nper_worker = true; } );", "2: per_worker needs an address, not a path\n"},
        {L "path = \"run/a\"; } );", "1: path \"run/a\" must begin with \"/\" or \"@\"\n"},
        {L "path = \"@\"; } );", "1: path \"@\" names no socket\n"},
        {L "\ntype = \"seqpacket\"; } );", "2: type \"seqpacket\" needs a path\n"},
    };

    CHECK(mistakes);
    (void) state;
}

static void networks_are_checked(void **state)
{
    static const struct mistake mistakes[] = {
        {"exempt = [\n\"10.0.0.0/33\",\n\"::1/129\"\n];",
         "2: exempt: \"10.0.0.0/33\" has a number of bits other than 0..32\n"
         "3: exempt: \"::1/129\" has a number of bits other than 0..128\n"},
        {"exempt = [ \"1.2.3.4/\", \"1.2.3.4/+8\" ];",
         "1: exempt: \"1.2.3.4/\" has a number of bits other than 0..32\n"
         "1: exempt: \"1.2.3.4/+8\" has a number of bits other than 0..32\n"},
        /* The element's own line, whatever stands around it. */
        {"user = \"exempt\"; exempt = ( \"1.2.3.4\"\n /* , */ , # ,\n\"1.2.3\"\n,\n5\n,( 1,\n2 )\n,\"x\"\n\n "
         ");",
         "3: exempt: \"1.2.3\" is not an address\n5: exempt: element 3 is not a string\n"
         "6: exempt: element 4 is not a string\n8: exempt: \"x\" is not an address\n"},
        {"exempt = [ \"\" ];", "1: exempt: \"\" is not an address\n"},
        {"listen = ( { name = \"a\"; protocol = \"p\"; allow = [ \"::1\",\n \"::g\" ];\n deny = \"::1\"; } "
         ");",
         "2: allow: \"::g\" is not an address\n3: deny must be an array of strings: [ ... ], not a string\n"},
        {"listen = ( { name = \"a\"; protocol = \"p\"; path = \"/a\";\n allow = [ ];\n deny = [ \"::1\" ]; } "
         ");",
         "2: allow has no meaning with a path\n3: deny has no meaning with a path\n"},
    };

    CHECK(mistakes);
    (void) state;
}

static void lists_have_a_largest_length(void **state)
{
    char text[10001 * 8 + 65 * 64], *at = text, *said = NULL;

    at += sprintf(at, "exempt = [ \"::1\"");
    for (int i = 0; i < 10000; i++)
        at += sprintf(at, ", \"::1\"");
    at += sprintf(at, " ];\nlisten = ( { name = \"a\"; protocol = \"p\"; }");
    for (int i = 0; i < 64; i++)
        at += sprintf(at, ", { name = \"a%d\"; protocol = \"p\"; }", i);
    sprintf(at, " );");
    struct config *config = config_of(text, &said);
    assert_string_equal(said, "t.conf:1: exempt must be 0..10000 networks, not 10001\n"
                              "t.conf:2: listen must be 1..64 listeners, not 65\n");
    assert_int_equal(config->listener_count, 64);
    assert_int_equal(config->exempt.count, 10000);
    config_free(config);
    free(said);
    (void) state;
}

/* failure 54: a parser without bounds can be crashed by what it reads; depth and includes end before it. */
static void structure_is_bounded_before_it_is_parsed(void **state)
{
    static const struct mistake mistakes[] = {
        {"\na = ((((((((((((((((1))))))))))))))));", "2: unknown key \"a\"\n"},
        {"\na = ((((((((((((((((\n(1)))))))))))))))));", "3: groups and lists are nested too deep\n"},
        {"a = \"((((((((((((((((((\"; # ((((((((((((((((((\n/* ((((((((((((((((((( */",
         "1: unknown key \"a\"\n"},
        {"workers = 1;\n  @include \"/etc/passwd\"\n",
         "2: @include is not supported: put such a file into the folder conf.d\n"},
        {"# @include \"x\"\nuser = \"\n@include \\\"x\\\"\";", ""},
        {"workers = 1; /*\nworkers = 2;", "1: this comment is never closed\n"},
        {"\nuser = \"abc\n\n", "2: this string is never closed\n"},
        {"user = \"a\n\\x00b\";", "1: a string cannot hold a NUL byte\n"},
        {"workers = 1,\n\"x\";", "2: a string has no place here\n"},
        {"workers = 1;\nworkers = 2;", "2: duplicate setting name\n"},
        {"workers = 1;\n}", "2: syntax error\n"},
        {"workers = 1 # no newline", ""},
    };

    CHECK(mistakes);
    (void) state;
}

static void nul_bytes_are_refused(void **state)
{
    static const char text[] = "workers = 1;\n\n\0workers = 999;\n";
    char said[128] = "";
    FILE *errors = fmemopen(said, sizeof(said), "w");
    struct config *config = config_parse("t.conf", text, sizeof(text) - 1, errors);

    fclose(errors);
    assert_string_equal(said, "t.conf:3: a NUL byte; is this a text file?\n");
    config_free(config);
    (void) state;
}

/* A config's bytes reach the terminal of whoever checks it. */
static void errors_are_single_clean_lines(void **state)
{
    char *said = NULL;
    struct config *config = config_of(L "address = \"\\x1b[31m\\n\"; } );", &said);

    assert_string_equal(said,
                        "t.conf:1: address \"\\x1b[31m\\x0a\" is neither \"*\" nor a numeric address\n");
    config_free(config);
    free(said);
    (void) state;
}

static void others_can_complain(void **state)
{
    char said[512] = "";
    FILE *errors = fmemopen(said, sizeof(said), "w");
    static const char text[] = "\nlisten = ( { name = \"a\"; protocol = \"p\";\n answer = \"x\"; } );";
    struct config *config = config_parse("t.conf", text, sizeof(text) - 1, errors);
    const struct config_listener *listener = &config->listeners[0];

    config_complain(config, listener, CONFIG_KEY_ANSWER, "answer \"%s\" is odd", listener->answer);
    config_complain(config, listener, CONFIG_KEY_PORT, "port %d is odd", listener->port);
    config_complain(config, NULL, CONFIG_KEY_LISTENER, "all is odd");
    assert_int_equal(config_errors(config), 3);
    config_free(config);
    fclose(errors);
    assert_string_equal(said,
                        "t.conf:3: answer \"x\" is odd\nt.conf:2: port 3288 is odd\nt.conf: all is odd\n");
    (void) state;
}

static void nearest_is_near(void **state)
{
    static const char *const words[] = {"connections", "per_source", "port", "text", NULL};

    assert_string_equal(config_nearest("Conections", words), "connections");
    assert_string_equal(config_nearest("per_soruce", words), "per_source");
    assert_string_equal(config_nearest("prot", words), "port");
    assert_string_equal(config_nearest("port", words), "port");
    assert_null(config_nearest("zebra", words));
    assert_null(config_nearest("", words));
    assert_null(config_nearest("0123456789012345678901234567890123456789012345678901234567890123", words));
    assert_null(config_nearest("port", words + 4));
    (void) state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unknown_keys_are_named_with_the_nearest),
        cmocka_unit_test(wrong_types_say_what_is_expected),
        cmocka_unit_test(values_out_of_range_say_the_range),
        cmocka_unit_test(numbers_never_wrap),
        cmocka_unit_test(control_is_checked),
        cmocka_unit_test(listeners_are_checked),
        cmocka_unit_test(networks_are_checked),
        cmocka_unit_test(lists_have_a_largest_length),
        cmocka_unit_test(structure_is_bounded_before_it_is_parsed),
        cmocka_unit_test(nul_bytes_are_refused),
        cmocka_unit_test(errors_are_single_clean_lines),
        cmocka_unit_test(others_can_complain),
        cmocka_unit_test(nearest_is_near),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
