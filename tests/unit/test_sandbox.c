/* The sandbox of a worker: its table, what becomes of one who breaks out, and the trial, which finds whatever
 * is missing from the table. */
#include "confine_help.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "worker/sandbox.c"
#include "worker/trial.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int ends[2] = {-1, -1}; /* of a link */
static _Atomic uint64_t *violations;

static int set_up(void **state)
{
    (void) state;
    violations = mmap(NULL, sizeof(*violations), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return violations != MAP_FAILED ? link_open(ends) : -1;
}

static int tear_down(void **state)
{
    (void) state;
    close(ends[0]);
    close(ends[1]);
    return munmap(violations, sizeof(*violations));
}

static void needs_filters(void)
{
    only_without_tools();
    if (!confine_has_filters())
        skip();
}

/* A name with a slip of the pen would fall to those without a rule. */
static void test_names(void **state)
{
    (void) state;
    for (size_t i = 0; i < COUNT(calls); i++)
        if (seccomp_syscall_resolve_name(calls[i].call) == __NR_SCMP_ERROR)
            fail_msg("libseccomp knows no call %s", calls[i].call);
}

/* Of two rules for one call the conditions must exclude each other, in pairs as they stand in the table. */
static void test_pairs(void **state)
{
    static const enum confine_when opposite[] = {
        [CONFINE_EQUAL] = CONFINE_OTHER,   [CONFINE_OTHER] = CONFINE_EQUAL,
        [CONFINE_WITH] = CONFINE_WITHOUT,  [CONFINE_WITHOUT] = CONFINE_WITH,
        [CONFINE_SELF] = CONFINE_NOT_SELF, [CONFINE_NOT_SELF] = CONFINE_SELF};

    (void) state;
    for (size_t i = 0; i < COUNT(calls); i++)
        for (size_t j = 0; j < i; j++)
            if (strcmp(calls[i].call, calls[j].call) == 0 &&
                (calls[i].when == CONFINE_ALWAYS || opposite[calls[i].when] != calls[j].when ||
                 calls[i].argument != calls[j].argument || calls[i].value != calls[j].value))
                fail_msg("two rules for %s", calls[i].call);
}

static void test_shared(void **state)
{
    struct sandbox *sandbox = sandbox_new(SANDBOX_LOG);

    (void) state;
    assert_non_null(sandbox);
    assert_null(sandbox_share(sandbox, SANDBOX_ENFORCE));
    assert_ptr_equal(sandbox_share(sandbox, SANDBOX_LOG), sandbox);
    sandbox_free(sandbox);
    assert_true(sandbox_is_on(sandbox)); /* there is one user more */
    sandbox_free(sandbox);
}

static bool entered(const struct sandbox *sandbox)
{
    return sandbox_enter(sandbox, ends[1], violations) == NULL;
}

static int act_trial(const void *sandbox)
{
    struct trial trial;

    if (trial_open(&trial) < 0 || !entered(sandbox))
        return 2;
    return trial_run(&trial) != NULL;
}

static void test_trial_passes(void **state)
{
    static const enum sandbox_mode modes[] = {SANDBOX_LOG, SANDBOX_ENFORCE};

    (void) state;
    needs_filters();
    for (size_t i = 0; i < COUNT(modes); i++) {
        struct sandbox *sandbox = sandbox_new(modes[i]);
        assert_non_null(sandbox);
        assert_true(sandbox_is_on(sandbox));
        assert_ends(act_trial, sandbox);
        sandbox_free(sandbox);
    }
}

static void test_off(void **state)
{
    struct sandbox *sandbox = sandbox_new(SANDBOX_OFF);

    (void) state;
    assert_non_null(sandbox);
    assert_false(sandbox_is_on(sandbox));
    assert_false(sandbox_is_on(NULL));
    sandbox_free(sandbox);
}

/* Other kinds of processors and C libraries, the end of the process, and what comes after SIGSTOP. */
static bool is_beyond_trial(const char *call)
{
    static const char *const beyond[] = {"epoll_pwait",     "clock_gettime64", "recv",          "send",
                                         "recvmmsg_time64", "fcntl64",         "mmap2",         "sigreturn",
                                         "setitimer",       "restart_syscall", "exit",          "exit_group",
                                         "getpid",          "gettid",          "rt_sigprocmask"};

    for (size_t i = 0; i < COUNT(beyond); i++)
        if (strcmp(call, beyond[i]) == 0)
            return true;
    return false;
}

/* A sandbox that lacks row WITHOUT of the table. */
static struct sandbox *sandbox_without(size_t without)
{
    struct confine_rule fewer[COUNT(calls)];
    struct sandbox *sandbox = sandbox_new(SANDBOX_ENFORCE);

    assert_non_null(sandbox);
    memcpy(fewer, calls, without * sizeof(calls[0]));
    memcpy(&fewer[without], &calls[without + 1], (COUNT(calls) - without - 1) * sizeof(calls[0]));
    confine_free(sandbox->filter);
    sandbox->filter = confine_compile(fewer, COUNT(calls) - 1, CONFINE_UNKNOWN, false);
    assert_non_null(sandbox->filter);
    return sandbox;
}

static bool finds_missing(const struct sandbox *sandbox)
{
    int status = status_of(act_trial, sandbox);

    /* Who may not return from a signal handler does not come back at all. */
    return WIFSIGNALED(status) || WEXITSTATUS(status) == 1;
}

static void test_trial_finds_what_is_missing(void **state)
{
    (void) state;
    needs_filters();
    for (size_t i = 0; i < COUNT(calls); i++) {
        if (calls[i].verdict != CONFINE_PERMIT || is_beyond_trial(calls[i].call))
            continue;
        struct sandbox *sandbox = sandbox_without(i);
        if (!finds_missing(sandbox))
            fail_msg("nothing is said about %s", calls[i].call);
        sandbox_free(sandbox);
    }
}

static int act_exec(const void *sandbox)
{
    if (!entered(sandbox))
        return 2;
    execl("/bin/true", "true", (char *) NULL);
    return 3;
}

static int act_exec_without_trap(const void *sandbox)
{
    if (!entered(sandbox))
        return 2;
    signal(SIGSYS, SIG_IGN);
    return 3;
}

static int act_abort(const void *sandbox)
{
    if (!entered(sandbox))
        return 2;
    abort();
}

static int act_kill_master(const void *sandbox)
{
    pid_t master = getppid();

    if (!entered(sandbox))
        return 2;
    syscall(SYS_tgkill, master, master, 0);
    return 3;
}

static int act_code(const void *sandbox)
{
    if (!entered(sandbox))
        return 2;
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return munmap(memory, 4096);
}

static int act_unknown(const void *sandbox)
{
    if (!entered(sandbox))
        return 2;
    return !(syscall(9999) == -1 && errno == ENOSYS && syscall(SYS_getppid) == -1 && errno == ENOSYS);
}

static void assert_breaks_out(int (*act)(const void *argument), const struct sandbox *sandbox, long call)
{
    struct link_message message;
    uint64_t before = atomic_load(violations);

    assert_killed(act, sandbox, SIGSYS);
    assert_int_equal(atomic_load(violations), before + 1);
    assert_int_equal(link_receive(ends[0], &message), LINK_MESSAGE);
    assert_int_equal(message.word, LINK_FORBIDDEN);
    assert_int_equal(message.value, call);
    assert_int_equal(link_receive(ends[0], &message), LINK_NOTHING);
}

static void test_violations(void **state)
{
    (void) state;
    needs_filters();
    struct sandbox *sandbox = sandbox_new(SANDBOX_ENFORCE);
    assert_non_null(sandbox);
    assert_breaks_out(act_exec, sandbox, SYS_execve);
    assert_breaks_out(act_exec_without_trap, sandbox, SYS_rt_sigaction);
    assert_breaks_out(act_kill_master, sandbox, SYS_tgkill);
    assert_breaks_out(act_code, sandbox, SYS_mmap);
    assert_killed(act_abort, sandbox, SIGABRT);
    assert_ends(act_unknown, sandbox);
    sandbox_free(sandbox);
}

int main(void)
{
#define WITH_LINK(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),  cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_shared), cmocka_unit_test(test_off),
        WITH_LINK(test_trial_passes),  WITH_LINK(test_trial_finds_what_is_missing),
        WITH_LINK(test_violations),
    };
#undef WITH_LINK

    return cmocka_run_group_tests_name("sandbox", tests, NULL, NULL);
}
