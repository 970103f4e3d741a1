/* The places where a tracer can look on (hellod(8), PROBES). Each is one instruction that does nothing, and a
 * note in the program that says where it is and where its arguments are (sys/sdt.h); so an argument must be
 * what is at hand there anyway, never a call. Knows nothing of who looks on. */
#ifndef HELLOD_BASE_PROBES_H
#define HELLOD_BASE_PROBES_H

#if __has_include(<sys/sdt.h>)
#ifdef __clang__ /* given the choice it writes each argument to the stack first */
#define STAP_SDT_ARG_CONSTRAINT nr
#endif
#include <sys/sdt.h>
#else /* built without systemtap's header: there are none */
#define DTRACE_PROBE2(provider, name, a, b)       ((void) 0)
#define DTRACE_PROBE3(provider, name, a, b, c)    ((void) 0)
#define DTRACE_PROBE4(provider, name, a, b, c, d) ((void) 0)
#endif

/* A connection was admitted. PEER is a struct addr_peer. */
#define probe_accept(listener, fd, peer) DTRACE_PROBE3(hellod, accept, listener, fd, peer)

/* A message is about to be answered; FD is -1 for a datagram, which has no connection. */
#define probe_message(listener, fd, data, length) DTRACE_PROBE4(hellod, message, listener, fd, data, length)

/* The answer to the message before is ready to be sent, but for its line ending. */
#define probe_answer(data, length) DTRACE_PROBE2(hellod, answer, data, length)

/* COUNT datagrams get no answer because of RULE, an enum guard_rule or PROBE_ACCESS; SOURCE is the struct
 * sockaddr of one of them, or NULL. */
#define probe_drop(listener, rule, count, source) DTRACE_PROBE4(hellod, drop, listener, rule, count, source)

/* An admitted connection is over; CAUSE is counted from COUNTER_closed_farewell on. */
#define probe_close(fd, cause) DTRACE_PROBE2(hellod, close, fd, cause)

/* Reload NUMBER has come to STEP, a word. */
#define probe_reload(number, step) DTRACE_PROBE2(hellod, reload, number, (const char *) (step))

/* The master has forked worker PID. */
#define probe_worker_start(pid, slot, generation) DTRACE_PROBE3(hellod, worker_start, pid, slot, generation)

/* The master has reaped worker PID, which ended as HOW says. */
#define probe_worker_end(pid, slot, generation, how) \
    DTRACE_PROBE4(hellod, worker_end, pid, slot, generation, (const char *) (how))

enum {
    PROBE_ACCESS = -1 /* the rule of a listener's lists, which stands before those of the guard */
};

#endif
