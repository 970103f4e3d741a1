/* What the commands' lines have in common. Must not know any command. */
#include "client/options.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *options_number(const char *text, unsigned long least, unsigned long most, unsigned long *value)
{
    char *end;

    errno = 0;
    unsigned long number = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || errno != 0 || number < least || number > most)
        return NULL;
    *value = number;
    return end;
}

bool options_fraction(const char *text, double least, double most, double *value)
{
    char *end;
    double number = strtod(text, &end);

    /* Neither hexadecimal numbers nor "inf", which strtod(3) takes. */
    if (text[0] == '\0' || text[strspn(text, "0123456789.")] != '\0' || *end != '\0' || number < least ||
        number > most)
        return false;
    *value = number;
    return true;
}

bool options_seconds(const char *text, double least, double most, uint64_t *ns)
{
    double seconds;

    if (!options_fraction(text, least, most, &seconds))
        return false;
    *ns = (uint64_t) llround(seconds * 1e9);
    return true;
}

bool options_family(struct target_wish *wish, int family)
{
    if (wish->family != AF_UNSPEC && wish->family != family)
        return false;
    wish->family = family;
    return true;
}

bool options_operands(struct target_wish *wish, int count, char **operands)
{
    if (count > 2)
        return false;
    wish->host = count > 0 ? operands[0] : NULL;
    wish->port = count > 1 ? operands[1] : NULL;
    return true;
}
