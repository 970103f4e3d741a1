/* Fuzzes the config loader: whatever the bytes are, each error is one clean line that names its place; and a
 * config without errors, written out, gives the same config again. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "../lib/config_same.h"
#include "base/config.h"

#define MUST(condition)                                                             \
    do {                                                                            \
        if (!(condition)) {                                                         \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                                \
        }                                                                           \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Parses, and checks what was said about it. */
static struct config *parse(const char *data, size_t size)
{
    char *said = NULL;
    size_t length = 0;
    FILE *errors = open_memstream(&said, &length);
    MUST(errors);
    struct config *config = config_parse("fuzz.conf", data, size, errors);

    MUST(config);
    MUST(fclose(errors) == 0);
    unsigned lines = 0;
    for (const char *line = said; *line; line = strchr(line, '\n') + 1) {
        MUST(strncmp(line, "fuzz.conf:", 10) == 0 && line[10] >= '1' && line[10] <= '9');
        lines++;
    }
    for (size_t i = 0; i < length; i++)
        MUST((unsigned char) said[i] >= ' ' || said[i] == '\n');
    MUST(lines == config_errors(config));
    free(said);
    return config;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *dump = NULL;
    size_t length = 0;
    struct config *config = parse((const char *) data, size);

    MUST(config->listener_count <= CONFIG_LISTENERS_MAX && config->exempt.count <= CONFIG_NETWORKS_MAX);
    if (config_errors(config) == 0) {
        FILE *out = open_memstream(&dump, &length);
        MUST(out && config_dump(config, out) == 0 && fclose(out) == 0);
        struct config *again = parse(dump, length);
        MUST(config_errors(again) == 0);
        MUST(config_difference(config, again) == NULL);
        config_free(again);
        free(dump);
    }
    config_free(config);
    return 0;
}
