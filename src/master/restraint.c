/* The calls that a master has no use for. Must not know what workers may do: their own sandbox says it. */
#include "master/restraint.h"

#include <sched.h>
#include <sys/mman.h>

#include "base/confine.h"
#include "worker/sandbox.h"

/* They fail, and nothing worse: libraries do without them, and a service that goes on is worth more than one
 * that ends because of what one of them has tried. */
/* clang-format off */
#define REFUSE(call)                         {call, CONFINE_REFUSE, CONFINE_ALWAYS, 0, 0}
#define REFUSE_IF(call, argument, if, value) {call, CONFINE_REFUSE, if, argument, value}

static const struct confine_rule calls[] = {
    /* Another program. It starts workers, which are itself. */
    REFUSE("execve"), REFUSE("execveat"),

    /* Memory that can be written and executed. */
    REFUSE_IF("mmap", 2, CONFINE_WITH, PROT_WRITE | PROT_EXEC), REFUSE_IF("mprotect", 2, CONFINE_WITH, PROT_EXEC),
    REFUSE("pkey_mprotect"),

    /* Into other processes. */
    REFUSE("ptrace"), REFUSE("process_vm_readv"), REFUSE("process_vm_writev"), REFUSE("process_madvise"),
    REFUSE("kcmp"), REFUSE("pidfd_getfd"),

    /* Another user: by now it is who it is to be. */
    REFUSE("setuid"), REFUSE("setgid"), REFUSE("setreuid"), REFUSE("setregid"), REFUSE("setresuid"),
    REFUSE("setresgid"), REFUSE("setfsuid"), REFUSE("setfsgid"), REFUSE("setgroups"),

    /* Other namespaces, another root, mounts. What clone3(2) is to do cannot be seen from outside, and who is
     * told that there is none takes clone(2). */
    REFUSE("unshare"), REFUSE("setns"), REFUSE_IF("clone", 0, CONFINE_WITH, CLONE_NEWUSER),
    {"clone3", CONFINE_UNKNOWN, CONFINE_ALWAYS, 0, 0},
    REFUSE("chroot"), REFUSE("pivot_root"), REFUSE("mount"), REFUSE("umount"), REFUSE("umount2"),
    REFUSE("mount_setattr"), REFUSE("move_mount"), REFUSE("open_tree"), REFUSE("fsopen"), REFUSE("fsmount"),
    REFUSE("fsconfig"), REFUSE("fspick"), REFUSE("open_by_handle_at"), REFUSE("fanotify_init"),

    /* Parts of the kernel that a way into it often leads through. */
    REFUSE("bpf"), REFUSE("perf_event_open"), REFUSE("userfaultfd"), REFUSE("io_uring_setup"),
    REFUSE("io_uring_enter"), REFUSE("io_uring_register"), REFUSE("keyctl"), REFUSE("add_key"),
    REFUSE("request_key"), REFUSE("modify_ldt"), REFUSE("personality"),

    /* The machine as a whole. */
    REFUSE("init_module"), REFUSE("finit_module"), REFUSE("delete_module"), REFUSE("kexec_load"),
    REFUSE("kexec_file_load"), REFUSE("reboot"), REFUSE("swapon"), REFUSE("swapoff"), REFUSE("acct"),
    REFUSE("quotactl"), REFUSE("settimeofday"), REFUSE("clock_settime"), REFUSE("adjtimex"),
    REFUSE("clock_adjtime"), REFUSE("sethostname"), REFUSE("setdomainname"), REFUSE("syslog"), REFUSE("iopl"),
    REFUSE("ioperm"), REFUSE("vhangup")
};
/* clang-format on */

/* What this process has entered, and what was told last. */
static enum config_sandbox in_force = CONFIG_SANDBOX_OFF;
static int told = -1;

static int load(bool only_log)
{
    if (!confine_has_filters())
        return 0;
    struct confine_filter *filter =
        confine_compile(calls, sizeof(calls) / sizeof(calls[0]), CONFINE_PERMIT, only_log);
    if (filter == NULL)
        return -1;
    int result = confine_load(filter);
    confine_free(filter);
    return result;
}

int restraint_apply(const struct world *world)
{
    enum config_sandbox asked = world->config->sandbox;

    if (told != (int) asked)
        sandbox_tell(world->prepared.plan.sandbox);
    told = (int) asked;
    if (asked <= in_force)
        return 0;
    if (confine_privileges() < 0 || load(asked == CONFIG_SANDBOX_LOG) < 0)
        return -1;
    in_force = asked;
    return 0;
}
