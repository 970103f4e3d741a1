/* The sandbox of a worker: what a process may do that has sockets, memory and a log already.
 *
 * Three fences, one behind the other, as far as the kernel has them: no capability, and no way to one
 * (capset(2), no_new_privs); no file and no TCP connection of its own (Landlock, landlock(7)); and of all
 * system calls those that serving needs (seccomp(2)), which stand in one table in sandbox.c. A call that is
 * in no table gives ENOSYS, so that a C library can take an older one. One that is forbidden ends the worker
 * by SIGSYS, and its last words on the link tell the master which call it was. It must not know what is
 * served. */
#ifndef HELLOD_WORKER_SANDBOX_H
#define HELLOD_WORKER_SANDBOX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum sandbox_mode {
    SANDBOX_OFF,    /* nothing is entered */
    SANDBOX_LOG,    /* all is allowed; calls that would not be are noted in the kernel's audit log */
    SANDBOX_ENFORCE /* it holds */
};

struct sandbox;

/* Makes what workers need to confine themselves in MODE, as far as this kernel, and whatever surrounds this
 * process, allow it. To be called by the master before it forks: a program for the kernel is made from the
 * table, and that once is enough. The caller gives it to sandbox_free(). NULL with errno when memory is
 * short. */
struct sandbox *sandbox_new(enum sandbox_mode mode);

/* The same once more, for another plan; sandbox_free() is then due once more, too. Returns SANDBOX; or NULL
 * if it is not for MODE. */
struct sandbox *sandbox_share(struct sandbox *sandbox, enum sandbox_mode mode);

/* Frees it, when it is the last who does; NULL is fine. */
void sandbox_free(struct sandbox *sandbox);

/* Whether there is something to enter; in NULL there is not. */
bool sandbox_is_on(const struct sandbox *sandbox);

/* Logs what is in force in workers: "workers are confined by seccomp and Landlock (ABI 7)". It is a notice
 * when that is less than SANDBOX_ENFORCE asks for. */
void sandbox_tell(const struct sandbox *sandbox);

/* Enters SANDBOX, which is on, for good. A forbidden call adds one to VIOLATIONS, which this process alone
 * writes, sends LINK_FORBIDDEN with its number over LINK and ends the process by SIGSYS. Returns NULL; or
 * what has failed, with errno. */
const char *sandbox_enter(const struct sandbox *sandbox, int link, _Atomic uint64_t *violations);

#endif
