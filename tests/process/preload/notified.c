/* Puts every system call of the daemon before a judge, for a daemon that is started with LD_PRELOAD of this
 * file's shared object.
 *
 * At the start of the program that HELLOD_JUDGED names it connects to the socket HELLOD_JUDGE, installs a
 * filter that notifies (seccomp_unotify(2)), and sends the descriptor on which whoever listens there is
 * notified. Children have the same filter, and the same judge. Without a judge any more all calls fail. Knows
 * nothing of the daemon. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    CHANNEL = 900 /* the connection's descriptor: what is sent on it needs no judge */
};

#define LOAD(field)         BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define UNLESS(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip)
#define WHEN(value, skip)   BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, skip, 0)
#define VERDICT(what)       BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_##what)

static void fail(const char *what)
{
    fprintf(stderr, "no judge: %s: %s\n", what, strerror(errno));
    _exit(EXIT_FAILURE);
}

/* Returns the descriptor for the judge. */
static int install(void)
{
    struct sock_filter code[] = {
        LOAD(nr),
        WHEN(SYS_exit_group, 4),
        WHEN(SYS_rt_sigreturn, 3),
        UNLESS(SYS_sendmsg, 3),
        LOAD(args[0]),
        UNLESS(CHANNEL, 1),
        VERDICT(ALLOW),
        VERDICT(USER_NOTIF),
    };
    struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    return (int) syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

static void send_descriptor(int fd)
{
    char byte = '!', room[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec data = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)};
    struct cmsghdr *part = CMSG_FIRSTHDR(&message);

    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(part), &fd, sizeof(int));
    if (sendmsg(CHANNEL, &message, 0) < 0)
        _exit(EXIT_FAILURE);
}

__attribute__((constructor)) static void start(void)
{
    const char *path = getenv("HELLOD_JUDGE"), *program = getenv("HELLOD_JUDGED");
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (path == NULL || program == NULL || strcmp(program_invocation_name, program) != 0)
        return;
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    int channel = socket(AF_UNIX, SOCK_STREAM, 0);
    if (channel < 0 || connect(channel, (struct sockaddr *) &address, sizeof(address)) < 0)
        fail("connect");
    if (dup2(channel, CHANNEL) < 0 || close(channel) < 0)
        fail("dup2");
    int listener = install();
    if (listener < 0)
        _exit(EXIT_FAILURE);
    send_descriptor(listener);
    close(listener);
    close(CHANNEL);
}
