/* What the parts of the config module share, and nobody else may see. It must not know libconfig. */
#ifndef HELLOD_BASE_CONFIG_PRIVATE_H
#define HELLOD_BASE_CONFIG_PRIVATE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/config.h"
#include "base/config_table.h"

struct text_kept;

struct config_private {
    FILE *errors; /* the caller's */
    unsigned error_count;
    struct text_kept *files; /* the names of all files, see config_text.h */
    const char *main_file;   /* one of them */
    bool workers_counted;    /* workers was 0 and became the number of CPUs */
    bool control_moved;      /* control was not set and is in RUNTIME_DIRECTORY */
    struct config_origin origin[CONFIG_GLOBAL_COUNT];
};

/* Counts an error and writes its line. A NULL for FILE leaves the place out, 0 for LINE the line. */
void config_error(struct config *config, const char *file, unsigned line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The same with the arguments of another function. */
void config_verror(struct config *config, const char *file, unsigned line, const char *format,
                   va_list arguments) __attribute__((format(printf, 4, 0)));

/* Carries the settings in the LENGTH bytes at TEXT, as ended by text_copy(), into CONFIG; TEXT is changed on
 * the way. FILE is where they come from, owned by CONFIG; NULL for built-in defaults. */
void config_take(struct config *config, const char *file, char *text, size_t length);

/* Complains of the key NAME at ORIGIN, which is not in GROUP of the COUNT options, and says what may be
 * meant.
 */
void config_unknown_key(struct config *config, struct config_origin origin, const struct option *options,
                        unsigned count, const char *group, const char *name);

/* Makes NETWORKS those COUNT of LIST, which it owns from now on, in place of what it had. */
void config_set_networks(struct config_networks *networks, struct prefix *list, unsigned count);

/* Forgets all of CONFIG's listeners. */
void config_drop_listeners(struct config *config);

/* Complains of everything that is wrong with the newest of CONFIG's listeners, alone or beside those before
 * it. What is wrong with a single value alone was found by its row in the table. */
void config_check_listener(struct config *config, struct config_listener *listener);

/* Complains of a global option that is wrong in a way that its row in the table cannot tell. */
void config_check_globals(struct config *config);

#endif
