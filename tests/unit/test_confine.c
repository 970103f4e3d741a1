/* What a process can give up: that it is gone, that nothing else is, and that it does not come back. */
#include "confine_help.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "base/confine.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct confine_rule rules[] = {
    {"getppid", CONFINE_FORBID, CONFINE_ALWAYS, 0, 0},
    {"getuid", CONFINE_REFUSE, CONFINE_ALWAYS, 0, 0},
    {"getgid", CONFINE_UNKNOWN, CONFINE_ALWAYS, 0, 0},
    {"getpgid", CONFINE_REFUSE, CONFINE_SELF, 0, 0},
    {"getsid", CONFINE_REFUSE, CONFINE_NOT_SELF, 0, 0},
    {"close", CONFINE_REFUSE, CONFINE_EQUAL, 0, 1000},
    {"fchdir", CONFINE_REFUSE, CONFINE_OTHER, 0, 1000},
    {"umask", CONFINE_REFUSE, CONFINE_WITH, 0, 3},
    {"dup", CONFINE_REFUSE, CONFINE_WITHOUT, 0, 1024},
    {"no_such_call", CONFINE_FORBID, CONFINE_ALWAYS, 0, 0},
};

static struct confine_filter *compile(bool only_log)
{
    struct confine_filter *filter = confine_compile(rules, COUNT(rules), CONFINE_PERMIT, only_log);

    assert_non_null(filter);
    return filter;
}

static bool loaded(const void *filter)
{
    return confine_privileges() == 0 && confine_load(filter) == 0;
}

static bool fails(int result, int error)
{
    return result < 0 && errno == error;
}

static int act_forbidden(const void *filter)
{
    return loaded(filter) ? (int) syscall(SYS_getppid) : 1;
}

static int act_refused(const void *filter)
{
    return !(loaded(filter) && fails((int) syscall(SYS_getuid), EPERM) &&
             fails((int) syscall(SYS_getgid), ENOSYS) && syscall(SYS_geteuid) >= 0);
}

static int act_by_argument(const void *filter)
{
    bool right = loaded(filter);

    right &= fails((int) syscall(SYS_getpgid, getpid()), EPERM);
    right &= syscall(SYS_getpgid, 0) >= 0;
    right &= syscall(SYS_getsid, getpid()) >= 0;
    right &= fails((int) syscall(SYS_getsid, 0), EPERM);
    right &= fails((int) syscall(SYS_umask, 3), EPERM) && fails((int) syscall(SYS_umask, 7), EPERM);
    right &= syscall(SYS_umask, 1) >= 0 && syscall(SYS_umask, 022) >= 0;
    right &= fails((int) syscall(SYS_close, 1000), EPERM) && fails((int) syscall(SYS_close, 1001), EBADF);
    right &= fails((int) syscall(SYS_fchdir, 1001), EPERM) && fails((int) syscall(SYS_fchdir, 1000), EBADF);
    right &= fails((int) syscall(SYS_dup, 1), EPERM) && fails((int) syscall(SYS_dup, 5120), EBADF);
    return !right;
}

static int act_logged(const void *filter)
{
    return !(loaded(filter) && syscall(SYS_getppid) > 0 && fails((int) syscall(SYS_getsid, -1), ESRCH) &&
             (int) syscall(SYS_getuid) >= 0);
}

static void needs_filters(void)
{
    only_without_tools();
    if (!confine_has_filters())
        skip();
}

static void test_verdicts(void **state)
{
    needs_filters();
    struct confine_filter *filter = compile(false);
    (void) state;
    assert_killed(act_forbidden, filter, SIGSYS);
    assert_ends(act_refused, filter);
    assert_ends(act_by_argument, filter);
    confine_free(filter);
}

static void test_log_forbids_nothing(void **state)
{
    needs_filters();
    struct confine_filter *filter = compile(true);
    (void) state;
    assert_ends(act_logged, filter);
    confine_free(filter);
}

static void test_names(void **state)
{
    char name[CONFINE_NAME_MAX];

    (void) state;
    assert_string_equal(confine_call_name(SYS_execve, name), "execve");
    assert_string_equal(confine_call_name(9999, name), "number 9999");
    assert_string_equal(confine_call_name(UINT32_MAX, name), "number 4294967295");
}

static bool has_line(const char *line)
{
    char text[256];
    bool found = false;
    FILE *status = fopen("/proc/self/status", "re");

    while (status != NULL && fgets(text, sizeof(text), status) != NULL)
        found |= strcmp(text, line) == 0;
    if (status != NULL)
        fclose(status);
    return found;
}

static int act_capabilities(const void *argument)
{
    bool root = prctl(PR_CAPBSET_READ, 0, 0, 0, 0) == 1 && geteuid() == 0;

    (void) argument;
    return !(confine_capabilities() == 0 && has_line("CapInh:\t0000000000000000\n") &&
             has_line("CapPrm:\t0000000000000000\n") && has_line("CapEff:\t0000000000000000\n") &&
             has_line("CapAmb:\t0000000000000000\n") && (!root || has_line("CapBnd:\t0000000000000000\n")) &&
             confine_capabilities() == 0);
}

static void test_capabilities(void **state)
{
    (void) state;
    assert_ends(act_capabilities, NULL);
}

static int from, at_path, at_name, own; /* of the child: sockets, and a file that was open before */

/* Where an answer to a local datagram client goes. */
static struct sockaddr_un client_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    memcpy(address.sun_path, path, strlen(path));
    return address;
}

static bool can_send_to(const struct sockaddr_un *client, socklen_t length)
{
    return sendto(from, "x", 1, MSG_DONTWAIT, (const struct sockaddr *) client, length) == 1;
}

struct folder {
    char path[64], file[80];
    int version;
};

static bool files_are_gone(const struct folder *folder, int version)
{
    char other[100];

    snprintf(other, sizeof(other), "%s.other", folder->file);
    bool gone = fails(open(folder->file, O_RDONLY | O_CLOEXEC), EACCES) &&
                fails(open(other, O_WRONLY | O_CREAT | O_CLOEXEC, 0600), EACCES) &&
                fails(unlink(folder->file), EACCES) && fails(mkdir(other, 0700), EACCES) &&
                fails(symlink("x", other), EACCES) && fails(open("/", O_RDONLY | O_CLOEXEC), EACCES);
    char byte;
    bool stays = read(own, &byte, 1) == 1;
    return gone && stays && (version < 3 || fails(truncate(folder->file, 0), EACCES));
}

static bool ports_are_gone(int version)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int stream = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    return version < 4 || (fails(bind(stream, (struct sockaddr *) &address, sizeof(address)), EACCES) &&
                           fails(connect(stream, (struct sockaddr *) &address, sizeof(address)), EACCES));
}

static int act_files(const void *argument)
{
    const struct folder *folder = argument;
    struct sockaddr_un path = client_at(""), name = client_at("");
    socklen_t name_length = sizeof(name);

    from = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    at_path = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    at_name = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    own = open(folder->file, O_RDONLY | O_CLOEXEC);
    snprintf(path.sun_path, sizeof(path.sun_path), "%s/client", folder->path);
    if (bind(at_path, (struct sockaddr *) &path, sizeof(path)) < 0 ||
        bind(at_name, (struct sockaddr *) &name, sizeof(name.sun_family)) < 0 ||
        getsockname(at_name, (struct sockaddr *) &name, &name_length) < 0)
        return 2;
    if (confine_privileges() < 0 || confine_files(folder->version) < 0)
        return 3;
    if (!can_send_to(&path, sizeof(path)) || !can_send_to(&name, name_length))
        return 4;
    if (!files_are_gone(folder, folder->version) || !ports_are_gone(folder->version))
        return 5;
    return folder->version < 6 || fails(kill(getppid(), 0), EPERM) ? 0 : 6;
}

/* Each version that the kernel might have been, up to the one that it has. */
static void test_files(void **state)
{
    struct folder folder = {.path = "/tmp/test_confine.XXXXXX"};
    int version = confine_files_version();
    char client[80];

    (void) state;
    only_without_tools();
    if (version == 0)
        skip();
    assert_non_null(mkdtemp(folder.path));
    snprintf(folder.file, sizeof(folder.file), "%s/file", folder.path);
    snprintf(client, sizeof(client), "%s/client", folder.path);
    int file = open(folder.file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(file, "x", 1), 1);
    close(file);
    for (folder.version = 1; folder.version <= version; folder.version++) {
        assert_ends(act_files, &folder);
        unlink(client);
    }
    unlink(folder.file);
    rmdir(folder.path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verdicts), cmocka_unit_test(test_log_forbids_nothing),
        cmocka_unit_test(test_names),    cmocka_unit_test(test_capabilities),
        cmocka_unit_test(test_files),
    };

    return cmocka_run_group_tests_name("confine", tests, NULL, NULL);
}
