/* One eventfd a slot. Knows nothing of who writes to it and when. */
#include "master/wakes.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

int wakes_open(struct plan *plan)
{
    plan->wake_fds = calloc(plan->workers, sizeof(int));
    if (plan->wake_fds == NULL)
        return -1;
    for (uint32_t i = 0; i < plan->workers; i++)
        plan->wake_fds[i] = -1;
    for (uint32_t i = 0; i < plan->workers; i++)
        if ((plan->wake_fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0)
            return -1;
    return 0;
}

void wakes_close(struct plan *plan)
{
    for (uint32_t i = 0; plan->wake_fds != NULL && i < plan->workers; i++)
        if (plan->wake_fds[i] >= 0)
            close(plan->wake_fds[i]);
    free(plan->wake_fds);
    plan->wake_fds = NULL;
}
