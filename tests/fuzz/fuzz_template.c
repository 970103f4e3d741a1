/* Any template and any name: what is taken for a template has one place for the name and gives the answer
 * that a slow reading of it gives, and no answer is longer than template and name.
 *
 * Input: the template, a newline, the name. */
#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    INPUT_MAX = 1024
};

/* The answer by the words of the header, into OUT; returns its length, or -1 if TEMPLATE is none. */
static int answer_simply(const char *template, const char *name, size_t length, char *out)
{
    size_t used = 0, names = 0;

    for (const char *at = template; *at != '\0'; at += *at == '%' ? 2 : 1) {
        if (*at != '%' || at[1] == '%') {
            out[used++] = *at;
        } else if (at[1] == 's') {
            memcpy(out + used, name, length);
            used += length;
            names++;
        } else {
            return -1;
        }
        if (names > 1)
            return -1;
    }
    return names == 1 ? (int) used : -1;
}

static void check_answer(const struct texts *texts, const char *template, const char *name, size_t length,
                         const char *expected, size_t expected_length)
{
    size_t room = protocol_answer_max(texts, length), written = SIZE_MAX;
    char *out = malloc(room + 1);

    assert(out != NULL);
    assert(protocol_hello.message(texts, name, length, out, &written) == NEXT_CONTINUE);
    assert(written <= room && written <= strlen(template) - 2 + length);
    assert(written == expected_length && memcmp(out, expected, written) == 0);
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char expected[2 * INPUT_MAX];
    static const struct span unset = {"unset", 5};
    struct texts texts = {.prefix = unset, .suffix = unset};

    if (size > INPUT_MAX)
        return 0;
    const uint8_t *newline = size > 0 ? memchr(data, '\n', size) : NULL;
    size_t template_length = newline != NULL ? (size_t) (newline - data) : size;
    size_t length = newline != NULL ? size - template_length - 1 : 0;
    char *template = calloc(1, template_length + 1), *name = malloc(length + 1);
    assert(template != NULL && name != NULL);
    if (template_length > 0)
        memcpy(template, data, template_length);
    memcpy(name, data + size - length, length);
    char *store = malloc(strlen(template) + (*template == '\0'));
    assert(store != NULL);

    int answer = answer_simply(template, name, length, expected);
    bool taken = template_parse(template, store, &texts.prefix, &texts.suffix) == NULL;
    assert(taken == (answer >= 0));
    if (taken)
        check_answer(&texts, template, name, length, expected, (size_t) answer);
    else
        assert(texts.prefix.data == unset.data && texts.suffix.data == unset.data);
    free(store);
    free(name);
    free(template);
    return 0;
}
