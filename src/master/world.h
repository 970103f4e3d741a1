/* A world: one configuration, checked, and all that was made of it. A reload makes the next one whole before
 * it takes the place of the one before. */
#ifndef HELLOD_MASTER_WORLD_H
#define HELLOD_MASTER_WORLD_H

#include <stdio.h>

#include "base/config.h"
#include "base/log.h"
#include "base/scoreboard.h"
#include "master/listeners.h"
#include "master/prepare.h"

/* What worlds are made of, the same for all of one master. */
struct world_source {
    const char *file; /* the main config file */
    int verbose;      /* how often -v was given, which goes above what the files say */
};

struct world {
    struct config *config;
    struct prepared prepared;
    struct listeners listeners;
    enum log_level log_level;
};

/* Reads the files of SOURCE. What is wrong goes to ERRORS, a line each, as config_load() says; ask
 * config_errors() of world->config. The caller owns the world and gives it to world_free(). NULL with errno
 * when memory is short. */
struct world *world_load(const struct world_source *source, FILE *errors);

/* Writes WORLD's effective config to OUT, as config_dump() does, and what follows from it. Returns 0, or -1
 * with errno. */
int world_dump(const struct world *world, FILE *out);

/* Finds or makes the sockets; those that BEFORE has (NULL: there is none) are taken along where they fit.
 * Returns 0; or the exit code (exits.h) for what is missing, which has been logged. */
int world_open(struct world *world, const struct world *before);

/* Makes the memory that the workers share, and their sandbox; SCOREBOARD is that of the master. Returns 0, or
 * the exit code for what is missing, which has been logged. */
int world_share(struct world *world, struct scoreboard *scoreboard, const struct world *before);

/* Closes the sockets that KEEP does not also have; NULL keeps none. Its workers, if there are any, have
 * theirs still. */
void world_leave(struct world *world, const struct world *keep);

/* Frees it, after world_leave() if it was opened; its workers must be gone. NULL is fine. */
void world_free(struct world *world);

#endif
