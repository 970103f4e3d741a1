/* Requests at the control socket: each command, and everything that is nearly one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "master/request.h"
#include "seed.h"

/* request_parse() on a copy of exactly the bytes there are, so that a sanitizer sees a read beyond them. */
static enum request_result parse(const char *line, size_t length, struct request *request,
                                 const char **problem)
{
    char *bytes = malloc(length > 0 ? length : 1);

    assert_non_null(bytes);
    memcpy(bytes, line, length);
    enum request_result result = request_parse(bytes, length, request, problem);
    free(bytes);
    assert_int_equal(result == REQUEST_OK, *problem == NULL);
    return result;
}

static void every_command_is_understood(void **state)
{
    static const struct {
        const char *line;
        enum request_command command;
        enum log_level level;
    } cases[] = {
        {"1 status", REQUEST_STATUS, 0},
        {"1 reload", REQUEST_RELOAD, 0},
        {"1 stop", REQUEST_STOP, 0},
        {"1 help", REQUEST_HELP, 0},
        {"1 log-level err", REQUEST_LOG_LEVEL, LOG_LEVEL_ERROR},
        {"1 log-level warning", REQUEST_LOG_LEVEL, LOG_LEVEL_WARNING},
        {"1 log-level notice", REQUEST_LOG_LEVEL, LOG_LEVEL_NOTICE},
        {"1 log-level info", REQUEST_LOG_LEVEL, LOG_LEVEL_INFO},
        {"1 log-level debug", REQUEST_LOG_LEVEL, LOG_LEVEL_DEBUG},
    };

    (void) state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct request request;
        const char *problem;
        assert_int_equal(parse(cases[i].line, strlen(cases[i].line), &request, &problem), REQUEST_OK);
        assert_int_equal(request.command, cases[i].command);
        assert_int_equal(request.level, cases[i].level);
    }
}

struct wrong {
    const char *line;
    const char *hint; /* a part of what is said */
};

static void check_wrong(const struct wrong *cases, size_t count, enum request_result wanted)
{
    for (size_t i = 0; i < count; i++) {
        struct request request = {.command = REQUEST_HELP, .level = 77};
        const char *problem;
        assert_int_equal(parse(cases[i].line, strlen(cases[i].line), &request, &problem), wanted);
        assert_non_null(strstr(problem, cases[i].hint));
        assert_int_equal(request.command, REQUEST_HELP);
        assert_int_equal(request.level, 77);
    }
}

static void nearly_a_command_is_refused(void **state)
{
    static const struct wrong cases[] = {
        {"1", "unknown command"},
        {"1 ", "unknown command"},
        {"1 stat", "unknown command"},
        {"1 statusx", "unknown command"},
        {"1 STATUS", "unknown command"},
        {"1  status", "unknown command"},
        {"1 status\r", "unknown command"},
        {"1 status\tx", "unknown command"},
        {"1 status ", "no argument"},
        {"1 stop now", "no argument"},
        {"1 reload  ", "no argument"},
        {"1 help help", "no argument"},
        {"1 log-level", "err, warning"},
        {"1 log-level ", "err, warning"},
        {"1 log-level error", "err, warning"},
        {"1 log-level info ", "err, warning"},
        {"1 log-level  info", "err, warning"},
        {"1 log-level 6", "err, warning"},
    };

    (void) state;
    check_wrong(cases, sizeof(cases) / sizeof(cases[0]), REQUEST_REFUSED);
}

static void another_version_is_fatal(void **state)
{
    static const struct wrong cases[] = {
        {"", "version"},          {" ", "version"},
        {"2 status", "version"},  {"11 status", "version"},
        {"01 status", "version"}, {"status", "version"},
        {" 1 status", "version"}, {"GET / HTTP/1.1", "version"},
        {"1\tstatus", "version"}, {"\x16\x03\x01\x02", "version"},
    };

    (void) state;
    check_wrong(cases, sizeof(cases) / sizeof(cases[0]), REQUEST_FATAL);
}

static void length_is_bounded(void **state)
{
    char line[REQUEST_MAX + 2];
    struct request request;
    const char *problem;

    (void) state;
    memset(line, 'x', sizeof(line));
    memcpy(line, "1 help ", 7);
    assert_int_equal(parse(line, REQUEST_MAX, &request, &problem), REQUEST_REFUSED);
    assert_int_equal(parse(line, REQUEST_MAX + 1, &request, &problem), REQUEST_FATAL);
    assert_string_equal(problem, "a request has at most 255 bytes");
    assert_int_equal(REQUEST_MAX, 255);
}

static void nul_is_refused(void **state)
{
    static const struct {
        const char *line;
        size_t length;
    } cases[] = {{"\0", 1}, {"1 stop\0", 7}, {"1 stop\0now", 10}, {"\0001 stop", 7}, {"2\0", 2}};

    (void) state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct request request;
        const char *problem;
        assert_int_equal(parse(cases[i].line, cases[i].length, &request, &problem), REQUEST_REFUSED);
        assert_non_null(strstr(problem, "NUL"));
    }
}

/* One byte changed in a good line never makes another good command of it, but for the argument. */
static void a_changed_byte_is_noticed(void **state)
{
    static const char *const lines[] = {"1 status", "1 reload", "1 stop", "1 help", "1 log-level info"};
    struct seed seed = seed_start();

    (void) state;
    for (unsigned round = 0; round < 20000; round++) {
        char line[32];
        struct request request;
        const char *problem;
        size_t length = (size_t) snprintf(line, sizeof(line), "%s", lines[seed_below(&seed, 5)]);
        size_t at = seed_below(&seed, length);
        char byte = (char) seed_below(&seed, 256), before = line[at];
        line[at] = byte;
        assert_int_equal(parse(line, length, &request, &problem) == REQUEST_OK, byte == before);
    }
}

static void help_lists_what_is_understood(void **state)
{
    static char *text;
    static size_t size;
    FILE *out = open_memstream(&text, &size);
    unsigned count = 0;

    (void) state;
    request_help(out);
    fclose(out);
    for (char *next, *line = strtok_r(text, "\n", &next); line != NULL; line = strtok_r(NULL, "\n", &next)) {
        char name[32], argument[32], request_line[80];
        struct request request;
        const char *problem;
        argument[0] = '\0';
        if (sscanf(line, "command name=\"%31[a-z-]\" argument=\"%31[A-Z]\" help=\"", name, argument) < 1)
            fail_msg("not of the form of the others: %s", line);
        assert_int_equal(line[strlen(line) - 1], '"');
        snprintf(request_line, sizeof(request_line), "1 %s%s", name, argument[0] != '\0' ? " debug" : "");
        assert_int_equal(parse(request_line, strlen(request_line), &request, &problem), REQUEST_OK);
        assert_int_equal(request.command, count++);
    }
    assert_int_equal(count, REQUEST_HELP + 1);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_command_is_understood),
        cmocka_unit_test(nearly_a_command_is_refused),
        cmocka_unit_test(another_version_is_fatal),
        cmocka_unit_test(length_is_bounded),
        cmocka_unit_test(nul_is_refused),
        cmocka_unit_test(a_changed_byte_is_noticed),
        cmocka_unit_test(help_lists_what_is_understood),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
