/* The table of options: one row each, from which parsing, defaults, ranges and the listing of effective
 * values come.
 *
 * Private to config*.c. It knows the structs of config.h, and neither libconfig nor files. */
#ifndef HELLOD_BASE_CONFIG_TABLE_H
#define HELLOD_BASE_CONFIG_TABLE_H

#include <stddef.h>

#include "base/config.h"

enum {
    OPTION_RANGE_MAX = 96 /* room for what option_range() writes, the NUL included */
};

enum option_type {
    OPTION_GROUP, /* a group; its members are the rows whose path begins with its own and a dot */
    OPTION_BOOL,
    OPTION_INT,
    OPTION_SECONDS, /* a double; whole numbers are accepted */
    OPTION_STRING,
    OPTION_CHOICE, /* an enum, written as a string */
    OPTION_LISTENERS,
    OPTION_NETWORKS
};

struct option_choice {
    const char *name; /* NULL ends the list */
    int value;
};

struct option {
    const char *path; /* "limits.connections"; NULL: not an option */
    enum option_type type;
    size_t offset;       /* of the value in struct config or struct config_listener */
    const char *initial; /* the default as it would be written, strings without quotes; NULL: must be given */
    double min, max;     /* of the value; of the bytes in a string; of the elements of a list */
    const struct option_choice *choices;
    const char *unit;    /* "" if there is none */
    const char *summary; /* one sentence */
};

enum config_global {
    CONFIG_GLOBAL_WORKERS,
    CONFIG_GLOBAL_USER,
    CONFIG_GLOBAL_GROUP,
    CONFIG_GLOBAL_ACTIVATION,
    CONFIG_GLOBAL_SANDBOX,
    CONFIG_GLOBAL_CONTROL,
    CONFIG_GLOBAL_LISTEN,
    CONFIG_GLOBAL_EXEMPT,
    CONFIG_GLOBAL_LIMITS,
    CONFIG_GLOBAL_CONNECTIONS,
    CONFIG_GLOBAL_PER_SOURCE,
    CONFIG_GLOBAL_PER_PREFIX,
    CONFIG_GLOBAL_IDLE_TIMEOUT,
    CONFIG_GLOBAL_WRITE_TIMEOUT,
    CONFIG_GLOBAL_DRAIN_TIMEOUT,
    CONFIG_GLOBAL_PENALTY,
    CONFIG_GLOBAL_RATE,
    CONFIG_GLOBAL_RATE_PER_SOURCE,
    CONFIG_GLOBAL_RATE_BUDGET,
    CONFIG_GLOBAL_RATE_DRY_RUN,
    CONFIG_GLOBAL_LOG,
    CONFIG_GLOBAL_LOG_LEVEL,
    CONFIG_GLOBAL_LOG_ACCESS,
    CONFIG_GLOBAL_COUNT
};

/* The options of struct config, and those of struct config_listener; the index is also that of the value's
 * origin. */
extern const struct option option_globals[CONFIG_GLOBAL_COUNT];
extern const struct option option_listener[CONFIG_KEY_COUNT];

/* The last part of OPTION's path: "connections". */
const char *option_name(const struct option *option);

/* Whether OPTION is the member NAME of GROUP; GROUP is a path, or "" for the outermost level. A NULL for NAME
 * stands for any. */
bool option_is_member(const struct option *option, const char *group, const char *name);

/* The option that was meant by the unknown key NAME in GROUP of the COUNT options: one called so in another
 * place, else the nearest in this one; NULL if none is near. */
const struct option *option_meant(const struct option *options, unsigned count, const char *group,
                                  const char *name);

/* "listen." for OPTION of a listener, else "": what goes before its path when its place is not clear. */
const char *option_prefix(const struct option *option);

/* Writes what OPTION accepts in words ("1..65535 connections") to BUFFER of OPTION_RANGE_MAX bytes; returns
 * BUFFER. */
const char *option_range(const struct option *option, char *buffer);

/* The choice of that NAME, or NULL. */
const struct option_choice *option_choice_named(const struct option *option, const char *name);

/* Sets the COUNT options at BASE to their defaults. Lists and options that must be given are left alone. */
void option_set_defaults(const struct option *options, unsigned count, void *base);

/* The number in BASE that OPTION describes; that of a bool is 0 or 1, that of a choice is its enum. */
double option_get_number(const struct option *option, const void *base);

/* Sets it. */
void option_set_number(const struct option *option, void *base, double value);

#endif
