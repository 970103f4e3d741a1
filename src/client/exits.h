/* What `helloc` and `helloc talk` exit with; those above 1 are of sysexits.h(3head). The other commands have
 * codes of their own, as their kind of program has them. */
#ifndef HELLOD_CLIENT_EXITS_H
#define HELLOD_CLIENT_EXITS_H

enum client_exit {
    EXITS_DONE = 0,
    EXITS_REFUSED = 1,   /* the server said that it will not: full, too many, silent for too long, too long */
    EXITS_USAGE = 64,    /* EX_USAGE */
    EXITS_NO_HOST = 68,  /* EX_NOHOST: the name has no address */
    EXITS_NOBODY = 69,   /* EX_UNAVAILABLE: nobody answers there */
    EXITS_SYSTEM = 71,   /* EX_OSERR: this system has no memory, no descriptors, no right */
    EXITS_IO = 74,       /* EX_IOERR: standard input or output fails */
    EXITS_TOO_LATE = 75, /* EX_TEMPFAIL: no answer in time */
    EXITS_STRANGE = 76   /* EX_PROTOCOL: the server broke off, or what answers is no hellod */
};

#endif
