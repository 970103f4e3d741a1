/* The table of protocols: one row each. It must not know what they do. */
#include "protocol/protocol.h"

#include <string.h>

static const struct protocol *const table[] = {
    &protocol_greeting,
    &protocol_hello,
    &protocol_upper,
};

enum {
    PROTOCOLS = sizeof table / sizeof table[0]
};

const struct protocol *protocol_find(const char *name)
{
    for (size_t i = 0; i < PROTOCOLS; i++)
        if (strcmp(table[i]->name, name) == 0)
            return table[i];
    return NULL;
}

const char *const *protocol_names(void)
{
    /* Filled from the table, so that a new protocol is one row and not two. */
    static const char *names[PROTOCOLS + 1];

    for (size_t i = 0; i < PROTOCOLS; i++)
        names[i] = table[i]->name;
    return names;
}

size_t protocol_answer_max(const struct texts *texts, size_t message_size)
{
    size_t answer = texts->prefix.length + message_size + texts->suffix.length;
    return answer > texts->prompt.length ? answer : texts->prompt.length;
}
