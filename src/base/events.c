/* The table of events. An id is a random number, never changed and never used for another event: journals are
 * kept for years, and programs search them for it. */
#include "base/events.h"

#include <stddef.h>

const char *event_id(enum event event)
{
    static const char *const ids[] = {[EVENT_NONE] = NULL,
                                      [EVENT_READY] = "f2fc0821e12c4cde9dd6b25bf526883e",
                                      [EVENT_STOPPING] = "a002a9a0f4914335a44079a80e77e71a",
                                      [EVENT_CUT_SHORT] = "dec6b534deac461c9ca5b0d0829318f4",
                                      [EVENT_RELOADING] = "e1a9ed1eabcd48fc8a60b24496d88c1b",
                                      [EVENT_RELOADED] = "298b413998a94888ae5af1625e298cc8",
                                      [EVENT_RELOAD_FAILED] = "9c28fb321e2145278e53949008c9d5e8",
                                      [EVENT_LOG_LEVEL] = "c5bb2157af8c46e58de1ea615425c120",
                                      [EVENT_WORKER_DIED] = "87e954fcbaac46358b045756f913225f",
                                      [EVENT_WORKER_LOST] = "4a31a86bb1ec441389643f931bcee828",
                                      [EVENT_WORKER_STUCK] = "d65c9cc218b54d4fa8726060b9a11fd4",
                                      [EVENT_SANDBOX_VIOLATION] = "e27ea0c4d098428293212f06175b9016",
                                      [EVENT_NOT_STARTED] = "1196374d118e414eb62ff2fe340f0c74",
                                      [EVENT_WORKER_NOT_STARTED] = "e26b6132a526465bb1a3423a81172e5c",
                                      [EVENT_WORKERS_KILLED] = "15f6f9dac78f42d1a49a0f714d042b04",
                                      [EVENT_MASTER_LOST] = "acd3ec0c3c284175bd5aa6fe22b650a4",
                                      [EVENT_MASTER_SHORT] = "b5095fd83f6d4e788e4102c7c3bbaf26",
                                      [EVENT_NO_CONTROL] = "37744c77c84f44499a462c070b2338a7",
                                      [EVENT_NO_FAMILY] = "9cc9e566bdc243a3beaa9a5503612e49",
                                      [EVENT_NOT_CONFINED] = "8ec0bae4055f41dda71c05c9fd21c689",
                                      [EVENT_NOT_STORED] = "ee728555176b48538a16693dd515e320",
                                      [EVENT_ACCEPT_PAUSED] = "ea508df2d2794cddbfe7d626335eda22",
                                      [EVENT_FULL] = "d0d6eca97bf94f798e6e414bcb2c8a6d",
                                      [EVENT_TOO_MANY] = "9d5b45fede9e4a0aab5b67d9c1dd7b69",
                                      [EVENT_PENALTY] = "40cff8c7f38344e9bd453d312ec38289",
                                      [EVENT_OVER_RATE] = "c8ba1237da824ae9a8899b9d50e211bb",
                                      [EVENT_OVER_BUDGET] = "e97657153c614f8eabc916657f607edd",
                                      [EVENT_LOG_LOST] = "1eb2c3b2f6a04cdb9f242d80de837703"};

    return ids[event];
}
