/* The listing of effective values: a config file that gives the same values again. Everything in it comes
 * from the table of options. Must not know what a value means. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/config_private.h"
#include "base/config_text.h"

enum {
    COMMENT_COLUMN = 40,
    INDENT = 4
};

/* One level of the listing: whose values, and how far from the margin. */
struct level {
    const struct config *config;
    const struct option *options;
    const void *base;
    const struct config_origin *origin;
    const struct option *group; /* the one that is open, or NULL */
    int indent;
    bool summaries; /* whether the rows' sentences are written, too */
    bool optional;  /* whether what was not set is written as a comment */
};

/* What goes before a line of OPTION. Not every option means something for every listener, and there setting
 * it would be an error: what nobody has set is shown, but not set. */
static const char *mark_of(const struct level *level, const struct option *option)
{
    return level->optional && !level->origin[option - level->options].line ? "#" : "";
}

/* Ends a line of COLUMN bytes with its comment: range, origin, note. */
static void end_line(FILE *out, int column, const struct option *option, const struct config_origin *origin,
                     const char *note)
{
    char range[OPTION_RANGE_MAX];

    fprintf(out, "%*s # %s; ", column < COMMENT_COLUMN ? COMMENT_COLUMN - column : 0, "",
            option_range(option, range));
    if (origin->file) {
        text_show(out, origin->file);
        fprintf(out, ":%u%s\n", origin->line, note);
    } else {
        fprintf(out, "default%s\n", note);
    }
}

/* Such that libconfig takes it for a number with a fraction and finds the same bits in it. */
static int print_seconds(FILE *out, double value)
{
    char text[40];
    int digits = 15;

    do
        snprintf(text, sizeof(text), "%.*g", digits, value);
    while (strtod(text, NULL) != value && ++digits <= 17);
    size_t whole = strspn(text, "0123456789");
    if (text[whole] == '.')
        return fprintf(out, "%s", text);
    return fprintf(out, "%.*s.0%s", (int) whole, text, text + whole);
}

static int print_choice(FILE *out, const struct option *option, double value)
{
    const struct option_choice *choice = option->choices;

    while (choice->value != (int) value)
        choice++;
    return fprintf(out, "\"%s\"", choice->name);
}

static void print_scalar(FILE *out, const struct level *level, const struct option *option)
{
    int column = fprintf(out, "%*s%s%s = ", level->indent, "", mark_of(level, option), option_name(option));
    const char *note = "";

    switch (option->type) {
    case OPTION_BOOL:
        column += fprintf(out, "%s", option_get_number(option, level->base) > 0 ? "true" : "false");
        break;
    case OPTION_INT:
        column += fprintf(out, "%.0f", option_get_number(option, level->base));
        break;
    case OPTION_SECONDS:
        column += print_seconds(out, option_get_number(option, level->base));
        break;
    case OPTION_CHOICE:
        column += print_choice(out, option, option_get_number(option, level->base));
        break;
    default:
        column += text_quote(out, (const char *) level->base + option->offset);
    }
    fputc(';', out);
    if (option == &option_globals[CONFIG_GLOBAL_WORKERS] && level->config->private->workers_counted)
        note = ", from 0: one per CPU";
    if (option == &option_globals[CONFIG_GLOBAL_CONTROL] && level->config->private->control_moved)
        note = ", in RUNTIME_DIRECTORY";
    end_line(out, column + 1, option, &level->origin[option - level->options], note);
}

/* A list of networks: one a line. */
static void print_networks(FILE *out, const struct level *level, const struct option *option)
{
    struct config_networks networks;
    const struct config_origin *origin = &level->origin[option - level->options];
    char text[ADDR_TEXT_MAX];
    int column = fprintf(out, "%*s%s%s = [", level->indent, "", mark_of(level, option), option_name(option));

    memcpy(&networks, (const char *) level->base + option->offset, sizeof(networks));
    if (networks.count == 0) {
        end_line(out, column + fprintf(out, " ];"), option, origin, "");
        return;
    }
    end_line(out, column, option, origin, "");
    for (unsigned i = 0; i < networks.count; i++) {
        const struct prefix *network = &networks.list[i];
        fprintf(out, "%*s\"%s\"%s\n", level->indent + INDENT, "",
                addr_network_text(network->address, network->bits, text), i + 1 < networks.count ? "," : "");
    }
    fprintf(out, "%*s];\n", level->indent, "");
}

/* Closes the group that is open, if any; a NULL for OPTION or a row that is not its member ends it. */
static void close_group(FILE *out, struct level *level, const struct option *option)
{
    if (!level->group || (option && option_is_member(option, level->group->path, NULL)))
        return;
    level->indent -= INDENT;
    fprintf(out, "%*s%s};\n", level->indent, "", mark_of(level, level->group));
    level->group = NULL;
}

/* One row but that of the listeners. The rows of a group come right after the group's own. */
static void print_row(FILE *out, struct level *level, const struct option *option)
{
    close_group(out, level, option);
    if (level->summaries)
        fprintf(out, "%*s# %s\n", level->indent, "", option->summary);
    if (option->type != OPTION_GROUP) {
        (option->type == OPTION_NETWORKS ? print_networks : print_scalar)(out, level, option);
        return;
    }
    fprintf(out, "%*s%s%s = {\n", level->indent, "", mark_of(level, option), option->path);
    level->group = option;
    level->indent += INDENT;
}

static void print_listener(FILE *out, const struct config *config, const struct config_listener *listener)
{
    struct level level = {
        .config = config,
        .options = option_listener,
        .base = listener,
        .origin = listener->origin,
        .indent = 2 * INDENT,
        .summaries = listener == config->listeners,
        .optional = true,
    };

    fprintf(out, "%*s{\n", INDENT, "");
    for (unsigned i = CONFIG_KEY_NAME; i < CONFIG_KEY_COUNT; i++)
        print_row(out, &level, &option_listener[i]);
    close_group(out, &level, NULL);
    fprintf(out, "%*s}", INDENT, "");
}

/* The listeners, one after the other. */
static void print_listeners(FILE *out, const struct level *level, const struct option *option)
{
    const struct config *config = level->config;

    fprintf(out, "# %s\n", option->summary);
    int column = fprintf(out, "%s = (", option_name(option));
    end_line(out, column, option, &level->origin[option - level->options], "");
    for (unsigned i = 0; i < config->listener_count; i++) {
        print_listener(out, config, &config->listeners[i]);
        fprintf(out, "%s\n", i + 1 < config->listener_count ? "," : "");
    }
    fprintf(out, ");\n");
}

int config_dump(const struct config *config, FILE *out)
{
    struct level level = {
        .config = config,
        .options = option_globals,
        .base = config,
        .origin = config->private->origin,
        .summaries = true,
    };

    errno = 0;
    for (unsigned i = 0; i < CONFIG_GLOBAL_COUNT; i++) {
        const struct option *option = &option_globals[i];
        if (option->type != OPTION_LISTENERS)
            print_row(out, &level, option);
        else
            print_listeners(out, &level, option);
    }
    close_group(out, &level, NULL);
    if (fflush(out) == 0 && !ferror(out))
        return 0;
    if (!errno)
        errno = EIO;
    return -1;
}
