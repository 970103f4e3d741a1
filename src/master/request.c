/* The requests that there are, and reading one. Must not know what becomes of them. */
#include "master/request.h"

#include <stdbool.h>
#include <string.h>

static const struct {
    const char *name, *argument, *help;
} commands[] = {
    [REQUEST_STATUS] = {"status", "", "what the service is doing, one line a thing"},
    [REQUEST_RELOAD] = {"reload", "", "reads the configuration again; answers when it is in force"},
    [REQUEST_STOP] = {"stop", "", "finishes conversations and ends; this connection ends with the service"},
    [REQUEST_LOG_LEVEL] =
        {"log-level", "LEVEL",
         "the least important messages that are written: err, warning, notice, info or debug"},
    [REQUEST_HELP] = {"help", "", "this list"},
};

static const struct {
    const char *name;
    enum log_level level;
} levels[] = {
    {"err", LOG_LEVEL_ERROR}, {"warning", LOG_LEVEL_WARNING}, {"notice", LOG_LEVEL_NOTICE},
    {"info", LOG_LEVEL_INFO}, {"debug", LOG_LEVEL_DEBUG},
};

enum {
    COMMANDS = sizeof(commands) / sizeof(commands[0]),
    LEVELS = sizeof(levels) / sizeof(levels[0])
};

/* A part of a line. */
struct word {
    const char *start;
    size_t length;
};

/* Takes what comes before the next space, or all that is left, from REST. */
static struct word take_word(struct word *rest)
{
    const char *space = rest->length > 0 ? memchr(rest->start, ' ', rest->length) : NULL;
    struct word word = {rest->start, space != NULL ? (size_t) (space - rest->start) : rest->length};
    size_t taken = word.length + (space != NULL ? 1 : 0);

    rest->start += taken;
    rest->length -= taken;
    return word;
}

static bool is(struct word word, const char *name)
{
    return word.length == strlen(name) && memcmp(word.start, name, word.length) == 0;
}

static bool parse_level(struct word word, struct request *request)
{
    for (unsigned i = 0; i < LEVELS; i++) {
        if (!is(word, levels[i].name))
            continue;
        request->level = levels[i].level;
        return true;
    }
    return false;
}

/* NULL, or what is wrong. SPACED: the command was followed by a space, and so by an argument. */
static const char *parse_command(struct word name, bool spaced, struct word argument, struct request *request)
{
    struct request result = {0};
    unsigned i = 0;

    while (!is(name, commands[i].name))
        if (++i == COMMANDS)
            return "unknown command; \"1 help\" lists all";
    result.command = (enum request_command) i;
    if (result.command == REQUEST_LOG_LEVEL) {
        if (!parse_level(argument, &result))
            return "log-level takes one of err, warning, notice, info and debug";
    } else if (spaced) {
        return "this command takes no argument";
    }
    *request = result;
    return NULL;
}

enum request_result request_parse(const char *line, size_t length, struct request *request,
                                  const char **problem)
{
    struct word rest = {line, length};

    *problem = NULL;
    if (length > REQUEST_MAX) {
        *problem = "a request has at most 255 bytes";
        return REQUEST_FATAL;
    }
    if (length > 0 && memchr(line, '\0', length) != NULL) {
        *problem = "a request is text, without NUL bytes";
        return REQUEST_REFUSED;
    }
    if (!is(take_word(&rest), "1")) {
        *problem = "unknown version; a request is \"1 COMMAND\", and \"1 help\" lists all commands";
        return REQUEST_FATAL;
    }
    struct word name = take_word(&rest);
    bool spaced = name.start + name.length < line + length;
    *problem = parse_command(name, spaced, rest, request);
    return *problem == NULL ? REQUEST_OK : REQUEST_REFUSED;
}

void request_help(FILE *out)
{
    for (unsigned i = 0; i < COMMANDS; i++)
        fprintf(out, "command name=\"%s\" argument=\"%s\" help=\"%s\"\n", commands[i].name,
                commands[i].argument, commands[i].help);
}
