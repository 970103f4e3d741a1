/* Tries one thing that a sandbox may forbid, and says whether it could: "allowed", or "denied" and why.
 *
 *   probe WHAT
 *
 * Must not know which line of a unit forbids it. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

enum {
    SHM_KEY = 0x68656c6c /* made outside, by "shm-make" */
};

/* For those that differ in what they see: the same namespace as the first process. */
static bool same_namespace(const char *name)
{
    char path[64];
    struct stat own, first;

    snprintf(path, sizeof(path), "/proc/self/ns/%s", name);
    if (stat(path, &own) < 0)
        return false;
    snprintf(path, sizeof(path), "/proc/1/ns/%s", name);
    return stat(path, &first) == 0 && own.st_ino == first.st_ino;
}

static bool is_open(int fd)
{
    return fd >= 0 && close(fd) == 0;
}

static bool can_open(const char *path, int flags)
{
    return is_open(open(path, flags | O_CLOEXEC, 0600));
}

static bool has_capability(void)
{
    for (int capability = 0; prctl(PR_CAPBSET_READ, capability) >= 0; capability++)
        if (prctl(PR_CAPBSET_READ, capability) == 1)
            return true;
    errno = EPERM;
    return false;
}

static bool can_be_set_user_id(void)
{
    int fd = open("/var/tmp/probe-suid", O_CREAT | O_RDWR | O_CLOEXEC, 0600);

    return fd >= 0 && fchmod(fd, S_ISUID | 0700) == 0;
}

static bool can_send(void)
{
    struct sockaddr_in nobody = {.sin_family = AF_INET, .sin_port = htons(9)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    nobody.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return fd >= 0 && sendto(fd, "", 1, 0, (struct sockaddr *) &nobody, sizeof(nobody)) == 1;
}

static bool can_set_clock(void)
{
    struct timeval now;

    gettimeofday(&now, NULL);
    return settimeofday(&now, NULL) == 0;
}

static bool can_map_code(void)
{
    void *page = mmap(NULL, 4096, PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return page != MAP_FAILED && munmap(page, 4096) == 0;
}

static bool can_use_realtime(void)
{
    struct sched_param param = {.sched_priority = 1};

    return sched_setscheduler(0, SCHED_FIFO, &param) == 0;
}

/* Loading rubbish is refused, but only to those who may load. */
static bool can_load_modules(void)
{
    return syscall(SYS_init_module, "", 0UL, "") == 0 || errno != EPERM;
}

static bool can_use_other_calls(void)
{
#ifdef __x86_64__
    long pid;

    __asm__ volatile("int $0x80" : "=a"(pid) : "0"(20L) : "memory"); /* getpid, as i386 numbers it */
    return pid > 0;
#else
    return true;
#endif
}

static bool can_run_programs(void)
{
    execl("/usr/bin/echo", "echo", "allowed", (char *) NULL);
    return errno != EACCES;
}

static mode_t creation_mask(void)
{
    return umask(0);
}

static bool attempt(const char *what)
{
#define PROBE(NAME, ATTEMPT)     \
    if (strcmp(what, NAME) == 0) \
    return ATTEMPT
    PROBE("capability", has_capability());
    PROBE("new-privileges", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0);
    PROBE("host-users", same_namespace("user"));
    PROBE("host-mounts", same_namespace("mnt"));
    PROBE("host-network", same_namespace("net"));
    PROBE("suid", can_be_set_user_id());
    PROBE("write-etc", can_open("/etc/probe", O_CREAT | O_WRONLY));
    PROBE("read-home", can_open("/root/secret", O_RDONLY));
    PROBE("see-tmp", can_open("/tmp/marker", O_RDONLY));
    PROBE("see-dev", can_open("/dev/marker", O_RDONLY));
    PROBE("device", can_open("/dev/net/tun", O_RDWR));
    PROBE("exec", can_run_programs());
    PROBE("tunable", can_open("/proc/sys/net/ipv4/ip_forward", O_WRONLY));
    PROBE("module", can_load_modules());
    PROBE("kernel-log", klogctl(10, NULL, 0) >= 0);
    PROBE("control-group", can_open("/sys/fs/cgroup/system.slice/cgroup.max.depth", O_WRONLY));
    PROBE("clock", can_set_clock());
    PROBE("hostname", sethostname("probe", 5) == 0);
    PROBE("other-processes", can_open("/proc/1/cmdline", O_RDONLY));
    PROBE("proc-files", can_open("/proc/uptime", O_RDONLY));
    PROBE("shm", shmget(SHM_KEY, 1, 0) >= 0);
    PROBE("shm-make", shmget(SHM_KEY, 1, IPC_CREAT | 0666) >= 0);
    PROBE("netlink", is_open(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0)));
    PROBE("internet", is_open(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)));
    PROBE("send", can_send());
    PROBE("namespace", unshare(CLONE_NEWUTS) == 0);
    PROBE("realtime", can_use_realtime());
    PROBE("personality", personality(PER_LINUX32) >= 0);
    PROBE("write-and-execute", can_map_code());
    PROBE("foreign-calls", can_use_other_calls());
    PROBE("chroot", chroot("/") == 0);
    PROBE("open-files", creation_mask() != 0077);
#undef PROBE
    errno = ENOSYS;
    return false;
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 64;
    errno = 0;
    if (attempt(argv[1]))
        puts("allowed");
    else
        printf("denied: %s\n", errno != 0 ? strerror(errno) : "another one");
    return 0;
}
