/* What a list of networks costs a datagram or a connection: nanoseconds of processor time, by themselves.
 *
 *   cost_access
 *
 * Each line is for so many networks of all sizes, and sources of which half are in one of them, in turns by
 * chance, so that the branches cannot be learned. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/addr.h"
#include "base/prefixes.h"

enum {
    CHECKS = 100000,
    ROUNDS = 50
};

/* The number after STATE in a row that looks like random ones (splitmix64): every run asks the same. */
static uint64_t mix(uint64_t state)
{
    uint64_t z = state * UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

/* Address NUMBER, worked out again each time. */
static void make_address(uint64_t number, bool ipv4, uint8_t address[16])
{
    uint64_t random[2] = {mix(number), number};

    memcpy(address, random, 16);
    if (ipv4) {
        memcpy(address + ADDR_MAPPED_BYTES, random, 4);
        memcpy(address, addr_mapped, ADDR_MAPPED_BYTES);
    }
}

/* Of this process: others that run do not count, as far as they leave the caches alone. */
static uint64_t cpu_ns(void)
{
    struct timespec spent;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
    return (uint64_t) spent.tv_sec * 1000000000 + (uint64_t) spent.tv_nsec;
}

static struct prefixes *make_table(uint64_t networks, bool ipv4)
{
    struct prefixes *prefixes = prefixes_create(networks);

    for (uint64_t i = 0; prefixes != NULL && i < networks; i++) {
        struct prefix network = {.bits =
                                     ipv4 ? 112 + (unsigned) (mix(i) % 17) : 32 + (unsigned) (mix(i) % 97)};
        make_address(i, ipv4, network.address);
        prefixes_add(prefixes, &network, 1);
    }
    return prefixes;
}

/* Nanoseconds of a pass, with the lookup or, when PREFIXES is NULL, next to nothing in its place; in the best
 * of many short rounds, since in the others somebody else had the caches. */
static double measure(const struct prefixes *prefixes, uint64_t networks, bool ipv4)
{
    uint64_t step = 0, least = UINT64_MAX;
    volatile unsigned found = 0;

    for (unsigned round = 0; round < ROUNDS; round++) {
        uint64_t before = cpu_ns();
        for (unsigned i = 0; i < CHECKS; i++, step++) {
            uint8_t address[16];
            make_address(mix(step) % (2 * networks), ipv4, address);
            found += prefixes_find(prefixes, address) + address[15];
        }
        uint64_t took = cpu_ns() - before;
        least = took < least ? took : least;
    }
    (void) found;
    return (double) least / CHECKS;
}

int main(void)
{
    static const unsigned rows[] = {10, 1000, 10000};

    for (unsigned ipv4 = 0; ipv4 < 2; ipv4++) {
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
            struct prefixes *prefixes = make_table(rows[i], ipv4);
            if (prefixes == NULL) {
                perror("cost_access");
                return EXIT_FAILURE;
            }
            printf("access check: %5u networks, %s: %.1f ns\n", rows[i], ipv4 ? "IPv4" : "IPv6",
                   measure(prefixes, rows[i], ipv4) - measure(NULL, rows[i], ipv4));
            prefixes_free(prefixes);
        }
    }
    return EXIT_SUCCESS;
}
