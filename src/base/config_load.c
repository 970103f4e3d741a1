/* The life of a config: which files are read and in which order, what follows from all of them together, and
 * who may complain where. Must not know libconfig, nor what any single option but "workers" and "control" is
 * for. */
#include "base/config.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/config_private.h"
#include "base/config_text.h"

enum {
    MESSAGE_MAX = 1024 /* bytes of an error's text, longer ones are cut */
};

void config_verror(struct config *config, const char *file, unsigned line, const char *format,
                   va_list arguments)
{
    FILE *out = config->private->errors;
    char message[MESSAGE_MAX];

    config->private->error_count++;
    vsnprintf(message, sizeof(message), format, arguments);
    if (file) {
        text_show(out, file);
        if (line)
            fprintf(out, ":%u", line);
        fputs(": ", out);
    }
    text_show(out, message);
    fputc('\n', out);
}

void config_error(struct config *config, const char *file, unsigned line, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    config_verror(config, file, line, format, arguments);
    va_end(arguments);
}

unsigned config_errors(const struct config *config)
{
    return config->private->error_count;
}

/* The origin to name for KEY of LISTENER, which may be NULL. */
static struct config_origin find_origin(const struct config *config, const struct config_listener *listener,
                                        enum config_listener_key key)
{
    struct config_origin main_file = {config->private->main_file, 0};

    if (listener && listener->origin[key].file)
        return listener->origin[key];
    if (listener && listener->origin[CONFIG_KEY_LISTENER].file)
        return listener->origin[CONFIG_KEY_LISTENER];
    return main_file;
}

void config_complain(struct config *config, const struct config_listener *listener,
                     enum config_listener_key key, const char *format, ...)
{
    struct config_origin origin = find_origin(config, listener, key);
    va_list arguments;

    va_start(arguments, format);
    config_verror(config, origin.file, origin.line, format, arguments);
    va_end(arguments);
}

const char *config_where(const struct config *config, const struct config_listener *listener,
                         enum config_listener_key key, char *buffer, size_t size)
{
    struct config_origin origin = find_origin(config, listener, key);

    if (origin.line)
        snprintf(buffer, size, "%s:%u", origin.file, origin.line);
    else
        snprintf(buffer, size, "%s", origin.file);
    return buffer;
}

static const struct config_origin *origin_of(const struct config *config, const char *path)
{
    unsigned i = 0;

    while (strcmp(option_globals[i].path, path) != 0)
        if (++i == CONFIG_GLOBAL_COUNT)
            abort();
    return &config->private->origin[i];
}

bool config_is_set(const struct config *config, const char *path)
{
    return origin_of(config, path)->file != NULL;
}

const char *config_where_set(const struct config *config, const char *path, char *buffer, size_t size)
{
    const struct config_origin *origin = origin_of(config, path);

    if (origin->file != NULL)
        snprintf(buffer, size, "%s:%u", origin->file, origin->line);
    else
        snprintf(buffer, size, "default");
    return buffer;
}

static struct config *create(const char *main_file, FILE *errors)
{
    struct config *config = calloc(1, sizeof(*config));

    if (!config)
        return NULL;
    config->private = calloc(1, sizeof(*config->private));
    if (config->private)
        config->private->main_file = text_keep(&config->private->files, main_file);
    if (!config->private || !config->private->main_file) {
        config_free(config);
        return NULL;
    }
    config->private->errors = errors;
    option_set_defaults(option_globals, CONFIG_GLOBAL_COUNT, config);
    return config;
}

void config_set_networks(struct config_networks *networks, struct prefix *list, unsigned count)
{
    free(networks->list);
    *networks = (struct config_networks){list, count};
}

void config_drop_listeners(struct config *config)
{
    for (unsigned i = 0; i < config->listener_count; i++) {
        config_set_networks(&config->listeners[i].allow, NULL, 0);
        config_set_networks(&config->listeners[i].deny, NULL, 0);
    }
    config->listener_count = 0;
}

void config_free(struct config *config)
{
    if (!config)
        return;
    config_drop_listeners(config);
    free(config->exempt.list);
    if (config->private)
        text_forget(config->private->files);
    free(config->private);
    free(config);
}

/* Takes the text, or a NULL for memory that was short; frees it. Returns 0, or -1 in that case. */
static int take_and_free(struct config *config, const char *file, char *text, size_t length)
{
    if (!text)
        return -1;
    config_take(config, file, text, length);
    free(text);
    return 0;
}

/* The default of the list OPTION, written as a setting. */
static int take_default_list(struct config *config, enum config_global global)
{
    const struct option *option = &option_globals[global];
    char *setting = NULL;
    int result = -1;

    if (config->private->origin[global].file)
        return 0;
    int length = asprintf(&setting, "%s = %s;", option->path, option->initial);
    if (length < 0)
        return -1;
    result = take_and_free(config, NULL, text_copy(setting, (size_t) length), (size_t) length);
    free(setting);
    return result;
}

static int count_cpus(void)
{
    cpu_set_t usable;

    if (sched_getaffinity(0, sizeof(usable), &usable) == 0)
        return CPU_COUNT(&usable);
    /* More CPUs than a cpu_set_t has bits. */
    return CPU_SETSIZE;
}

/* A service manager that made a folder for this service alone knows better than the table where its socket
 * belongs: several instances each have their own. */
static void move_control(struct config *config)
{
    const struct option *option = &option_globals[CONFIG_GLOBAL_CONTROL];
    const char *folder = getenv("RUNTIME_DIRECTORY");

    if (config_is_set(config, option->path) || !folder || *folder != '/')
        return;
    /* Of several, separated by colons (systemd.exec(5)), the first. */
    int length = (int) strcspn(folder, ":");
    char path[sizeof(config->control)];
    int needed = snprintf(path, sizeof(path), "%.*s%s", length, folder, strrchr(option->initial, '/'));
    if (needed >= (int) sizeof(path))
        return;
    memcpy(config->control, path, (size_t) needed + 1);
    config->private->control_moved = true;
}

/* What remains when all files are read. */
static int finish(struct config *config)
{
    int most = (int) option_globals[CONFIG_GLOBAL_WORKERS].max;

    if (config->workers == 0) {
        int cpus = count_cpus();
        config->workers = cpus < most ? cpus : most;
        config->private->workers_counted = true;
    }
    move_control(config);
    config_check_globals(config);
    if (take_default_list(config, CONFIG_GLOBAL_LISTEN))
        return -1;
    return take_default_list(config, CONFIG_GLOBAL_EXEMPT);
}

/* Returns -1 only when memory is short; what else is wrong with the file is an error of CONFIG's. */
static int load_file(struct config *config, const char *file)
{
    size_t length = 0;
    char *text = text_read(file, &length);

    if (text)
        return take_and_free(config, file, text, length);
    if (errno == ENOMEM)
        return -1;
    if (errno == EFBIG)
        config_error(config, file, 0, "cannot read: larger than %d bytes", CONFIG_FILE_MAX);
    else
        config_error(config, file, 0, "cannot read: %s", strerror(errno));
    return 0;
}

/* As the shell's *.conf: hidden files are left out. */
static int is_conf(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);

    return entry->d_name[0] != '.' && length > 5 && !strcmp(entry->d_name + length - 5, ".conf");
}

static int compare_bytes(const struct dirent **one, const struct dirent **other)
{
    return strcmp((*one)->d_name, (*other)->d_name);
}

static int load_member(struct config *config, const char *folder, const char *name)
{
    char *path = NULL;
    int result = -1;

    if (asprintf(&path, "%s/%s", folder, name) < 0)
        return -1;
    const char *file = text_keep(&config->private->files, path);
    if (file)
        result = load_file(config, file);
    free(path);
    return result;
}

static int load_folder(struct config *config, const char *folder)
{
    struct dirent **entries = NULL;
    int result = 0;
    int count = scandir(folder, &entries, is_conf, compare_bytes);

    if (count < 0) {
        if (errno == ENOMEM)
            return -1;
        if (errno != ENOENT)
            config_error(config, folder, 0, "cannot read: %s", strerror(errno));
        return 0;
    }
    for (int i = 0; i < count; i++) {
        if (!result)
            result = load_member(config, folder, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return result;
}

/* The folder conf.d beside FILE. */
static int load_neighbours(struct config *config, const char *file)
{
    const char *slash = strrchr(file, '/');
    int before = slash ? (int) (slash - file) + 1 : 0;
    char *folder = NULL;

    if (asprintf(&folder, "%.*sconf.d", before, file) < 0)
        return -1;
    int result = load_folder(config, folder);
    free(folder);
    return result;
}

static struct config *finish_or_free(struct config *config, int result)
{
    if (!result)
        result = finish(config);
    if (!result)
        return config;
    config_free(config);
    return NULL;
}

struct config *config_load(const char *file, FILE *errors)
{
    struct config *config = create(file, errors);

    if (!config)
        return NULL;
    const char *kept = config->private->main_file;
    int result = load_file(config, kept);
    if (!result)
        result = load_neighbours(config, kept);
    return finish_or_free(config, result);
}

struct config *config_parse(const char *name, const char *text, size_t length, FILE *errors)
{
    struct config *config = create(name, errors);

    if (!config)
        return NULL;
    int result = take_and_free(config, config->private->main_file, text_copy(text, length), length);
    return finish_or_free(config, result);
}
