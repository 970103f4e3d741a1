/* The configuration: libconfig files in, one checked, read-only struct out.
 *
 * The only module that sees libconfig. Every option is one row in a table (config_table.c); parsing,
 * defaults, ranges and the listing of effective values all come from it. This module must not know what the
 * values are for: whether a protocol exists or a template is sound is checked by whoever knows, through
 * config_complain(). */
#ifndef HELLOD_BASE_CONFIG_H
#define HELLOD_BASE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/prefixes.h"

enum {
    CONFIG_LISTENERS_MAX = 64,
    CONFIG_NETWORKS_MAX = 10000,  /* in one list */
    CONFIG_NAME_MAX = 63,         /* bytes in a listener's, protocol's, user's or group's name */
    CONFIG_TEXT_MAX = 255,        /* bytes in a prompt, an answer template, a farewell */
    CONFIG_PATH_MAX = 107,        /* bytes in a socket path, as sun_path of unix(7) has room for */
    CONFIG_MESSAGE_MAX = 16384,   /* the largest message_size */
    CONFIG_FILE_MAX = 1024 * 1024 /* bytes in one file; larger ones are refused unread */
};

enum config_socket_type {
    CONFIG_STREAM,
    CONFIG_DATAGRAM,
    CONFIG_SEQPACKET
};

enum config_framing {
    CONFIG_FRAMING_AUTO,
    CONFIG_FRAMING_CHUNK,
    CONFIG_FRAMING_LINE
};

enum config_activation {
    CONFIG_ACTIVATION_AUTO,   /* listeners without a passed socket are bound */
    CONFIG_ACTIVATION_REQUIRE /* they are an error */
};

enum config_sandbox {
    CONFIG_SANDBOX_OFF,
    CONFIG_SANDBOX_LOG,
    CONFIG_SANDBOX_ENFORCE
};

enum config_log_level { /* as in syslog(3), so that they compare */
    CONFIG_LOG_ERR = 3,
    CONFIG_LOG_WARNING = 4,
    CONFIG_LOG_NOTICE = 5,
    CONFIG_LOG_INFO = 6,
    CONFIG_LOG_DEBUG = 7
};

/* Where a value came from. file is owned by the config; NULL means the built-in default (line is then of no
 * use). */
struct config_origin {
    const char *file;
    unsigned line;
};

/* Which rules of the datagram guard are on; "oversize" is not here because it cannot be switched off. */
struct config_guard {
    bool empty, port, source, destination, reply, text, rate, budget;
};

/* A list of networks, in the order of the file. */
struct config_networks {
    struct prefix *list; /* owned by the config */
    unsigned count;
};

/* The options of a listener that other modules name in their complaints. */
enum config_listener_key {
    CONFIG_KEY_LISTENER, /* the group itself */
    CONFIG_KEY_NAME,
    CONFIG_KEY_PROTOCOL,
    CONFIG_KEY_TYPE,
    CONFIG_KEY_ADDRESS,
    CONFIG_KEY_PORT,
    CONFIG_KEY_PATH,
    CONFIG_KEY_FRAMING,
    CONFIG_KEY_DELAY,
    CONFIG_KEY_PROMPT,
    CONFIG_KEY_ANSWER,
    CONFIG_KEY_FAREWELL,
    CONFIG_KEY_BACKLOG,
    CONFIG_KEY_PER_WORKER,
    CONFIG_KEY_MESSAGE_SIZE,
    CONFIG_KEY_ALLOW,
    CONFIG_KEY_DENY,
    CONFIG_KEY_GUARD, /* the group; each rule has an origin of its own */
    CONFIG_KEY_GUARD_EMPTY,
    CONFIG_KEY_GUARD_PORT,
    CONFIG_KEY_GUARD_SOURCE,
    CONFIG_KEY_GUARD_DESTINATION,
    CONFIG_KEY_GUARD_REPLY,
    CONFIG_KEY_GUARD_TEXT,
    CONFIG_KEY_GUARD_RATE,
    CONFIG_KEY_GUARD_BUDGET,
    CONFIG_KEY_COUNT
};

struct config_listener {
    char name[CONFIG_NAME_MAX +
              1]; /* unique; letters, digits, '-', '_', '.' (it is also a FileDescriptorName) */
    char protocol[CONFIG_NAME_MAX + 1];
    enum config_socket_type type;
    char address[64]; /* "*", an IPv4 or an IPv6 address; "" when path is set */
    int port;         /* 0: the kernel picks one */
    char path[CONFIG_PATH_MAX +
              1]; /* AF_UNIX path, "@name" for the abstract namespace; "" when address is set */
    enum config_framing framing;
    double delay; /* seconds before each message is handled */
    char prompt[CONFIG_TEXT_MAX + 1];
    char answer[CONFIG_TEXT_MAX + 1]; /* template, unchecked */
    char farewell[CONFIG_TEXT_MAX + 1];
    int backlog;
    bool per_worker;
    int message_size; /* bytes */
    struct config_networks allow, deny;
    struct config_guard guard;
    struct config_origin origin[CONFIG_KEY_COUNT];
};

struct config_limits {
    int connections;                                   /* per worker */
    int per_source;                                    /* connections per source address, 0: no limit */
    int per_prefix;                                    /* connections per source prefix, 0: no limit */
    double idle_timeout, write_timeout, drain_timeout; /* seconds */
    double penalty; /* seconds for which an offender is refused, at most; 0: nobody is */
};

struct config_rate {
    int per_source; /* datagrams a second that are answered, of one source; 0: no limit */
    int budget;     /* of all together; 0: no limit */
    bool dry_run;   /* over either, they are counted and answered all the same */
};

struct config {
    int workers; /* 0 in the file means one per CPU; here always the number itself */
    char user[CONFIG_NAME_MAX + 1], group[CONFIG_NAME_MAX + 1];
    enum config_activation activation;
    enum config_sandbox sandbox;
    char control[CONFIG_PATH_MAX + 1]; /* absolute path of the control socket; "": none */
    unsigned listener_count;
    struct config_listener listeners[CONFIG_LISTENERS_MAX];
    struct config_networks exempt;
    struct config_limits limits;
    struct config_rate rate;
    enum config_log_level log_level;
    bool log_access;
    struct config_private *private; /* file names, origins, where complaints go; owned by the config */
};

/* Reads FILE, then DIR/conf.d/(*).conf in byte order, where DIR is FILE's folder; a later setting wins, lists
 * are replaced whole. All errors are found, not the first alone: each is one line on ERRORS, "FILE:LINE: what
 * is wrong" with the nearest known name for an unknown key. Returns the new config, which the caller owns and
 * frees with config_free(), also when it has errors: ask config_errors(). ERRORS must stay open for as long
 * as anybody may complain. NULL only when memory is short. */
struct config *config_load(const char *file, FILE *errors);

/* The same for text in memory that is said to come from NAME; no conf.d. For tests and fuzzing. */
struct config *config_parse(const char *name, const char *text, size_t length, FILE *errors);

/* How many errors were found or complained of so far; 0 means that the config may be used. */
unsigned config_errors(const struct config *config);

/* Adds an error from a module that knows what a value means, on the line of LISTENER's KEY (LISTENER may be
 * NULL: then it is about the file as a whole). printf(3) format, one line, no newline. */
void config_complain(struct config *config, const struct config_listener *listener,
                     enum config_listener_key key, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* "FILE:LINE" of LISTENER's KEY, or of the listener when the key is a default, or the main file's name when
 * LISTENER is NULL. BUFFER is returned, cut if too small. */
const char *config_where(const struct config *config, const struct config_listener *listener,
                         enum config_listener_key key, char *buffer, size_t size);

/* "FILE:LINE" of the global option PATH ("limits.connections", "user"), or "default". BUFFER is returned, cut
 * if too small. Aborts on a path that is not in the table. */
const char *config_where_set(const struct config *config, const char *path, char *buffer, size_t size);

/* Whether a file has set the global option PATH. Aborts on a path that is not in the table. */
bool config_is_set(const struct config *config, const char *path);

/* Writes the effective config to OUT as a valid config file that gives the same values, each line with a
 * comment that says the range and where the value came from. What a listener does not set is a comment as a
 * whole. Returns 0, or -1 with errno when OUT has failed. */
int config_dump(const struct config *config, FILE *out);

/* Frees all of it; NULL is fine. */
void config_free(struct config *config);

/* The word of LIST (NULL-terminated) that is nearest to WORD, or NULL if none is near enough to be meant. */
const char *config_nearest(const char *word, const char *const *list);

#endif
