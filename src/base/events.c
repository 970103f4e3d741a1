/* The table of events. An id is a random number, never changed and never used for another event: journals are
 * kept for years, and programs search them for it. */
#include "base/events.h"

#include <stddef.h>

const char *event_id(enum event event)
{
    static const char *const ids[] = {[EVENT_NONE] = NULL,
                                      [EVENT_READY] = "f2fc0821e12c4cde9dd6b25bf526883e",
                                      [EVENT_STOPPING] = "a002a9a0f4914335a44079a80e77e71a",
                                      [EVENT_RELOADED] = "298b413998a94888ae5af1625e298cc8",
                                      [EVENT_RELOAD_FAILED] = "9c28fb321e2145278e53949008c9d5e8",
                                      [EVENT_WORKER_DIED] = "87e954fcbaac46358b045756f913225f",
                                      [EVENT_WORKER_STUCK] = "d65c9cc218b54d4fa8726060b9a11fd4",
                                      [EVENT_SANDBOX_VIOLATION] = "e27ea0c4d098428293212f06175b9016",
                                      [EVENT_NOT_STARTED] = "1196374d118e414eb62ff2fe340f0c74"};

    return ids[event];
}
