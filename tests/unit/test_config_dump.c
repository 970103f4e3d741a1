/* The listing of effective values, and the table of options that it is made from. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../lib/config_same.h"
#include "base/config.h"
#include "config_help.h"
#include "seed.h"

/* DUMP must give the values of CONFIG again. */
static void assert_same(const struct config *config, const char *shown)
{
    struct config *again = good_config_of(shown);
    const char *difference = config_difference(config, again);

    if (difference)
        fail_msg("%s differs in\n%s", difference, shown);
    config_free(again);
}

static void listing_gives_the_same_config(void **state)
{
    static const char *const texts[] = {
        "",
        "workers = 0;",
        "listen = ( { name = \"a\"; protocol = \"p\"; path = \"/run/a\"; } );",
        "exempt = [ ];",
        "listen = ( { name = \"a\"; protocol = \"p\"; allow = [ ]; deny = [ \"10.1.2.3/8\", \"::1\" ]; } );",
        "listen = ( { name = \"a\"; protocol = \"p\"; allow = ( \"::/0\" ); } );",
        "limits = { idle_timeout = 0.1; write_timeout = 0.30000000000000004; drain_timeout = 1.0e-300; };",
        "listen = ( { name = \"a\"; protocol = \"a\\\"b\\\\c\\n\\r\\t\\f\\x01\\x7f\\q\xc3\xa9\xff\n#\"; } );",
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        struct config *config = good_config_of(texts[i]);
        char *shown = listing_of(config);
        assert_same(config, shown);
        free(shown);
        config_free(config);
    }
    (void) state;
}

/* Any value that OPTION allows. */
static void randomise(struct seed *seed, const struct option *option, void *base)
{
    char *at = (char *) base + option->offset;
    size_t length;

    switch (option->type) {
    case OPTION_BOOL:
        option_set_number(option, base, (double) seed_below(seed, 2));
        break;
    case OPTION_INT:
        option_set_number(option, base,
                          option->min + (double) seed_below(seed, (size_t) (option->max - option->min) + 1));
        break;
    case OPTION_SECONDS:
        option_set_number(option, base,
                          option->min + (option->max - option->min) * (double) seed_next(seed) / UINT32_MAX);
        break;
    case OPTION_CHOICE:
        for (length = 1; option->choices[length].name;)
            length++;
        option_set_number(option, base, option->choices[seed_below(seed, length)].value);
        break;
    case OPTION_STRING:
        length = (size_t) option->min + seed_below(seed, (size_t) (option->max - option->min) + 1);
        for (size_t i = 0; i < length; i++)
            at[i] = (char) (1 + seed_below(seed, 255));
        at[length] = '\0';
        break;
    default:
        break;
    }
}

static void listing_of_random_values_gives_them_again(void **state)
{
    struct seed seed = seed_start();

    for (int round = 0; round < 300; round++) {
        struct config *config = good_config_of("");
        for (unsigned i = 0; i < CONFIG_GLOBAL_COUNT; i++)
            randomise(&seed, &option_globals[i], config);
        for (unsigned i = CONFIG_KEY_PROTOCOL; i < CONFIG_KEY_COUNT; i++) {
            randomise(&seed, &option_listener[i], &config->listeners[0]);
            config->listeners[0].origin[i].line = 1; /* as if it had been set */
        }
        if (config->workers == 0)
            config->workers = 1;
        /* Words with rules of their own. */
        strcpy(config->control, "/x");
        strcpy(config->listeners[0].address, "::1");
        *config->listeners[0].path = '\0';
        if (config->listeners[0].type == CONFIG_SEQPACKET)
            config->listeners[0].type = CONFIG_STREAM;
        char *shown = listing_of(config);
        assert_same(config, shown);
        free(shown);
        config_free(config);
    }
    (void) state;
}

static void listing_says_range_and_origin(void **state)
{
    struct config *config = good_config_of("workers = 0;\nlog = { access = true; };\n");
    char *shown = listing_of(config);

    assert_non_null(strstr(shown, "# 0..256 processes; t.conf:1, from 0: one per CPU\n"));
    assert_non_null(strstr(shown, " # true or false; t.conf:2\n"));
    assert_non_null(strstr(shown, " # 1..1000000 connections; default\n"));
    assert_non_null(strstr(shown, " # \"stream\", \"datagram\" or \"seqpacket\"; default\n"));
    free(shown);
    config_free(config);
    (void) state;
}

/* Setting "framing" on a datagram listener would be an error; listing it must not set it. */
static void listing_does_not_set_what_was_not_set(void **state)
{
    struct config *config =
        good_config_of("listen = ( { name = \"a\"; protocol = \"p\"; guard = { text = false; }; },\n"
                       "{ name = \"b\"; protocol = \"p\"; path = \"/x\"; } );");
    char *shown = listing_of(config);

    assert_non_null(strstr(shown, "        #framing = \"auto\"; "));
    assert_non_null(strstr(shown, "        guard = {\n"));
    assert_non_null(strstr(shown, "            text = false; "));
    assert_non_null(strstr(shown, "            #reply = true; "));
    const char *second = strstr(shown, "name = \"b\"");
    assert_non_null(second);
    assert_non_null(strstr(second, "        #address = \"\"; "));
    assert_non_null(strstr(second, "        #port = 0; "));
    assert_non_null(strstr(second, "        #guard = {\n"));
    assert_non_null(strstr(second, "        #};\n"));
    free(shown);
    config_free(config);
    (void) state;
}

static void listing_to_a_full_disk_fails(void **state)
{
    struct config *config = good_config_of("");
    FILE *full = fopen("/dev/full", "w");

    assert_non_null(full);
    assert_int_equal(config_dump(config, full), -1);
    assert_int_equal(errno, ENOSPC);
    fclose(full);
    config_free(config);
    (void) state;
}

/* Rows that contradict themselves would show in the listing, the manual and the errors alike. */
static void check_row(const struct option *option)
{
    char range[OPTION_RANGE_MAX];
    size_t length = strlen(option->summary);

    assert_true(length > 10 && length < 100 && option->summary[length - 1] == '.');
    assert_non_null(option->unit);
    assert_true(option->min <= option->max && option->max < 2147483647);
    assert_null(strchr(option_range(option, range), ';'));
    assert_int_equal(option->type == OPTION_CHOICE, option->choices != NULL);
    if (option->type == OPTION_INT || option->type == OPTION_SECONDS) {
        double initial = strtod(option->initial, NULL);
        assert_true(initial >= option->min && initial <= option->max);
    }
}

static void rows_of_the_table_are_sound(void **state)
{
    for (unsigned i = 0; i < CONFIG_GLOBAL_COUNT; i++)
        check_row(&option_globals[i]);
    for (unsigned i = CONFIG_KEY_NAME; i < CONFIG_KEY_COUNT; i++)
        check_row(&option_listener[i]);
    (void) state;
}

static void listing_says_who_has_moved_the_control_socket(void **state)
{
    setenv("RUNTIME_DIRECTORY", "/run/two", 1);
    struct config *config = good_config_of("");
    char *shown = listing_of(config);

    unsetenv("RUNTIME_DIRECTORY");
    assert_non_null(strstr(shown, "\ncontrol = \"/run/two/control\"; "));
    assert_non_null(strstr(shown, " # 0..107 bytes; default, in RUNTIME_DIRECTORY\n"));
    /* Once it is in a file it stays there, wherever that is read. */
    assert_same(config, shown);
    free(shown);
    config_free(config);
    (void) state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(listing_gives_the_same_config),
        cmocka_unit_test(listing_of_random_values_gives_them_again),
        cmocka_unit_test(listing_says_range_and_origin),
        cmocka_unit_test(listing_does_not_set_what_was_not_set),
        cmocka_unit_test(listing_says_who_has_moved_the_control_socket),
        cmocka_unit_test(listing_to_a_full_disk_fails),
        cmocka_unit_test(rows_of_the_table_are_sound),
    };

    unsetenv("RUNTIME_DIRECTORY"); /* of whatever service runs the tests */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
