/* Prints the scoreboard of a running hellod as JSON: scoreboard_dump PID. For tests: it looks at the memfd
 * that the master has open, as root or as the same user. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/scoreboard.h"

static int open_scoreboard(const char *pid)
{
    char folder[64], path[sizeof(folder) + 256], target[64];
    const struct dirent *entry;
    int fd = -1;

    snprintf(folder, sizeof(folder), "/proc/%.20s/fd", pid);
    DIR *directory = opendir(folder);
    if (directory == NULL)
        return -1;
    while (fd < 0 && (entry = readdir(directory)) != NULL) {
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        ssize_t length = readlink(path, target, sizeof(target) - 1);
        if (length < 0)
            continue;
        target[length] = '\0';
        if (strncmp(target, "/memfd:hellod-scoreboard", strlen("/memfd:hellod-scoreboard")) == 0)
            fd = open(path, O_RDONLY | O_CLOEXEC);
    }
    closedir(directory);
    return fd;
}

static void print_block(const struct scoreboard *scoreboard, unsigned block)
{
    const struct score *score = &scoreboard->blocks[block];

    printf("{\"slot\": %u, \"generation\": %u, \"pid\": %d, \"ready\": %u, \"live\": %u, \"beat\": %llu",
           score->slot, score->generation, (int) score->pid, score->ready, score->live,
           (unsigned long long) score->beat);
    for (int i = 0; i < COUNTER_COUNT; i++)
        printf(", \"%s\": %llu", counter_rows[i].name,
               (unsigned long long) scoreboard_counted(scoreboard, block, (enum counter) i));
    printf("}");
}

int main(int argc, char **argv)
{
    struct scoreboard scoreboard = {.fd = -1};
    const char *separator = "";
    int fd = argc == 2 ? open_scoreboard(argv[1]) : -1;

    if (fd < 0 || scoreboard_attach(&scoreboard, fd) < 0) {
        fprintf(stderr, "usage: scoreboard_dump PID (of a hellod of this version)\n");
        return EXIT_FAILURE;
    }
    printf("{\"live\": %llu, \"totals\": {", (unsigned long long) scoreboard_live(&scoreboard));
    for (int i = 0; i < COUNTER_COUNT; i++)
        printf("%s\"%s\": %llu", i > 0 ? ", " : "", counter_rows[i].name,
               (unsigned long long) scoreboard_total(&scoreboard, (enum counter) i));
    printf("}, \"blocks\": [");
    for (uint32_t generation = 0; generation < SCOREBOARD_GENERATIONS; generation++) {
        for (uint32_t slot = 0; slot < scoreboard.header->slots; slot++) {
            unsigned block = scoreboard_index(generation, slot);
            const struct score *score = &scoreboard.blocks[block];
            if (score->pid == 0 && score->beat == 0)
                continue;
            printf("%s", separator);
            print_block(&scoreboard, block);
            separator = ", ";
        }
    }
    printf("]}\n");
    scoreboard_close(&scoreboard);
    close(fd);
    return EXIT_SUCCESS;
}
