/* What a list of networks costs a datagram or a connection: nanoseconds of processor time, by themselves.
 *
 *   cost_access
 *
 * Each line is for so many networks of all sizes, and sources of which half are in one of them, in turns by
 * chance, so that the branches cannot be learned. */
#include <stdio.h>
#include <stdlib.h>

#include "base/prefixes.h"
#include "cost.h"

enum {
    CHECKS = 100000,
    ROUNDS = 50
};

static struct prefixes *make_table(uint64_t networks, bool ipv4)
{
    struct prefixes *prefixes = prefixes_create(networks);

    for (uint64_t i = 0; prefixes != NULL && i < networks; i++) {
        struct prefix network = {.bits = ipv4 ? 112 + (unsigned) (cost_mix(i) % 17)
                                              : 32 + (unsigned) (cost_mix(i) % 97)};
        cost_address(i, ipv4, network.address);
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
        uint64_t before = cost_now_ns();
        for (unsigned i = 0; i < CHECKS; i++, step++) {
            uint8_t address[16];
            cost_address(cost_mix(step) % (2 * networks), ipv4, address);
            found += prefixes_find(prefixes, address) + address[15];
        }
        uint64_t took = cost_now_ns() - before;
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
