/* For the tests of what is remembered of sources: addresses. */
#ifndef HELLOD_TESTS_UNIT_SOURCE_HELP_H
#define HELLOD_TESTS_UNIT_SOURCE_HELP_H

#include <arpa/inet.h>
#include <stdint.h>
#include <stdlib.h>

struct source {
    uint8_t address[16];
};

/* TEXT as an address, IPv4 as mapped. */
static inline struct source source_at(const char *text)
{
    struct source made = {.address = {[10] = 0xff, [11] = 0xff}};

    if (inet_pton(AF_INET, text, made.address + 12) != 1 && inet_pton(AF_INET6, text, made.address) != 1)
        abort();
    return made;
}

#endif
