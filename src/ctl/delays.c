/* Histograms in a status. Must not know what was measured. */
#include "ctl/delays.h"

#include <string.h>

static bool is_of(const struct quote_line *line, const char *name)
{
    return strcmp(status_text(line, "name"), name) == 0;
}

/* How many in all series were at most BOUND, one of their bounds; NULL: how many there are. */
static uint64_t count_within(const struct status *status, const char *name, const char *bound)
{
    const struct quote_line *line;
    uint64_t sum = 0;

    for (unsigned i = 0; (line = status_next(status, "bucket", &i)) != NULL;) {
        const struct quote_field *le = quote_find(line, "le");
        bool same = bound == NULL ? le == NULL : le != NULL && strcmp(le->value, bound) == 0;
        if (same && is_of(line, name))
            sum += status_number(line, "value");
    }
    return sum;
}

uint64_t delays_within(const struct status *status, const char *name, unsigned thousandths)
{
    const struct quote_line *line;
    uint64_t all = count_within(status, name, NULL);

    if (all == 0)
        return DELAYS_NONE;
    /* All series have the same bounds, so that those of the first are enough. */
    for (unsigned i = 0; (line = status_next(status, "bucket", &i)) != NULL;) {
        if (!is_of(line, name))
            continue;
        const struct quote_field *le = quote_find(line, "le");
        if (le == NULL)
            break;
        double part = (double) count_within(status, name, le->value);
        if (part * 1000 >= (double) all * thousandths && status_number(line, "le") > 0)
            return status_number(line, "le");
    }
    return UINT64_MAX;
}
