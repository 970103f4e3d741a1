/* Templates of answers: "Hello, %s!" becomes the bytes before the name and those after it.
 *
 * Done once when the config is read, so that no answer is ever formatted. It must not know where a template
 * came from. */
#include "protocol/protocol.h"

const char *template_parse(const char *template, char *store, struct span *prefix, struct span *suffix)
{
    char *name = store, *end = store;
    bool named = false;

    for (const char *at = template; *at != '\0'; at++) {
        if (*at != '%') {
            *end++ = *at;
            continue;
        }
        at++;
        if (*at == '\0')
            return "a lone \"%\" at the end";
        if (*at == '%') {
            *end++ = '%';
            continue;
        }
        if (*at != 's')
            return "an unknown \"%\" sequence (write %% for a percent sign)";
        if (named)
            return "more than one place for the name (%s)";
        name = end;
        named = true;
    }
    if (!named)
        return "no place for the name (%s)";
    *prefix = (struct span){store, (size_t) (name - store)};
    *suffix = (struct span){name, (size_t) (end - name)};
    return NULL;
}
