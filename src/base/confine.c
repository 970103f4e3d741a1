/* Filters by libseccomp, Landlock and capabilities by their system calls. Must not know who gives up what,
 * and why. */
#include "base/confine.h"

#include <errno.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What stands in a program for the number of the process that will load it: none has it. */
#define STAND_IN ((uint32_t) INT_MAX)

struct confine_filter {
    struct sock_fprog program;
};

static uint32_t action_of(enum confine_verdict verdict, bool only_log)
{
    if (verdict == CONFINE_PERMIT)
        return SCMP_ACT_ALLOW;
    if (only_log)
        return SCMP_ACT_LOG;
    return verdict == CONFINE_FORBID   ? SCMP_ACT_TRAP
           : verdict == CONFINE_REFUSE ? SCMP_ACT_ERRNO(EPERM)
                                       : SCMP_ACT_ERRNO(ENOSYS);
}

static struct scmp_arg_cmp condition_of(const struct confine_rule *rule)
{
    struct scmp_arg_cmp condition = {.arg = rule->argument, .op = SCMP_CMP_MASKED_EQ, .datum_a = rule->value};

    if (rule->when == CONFINE_EQUAL || rule->when == CONFINE_SELF)
        condition.op = SCMP_CMP_EQ;
    else if (rule->when == CONFINE_OTHER || rule->when == CONFINE_NOT_SELF)
        condition.op = SCMP_CMP_NE;
    else if (rule->when == CONFINE_WITH)
        condition.datum_b = rule->value;
    if (rule->when == CONFINE_SELF || rule->when == CONFINE_NOT_SELF)
        condition.datum_a = STAND_IN;
    return condition;
}

/* Returns 0 or a negative errno. */
static int add_rule(scmp_filter_ctx context, const struct confine_rule *rule, uint32_t action)
{
    int number = seccomp_syscall_resolve_name(rule->call);
    struct scmp_arg_cmp condition = condition_of(rule);

    if (number == __NR_SCMP_ERROR)
        return 0; /* younger than the library: it falls to the others */
    return seccomp_rule_add_array(context, action, number, rule->when == CONFINE_ALWAYS ? 0 : 1, &condition);
}

static int add_rules(scmp_filter_ctx context, const struct confine_rule *rules, size_t count, uint32_t others,
                     bool only_log)
{
    /* A tree of comparisons. Without arguments to look at, the kernel remembers the verdict on a call and
     * does not walk it at all. */
    int result = seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2);

    /* Calls of another kind of processor (int 0x80, x32) are nobody's here. */
    if (result == 0)
        result = seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH,
                                  only_log ? SCMP_ACT_LOG : SCMP_ACT_KILL_PROCESS);
    for (size_t i = 0; result == 0 && i < count; i++) {
        uint32_t action = action_of(rules[i].verdict, only_log);
        if (action != others)
            result = add_rule(context, &rules[i], action);
    }
    return result;
}

/* Reads the program at FD, which libseccomp has written. */
static int read_program(int fd, struct sock_fprog *program)
{
    struct stat status;

    if (fstat(fd, &status) < 0)
        return -1;
    size_t size = (size_t) status.st_size;
    program->len = (unsigned short) (size / sizeof(struct sock_filter));
    program->filter = malloc(size);
    if (program->filter == NULL)
        return -1;
    return pread(fd, program->filter, size, 0) == (ssize_t) size ? 0 : -1;
}

static int export_program(scmp_filter_ctx context, struct sock_fprog *program)
{
    int fd = memfd_create("filter", MFD_CLOEXEC);

    if (fd < 0)
        return -1;
    int result = seccomp_export_bpf(context, fd);
    if (result == 0)
        result = read_program(fd, program);
    else
        errno = -result;
    int error = errno;
    close(fd);
    errno = error;
    return result == 0 ? 0 : -1;
}

struct confine_filter *confine_compile(const struct confine_rule *rules, size_t count,
                                       enum confine_verdict others, bool only_log)
{
    uint32_t otherwise = action_of(others, only_log);
    scmp_filter_ctx context = seccomp_init(otherwise);
    struct confine_filter *filter = calloc(1, sizeof(*filter));

    if (context == NULL || filter == NULL) {
        errno = ENOMEM;
    } else {
        int result = add_rules(context, rules, count, otherwise, only_log);
        errno = -result;
        if (result == 0 && export_program(context, &filter->program) == 0) {
            seccomp_release(context);
            return filter;
        }
    }
    int error = errno;
    seccomp_release(context);
    confine_free(filter);
    errno = error;
    return NULL;
}

void confine_free(struct confine_filter *filter)
{
    if (filter == NULL)
        return;
    free(filter->program.filter);
    free(filter);
}

const char *confine_library(void)
{
    static char text[48];
    const struct scmp_version *version = seccomp_version();

    snprintf(text, sizeof(text), "%u.%u.%u", version->major, version->minor, version->micro);
    return text;
}

bool confine_has_filters(void)
{
    uint32_t action = SECCOMP_RET_TRAP;

    return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

int confine_load(const struct confine_filter *filter)
{
    struct sock_fprog program = filter->program;
    size_t size = program.len * sizeof(struct sock_filter);

    program.filter = malloc(size);
    if (program.filter == NULL)
        return -1;
    memcpy(program.filter, filter->program.filter, size);
    for (unsigned i = 0; i < program.len; i++)
        if (BPF_CLASS(program.filter[i].code) == BPF_JMP && program.filter[i].k == STAND_IN)
            program.filter[i].k = (uint32_t) getpid();
    /* Nobody's code but our own runs in here, which needs no slower loads to be kept from reading our memory.
     */
    long result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program);
    int error = errno;
    free(program.filter);
    errno = error;
    return (int) result;
}

const char *confine_call_name(uint32_t number, char name[CONFINE_NAME_MAX])
{
    char *known = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, (int) number);

    if (known != NULL)
        snprintf(name, CONFINE_NAME_MAX, "%s", known);
    else
        snprintf(name, CONFINE_NAME_MAX, "number %u", number);
    free(known);
    return name;
}

int confine_privileges(void)
{
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

int confine_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {{0}},
                                  none[_LINUX_CAPABILITY_U32S_3] = {{0}};
    unsigned long one = 0;

    /* The bounding set while there is the capability for it still. Who does not have that fails at the first,
     * everybody behind the last. */
    while (prctl(PR_CAPBSET_DROP, one, 0, 0, 0) == 0)
        one++;
    if (syscall(SYS_capget, &header, sets) < 0)
        return -1;
    if (memcmp(sets, none, sizeof(none)) == 0)
        return 0; /* and a sandbox around this one may not like to see it tried */
    return (int) syscall(SYS_capset, &header, none); /* the ambient ones go with them: capabilities(7) */
}

/* Landlock, as landlock(7) has it: the kernel's headers may be older than the kernel. */
enum {
    FILES_FIRST = (1 << 13) - 1, /* 1: all that can be done with files, but for */
    FILES_REFER = 1 << 13,       /* 2: moving between folders */
    FILES_TRUNCATE = 1 << 14,    /* 3 */
    FILES_DEVICES = 1 << 15,     /* 5: ioctl(2) of devices */
    NET_TCP = 3,                 /* 4: bind and connect */
    SCOPE_SIGNALS = 1 << 1,      /* 6: signals to others */
    VERSION_FLAG = 1
};

struct landlock_attributes {
    uint64_t files, net, scopes;
};

/* Datagrams to local sockets with names must go on: clients of such a listener are answered there. So the
 * abstract ones are not in scopes, and paths are not among files. */
static struct landlock_attributes attributes_of(int version)
{
    struct landlock_attributes attributes = {.files = FILES_FIRST};

    if (version >= 2)
        attributes.files |= FILES_REFER;
    if (version >= 3)
        attributes.files |= FILES_TRUNCATE;
    if (version >= 4)
        attributes.net = NET_TCP;
    if (version >= 5)
        attributes.files |= FILES_DEVICES;
    if (version >= 6)
        attributes.scopes = SCOPE_SIGNALS;
    return attributes;
}

int confine_files_version(void)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, VERSION_FLAG);

    return version > 0 ? (int) version : 0;
}

int confine_files(int version)
{
    struct landlock_attributes attributes = attributes_of(version);
    /* Older kernels take the longer form if what they do not know of it is zero. */
    int rules = (int) syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes), 0);

    if (rules < 0)
        return -1;
    int result = (int) syscall(SYS_landlock_restrict_self, rules, 0);
    int error = errno;
    close(rules);
    errno = error;
    return result;
}
