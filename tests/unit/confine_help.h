/* For tests of what cannot be taken back: each act in a child of its own. */
#ifndef CONFINE_HELP_H
#define CONFINE_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Sanitizers and valgrind make calls of their own. */
static inline void only_without_tools(void)
{
    if (getenv("HELLOD_WRAPPER") != NULL || getenv("HELLOD_SANITIZED") != NULL)
        skip();
}

/* The wait(2) status of a child that does ACT, which gets ARGUMENT and returns its exit code. */
static inline int status_of(int (*act)(const void *argument), const void *argument)
{
    const struct rlimit none = {0, 0};
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        setrlimit(RLIMIT_CORE, &none);
        signal(SIGSYS, SIG_DFL); /* which cmocka handles, as it does SIGABRT */
        signal(SIGABRT, SIG_DFL);
        _exit(act(argument));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static inline void assert_ends(int (*act)(const void *argument), const void *argument)
{
    int status = status_of(act, argument);

    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static inline void assert_killed(int (*act)(const void *argument), const void *argument, int signal_number)
{
    int status = status_of(act, argument);

    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), signal_number);
}

#endif
