/* Whom the client is to talk to: what the command line says, and the addresses that come of it. Opens no
 * connection. */
#ifndef HELLOD_CLIENT_TARGET_H
#define HELLOD_CLIENT_TARGET_H

#include <sys/socket.h>

#include "base/addr.h"

enum {
    TARGET_PORT = 3288,         /* when none is said */
    TARGET_ADDRESSES_MAX = 16,  /* of one name; more are left out */
    TARGET_NAME_MAX = 256 + 16, /* room for a host (RFC 1035: 255) and a port as text */
    TARGET_WHY_MAX = 256        /* room for what is wrong, in words */
};

/* What the command line says. */
struct target_wish {
    const char *host; /* a name, an address, or the path of a socket, which has a "/" or begins with "@"
                         (abstract, unix(7)); NULL: localhost */
    const char *port; /* a number; NULL: TARGET_PORT. A path has none. */
    int family;       /* AF_UNSPEC, or AF_INET or AF_INET6 alone */
    int type;         /* SOCK_STREAM or SOCK_DGRAM */
};

struct target_address {
    union {
        struct sockaddr any;
        struct sockaddr_storage store;
    };
    socklen_t length;
};

struct target {
    int type;      /* SOCK_STREAM or SOCK_DGRAM */
    unsigned port; /* 0: a path */
    unsigned count;
    struct target_address addresses[TARGET_ADDRESSES_MAX]; /* in the order to try them */
    char name[TARGET_NAME_MAX]; /* "localhost port 3288", "/run/x": fit for a terminal */
};

enum target_result {
    TARGET_OK,
    TARGET_WRONG,   /* the wish makes no sense: a usage error */
    TARGET_UNKNOWN, /* the name has no address, or none of that family */
    TARGET_TOO_LATE /* nobody could say within the time */
};

/* Finds the addresses of WISH within WAIT_MS (1 to INT_MAX). A name's are sorted as RFC 6724 says, and then
 * as RFC 8305, section 4, says: the families take turns, IPv6 first. For anything but TARGET_OK, WHY says
 * what is wrong, in words fit for a terminal. The name service is asked in a thread, which may
 * outlive the call after TARGET_TOO_LATE. */
enum target_result target_find(struct target *target, const struct target_wish *wish, unsigned wait_ms,
                               char why[TARGET_WHY_MAX]);

/* Address INDEX of TARGET as "127.0.0.1:3288", "[::1]:3288" or a path, fit for a terminal, in TEXT; returns
 * TEXT. */
const char *target_text(const struct target *target, unsigned index, char text[ADDR_TEXT_MAX]);

#endif
