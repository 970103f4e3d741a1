/* The text of a config in memory, and text that is shown to a person. Must not know what an option is. */
#include "base/config_text.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/config.h"

enum {
    WORD_MAX = 63 /* longer words are near to nothing */
};

char *text_copy(const char *text, size_t length)
{
    char *copy = malloc(length + 2);

    if (!copy)
        return NULL;
    if (length)
        memcpy(copy, text, length);
    /* libconfig 1.5 takes a comment on the last line for an error if no newline ends it. */
    copy[length] = '\n';
    copy[length + 1] = '\0';
    return copy;
}

/* Reads until the end or until SIZE bytes are there; returns their number or -1. */
static ssize_t read_all(int fd, char *buffer, size_t size)
{
    size_t used = 0;

    while (used < size) {
        ssize_t got = read(fd, buffer + used, size - used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        used += (size_t) got;
    }
    return (ssize_t) used;
}

char *text_read(const char *path, size_t *length)
{
    char *buffer = NULL;
    char *text = NULL;
    ssize_t got = -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

    if (fd < 0)
        return NULL;
    buffer = malloc(CONFIG_FILE_MAX + 1);
    if (buffer)
        got = read_all(fd, buffer, CONFIG_FILE_MAX + 1);
    if (got > CONFIG_FILE_MAX) {
        errno = EFBIG;
    } else if (got >= 0) {
        *length = (size_t) got;
        text = text_copy(buffer, *length);
    }
    int saved = errno;
    close(fd);
    free(buffer);
    errno = saved;
    return text;
}

const char *text_keep(struct text_kept **list, const char *text)
{
    size_t size = strlen(text) + 1;
    struct text_kept *kept = malloc(sizeof(*kept) + size);

    if (!kept)
        return NULL;
    memcpy(kept->text, text, size);
    kept->next = *list;
    *list = kept;
    return kept->text;
}

void text_forget(struct text_kept *list)
{
    while (list) {
        struct text_kept *next = list->next;
        free(list);
        list = next;
    }
}

void text_show(FILE *out, const char *text)
{
    for (const unsigned char *at = (const unsigned char *) text; *at; at++)
        fprintf(out, iscntrl(*at) ? "\\x%02x" : "%c", *at);
}

int text_quote(FILE *out, const char *text)
{
    static const char special[] = "\"\\\n\r\t\f", letters[] = "\"\\nrtf";
    int wrote = 2;

    fputc('"', out);
    for (const char *at = text; *at; at++) {
        const char *found = strchr(special, *at);
        if (found)
            wrote += fprintf(out, "\\%c", letters[found - special]);
        else
            wrote += fprintf(out, iscntrl((unsigned char) *at) ? "\\x%02x" : "%c", (unsigned char) *at);
    }
    fputc('"', out);
    return wrote;
}

static unsigned least(unsigned one, unsigned other)
{
    return one < other ? one : other;
}

/* Insertions, deletions, replacements and swaps of neighbours that turn one word into the other; case is
 * ignored. */
static unsigned distance(const char *word, unsigned word_length, const char *other, unsigned other_length)
{
    /* rows[i % 3] belongs to the first i bytes of WORD. */
    unsigned rows[3][WORD_MAX + 1];

    for (unsigned j = 0; j <= other_length; j++)
        rows[0][j] = j;
    for (unsigned i = 1; i <= word_length; i++) {
        unsigned *row = rows[i % 3], *before = rows[(i - 1) % 3];
        int here = tolower((unsigned char) word[i - 1]);
        row[0] = i;
        for (unsigned j = 1; j <= other_length; j++) {
            int there = tolower((unsigned char) other[j - 1]);
            row[j] = least(least(before[j], row[j - 1]) + 1, before[j - 1] + (here != there));
            if (i > 1 && j > 1 && here == tolower((unsigned char) other[j - 2]) &&
                there == tolower((unsigned char) word[i - 2]))
                row[j] = least(row[j], rows[(i - 2) % 3][j - 2] + 1);
        }
    }
    return rows[word_length % 3][other_length];
}

const char *config_nearest(const char *word, const char *const *list)
{
    size_t length = strlen(word);
    const char *found = NULL;
    unsigned best = length < 6 ? 2 : (unsigned) length / 3 + 1;

    if (length > WORD_MAX)
        return NULL;
    for (; *list; list++) {
        size_t other_length = strlen(*list);
        if (other_length > WORD_MAX)
            continue;
        unsigned steps = distance(word, (unsigned) length, *list, (unsigned) other_length);
        if (steps >= best)
            continue;
        best = steps;
        found = *list;
    }
    return found;
}
