/* For tests: are two configs the same, value by value? Walks the table of options, so that a new option is
 * compared without a word here. */
#ifndef HELLOD_TESTS_CONFIG_SAME_H
#define HELLOD_TESTS_CONFIG_SAME_H

#include <string.h>

#include "base/config_private.h"

static inline int config_same_networks(const void *one, const void *other)
{
    struct config_networks left, right;

    memcpy(&left, one, sizeof(left));
    memcpy(&right, other, sizeof(right));
    if (left.count != right.count)
        return 0;
    for (unsigned i = 0; i < left.count; i++)
        if (left.list[i].bits != right.list[i].bits ||
            memcmp(left.list[i].address, right.list[i].address, sizeof(left.list[i].address)) != 0)
            return 0;
    return 1;
}

static inline const char *config_differ_in(const struct option *options, unsigned count, const void *one,
                                           const void *other)
{
    for (unsigned i = 0; i < count; i++) {
        const struct option *option = &options[i];
        const char *at = (const char *) one + option->offset;
        if (!option->path || option->type == OPTION_GROUP || option->type == OPTION_LISTENERS)
            continue;
        if (option->type == OPTION_NETWORKS) {
            if (!config_same_networks(at, (const char *) other + option->offset))
                return option->path;
            continue;
        }
        if (option->type == OPTION_STRING && strcmp(at, (const char *) other + option->offset) != 0)
            return option->path;
        if (option->type != OPTION_STRING &&
            (option_get_number(option, one) < option_get_number(option, other) ||
             option_get_number(option, one) > option_get_number(option, other)))
            return option->path;
    }
    return NULL;
}

/* The path of an option that has another value in OTHER than in ONE, or NULL. */
static inline const char *config_difference(const struct config *one, const struct config *other)
{
    const char *path = config_differ_in(option_globals, CONFIG_GLOBAL_COUNT, one, other);

    if (path)
        return path;
    if (one->listener_count != other->listener_count)
        return "listen";
    for (unsigned i = 0; i < one->listener_count && !path; i++)
        path = config_differ_in(option_listener, CONFIG_KEY_COUNT, &one->listeners[i], &other->listeners[i]);
    return path;
}

#endif
