/* Requests at the control socket, any bytes: what is obeyed is one of the few lines there are, byte for byte,
 * and what is refused is refused with one line of plain words.
 *
 * Input: what a client sends; its lines end with LF, the last one as well if it has none. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "master/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
    const char *line;
    struct request request;
} all[] = {
    {"1 status", {REQUEST_STATUS, 0}},
    {"1 reload", {REQUEST_RELOAD, 0}},
    {"1 stop", {REQUEST_STOP, 0}},
    {"1 help", {REQUEST_HELP, 0}},
    {"1 log-level err", {REQUEST_LOG_LEVEL, LOG_LEVEL_ERROR}},
    {"1 log-level warning", {REQUEST_LOG_LEVEL, LOG_LEVEL_WARNING}},
    {"1 log-level notice", {REQUEST_LOG_LEVEL, LOG_LEVEL_NOTICE}},
    {"1 log-level info", {REQUEST_LOG_LEVEL, LOG_LEVEL_INFO}},
    {"1 log-level debug", {REQUEST_LOG_LEVEL, LOG_LEVEL_DEBUG}},
};

static const struct request *find(const char *line, size_t length)
{
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (strlen(all[i].line) == length && memcmp(all[i].line, line, length) == 0)
            return &all[i].request;
    return NULL;
}

/* What is said to a client must stay one line and leave its terminal alone. */
static void assert_plain(const char *text)
{
    assert(*text != '\0');
    for (; *text != '\0'; text++)
        assert(*text >= ' ' && *text <= '~');
}

/* Whether the conversation must end with this line, by the header's words. */
static int is_fatal(const char *line, size_t length)
{
    if (length > REQUEST_MAX)
        return 1;
    if (memchr(line, '\0', length) != NULL)
        return 0;
    return length == 0 || line[0] != '1' || (length > 1 && line[1] != ' ');
}

static void check(const char *line, size_t length)
{
    const struct request *wanted = find(line, length);
    struct request request = {REQUEST_HELP, 99};
    const char *problem = "untouched";
    enum request_result result = request_parse(line, length, &request, &problem);

    if (wanted != NULL) {
        assert(result == REQUEST_OK && problem == NULL);
        assert(request.command == wanted->command && request.level == wanted->level);
        return;
    }
    assert(result == (is_fatal(line, length) ? REQUEST_FATAL : REQUEST_REFUSED));
    assert(request.command == REQUEST_HELP && request.level == 99);
    assert_plain(problem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *at = (const char *) data, *end = at + size;

    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t) (end - at));
        size_t length = (size_t) ((newline != NULL ? newline : end) - at);
        /* A copy of exactly the bytes there are, so that the sanitizer sees a read beyond them. */
        char *line = malloc(length > 0 ? length : 1);
        assert(line != NULL);
        memcpy(line, at, length);
        check(line, length);
        free(line);
        at += length + 1;
    }
    return 0;
}
