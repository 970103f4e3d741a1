/* Whether a worker is stuck, and what is done about it.
 *
 * A heartbeat that stands still is no proof: an idle worker beats seldom, and one that is stopped, starved or
 * on a machine that sleeps does not beat at all. Only a worker that gets processor time and does not beat is
 * stuck (failures 30 and 34). It knows workers by their process. */
#ifndef HELLOD_MASTER_STUCK_H
#define HELLOD_MASTER_STUCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/fields.h"

enum {
    STUCK_CPU_MS =
        5000, /* processor time in one pass of a loop that takes a millisecond when it takes long */
    STUCK_KILL_MS = 2000,     /* from ABRT to KILL: long enough for the core dump of less than a megabyte */
    STUCK_FOR_GOOD_MS = 30000 /* who is still there so long after ABRT will not go */
};

/* What is known of one worker; zeroed for a new one. */
struct stuck {
    uint64_t beat;       /* when it was last seen to change, */
    uint64_t cpu_ms;     /* and the processor time that the worker had used until then */
    uint64_t aborted_ms; /* when it was told to abort; 0: it was not */
};

/* Processor time that process PID has used, in milliseconds; 0 when it is gone. */
uint64_t stuck_cpu_ms(pid_t pid);

/* True when the worker, whose beat and processor time are BEAT and CPU_MS now, has used STUCK_CPU_MS since
 * its beat was last seen to change. */
bool stuck_judge(struct stuck *stuck, uint64_t beat, uint64_t cpu_ms);

/* Looks at WORKER at NOW_MS. One that is stuck is logged and sent SIGABRT, and SIGKILL if it is still
 * there STUCK_KILL_MS later. Returns whether it is stuck. */
bool stuck_check(struct stuck *stuck, const struct fields_worker *worker, uint64_t beat, uint64_t now_ms);

/* True when a worker that was told to abort is still there at NOW_MS and will not go. */
bool stuck_for_good(const struct stuck *stuck, uint64_t now_ms);

#endif
