/* What the master gives up: its table, and that workers get their own sandbox inside it. */
#include "confine_help.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "base/link.h"
#include "master/restraint.c"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_names(void **state)
{
    (void) state;
    for (size_t i = 0; i < COUNT(calls); i++)
        if (seccomp_syscall_resolve_name(calls[i].call) == __NR_SCMP_ERROR)
            fail_msg("libseccomp knows no call %s", calls[i].call);
}

/* A world that asks for MODE and has nothing else. */
static struct world *world_with(enum config_sandbox mode)
{
    static struct config configs[CONFIG_SANDBOX_ENFORCE + 1];
    static struct world worlds[CONFIG_SANDBOX_ENFORCE + 1];
    static const enum sandbox_mode modes[] = {[CONFIG_SANDBOX_OFF] = SANDBOX_OFF,
                                              [CONFIG_SANDBOX_LOG] = SANDBOX_LOG,
                                              [CONFIG_SANDBOX_ENFORCE] = SANDBOX_ENFORCE};

    configs[mode].sandbox = mode;
    worlds[mode].config = &configs[mode];
    if (worlds[mode].prepared.plan.sandbox == NULL)
        worlds[mode].prepared.plan.sandbox = sandbox_new(modes[mode]);
    return worlds[mode].prepared.plan.sandbox != NULL ? &worlds[mode] : NULL;
}

static int filters(void)
{
    char text[256];
    int count = -1;
    FILE *status = fopen("/proc/self/status", "re");

    while (status != NULL && fgets(text, sizeof(text), status) != NULL)
        (void) (sscanf(text, "Seccomp_filters: %d", &count) + 1);
    if (status != NULL)
        fclose(status);
    return count;
}

static bool fails(long result, int error)
{
    return result < 0 && errno == error;
}

static bool cannot_execute(void)
{
    return fails(execl("/bin/false", "false", (char *) NULL), EPERM);
}

static bool can_fork(void)
{
    int status;
    pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static bool can_map(int protection)
{
    void *memory = mmap(NULL, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return memory != MAP_FAILED && munmap(memory, 4096) == 0;
}

static int act_enforce(const void *argument)
{
    bool right = restraint_apply(world_with(CONFIG_SANDBOX_ENFORCE)) == 0;

    (void) argument;
    right &= prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
    right &= cannot_execute() && fails(setuid(geteuid()), EPERM) && fails(unshare(CLONE_NEWUSER), EPERM);
    right &= fails(syscall(SYS_ptrace, 0, 0, 0, 0), EPERM) && fails(syscall(SYS_clone3, NULL, 0), ENOSYS);
    right &= fails(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0), EPERM);
    right &= !can_map(PROT_READ | PROT_WRITE | PROT_EXEC) && can_map(PROT_READ | PROT_WRITE);
    right &= can_fork() && close(open("/dev/null", O_RDWR | O_CLOEXEC)) == 0;
    return !right;
}

/* It follows a configuration that asks for more, once, and none that asks for less. */
static int act_change(const void *argument)
{
    bool right = restraint_apply(world_with(CONFIG_SANDBOX_OFF)) == 0 && filters() == 0;

    (void) argument;
    for (int i = 0; i < 2; i++)
        right &= restraint_apply(world_with(CONFIG_SANDBOX_LOG)) == 0 && filters() == 1;
    right &= fails(setuid((uid_t) -1), EINVAL);
    for (int i = 0; i < 2; i++)
        right &= restraint_apply(world_with(CONFIG_SANDBOX_ENFORCE)) == 0 && filters() == 2;
    right &= restraint_apply(world_with(CONFIG_SANDBOX_LOG)) == 0 && filters() == 2;
    right &= restraint_apply(world_with(CONFIG_SANDBOX_OFF)) == 0 && filters() == 2;
    return !(right && cannot_execute());
}

/* What the master may not is refused; what a worker may not ends it, although it is in both. */
static int act_worker(const void *argument)
{
    static _Atomic uint64_t violations;
    const struct world *world = world_with(CONFIG_SANDBOX_ENFORCE);
    int ends[2];

    (void) argument;
    if (restraint_apply(world) < 0 || link_open(ends) < 0 ||
        sandbox_enter(world->prepared.plan.sandbox, ends[1], &violations) != NULL)
        return 2;
    return cannot_execute();
}

static void needs_filters(void)
{
    only_without_tools();
    if (!confine_has_filters())
        skip();
}

static void test_enforce(void **state)
{
    (void) state;
    needs_filters();
    assert_ends(act_enforce, NULL);
}

static void test_change(void **state)
{
    (void) state;
    needs_filters();
    if (filters() != 0)
        skip(); /* there is a sandbox around us, and it may have many */
    assert_ends(act_change, NULL);
}

static void test_worker(void **state)
{
    (void) state;
    needs_filters();
    assert_killed(act_worker, NULL, SIGSYS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_enforce),
        cmocka_unit_test(test_change),
        cmocka_unit_test(test_worker),
    };

    return cmocka_run_group_tests_name("restraint", tests, NULL, NULL);
}
