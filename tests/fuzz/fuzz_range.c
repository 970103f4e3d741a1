/* Threshold ranges from any text: taken only if a regular expression for the grammar fits, refused only if it
 * does not or the numbers are at fault, and what is taken has two verdicts that "@" turns around.
 *
 * Input: the text. */
#include <assert.h>
#include <math.h>
#include <regex.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "client/range.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    INPUT_MAX = 1024
};

#define NUMBER "-?([0-9]+\\.?[0-9]*|\\.[0-9]+)"

static bool fits_grammar(const char *text)
{
    static regex_t grammar;
    static bool compiled;

    if (!compiled)
        compiled = regcomp(&grammar, "^@?((~|" NUMBER "):(" NUMBER ")?|:?" NUMBER ")$",
                           REG_EXTENDED | REG_NOSUB) == 0;
    assert(compiled);
    return regexec(&grammar, text, 0, NULL, 0) == 0;
}

static void check_verdicts(const struct range *range, const char *text)
{
    char turned[INPUT_MAX + 2] = "@";
    struct range other;
    const double values[] = {range->start, range->end, 0, 0.000123, -1, 1e300};

    assert(range->start <= range->end && range->start < INFINITY && range->end > -INFINITY);
    assert(range_alerts(range, range->start) == range->inside);
    assert(range_alerts(range, range->end) == range->inside);
    strcat(turned, text);
    assert(range_parse(range->inside ? text + 1 : turned, &other) == NULL);
    assert(other.inside != range->inside);
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        assert(range_alerts(range, values[i]) != range_alerts(&other, values[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct range range;

    if (size > INPUT_MAX)
        return 0;
    char *text = calloc(size + 1, 1);
    assert(text != NULL);
    memcpy(text, data, size);
    const char *error = range_parse(text, &range);
    if (error == NULL) {
        assert(fits_grammar(text));
        check_verdicts(&range, text);
    } else if (fits_grammar(text)) {
        /* Too large, or backwards. */
        assert(strlen(text) > 300 || strstr(error, "above") != NULL);
    }
    free(text);
    return 0;
}
