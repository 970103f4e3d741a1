/* The reply to "status", taken apart. Must not know how it is shown. */
#include "ctl/status.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static unsigned count_lines(const char *text)
{
    unsigned count = 1;

    for (; *text != '\0'; text++)
        count += *text == '\n';
    return count;
}

int status_parse(struct status *status, const char *reply)
{
    unsigned i = 0;

    *status = (struct status){.text = strdup(reply),
                              .lines = malloc(count_lines(reply) * sizeof(status->lines[0]))};
    if (status->text == NULL || status->lines == NULL)
        goto failed;
    errno = EPROTO;
    for (char *next, *line = strtok_r(status->text, "\n", &next); line != NULL;
         line = strtok_r(NULL, "\n", &next))
        if (quote_parse(line, &status->lines[status->count++]) < 0)
            goto failed;
    if (status_next(status, "service", &i) != NULL)
        return 0;
failed:
    status_free(status);
    return -1;
}

void status_free(struct status *status)
{
    free(status->text);
    free(status->lines);
    *status = (struct status){0};
}

const struct quote_line *status_next(const struct status *status, const char *word, unsigned *i)
{
    while (*i < status->count) {
        const struct quote_line *line = &status->lines[(*i)++];
        if (strcmp(line->word, word) == 0)
            return line;
    }
    return NULL;
}

const struct quote_line *status_line(const struct status *status, const char *word)
{
    static const struct quote_line none = {.word = ""};
    unsigned i = 0;
    const struct quote_line *line = status_next(status, word, &i);

    return line != NULL ? line : &none;
}

uint64_t status_number(const struct quote_line *line, const char *key)
{
    const struct quote_field *field = quote_find(line, key);

    if (field == NULL || field->type != QUOTE_NUMBER || field->value[0] == '-')
        return 0;
    return strtoull(field->value, NULL, 10);
}

const char *status_text(const struct quote_line *line, const char *key)
{
    const struct quote_field *field = quote_find(line, key);

    return field != NULL ? field->value : "";
}

bool status_true(const struct quote_line *line, const char *key)
{
    const struct quote_field *field = quote_find(line, key);

    return field != NULL && field->type == QUOTE_BOOLEAN && strcmp(field->value, "true") == 0;
}

bool status_is_refusal(const char *name)
{
    static const char *const beginnings[] = {
        "refused_",        "drop_",        "closed_too_long",   "closed_idle",
        "closed_evicted",  "closed_write", "closed_killed",     "accept_pauses",
        "datagram_unsent", "log_lost",     "sandbox_violations"};

    for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++)
        if (strncmp(name, beginnings[i], strlen(beginnings[i])) == 0)
            return true;
    return false;
}
