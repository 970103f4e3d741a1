/* What a server says, shown to a person. Must not know how it came. */
#include "client/show.h"

#include <string.h>

#include "base/quote.h"
#include "protocol/protocol.h"

void show(FILE *out, const char *text, size_t length)
{
    const char *end = text + length;

    for (;;) {
        quote_show(out, text);
        text += strlen(text);
        if (text >= end)
            return;
        fputs("\\x00", out);
        text++;
    }
}

/* Whether TEXT is SENTENCE_TOO_LONG with some number in it. */
static bool is_too_long(const char *text, size_t length)
{
    static const char place[] = "%zu";
    const char *sentence = SENTENCE_TOO_LONG, *number = strstr(sentence, place),
               *rest = number + sizeof(place) - 1;
    size_t before = (size_t) (number - sentence), after = strlen(rest);

    if (length <= before + after || memcmp(text, sentence, before) != 0 ||
        memcmp(text + length - after, rest, after) != 0)
        return false;
    return strspn(text + before, "0123456789") == length - before - after;
}

bool show_is_refusal(const char *text, size_t length)
{
    static const char *const sentences[] = {SENTENCE_FULL, SENTENCE_SOURCE, SENTENCE_IDLE};

    for (size_t i = 0; i < sizeof(sentences) / sizeof(sentences[0]); i++)
        if (length == strlen(sentences[i]) && memcmp(text, sentences[i], length) == 0)
            return true;
    return is_too_long(text, length);
}
