/* What a process can give up for good, by the kernel's means: capabilities, files, system calls.
 *
 * The only module that sees libseccomp, Landlock and capset(2). Which calls a process can do without is told
 * by whoever knows, as a table of rules. Nothing here can be taken back. */
#ifndef HELLOD_BASE_CONFINE_H
#define HELLOD_BASE_CONFINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum confine_verdict {
    CONFINE_PERMIT,
    CONFINE_FORBID, /* SIGSYS, as SECCOMP_RET_TRAP of seccomp(2) */
    CONFINE_REFUSE, /* EPERM */
    CONFINE_UNKNOWN /* ENOSYS, as for a call that this kernel does not have */
};

enum confine_when {
    CONFINE_ALWAYS,
    CONFINE_EQUAL,   /* the argument is the value */
    CONFINE_OTHER,   /* it is not */
    CONFINE_WITH,    /* it has all bits of the value */
    CONFINE_WITHOUT, /* it has none of them */
    CONFINE_SELF,    /* it is the number of the process that loads the filter */
    CONFINE_NOT_SELF
};

/* One rule. A call may have several if their conditions exclude each other. */
struct confine_rule {
    const char *call; /* its name; one that this machine does not have is skipped */
    enum confine_verdict verdict;
    enum confine_when when;
    unsigned argument; /* 0..5 */
    uint32_t value;
};

enum {
    CONFINE_NAME_MAX = 40 /* room for the name of a system call, the NUL included */
};

/* Rules as a program for the kernel. */
struct confine_filter;

/* Makes a filter of COUNT RULES; OTHERS is for calls without a rule, and for those whose arguments none of
 * theirs fits. With ONLY_LOG nothing is forbidden: what would be is noted in the audit log (SECCOMP_RET_LOG).
 * The caller gives it to confine_free(). NULL with errno. */
struct confine_filter *confine_compile(const struct confine_rule *rules, size_t count,
                                       enum confine_verdict others, bool only_log);

/* Frees it. NULL is fine. */
void confine_free(struct confine_filter *filter);

/* The version of libseccomp that is there, as "2.5.4". */
const char *confine_library(void);

/* Whether this process may load filters at all. */
bool confine_has_filters(void);

/* Loads FILTER into this process; its children inherit it. After confine_privileges(). Returns 0, or -1
 * with errno. */
int confine_load(const struct confine_filter *filter);

/* The name of system call NUMBER, or "number NUMBER", in NAME; returns NAME. */
const char *confine_call_name(uint32_t number, char name[CONFINE_NAME_MAX]);

/* From now on nothing that is executed can gain a privilege (PR_SET_NO_NEW_PRIVS of prctl(2)). Returns 0, or
 * -1 with errno. */
int confine_privileges(void);

/* Gives up every capability, and where it is allowed the bounding set as well. Returns 0, or -1 with errno.
 */
int confine_capabilities(void);

/* The version of the kernel's Landlock, 0: it has none, or this process may not use it. */
int confine_files_version(void);

/* No file can be opened, made, changed or removed from now on, no TCP port bound or connected to where
 * VERSION has that, and no process outside be sent signals. What is open stays open. After
 * confine_privileges(). Returns 0, or -1 with errno. */
int confine_files(int version);

#endif
