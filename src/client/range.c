/* Threshold ranges. Must not know what is measured, nor in what unit. */
#include "client/range.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Sets *NUMBER to the number that TEXT begins with; returns what comes behind it, or NULL if there is none.
 * strtod(3) knows more forms than the guidelines: it must stop where the digits do. */
static const char *take_number(const char *text, double *number)
{
    size_t length = strspn(text, "-.0123456789");
    char *end;
    double value = strtod(text, &end);

    if (length == 0 || end != text + length || !isfinite(value))
        return NULL;
    *number = value;
    return end;
}

/* Sets *START to what stands before COLON; an empty one leaves it as it is. */
static bool take_start(const char *text, const char *colon, double *start)
{
    if (text[0] == '~' && text + 1 == colon) {
        *start = -INFINITY;
        return true;
    }
    return text == colon || take_number(text, start) == colon;
}

const char *range_parse(const char *text, struct range *range)
{
    static const char form[] = "a range is [@][start:][end], in numbers like 0.5";
    struct range parsed = {.end = INFINITY, .inside = text[0] == '@'};
    const char *begin = text + parsed.inside, *colon = strchr(begin, ':');
    const char *end = colon == NULL ? begin : colon + 1;

    if (colon != NULL && !take_start(begin, colon, &parsed.start))
        return form;
    bool endless = *end == '\0' && end > begin + 1; /* neither "" nor ":", which say nothing */
    if (!endless) {
        end = take_number(end, &parsed.end);
        if (end == NULL || *end != '\0')
            return form;
    }
    if (parsed.start > parsed.end)
        return "the start of a range is not above its end";
    *range = parsed;
    return NULL;
}

bool range_alerts(const struct range *range, double value)
{
    bool within = value >= range->start && value <= range->end;

    return within == range->inside;
}
