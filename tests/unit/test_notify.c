/* What the service manager is told, word by word, and whether it wants signs of life. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "master/notify.h"

static int manager = -1;

/* An abstract address of this process's own. */
static int set_up(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int length =
        snprintf(address.sun_path, sizeof(address.sun_path), "@hellod-test-notify-%d", (int) getpid());

    (void) state;
    setenv("NOTIFY_SOCKET", address.sun_path, 1);
    unsetenv("WATCHDOG_PID");
    unsetenv("WATCHDOG_USEC");
    address.sun_path[0] = '\0';
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return bind(manager, (struct sockaddr *) &address,
                (socklen_t) (offsetof(struct sockaddr_un, sun_path) + (size_t) length));
}

static int tear_down(void **state)
{
    (void) state;
    return close(manager);
}

/* One datagram, or "" if there is none. */
static const char *received(void)
{
    static char text[4096];
    ssize_t length = recv(manager, text, sizeof(text) - 1, 0);

    text[length > 0 ? length : 0] = '\0';
    return text;
}

static void test_reloading(void **state)
{
    unsigned long long usec;
    struct timespec before, after;
    char rest[64];

    (void) state;
    clock_gettime(CLOCK_MONOTONIC, &before);
    notify_reloading("4 workers");
    clock_gettime(CLOCK_MONOTONIC, &after);
    assert_int_equal(sscanf(received(), "RELOADING=1\nMONOTONIC_USEC=%llu\nSTATUS=%63[^\n]", &usec, rest), 2);
    assert_string_equal(rest, "4 workers");
    assert_in_range(usec,
                    (unsigned long long) before.tv_sec * 1000000 + (unsigned long long) before.tv_nsec / 1000,
                    (unsigned long long) after.tv_sec * 1000000 + (unsigned long long) after.tv_nsec / 1000);
}

static void test_words(void **state)
{
    (void) state;
    notify_ready("4 workers");
    assert_string_equal(received(), "READY=1\nWATCHDOG=1\nSTATUS=4 workers");
    notify_status("100% = all");
    assert_string_equal(received(), "STATUS=100% = all");
    notify_alive();
    assert_string_equal(received(), "WATCHDOG=1");
    notify_failed("no %s left", 69);
    assert_string_equal(received(), "EXIT_STATUS=69\nSTATUS=no %s left");
    notify_stopping("bye", 15000);
    assert_string_equal(received(), "STOPPING=1\nEXTEND_TIMEOUT_USEC=15000000\nSTATUS=bye");
    /* More microseconds than 32 bits hold. */
    notify_stopping("bye", UINT32_MAX);
    assert_string_equal(received(), "STOPPING=1\nEXTEND_TIMEOUT_USEC=4294967295000\nSTATUS=bye");
    assert_string_equal(received(), "");
}

static void test_nobody_listens(void **state)
{
    (void) state;
    setenv("NOTIFY_SOCKET", "/nowhere/at/all", 1);
    notify_ready("one");
    unsetenv("NOTIFY_SOCKET");
    notify_status("two");
    assert_string_equal(received(), "");
}

static void test_interval(void **state)
{
    char number[16];

    (void) state;
    assert_int_equal(notify_interval_ms(), 0);
    setenv("WATCHDOG_USEC", "30000000", 1);
    assert_int_equal(notify_interval_ms(), 10000);
    snprintf(number, sizeof(number), "%d", (int) getpid());
    setenv("WATCHDOG_PID", number, 1);
    assert_int_equal(notify_interval_ms(), 10000);
    setenv("WATCHDOG_PID", "1", 1);
    assert_int_equal(notify_interval_ms(), 0);
    unsetenv("WATCHDOG_PID");
    setenv("WATCHDOG_USEC", "soon", 1);
    assert_int_equal(notify_interval_ms(), 0);
}

static void test_forget(void **state)
{
    static const char *const variables[] = {"NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC",
                                            "LISTEN_PID",    "LISTEN_FDS",   "LISTEN_FDNAMES"};

    (void) state;
    for (size_t i = 1; i < sizeof(variables) / sizeof(variables[0]); i++)
        setenv(variables[i], "3000000", 1);
    notify_forget();
    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
        assert_null(getenv(variables[i]));
    notify_ready("one");
    assert_string_equal(received(), "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_words),    TEST(test_reloading), TEST(test_nobody_listens),
        TEST(test_interval), TEST(test_forget),
    };

    return cmocka_run_group_tests_name("notify", tests, NULL, NULL);
}
