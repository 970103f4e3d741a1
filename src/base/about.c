/* The program about itself. Must not know what it does. */
#include "base/about.h"

#include <gnu/libc-version.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/confine.h"

#if !defined(HELLOD_VERSION) || !defined(HELLOD_FLAGS) || !defined(HELLOD_LIBRARIES)
#error "HELLOD_VERSION, HELLOD_FLAGS and HELLOD_LIBRARIES are set by the Makefile"
#endif

#ifdef __clang__
#define COMPILER __VERSION__
#else
#define COMPILER "gcc " __VERSION__
#endif

static const char *yes_or_no(bool yes)
{
    return yes ? "yes" : "no";
}

/* Whether a datagram socket has OPTION of udp(7). */
static bool has_udp(int option)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), value;
    socklen_t length = sizeof(value);
    bool has = fd >= 0 && getsockopt(fd, IPPROTO_UDP, option, &value, &length) == 0;

    if (fd >= 0)
        close(fd);
    return has;
}

static void print_kernel(FILE *out)
{
    struct utsname kernel;

    if (uname(&kernel) == 0)
        fprintf(out, "kernel: %s %s, %s\n", kernel.sysname, kernel.release, kernel.machine);
    fprintf(out, "seccomp filters: %s\n", yes_or_no(confine_has_filters()));
    fprintf(out, "Landlock ABI: %d\n", confine_files_version());
    fprintf(out, "UDP segmentation, coalescing: %s, %s\n", yes_or_no(has_udp(UDP_SEGMENT)),
            yes_or_no(has_udp(UDP_GRO)));
}

void about_print(FILE *out, const char *name)
{
    fprintf(out, "%s %s\n", name, HELLOD_VERSION);
    fprintf(out, "compiler: %s\n", COMPILER);
    fprintf(out, "flags: %s\n", HELLOD_FLAGS);
    fprintf(out, "built with: %s\n", HELLOD_LIBRARIES);
    fprintf(out, "running with: glibc %s, libseccomp %s\n", gnu_get_libc_version(), confine_library());
    print_kernel(out);
}
