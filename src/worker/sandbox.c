/* The table of calls, and what becomes of one who breaks out. Must not know what workers do with the calls,
 * nor how the kernel is told of them. */
#include "worker/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "base/confine.h"
#include "base/link.h"
#include "base/log.h"

struct sandbox {
    enum sandbox_mode mode;
    unsigned users;                /* plans of the master */
    struct confine_filter *filter; /* NULL: this kernel has none for us */
    int files_version;             /* 0: this kernel has no Landlock for us */
};

/* What is permitted, and what is forbidden and not only unknown. Those of the first two groups are made for
 * every request; but for shutdown(2), at the end of a conversation, no argument of theirs is looked at, so
 * that the kernel remembers its verdict. A name that this kind of processor does not have does no harm. */
/* clang-format off */
#define PERMIT(call)                        {call, CONFINE_PERMIT, CONFINE_ALWAYS, 0, 0}
#define PERMIT_IF(call, argument, if, value) {call, CONFINE_PERMIT, if, argument, value}
#define FORBID(call)                        {call, CONFINE_FORBID, CONFINE_ALWAYS, 0, 0}
#define FORBID_IF(call, argument, if, value) {call, CONFINE_FORBID, if, argument, value}

static const struct confine_rule calls[] = {
    /* The loop, and the link to the master. */
    PERMIT("epoll_wait"), PERMIT("epoll_pwait"),            /* where there is no epoll_wait */
    PERMIT("epoll_ctl"),                                    /* what is watched */
    PERMIT("clock_gettime"), PERMIT("clock_gettime64"),     /* where the time cannot be had without a call */

    /* Conversations and datagrams. */
    PERMIT("accept4"),
    PERMIT_IF("getsockopt", 1, CONFINE_EQUAL, IPPROTO_TCP), /* how many connections wait */
    PERMIT("recvfrom"), PERMIT("recv"),                     /* recv(3) is one or the other */
    PERMIT("sendto"), PERMIT("send"),                       /* also lines to the journal's stream */
    PERMIT("recvmmsg"), PERMIT("recvmmsg_time64"),
    PERMIT("sendmmsg"),
    PERMIT_IF("shutdown", 1, CONFINE_EQUAL, SHUT_WR),       /* the end of a conversation in good order */
    FORBID_IF("shutdown", 1, CONFINE_OTHER, SHUT_WR),       /* that of a listening socket would be everybody's */
    PERMIT("close"),

    /* Lines of the log, and an eventfd by which a sibling is woken. */
    PERMIT("write"),
    PERMIT("writev"),                                       /* last words of the C library before abort(3) */

    /* The descriptor that is kept for telling somebody that none are left: only copies, and of what is open. */
    PERMIT_IF("fcntl", 1, CONFINE_EQUAL, F_DUPFD_CLOEXEC),
    PERMIT_IF("fcntl64", 1, CONFINE_EQUAL, F_DUPFD_CLOEXEC),

    /* Memory: buffers are given back when it is quiet, all of it at the end; malloc(3) may grow for the C
     * library. Nothing that can be executed. */
    PERMIT("madvise"), PERMIT("munmap"), PERMIT("brk"),
    PERMIT_IF("mmap", 2, CONFINE_WITHOUT, PROT_EXEC),
    FORBID_IF("mmap", 2, CONFINE_WITH, PROT_EXEC),
    PERMIT_IF("mmap2", 2, CONFINE_WITHOUT, PROT_EXEC),
    FORBID_IF("mmap2", 2, CONFINE_WITH, PROT_EXEC),
    FORBID_IF("mprotect", 2, CONFINE_WITH, PROT_EXEC), FORBID("pkey_mprotect"),

    /* The master's death: a handler sets an alarm. */
    PERMIT("rt_sigreturn"), PERMIT("sigreturn"),
    PERMIT("alarm"), PERMIT("setitimer"),                   /* alarm(3) is one or the other */
    PERMIT("restart_syscall"),                              /* after SIGSTOP and SIGCONT the kernel asks for it */

    /* The end: abort(3), by which an assertion ends this process and no other, and exit(3). Only the signal of
     * abort(3) can get another handler, so that nobody can do without the one of this sandbox. */
    PERMIT("getpid"), PERMIT("gettid"), PERMIT("rt_sigprocmask"),
    PERMIT_IF("rt_sigaction", 0, CONFINE_EQUAL, SIGABRT),
    FORBID_IF("rt_sigaction", 0, CONFINE_OTHER, SIGABRT),
    PERMIT_IF("tgkill", 0, CONFINE_SELF, 0),
    FORBID_IF("tgkill", 0, CONFINE_NOT_SELF, 0),
    PERMIT_IF("futex", 1, CONFINE_EQUAL, FUTEX_WAKE_PRIVATE), /* pthread_once(3) wakes nobody */
    PERMIT("exit"), PERMIT("exit_group"),

    /* Another program or process: how most attacks go on. */
    FORBID("execve"), FORBID("execveat"), FORBID("fork"), FORBID("vfork"), FORBID("clone"), FORBID("clone3"),

    /* Files: whatever is opened or changed was not needed before either. */
    FORBID("open"), FORBID("openat"), FORBID("openat2"), FORBID("creat"), FORBID("open_by_handle_at"),
    FORBID("truncate"), FORBID("truncate64"), FORBID("mknod"), FORBID("mknodat"), FORBID("mkdir"), FORBID("mkdirat"),
    FORBID("rmdir"), FORBID("unlink"), FORBID("unlinkat"), FORBID("rename"), FORBID("renameat"), FORBID("renameat2"),
    FORBID("link"), FORBID("linkat"), FORBID("symlink"), FORBID("symlinkat"), FORBID("chmod"), FORBID("fchmod"),
    FORBID("fchmodat"), FORBID("chown"), FORBID("fchown"), FORBID("lchown"), FORBID("fchownat"),
    FORBID("setxattr"), FORBID("lsetxattr"), FORBID("fsetxattr"), FORBID("memfd_create"), FORBID("memfd_secret"),

    /* Sockets: a way to others in this network. The listening ones were made by the master. */
    FORBID("socket"), FORBID("connect"), FORBID("bind"), FORBID("listen"), FORBID("socketcall"),

    /* Other processes. */
    FORBID("ptrace"), FORBID("process_vm_readv"), FORBID("process_vm_writev"), FORBID("process_madvise"),
    FORBID("kcmp"), FORBID("kill"), FORBID("tkill"), FORBID("rt_sigqueueinfo"), FORBID("rt_tgsigqueueinfo"),
    FORBID("pidfd_open"), FORBID("pidfd_getfd"), FORBID("pidfd_send_signal"),

    /* Other rights, another root, other namespaces. */
    FORBID("setuid"), FORBID("setgid"), FORBID("setreuid"), FORBID("setregid"), FORBID("setresuid"),
    FORBID("setresgid"), FORBID("setfsuid"), FORBID("setfsgid"), FORBID("setgroups"), FORBID("capset"),
    FORBID("chroot"), FORBID("pivot_root"), FORBID("chdir"), FORBID("fchdir"), FORBID("unshare"), FORBID("setns"),
    FORBID("mount"), FORBID("umount"), FORBID("umount2"), FORBID("mount_setattr"), FORBID("move_mount"),
    FORBID("open_tree"), FORBID("fsopen"), FORBID("fsmount"), FORBID("fsconfig"), FORBID("fspick"),

    /* Parts of the kernel that a way into it often leads through. */
    FORBID("bpf"), FORBID("perf_event_open"), FORBID("userfaultfd"), FORBID("io_uring_setup"),
    FORBID("io_uring_enter"), FORBID("io_uring_register"), FORBID("keyctl"), FORBID("add_key"), FORBID("request_key"),
    FORBID("init_module"), FORBID("finit_module"), FORBID("delete_module"), FORBID("kexec_load"),
    FORBID("kexec_file_load"), FORBID("modify_ldt"), FORBID("personality"), FORBID("fanotify_init"),
    FORBID("reboot"), FORBID("swapon"), FORBID("swapoff"), FORBID("acct"), FORBID("settimeofday"),
    FORBID("clock_settime"), FORBID("iopl"), FORBID("ioperm")
};
/* clang-format on */

struct sandbox *sandbox_new(enum sandbox_mode mode)
{
    struct sandbox *sandbox = calloc(1, sizeof(*sandbox));

    if (sandbox == NULL)
        return NULL;
    sandbox->mode = mode;
    sandbox->users = 1;
    if (mode == SANDBOX_OFF)
        return sandbox;
    /* Landlock cannot only tell what it would forbid. */
    sandbox->files_version = mode == SANDBOX_ENFORCE ? confine_files_version() : 0;
    if (!confine_has_filters())
        return sandbox;
    sandbox->filter =
        confine_compile(calls, sizeof(calls) / sizeof(calls[0]), CONFINE_UNKNOWN, mode == SANDBOX_LOG);
    if (sandbox->filter != NULL)
        return sandbox;
    int error = errno;
    free(sandbox);
    errno = error;
    return NULL;
}

struct sandbox *sandbox_share(struct sandbox *sandbox, enum sandbox_mode mode)
{
    if (sandbox->mode != mode)
        return NULL;
    sandbox->users++;
    return sandbox;
}

void sandbox_free(struct sandbox *sandbox)
{
    if (sandbox == NULL || --sandbox->users > 0)
        return;
    confine_free(sandbox->filter);
    free(sandbox);
}

bool sandbox_is_on(const struct sandbox *sandbox)
{
    return sandbox != NULL && sandbox->mode != SANDBOX_OFF;
}

static void tell_enforced(const struct sandbox *sandbox)
{
    if (sandbox->filter != NULL && sandbox->files_version > 0)
        log_info("workers are confined by seccomp and Landlock (ABI %d)", sandbox->files_version);
    else if (sandbox->filter != NULL)
        log_event(LOG_LEVEL_NOTICE, EVENT_NOT_CONFINED, NULL,
                  "workers are confined by seccomp; Landlock cannot be had here");
    else if (sandbox->files_version > 0)
        log_event(LOG_LEVEL_NOTICE, EVENT_NOT_CONFINED, NULL,
                  "workers are confined by Landlock (ABI %d); seccomp cannot be had here",
                  sandbox->files_version);
    else
        log_event(LOG_LEVEL_NOTICE, EVENT_NOT_CONFINED, NULL,
                  "workers are not confined: neither seccomp nor Landlock can be had here");
}

void sandbox_tell(const struct sandbox *sandbox)
{
    if (sandbox->mode == SANDBOX_ENFORCE)
        tell_enforced(sandbox);
    else if (sandbox->mode == SANDBOX_OFF)
        log_event(LOG_LEVEL_NOTICE, EVENT_NOT_CONFINED, NULL, "workers are not confined: sandbox = \"off\"");
    else if (sandbox->filter != NULL)
        log_event(LOG_LEVEL_NOTICE, EVENT_NOT_CONFINED, NULL,
                  "workers are not confined: sandbox = \"log\", the kernel's audit log has what they do "
                  "beyond it");
    else
        log_event(LOG_LEVEL_NOTICE, EVENT_NOT_CONFINED, NULL,
                  "workers are not confined: sandbox = \"log\", and seccomp cannot be had here");
}

static struct {
    int link;
    _Atomic uint64_t *violations;
} trap = {.link = -1};

/* The signal comes from the call itself, so that it is never in the middle of anything else. It has its usual
 * effect by now, which is to end the process. */
static void on_violation(int signal_number, siginfo_t *info, void *context)
{
    (void) context;
    atomic_fetch_add_explicit(trap.violations, 1, memory_order_relaxed);
    link_send(trap.link, LINK_FORBIDDEN, (uint32_t) info->si_syscall, NULL);
    raise(signal_number);
}

static void set_trap(int link, _Atomic uint64_t *violations)
{
    struct sigaction action = {.sa_sigaction = on_violation,
                               .sa_flags = (int) (SA_SIGINFO | SA_RESETHAND | SA_NODEFER)};

    trap.link = link;
    trap.violations = violations;
    sigemptyset(&action.sa_mask);
    sigaction(SIGSYS, &action, NULL);
}

const char *sandbox_enter(const struct sandbox *sandbox, int link, _Atomic uint64_t *violations)
{
    if (confine_privileges() < 0)
        return "no_new_privs";
    if (sandbox->mode == SANDBOX_ENFORCE && confine_capabilities() < 0)
        return "capabilities";
    if (sandbox->files_version > 0 && confine_files(sandbox->files_version) < 0)
        return "Landlock";
    set_trap(link, violations);
    if (sandbox->filter != NULL && confine_load(sandbox->filter) < 0)
        return "seccomp";
    return NULL;
}
