/* The journal: the form of what it gets, and that nothing is lost or held up when it cannot be had. A socket
 * of ours stands for it; what goes wrong is told on standard output. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>

#include "base/journal.c"
#include "base/log.h"

#define HEAD       "SYSLOG_FACILITY=3\nSYSLOG_IDENTIFIER=hellod\n"
#define READY_ID   "MESSAGE_ID=f2fc0821e12c4cde9dd6b25bf526883e\n"
#define READY_HEAD HEAD READY_ID "MESSAGE\n"

static const struct fields nothing;
static int saved_stderr, entries, lines;
static char folder[] = "/tmp/hellod-journal-XXXXXX";

/* Entries is where the journal would read, lines the other end of standard error, which the environment
 * takes for the journal's. */
static int stand_for_journal(void **state)
{
    struct stat status;
    char name[64];
    int ends[2];

    (void) state;
    strcpy(folder + sizeof(folder) - 7, "XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(journal.sun_path, sizeof(journal.sun_path), "%s/socket", folder);
    entries = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(entries, (struct sockaddr *) &journal, sizeof(journal)), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    saved_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    lines = ends[0];
    fcntl(lines, F_SETFL, O_NONBLOCK);
    assert_int_equal(fstat(STDERR_FILENO, &status), 0);
    snprintf(name, sizeof(name), "%ju:%ju", (uintmax_t) status.st_dev, (uintmax_t) status.st_ino);
    setenv("JOURNAL_STREAM", name, 1);
    log_open();
    log_set_level(LOG_LEVEL_INFO);
    return 0;
}

static int end_journal(void **state)
{
    (void) state;
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    close(entries);
    close(lines);
    unlink(journal.sun_path);
    unsetenv("JOURNAL_STREAM");
    return rmdir(folder);
}

/* The next datagram or piece of FD; "" if there is none. */
static const char *next(int fd, size_t *length)
{
    static char text[4096];
    ssize_t got = recv(fd, text, sizeof(text) - 1, 0);

    *length = got < 0 ? 0 : (size_t) got;
    text[*length] = '\0';
    return text;
}

static void expect_nothing(int fd)
{
    size_t length;

    assert_string_equal(next(fd, &length), "");
}

static void expect_line(const char *line)
{
    size_t length;

    assert_string_equal(next(lines, &length), line);
}

/* HEAD, then TEXT with its length in front, eight bytes, least first. */
static void expect_entry(const char *head, const char *text, size_t size)
{
    size_t length, used = strlen(head);
    const char *got = next(entries, &length);

    assert_int_equal(length, used + 8 + size + 1);
    assert_memory_equal(got, head, used);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal((unsigned char) got[used + i], (size >> 8 * i) & 255);
    assert_memory_equal(got + used + 8, text, size);
    assert_int_equal(got[length - 1], '\n');
    expect_nothing(entries);
}

static void test_form(void **state)
{
    static const char text[] = "one\nPRIORITY=0\0two";
    char longer[600];

    (void) state;
    assert_true(journal_send(EVENT_READY, 6, &nothing, "ready: 4 workers", 16));
    expect_entry("PRIORITY=6\n" READY_HEAD, "ready: 4 workers", 16);
    assert_true(journal_send(EVENT_READY, 3, &nothing, text, sizeof(text) - 1));
    expect_entry("PRIORITY=3\n" READY_HEAD, text, sizeof(text) - 1);
    memset(longer, 'a', sizeof(longer));
    assert_true(journal_send(EVENT_READY, 3, &nothing, longer, sizeof(longer)));
    expect_entry("PRIORITY=3\n" READY_HEAD, longer, sizeof(longer));
}

static void test_event_goes_to_the_journal_alone(void **state)
{
    (void) state;
    log_event(LOG_LEVEL_INFO, EVENT_READY, NULL, "ready: %d\nworkers", 4);
    expect_entry("PRIORITY=6\n" READY_HEAD, "ready: 4\\x0aworkers", 19);
    expect_nothing(lines);
    log_event(LOG_LEVEL_DEBUG, EVENT_READY, NULL, "not asked for");
    log_to_journal(LOG_LEVEL_DEBUG, EVENT_READY, "not asked for");
    expect_nothing(entries);
    log_info("a line");
    expect_line("<6>a line\n");
    expect_nothing(entries);
}

/* Fields, and that nothing in them can be taken for another one. */
static void test_fields(void **state)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_addr.s_addr = htonl(0xC0000207), /* 192.0.2.7 */
                                        .sin_port = htons(40112)};
    const struct addr_peer peer = addr_peer((const struct sockaddr *) &address), local = {.is_internet = 0};
    const struct fields_worker worker = {.slot = 3, .generation = 0, .pid = 4711};

    (void) state;
    log_event(LOG_LEVEL_INFO, EVENT_READY,
              &(struct fields){.worker = &worker,
                               .listener = "a\nPRIORITY=0\xff",
                               .peer = &peer,
                               .network = "192.0.2.0/24",
                               .rule = "rate",
                               .cause = "drop_rate",
                               .count = 312},
              "x");
    expect_entry("PRIORITY=6\n" HEAD READY_ID "SLOT=3\nGENERATION=0\nWORKER_PID=4711\n"
                 "LISTENER=a\\x0aPRIORITY=0\\xff\nPEER_ADDRESS=192.0.2.7\nPEER_PORT=40112\n"
                 "PEER_NETWORK=192.0.2.0/24\nRULE=rate\nCAUSE=drop_rate\nCOUNT=312\nMESSAGE\n",
                 "x", 1);
    log_event(LOG_LEVEL_INFO, EVENT_NONE, &(struct fields){.peer = &local}, "x");
    expect_entry("PRIORITY=6\n" HEAD "PEER_ADDRESS=local\nMESSAGE\n", "x", 1);
    expect_nothing(lines);
}

/* The config bounds no name, but here there is an end. */
static void test_long_fields(void **state)
{
    char name[3000], out[FIELDS_MAX];

    (void) state;
    memset(name, 1, sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    const struct fields all = {
        .listener = name, .network = name, .rule = name, .cause = name, .count = UINT64_MAX};
    size_t length = fields_write(&all, out);
    assert_in_range(length, FIELDS_MAX / 2, FIELDS_MAX);
    assert_int_equal(out[length - 1], '\n');
    assert_non_null(memmem(out, length, "COUNT=18446744073709551615\n", 27));
}

/* What a worker says is of this worker, unless it says of whom; what is only a line stays one. */
static void test_worker(void **state)
{
    const struct fields_worker other = {.slot = 9, .generation = 8, .pid = 7};
    char head[200];

    (void) state;
    log_set_worker(2, 5);
    log_event(LOG_LEVEL_INFO, EVENT_NONE, &nothing, "an entry");
    snprintf(head, sizeof(head), "PRIORITY=6\n" HEAD "SLOT=2\nGENERATION=5\nWORKER_PID=%d\nMESSAGE\n",
             (int) getpid());
    expect_entry(head, "an entry", 8);
    log_event(LOG_LEVEL_INFO, EVENT_NONE, &(struct fields){.worker = &other}, "an entry");
    expect_entry("PRIORITY=6\n" HEAD "SLOT=9\nGENERATION=8\nWORKER_PID=7\nMESSAGE\n", "an entry", 8);
    expect_nothing(lines);
    log_info("a line");
    expect_line("<6>a line\n");
    unlink(journal.sun_path);
    log_event(LOG_LEVEL_INFO, EVENT_NONE, &nothing, "an entry");
    expect_line("<6>an entry\n");
    expect_nothing(entries);
}

/* Whoever asks for what fails gets it, wherever it goes. */
static void test_errors_are_told_all_the_same(void **state)
{
    char *text = NULL;
    size_t length = 0;
    FILE *copy = open_memstream(&text, &length);

    (void) state;
    log_copy_errors(copy);
    log_event(LOG_LEVEL_ERROR, EVENT_READY, NULL, "one");
    log_to_journal(LOG_LEVEL_ERROR, EVENT_READY, "two");
    log_copy_errors(NULL);
    fclose(copy);
    assert_string_equal(text, "one\n");
    assert_string_equal(log_last_error(), "one");
    free(text);
}

static void test_without_a_journal_it_is_a_line(void **state)
{
    (void) state;
    unlink(journal.sun_path);
    errno = ENOMEM;
    log_event(LOG_LEVEL_WARNING, EVENT_WORKER_DIED, NULL, "worker %d", 1);
    assert_int_equal(errno, ENOMEM);
    expect_line("<4>worker 1\n");
    log_to_journal(LOG_LEVEL_ERROR, EVENT_NOT_STARTED, "said already");
    assert_int_equal(errno, ENOMEM);
    expect_nothing(lines);
}

/* A journal that is stopped takes some, and then none. */
static void test_full_journal_is_not_waited_for(void **state)
{
    unsigned sent = 0;
    size_t length;

    (void) state;
    while (sent < 100000 && journal_send(EVENT_READY, 6, &nothing, "ready", 5))
        sent++;
    assert_in_range(sent, 1, 99999);
    assert_int_equal(errno, EAGAIN);
    log_event(LOG_LEVEL_INFO, EVENT_READY, NULL, "ready");
    expect_line("<6>ready\n");
    for (; sent > 0; sent--)
        next(entries, &length);
    log_event(LOG_LEVEL_INFO, EVENT_READY, NULL, "ready");
    expect_entry("PRIORITY=6\n" READY_HEAD, "ready", 5);
    expect_nothing(lines);
}

/* What was the journal's stream for whoever started us need not be standard error now. */
static void test_another_standard_error(void **state)
{
    static const char *const others[] = {"", "1", "1:", "0:0", "x:y", "1:2:3"};

    (void) state;
    assert_true(journal_has(STDERR_FILENO));
    assert_false(journal_has(lines));
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        setenv("JOURNAL_STREAM", others[i], 1);
        assert_false(journal_has(STDERR_FILENO));
    }
    unsetenv("JOURNAL_STREAM");
    assert_false(journal_has(STDERR_FILENO));
    log_open();
    log_event(LOG_LEVEL_INFO, EVENT_READY, NULL, "ready");
    log_to_journal(LOG_LEVEL_INFO, EVENT_READY, "said already");
    expect_line("<6>ready\n");
    expect_nothing(entries);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, stand_for_journal, end_journal)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_form),
        TEST(test_fields),
        TEST(test_long_fields),
        TEST(test_event_goes_to_the_journal_alone),
        TEST(test_errors_are_told_all_the_same),
        TEST(test_without_a_journal_it_is_a_line),
        TEST(test_full_journal_is_not_waited_for),
        TEST(test_another_standard_error),
        TEST(test_worker), /* the last one: it stays one */
    };

    return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
