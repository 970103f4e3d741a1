/* helloc: finds out which command is meant. What a command does and how it is used is not known here. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/descriptors.h"
#include "client/bench.h"
#include "client/check.h"
#include "client/exits.h"
#include "client/ping.h"
#include "client/talk.h"

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
} commands[] = {{"talk", talk_main}, {"ping", ping_main}, {"check", check_main}, {"bench", bench_main}};

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

int main(int argc, char **argv)
{
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    const char *name = slash != NULL ? slash + 1 : argc > 0 ? argv[0] : "";
    const struct command *command = argc > 1 ? find(argv[1]) : NULL;

    if (descriptors_fill_standard() < 0) {
        fprintf(stderr, "helloc: %s\n", strerror(errno));
        return EXITS_SYSTEM;
    }
    /* What a monitoring system runs has a name of its own. */
    if (strcmp(name, "check_hello") == 0)
        return check_main(argc, argv);
    return command != NULL ? command->run(argc - 1, argv + 1) : talk_main(argc, argv);
}
