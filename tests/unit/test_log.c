/* The log: what a line looks like on each kind of standard error, and that no kind of it can hold the writer
 * up. Standard error is replaced for each test, so what goes wrong is told on standard output. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <termios.h>

#include "base/log.c"
#include "seed.h"

static int saved_stderr;
static _Atomic uint64_t losses;

static int put_stderr_aside(void **state)
{
    (void) state;
    saved_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
    losses = 0;
    return saved_stderr < 0;
}

static int bring_stderr_back(void **state)
{
    (void) state;
    if (sink.fd != STDERR_FILENO)
        close(sink.fd);
    memset(&sink, 0, sizeof(sink));
    sink.fd = STDERR_FILENO;
    sink.level = LOG_LEVEL_INFO;
    dup2(saved_stderr, STDERR_FILENO);
    return close(saved_stderr);
}

/* Makes FD standard error, closes FD, and begins to log. */
static void log_to(int fd)
{
    assert_true(fd >= 0);
    assert_int_equal(dup2(fd, STDERR_FILENO), STDERR_FILENO);
    close(fd);
    log_open();
    log_count_losses(&losses);
}

/* What can be read from FD now, as text of less than 64 kB. */
static const char *read_all(int fd)
{
    static char text[65536];
    size_t length = 0;
    ssize_t got;

    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    while (length < sizeof(text) - 1 && (got = read(fd, text + length, sizeof(text) - 1 - length)) > 0)
        length += (size_t) got;
    text[length] = '\0';
    return text;
}

static void test_pipe(void **state)
{
    int ends[2];

    (void) state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    log_to(ends[1]);
    log_error("one %d", 1);
    log_line(LOG_LEVEL_WARNING, "two %s", "times");
    log_line(LOG_LEVEL_NOTICE, "three");
    log_info("four");
    log_debug("five");
    assert_string_equal(read_all(ends[0]), "<3>one 1\n<4>two times\n<5>three\n<6>four\n");
    log_set_level(LOG_LEVEL_DEBUG);
    log_debug("five");
    assert_string_equal(read_all(ends[0]), "<7>five\n");
    log_set_level(LOG_LEVEL_ERROR);
    log_line(LOG_LEVEL_WARNING, "six");
    log_error("seven");
    assert_string_equal(read_all(ends[0]), "<3>seven\n");
    assert_int_equal(losses, 0);
    close(ends[0]);
}

/* Whoever started us shares the pipe's open file and must not find it non-blocking. */
static void test_pipe_of_others_is_left_alone(void **state)
{
    int ends[2];

    (void) state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    log_to(ends[1]);
    assert_int_equal(fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK, 0);
    assert_int_not_equal(fcntl(log_descriptor(), F_GETFL) & O_NONBLOCK, 0);
    assert_int_equal(fcntl(log_descriptor(), F_GETFD), FD_CLOEXEC);
    close(ends[0]);
}

static void test_terminal(void **state)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    struct termios raw;

    (void) state;
    if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0)
        skip();
    int slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(slave >= 0 && tcgetattr(slave, &raw) == 0);
    cfmakeraw(&raw);
    tcsetattr(slave, TCSANOW, &raw);
    log_to(slave);
    log_error("one");
    log_info("colour \033[31m");
    assert_string_equal(read_all(master), "hellod: one\nhellod: colour \\x1b[31m\n");
    close(master);
}

/* One that gets full, as on a full disk: a line cut short is lost. */
static void test_file(void **state)
{
    char name[] = "/tmp/hellod-log-XXXXXX";
    int fd = mkostemp(name, O_CLOEXEC), look = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    struct rlimit before, limit;

    (void) state;
    unlink(name);
    log_to(fd);
    log_info("one");
    getrlimit(RLIMIT_FSIZE, &before);
    limit = (struct rlimit){.rlim_cur = 10, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    log_info("two");
    setrlimit(RLIMIT_FSIZE, &before);
    lseek(look, 0, SEEK_SET);
    assert_string_equal(read_all(look), "<6>one\n<6>");
    assert_int_equal(losses, 1);
    close(look);
}

static void test_control_characters(void **state)
{
    int ends[2];

    (void) state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    log_to(ends[1]);
    log_info("%s", "a\nb\r\tc\x01\x1f\x7f~ \\ J\xC3\xBCrgen\n");
    assert_string_equal(read_all(ends[0]), "<6>a\\x0ab\\x0d\\x09c\\x01\\x1f\\x7f~ \\ J\xC3\xBCrgen\\x0a\n");
    /* C1 ones, which some terminals obey as well, and what is no UTF-8: a name of a local client may be any
     * bytes. */
    log_info("%s", "\xC2\x9B"
                   "31m \xFF\xC3 \xED\xA0\x80");
    assert_string_equal(read_all(ends[0]), "<6>\\xc2\\x9b31m \\xff\\xc3 \\xed\\xa0\\x80\n");
    log_info("%s", "");
    assert_string_equal(read_all(ends[0]), "<6>\n");
    close(ends[0]);
}

/* Lines of any bytes and lengths: one line each, no longer than promised, and as much of the text as fits. */
static void test_random_lines(void **state)
{
    struct seed seed = seed_start();
    int ends[2];

    (void) state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    log_to(ends[1]);
    for (unsigned round = 0; round < 2000; round++) {
        char text[LOG_LINE_MAX + 200], expected[sizeof(text) * 4];
        size_t length =
            seed_below(&seed, 2) ? seed_below(&seed, 50) : LOG_LINE_MAX - 50 + seed_below(&seed, 100);
        unsigned controls = (unsigned) seed_below(&seed, 4) * 60;
        size_t end = 3;
        memcpy(expected, "<6>", end);
        bool fits = true;
        for (size_t i = 0; i < length; i++) {
            char byte = seed_below(&seed, 256) < controls ? (char) (1 + seed_below(&seed, 31)) : 'a';
            text[i] = byte;
            size_t needs = byte == 'a' ? 1 : 4;
            fits = fits && end + needs < LOG_LINE_MAX && i < LOG_LINE_MAX - 1;
            if (fits)
                end += (size_t) sprintf(expected + end, needs == 1 ? "%c" : "\\x%02x", byte);
        }
        text[length] = '\0';
        memcpy(expected + end, "\n", 2);
        log_info("%s", text);
        assert_string_equal(read_all(ends[0]), expected);
    }
    close(ends[0]);
}

static void test_full_pipe_is_not_waited_for(void **state)
{
    int ends[2];

    (void) state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    fcntl(ends[1], F_SETPIPE_SZ, 4096);
    log_to(ends[1]);
    for (unsigned i = 0; i < 1000; i++)
        log_info("a line that nobody reads, number %03u", i);
    uint64_t lost = losses;
    assert_in_range(lost, 1, 999);
    log_count_losses(NULL);
    log_info("lost and not counted");
    assert_int_equal(losses, lost);
    log_count_losses(&losses);
    read_all(ends[0]);
    log_info("again");
    assert_string_equal(read_all(ends[0]), "<6>again\n");
    assert_int_equal(losses, lost);
    close(ends[0]);
}

/* Once there is room again, and once for each loss. */
static void test_losses_are_told(void **state)
{
    int ends[2];

    (void) state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    log_to(ends[1]);
    log_count_losses(NULL);
    log_tell_losses(0);
    while (log_losses() < 3)
        log_info("a line that nobody reads");
    log_tell_losses(0);
    log_tell_losses(4);
    assert_int_equal(log_losses(), 3);
    read_all(ends[0]);
    log_tell_losses(4);
    assert_string_equal(read_all(ends[0]), "<4>lines of the log that were lost: 7\n");
    log_tell_losses(4);
    log_tell_losses(2); /* whoever counts elsewhere may write anything */
    assert_string_equal(read_all(ends[0]), "");
    log_tell_losses(5);
    assert_string_equal(read_all(ends[0]), "<4>lines of the log that were lost: 1\n");
    close(ends[0]);
}

static void test_full_socket_is_not_waited_for(void **state)
{
    int ends[2];

    (void) state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    log_to(ends[1]);
    assert_int_equal(log_descriptor(), STDERR_FILENO);
    log_info("one");
    assert_string_equal(read_all(ends[0]), "<6>one\n");
    for (unsigned i = 0; i < 100000 && losses == 0; i++)
        log_info("a line that nobody reads, number %u", i);
    assert_int_equal(losses, 1);
    assert_int_equal(fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK, 0);
    close(ends[0]);
}

/* SIGPIPE is at its default here: no signal may come from a journal that was stopped. */
static void test_reader_that_is_gone(void **state)
{
    int ends[2];

    (void) state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    close(ends[0]);
    log_to(ends[1]);
    log_info("one");
    log_info("two");
    assert_int_equal(losses, 2);
}

static void test_closed_stderr(void **state)
{
    (void) state;
    close(STDERR_FILENO);
    log_open();
    log_count_losses(&losses);
    log_info("one");
    assert_int_equal(losses, 1);
}

static void test_errno_is_kept(void **state)
{
    int ends[2];

    (void) state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    log_to(ends[1]);
    errno = ENOENT;
    log_info("written");
    assert_int_equal(errno, ENOENT);
    log_debug("not asked for");
    assert_int_equal(errno, ENOENT);
    close(ends[0]);
    log_info("lost");
    assert_int_equal(errno, ENOENT);
    assert_int_equal(losses, 1);
}

/* What others are told when the process ends: one line too, whatever became of it in the log. */
static void test_last_error(void **state)
{
    char text[LOG_LINE_MAX + 200];
    int ends[2];

    (void) state;
    assert_string_equal(log_last_error(), "");
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    log_to(ends[1]);
    log_line(LOG_LEVEL_WARNING, "zero");
    assert_string_equal(log_last_error(), "");
    log_error("one %s", "100%");
    log_set_level(LOG_LEVEL_ERROR);
    log_error("two %d", 2);
    log_line(LOG_LEVEL_WARNING, "three");
    log_info("four");
    assert_string_equal(log_last_error(), "two 2");
    log_error("%s", "a\nREADY=1");
    assert_string_equal(log_last_error(), "a\\x0aREADY=1");
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    log_error("%s", text);
    assert_in_range(strlen(log_last_error()), LOG_LINE_MAX - 100, LOG_LINE_MAX - 1);
    assert_memory_equal(log_last_error(), text, strlen(log_last_error()));
    close(ends[0]);
    signal(SIGPIPE, SIG_IGN);
    log_error("lost");
    signal(SIGPIPE, SIG_DFL);
    assert_int_equal(losses, 1);
    assert_string_equal(log_last_error(), "lost");
}

/* Whoever asked for what fails gets the errors as they are logged, and nothing else. */
static void test_copy_of_errors(void **state)
{
    char *text = NULL;
    size_t length = 0;
    FILE *copy = open_memstream(&text, &length);
    int ends[2];

    (void) state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    log_to(ends[1]);
    log_error("before");
    log_copy_errors(copy);
    log_line(LOG_LEVEL_WARNING, "not an error");
    log_error("one\ttab");
    log_error_lines("two\nthree");
    log_error_lines("four\n");
    log_error_lines("");
    log_copy_errors(NULL);
    log_error("after");
    fclose(copy);
    assert_string_equal(text, "one\\x09tab\ntwo\nthree\nfour\n");
    free(text);
    close(ends[0]);
}

static void test_level(void **state)
{
    (void) state;
    log_set_level(LOG_LEVEL_NOTICE);
    assert_int_equal(log_get_level(), LOG_LEVEL_NOTICE);
    assert_string_equal(log_level_name(LOG_LEVEL_ERROR), "err");
    assert_string_equal(log_level_name(LOG_LEVEL_DEBUG), "debug");
}

static void test_limit(void **state)
{
    struct log_limit limit = {0};

    (void) state;
    assert_true(log_allowed(&limit, 5000));
    assert_false(log_allowed(&limit, 5000));
    assert_false(log_allowed(&limit, 14999));
    assert_int_equal(limit.suppressed, 2);
    assert_true(log_allowed(&limit, 15000));
    assert_int_equal(limit.suppressed, 2); /* for the one who writes the line to tell and clear */
    limit.suppressed = 0;
    assert_false(log_allowed(&limit, 15001));
    assert_int_equal(limit.suppressed, 1);
    assert_true(log_allowed(&limit, 1000000));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, put_stderr_aside, bring_stderr_back)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_copy_of_errors),
        TEST(test_level),
        TEST(test_pipe),
        TEST(test_pipe_of_others_is_left_alone),
        TEST(test_terminal),
        TEST(test_file),
        TEST(test_control_characters),
        TEST(test_random_lines),
        TEST(test_full_pipe_is_not_waited_for),
        TEST(test_losses_are_told),
        TEST(test_full_socket_is_not_waited_for),
        TEST(test_reader_that_is_gone),
        TEST(test_closed_stderr),
        TEST(test_errno_is_kept),
        TEST(test_last_error),
        TEST(test_limit),
    };

    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
