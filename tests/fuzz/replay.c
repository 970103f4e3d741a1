/* Runs a fuzz target over files instead of letting a fuzzer choose the bytes: what was ever found stays
 * found.
 *
 * Linked with any of the fuzz_*.c in place of the fuzzer's own main. It must not know what the target tests.
 */
#include <ftw.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    INPUT_MAX = 1024 * 1024, /* bytes, as libFuzzer's own limit */
    OPEN_FOLDERS = 8
};

static unsigned replayed;

/* The bytes are put at the end of a block of exactly their size, so that a read beyond them is seen by the
 * tools. */
static int replay(const char *path, FILE *file)
{
    static uint8_t buffer[INPUT_MAX];
    size_t size = fread(buffer, 1, sizeof(buffer), file);

    if (ferror(file)) {
        perror(path);
        return -1;
    }
    uint8_t *data = malloc(size ? size : 1);
    if (!data) {
        perror("malloc");
        return -1;
    }
    for (size_t i = 0; i < size; i++)
        data[i] = buffer[i];
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    replayed++;
    return 0;
}

static int visit(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void) status;
    (void) walk;
    if (type == FTW_D)
        return 0;
    FILE *file = type == FTW_F ? fopen(path, "rb") : NULL;
    if (!file) {
        perror(path);
        return -1;
    }
    int result = replay(path, file);
    fclose(file);
    return result;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (nftw(argv[i], visit, OPEN_FOLDERS, FTW_PHYS) != 0) {
            fprintf(stderr, "%s: cannot be replayed\n", argv[i]);
            return EXIT_FAILURE;
        }
    printf("%u inputs\n", replayed);
    return replayed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
