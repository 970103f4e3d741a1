/* A config of several files: whatever is in them, each error is one clean line that names one of them, a file
 * that comes twice changes nothing, and what is loaded, written out, is the same config in one file.
 *
 * Input: the main file and then those of conf.d, with a 0xFF byte between them. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "../lib/config_same.h"

/* Files in memory, in a folder that is not there. */
#define scandir   fake_scandir
#define text_read fake_text_read
static int fake_scandir(const char *folder, struct dirent ***entries, int (*filter)(const struct dirent *),
                        int (*compare)(const struct dirent **, const struct dirent **));
static char *fake_text_read(const char *path, size_t *length);
#include "base/config_load.c"
#undef scandir
#undef text_read

#define MUST(condition)                                                             \
    do {                                                                            \
        if (!(condition)) {                                                         \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                                \
        }                                                                           \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    FILES_MAX = 5
};

static const char *const names[FILES_MAX] = {"fuzz/hellod.conf", "fuzz/conf.d/1.conf", "fuzz/conf.d/2.conf",
                                             "fuzz/conf.d/3.conf", "fuzz/conf.d/4.conf"};

static struct {
    const char *text;
    size_t length;
} files[FILES_MAX];

static unsigned file_count;

static char *fake_text_read(const char *path, size_t *length)
{
    unsigned i = 0;

    while (strcmp(path, names[i]) != 0)
        MUST(++i < file_count); /* nothing else is asked for */
    *length = files[i].length;
    return text_copy(files[i].text, files[i].length);
}

/* The last one first, and with others between them. */
static int fake_scandir(const char *folder, struct dirent ***entries, int (*filter)(const struct dirent *),
                        int (*compare)(const struct dirent **, const struct dirent **))
{
    int count = 0;

    MUST(strcmp(folder, "fuzz/conf.d") == 0);
    *entries = calloc(3 * FILES_MAX, sizeof(**entries));
    MUST(*entries);
    for (unsigned i = 3 * file_count - 1; i >= 3; i--) {
        struct dirent *entry = calloc(1, sizeof(*entry));
        MUST(entry);
        snprintf(entry->d_name, sizeof(entry->d_name), "%s%u%s", i % 3 == 1 ? "." : "", i / 3,
                 i % 3 == 2 ? ".conf~" : ".conf");
        if (filter(entry))
            (*entries)[count++] = entry;
        else
            free(entry);
    }
    MUST(count == (int) file_count - 1);
    qsort(*entries, (size_t) count, sizeof(**entries), (int (*)(const void *, const void *)) compare);
    for (int i = 1; i < count; i++)
        MUST((*entries)[i - 1]->d_name[0] < (*entries)[i]->d_name[0]);
    return count;
}

/* Takes the input apart; what is behind the last cut is the last file. */
static void take_files(const char *data, size_t size)
{
    const char *end = data + size, *cut;

    for (file_count = 0; file_count < FILES_MAX - 1; file_count++) {
        cut = file_count < FILES_MAX - 2 ? memchr(data, 0xFF, (size_t) (end - data)) : NULL;
        files[file_count].text = data;
        files[file_count].length = (size_t) ((cut != NULL ? cut : end) - data);
        if (cut == NULL)
            break;
        data = cut + 1;
    }
    file_count++;
}

/* True for a line that begins with the name of one of the files. */
static int names_file(const char *line)
{
    for (unsigned i = 0; i < file_count; i++) {
        size_t length = strlen(names[i]);
        if (strncmp(line, names[i], length) == 0 && line[length] == ':')
            return 1;
    }
    return 0;
}

static void check_errors(const char *said, const struct config *config)
{
    unsigned lines = 0;

    for (const char *at = said; *at != '\0'; at++)
        MUST((unsigned char) *at >= ' ' || *at == '\n');
    for (const char *line = said; *line != '\0'; line = strchr(line, '\n') + 1, lines++)
        MUST(names_file(line));
    MUST(lines == config_errors(config));
}

static struct config *load(void)
{
    char *said = NULL;
    size_t length = 0;
    FILE *errors = open_memstream(&said, &length);

    MUST(errors);
    struct config *config = config_load(names[0], errors);
    MUST(config && fclose(errors) == 0);
    check_errors(said, config);
    free(said);
    return config;
}

static struct config *write_out_and_parse(const struct config *config)
{
    char *dump = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&dump, &length);

    MUST(out && config_dump(config, out) == 0 && fclose(out) == 0);
    struct config *again = config_parse("fuzz.conf", dump, length, stderr);
    MUST(again && config_errors(again) == 0);
    free(dump);
    return again;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    take_files((const char *) data, size);
    struct config *once = load();
    if (config_errors(once) == 0) {
        struct config *again = write_out_and_parse(once);
        MUST(config_difference(once, again) == NULL);
        config_free(again);
        if (file_count > 1) {
            files[file_count] = files[file_count - 1];
            file_count++;
            struct config *twice = load();
            MUST(config_errors(twice) == 0 && config_difference(once, twice) == NULL);
            config_free(twice);
        }
    }
    config_free(once);
    return 0;
}
