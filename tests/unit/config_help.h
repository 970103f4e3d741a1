/* For the config tests: text in, config out. */
#ifndef HELLOD_TESTS_UNIT_CONFIG_HELP_H
#define HELLOD_TESTS_UNIT_CONFIG_HELP_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"

/* Parses TEXT as the file t.conf; *SAID, which the caller frees, is what was complained of. */
static inline struct config *config_of(const char *text, char **said)
{
    size_t length = 0;
    FILE *errors = open_memstream(said, &length);
    struct config *config = config_parse("t.conf", text, strlen(text), errors);

    fclose(errors);
    assert_non_null(config);
    return config;
}

/* The same for TEXT that must have no error. */
static inline struct config *good_config_of(const char *text)
{
    char *said = NULL;
    struct config *config = config_of(text, &said);

    assert_string_equal(said, "");
    assert_int_equal(config_errors(config), 0);
    free(said);
    return config;
}

/* "FILE:LINE" of the global option PATH, or "default"; the next call overwrites it. */
static inline const char *place_of(const struct config *config, const char *path)
{
    static char place[512];

    return config_where_set(config, path, place, sizeof(place));
}

/* What config_dump() writes; the caller frees it. */
static inline char *listing_of(const struct config *config)
{
    /* Static, because gcc 12 takes what a stream stores through the address of a local for dangling. */
    static char *text;
    static size_t length;
    FILE *out = open_memstream(&text, &length);

    assert_int_equal(config_dump(config, out), 0);
    fclose(out);
    return text;
}

#endif
