/* From libconfig's tree into struct config, row by row of the table of options. The only file that sees
 * libconfig, of which it uses the interface of 1.5; it must not know where a text comes from, nor what an
 * option is for. */
#include <libconfig.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/config_private.h"
#include "base/config_scan.h"

enum {
    NAMES_MAX = 8 /* choices of an option, the NULL included */
};

/* A file while it is read. */
struct reader {
    struct config *config;
    const char *file; /* NULL: the built-in defaults */
    char *text;
};

/* Where the values of one level go. */
struct target {
    const struct option *options;
    unsigned count;
    void *base;
    struct config_origin *origin;
};

static unsigned line_of(const config_setting_t *setting)
{
    return (unsigned) config_setting_source_line(setting);
}

static const char *kind_of(const config_setting_t *setting)
{
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_BOOL:
        return "a truth value";
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        return "a whole number";
    case CONFIG_TYPE_FLOAT:
        return "a number with a fraction";
    case CONFIG_TYPE_STRING:
        return "a string";
    case CONFIG_TYPE_GROUP:
        return "a group";
    case CONFIG_TYPE_LIST:
        return "a list";
    default:
        return "an array";
    }
}

static const char *const kinds_wanted[] = {
    [OPTION_GROUP] = "a group: { ... }",
    [OPTION_BOOL] = "true or false",
    [OPTION_INT] = "a whole number",
    [OPTION_SECONDS] = "a number",
    [OPTION_STRING] = "a string",
    [OPTION_CHOICE] = "a string",
    [OPTION_LISTENERS] = "a list of groups: ( { ... }, { ... } )",
    [OPTION_NETWORKS] = "an array of strings: [ ... ]",
};

static void wrong_kind(struct reader *reader, const struct option *option, const config_setting_t *setting)
{
    config_error(reader->config, reader->file, line_of(setting), "%s must be %s, not %s", option->path,
                 kinds_wanted[option->type], kind_of(setting));
}

/* Whether VALUE is in the range of OPTION; complains if not. */
static bool check_range(struct reader *reader, const struct option *option, const config_setting_t *setting,
                        double value)
{
    char range[OPTION_RANGE_MAX];

    if (value >= option->min && value <= option->max)
        return true;
    option_range(option, range);
    /* Larger whole numbers were cut down to INT_MAX on the way here. */
    if (value >= INT_MAX)
        config_error(reader->config, reader->file, line_of(setting), "%s must be %s, not a number so large",
                     option->path, range);
    else
        config_error(reader->config, reader->file, line_of(setting), "%s must be %s, not %.15g", option->path,
                     range, value);
    return false;
}

static void take_number(struct reader *reader, const struct option *option, const config_setting_t *setting,
                        void *base)
{
    int type = config_setting_type(setting);
    double value;

    if (type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64) {
        value = (double) config_setting_get_int64(setting);
    } else if (type == CONFIG_TYPE_FLOAT && option->type == OPTION_SECONDS) {
        value = config_setting_get_float(setting);
    } else {
        wrong_kind(reader, option, setting);
        return;
    }
    if (check_range(reader, option, setting, value))
        option_set_number(option, base, value);
}

static void take_bool(struct reader *reader, const struct option *option, const config_setting_t *setting,
                      void *base)
{
    if (config_setting_type(setting) != CONFIG_TYPE_BOOL)
        wrong_kind(reader, option, setting);
    else
        option_set_number(option, base, config_setting_get_bool(setting));
}

static void take_string(struct reader *reader, const struct option *option, const config_setting_t *setting,
                        void *base)
{
    if (config_setting_type(setting) != CONFIG_TYPE_STRING) {
        wrong_kind(reader, option, setting);
        return;
    }
    const char *value = config_setting_get_string(setting);
    size_t length = strlen(value);
    if (check_range(reader, option, setting, (double) length))
        memcpy((char *) base + option->offset, value, length + 1);
}

static void take_choice(struct reader *reader, const struct option *option, const config_setting_t *setting,
                        void *base)
{
    const char *names[NAMES_MAX] = {NULL};
    char range[OPTION_RANGE_MAX];

    if (config_setting_type(setting) != CONFIG_TYPE_STRING) {
        wrong_kind(reader, option, setting);
        return;
    }
    const char *value = config_setting_get_string(setting);
    const struct option_choice *choice = option_choice_named(option, value);
    if (choice) {
        option_set_number(option, base, choice->value);
        return;
    }
    for (size_t i = 0; i < NAMES_MAX - 1 && option->choices[i].name; i++)
        names[i] = option->choices[i].name;
    const char *nearest = config_nearest(value, names);
    config_error(reader->config, reader->file, line_of(setting), "%s must be %s, not \"%s\"%s%s%s",
                 option->path, option_range(option, range), value, nearest ? "; did you mean \"" : "",
                 nearest ? nearest : "", nearest ? "\"?" : "");
}

/* The number of elements to take; the range of OPTION is that of their number. */
static unsigned list_length(struct reader *reader, const struct option *option,
                            const config_setting_t *setting)
{
    int length = config_setting_length(setting);

    return (unsigned) (check_range(reader, option, setting, length) || length == 0 ? length
                                                                                   : (int) option->max);
}

/* The element INDEX of the list OPTION is no network: TEXT, or no string at all. */
static void wrong_network(struct reader *reader, const struct option *option, const config_setting_t *setting,
                          unsigned index, const char *text, const char *problem)
{
    unsigned line = scan_element_line(reader->text, line_of(setting), option->path, index);

    if (text)
        config_error(reader->config, reader->file, line, "%s: \"%s\" %s", option->path, text, problem);
    else
        config_error(reader->config, reader->file, line, "%s: element %u is not a string", option->path,
                     index + 1);
}

static void take_networks(struct reader *reader, const struct option *option, const config_setting_t *setting,
                          void *base)
{
    struct config_networks *networks = (void *) ((char *) base + option->offset);

    config_set_networks(networks, NULL, 0);
    if (!config_setting_is_array(setting) && !config_setting_is_list(setting)) {
        wrong_kind(reader, option, setting);
        return;
    }
    unsigned length = list_length(reader, option, setting), count = 0;
    struct prefix *list = calloc(length + 1, sizeof(*list));
    if (!list) {
        config_error(reader->config, reader->file, line_of(setting), "%s: out of memory", option->path);
        return;
    }
    for (unsigned i = 0; i < length; i++) {
        const char *text = config_setting_get_string_elem(setting, (int) i);
        const char *problem = text ? prefix_parse(text, &list[count]) : "";
        if (problem)
            wrong_network(reader, option, setting, i, text, problem);
        else
            count++;
    }
    config_set_networks(networks, list, count);
}

/* All but groups and listeners. */
static void take_value(struct reader *reader, const struct option *option, const config_setting_t *setting,
                       void *base)
{
    switch (option->type) {
    case OPTION_BOOL:
        take_bool(reader, option, setting, base);
        break;
    case OPTION_INT:
    case OPTION_SECONDS:
        take_number(reader, option, setting, base);
        break;
    case OPTION_CHOICE:
        take_choice(reader, option, setting, base);
        break;
    case OPTION_NETWORKS:
        take_networks(reader, option, setting, base);
        break;
    default:
        take_string(reader, option, setting, base);
    }
}

/* The row for MEMBER of GROUP, its origin noted; NULL after complaining that there is none. */
static const struct option *find_option(struct reader *reader, const struct target *target, const char *group,
                                        const config_setting_t *member)
{
    const char *name = config_setting_name(member);
    struct config_origin origin = {reader->file, line_of(member)};

    for (unsigned i = 0; i < target->count; i++) {
        if (!option_is_member(&target->options[i], group, name))
            continue;
        target->origin[i] = origin;
        return &target->options[i];
    }
    config_unknown_key(reader->config, origin, target->options, target->count, group, name);
    return NULL;
}

static void take_group(struct reader *reader, const struct target *target, const struct option *group,
                       const config_setting_t *setting)
{
    if (!config_setting_is_group(setting)) {
        wrong_kind(reader, group, setting);
        return;
    }
    int length = config_setting_length(setting);
    for (int i = 0; i < length; i++) {
        const config_setting_t *member = config_setting_get_elem(setting, (unsigned) i);
        const struct option *option = find_option(reader, target, group->path, member);
        if (option)
            take_value(reader, option, member, target->base);
    }
}

static void take_listener(struct reader *reader, struct config_listener *listener,
                          const config_setting_t *setting)
{
    struct target target = {option_listener, CONFIG_KEY_COUNT, listener, listener->origin};
    int length = config_setting_length(setting);

    memset(listener, 0, sizeof(*listener));
    option_set_defaults(option_listener, CONFIG_KEY_COUNT, listener);
    listener->origin[CONFIG_KEY_LISTENER] = (struct config_origin){reader->file, line_of(setting)};
    for (int i = 0; i < length; i++) {
        const config_setting_t *member = config_setting_get_elem(setting, (unsigned) i);
        const struct option *option = find_option(reader, &target, "", member);
        if (option && option->type == OPTION_GROUP)
            take_group(reader, &target, option, member);
        else if (option)
            take_value(reader, option, member, listener);
    }
    config_check_listener(reader->config, listener);
}

static void take_listeners(struct reader *reader, const struct option *option,
                           const config_setting_t *setting)
{
    struct config *config = reader->config;

    config_drop_listeners(config);
    if (!config_setting_is_list(setting)) {
        wrong_kind(reader, option, setting);
        return;
    }
    unsigned length = list_length(reader, option, setting);
    for (unsigned i = 0; i < length; i++) {
        const config_setting_t *element = config_setting_get_elem(setting, i);
        if (config_setting_is_group(element)) {
            take_listener(reader, &config->listeners[config->listener_count++], element);
            continue;
        }
        unsigned line = scan_element_line(reader->text, line_of(setting), option->path, i);
        config_error(config, reader->file, line, "a listener must be a group: { ... }, not %s",
                     kind_of(element));
    }
}

static void take_root(struct reader *reader, const config_setting_t *root)
{
    struct config *config = reader->config;
    struct target target = {option_globals, CONFIG_GLOBAL_COUNT, config, config->private->origin};
    int length = config_setting_length(root);

    for (int i = 0; i < length; i++) {
        const config_setting_t *member = config_setting_get_elem(root, (unsigned) i);
        const struct option *option = find_option(reader, &target, "", member);
        if (!option)
            continue;
        if (option->type == OPTION_GROUP)
            take_group(reader, &target, option, member);
        else if (option->type == OPTION_LISTENERS)
            take_listeners(reader, option, member);
        else
            take_value(reader, option, member, config);
    }
}

void config_take(struct config *config, const char *file, char *text, size_t length)
{
    struct reader reader = {config, file, text};
    unsigned line;
    const char *problem = scan_check(text, length, &line);
    config_t tree;

    if (problem) {
        config_error(config, file, line, "%s", problem);
        return;
    }
    config_init(&tree);
    if (config_read_string(&tree, text))
        take_root(&reader, config_root_setting(&tree));
    else
        config_error(config, file, (unsigned) config_error_line(&tree), "%s", config_error_text(&tree));
    config_destroy(&tree);
}
