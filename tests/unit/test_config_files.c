/* The config loader and its files: conf.d, their order, and what cannot be read. */
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/config.h"
#include "config_help.h"

/* A folder of its own with hellod.conf and conf.d, removed afterwards. */
static char folder[64];

static int make_folder(void **state)
{
    (void) state;
    snprintf(folder, sizeof(folder), "/tmp/test_config.XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void) status;
    (void) kind;
    (void) place;
    return remove(path);
}

static int remove_folder(void **state)
{
    (void) state;
    return nftw(folder, remove_one, 4, FTW_DEPTH | FTW_PHYS);
}

static void write_file(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *out = fopen(path, "w");

    assert_non_null(out);
    fputs(text, out);
    assert_int_equal(fclose(out), 0);
}

static void make_conf_d(void)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/conf.d", folder);
    assert_int_equal(mkdir(path, 0700), 0);
}

/* Loads the folder's config and gives back what was said, the folder's name left out. */
static struct config *load(char *said, size_t size)
{
    char path[128];
    FILE *errors = fmemopen(said, size, "w");

    snprintf(path, sizeof(path), "%s/hellod.conf", folder);
    struct config *config = config_load(path, errors);
    assert_non_null(config);
    fclose(errors);
    return config;
}

static void later_files_win_option_by_option(void **state)
{
    char said[512] = "";

    make_conf_d();
    write_file("hellod.conf", "limits = { connections = 1; per_source = 2; per_prefix = 3; };\n"
                              "exempt = [ \"1.1.1.1\", \"2.2.2.2\" ];\n");
    write_file("conf.d/B.conf", "\nlimits = { connections = 20; };");
    write_file("conf.d/a.conf", "limits = { connections = 30; per_source = 40; };\n"
                                "exempt = [ \"3.3.3.3\" ];"
                                "listen = ( { name = \"a\"; protocol = \"p\"; } );");
    write_file("conf.d/.hidden.conf", "nonsense = 1;");
    write_file("conf.d/c.conf~", "nonsense = 1;");
    struct config *config = load(said, sizeof(said));
    assert_string_equal(said, "");
    assert_int_equal(config->limits.connections, 30); /* "B" before "a": bytes, not a language's order */
    assert_int_equal(config->limits.per_source, 40);
    assert_int_equal(config->limits.per_prefix, 3);
    assert_int_equal(config->exempt.count, 1);
    assert_int_equal(config->listener_count, 1);
    assert_non_null(strstr(place_of(config, "limits.connections"), "/conf.d/a.conf:"));
    assert_non_null(strstr(place_of(config, "limits.per_prefix"), "/hellod.conf:"));
    config_free(config);
    (void) state;
}

static void files_that_cannot_be_read_are_errors(void **state)
{
    char said[1024] = "", expected[1024], path[128];

    make_conf_d();
    write_file("conf.d/2.conf", "workers = 500;");
    snprintf(path, sizeof(path), "%s/conf.d/1.conf", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof(path), "%s/conf.d/3.conf", folder);
    assert_int_equal(symlink("nowhere", path), 0);
    struct config *config = load(said, sizeof(said));
    snprintf(expected, sizeof(expected),
             "%s/hellod.conf: cannot read: No such file or directory\n"
             "%s/conf.d/1.conf: cannot read: Is a directory\n"
             "%s/conf.d/2.conf:1: workers must be 0..256 processes, not 500\n"
             "%s/conf.d/3.conf: cannot read: No such file or directory\n",
             folder, folder, folder, folder);
    assert_string_equal(said, expected);
    assert_int_equal(config_errors(config), 4);
    config_free(config);
    (void) state;
}

static void a_conf_d_that_is_no_folder_is_an_error(void **state)
{
    char said[512] = "", expected[512];

    write_file("hellod.conf", "");
    struct config *config = load(said, sizeof(said));
    assert_string_equal(said, ""); /* none at all is fine */
    config_free(config);
    write_file("conf.d", "");
    config = load(said, sizeof(said));
    snprintf(expected, sizeof(expected), "%s/conf.d: cannot read: Not a directory\n", folder);
    assert_string_equal(said, expected);
    config_free(config);
    (void) state;
}

static void a_file_has_its_largest_size(void **state)
{
    char *text = malloc(CONFIG_FILE_MAX + 2);
    char said[512] = "";

    memset(text, '\n', CONFIG_FILE_MAX + 1);
    text[CONFIG_FILE_MAX] = '\0';
    write_file("hellod.conf", text);
    struct config *config = load(said, sizeof(said));
    assert_int_equal(config_errors(config), 0);
    config_free(config);
    text[CONFIG_FILE_MAX] = '\n';
    text[CONFIG_FILE_MAX + 1] = '\0';
    write_file("hellod.conf", text);
    config = load(said, sizeof(said));
    assert_int_equal(config_errors(config), 1);
    assert_non_null(strstr(said, "/hellod.conf: cannot read: larger than 1048576 bytes\n"));
    config_free(config);
    free(text);
    (void) state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(later_files_win_option_by_option, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(files_that_cannot_be_read_are_errors, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_conf_d_that_is_no_folder_is_an_error, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_file_has_its_largest_size, make_folder, remove_folder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
