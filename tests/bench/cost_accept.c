/* What it costs to find out whether a connection may come in: nanoseconds of processor time, by themselves.
 *
 *   cost_accept
 *
 * All that is asked about its source: the listener's list, whether it is exempt, its offences, and how many
 * connections it and its network have in the tables of eight workers; of one generation, or of three, as
 * after two reloads in a row. Each line is for a number of sources that are there, and clients are some of
 * them by chance. That a connection is counted is part of it, that it is over is not. */
#include <stdio.h>
#include <stdlib.h>

#include "cost.h"
#include "worker/penalty.h"
#include "worker/plan.h"
#include "worker/sources.h"

enum {
    WORKERS = 8,
    CONNECTIONS = 4096,  /* of a worker, as by default */
    NETWORKS = 1000,     /* in the listener's list */
    STRANGERS = 1000000, /* the number of the first source that is none of those */
    NO_LIMIT = 1000000,  /* so high that nobody is refused */
    CHECKS = 1000,
    ROUNDS = 300,
    NOW_MS = 3600000,
    LONGEST_MS = 600000
};

/* Connection NUMBER of SOURCES: from whom, and in which of TABLES. */
struct client {
    uint8_t address[16];
    unsigned table;
};

static struct client client_of(uint64_t number, uint64_t sources, unsigned tables, bool ipv4)
{
    struct client client = {.table = (unsigned) (cost_mix(number) >> 32) % tables};

    cost_address(cost_mix(number) % sources, ipv4, client.address);
    return client;
}

/* The networks of COUNT sources from FIRST on. */
static struct prefixes *make_list(uint64_t first, uint64_t count, bool ipv4)
{
    struct prefixes *list = prefixes_create(count);

    for (uint64_t i = 0; list != NULL && i < count; i++) {
        struct prefix network = {.bits = ipv4 ? 120 : 48};
        cost_address(first + i, ipv4, network.address);
        prefixes_add(list, &network, PLAN_ALLOWED);
    }
    return list;
}

/* Whether CLIENT may come in; if so, it is counted. */
static bool admits(const struct plan *plan, const struct client *client)
{
    struct addr_peer peer = {.is_internet = true};

    memcpy(peer.address, client->address, sizeof(peer.address));
    return plan_allows(&plan->services[0], &peer) && !plan_exempts(plan, &peer) &&
           penalty_left_ms(plan->penalty, NOW_MS, peer.address, LONGEST_MS) == 0 &&
           sources_add(plan->sources, client->table, peer.address, NO_LIMIT, NO_LIMIT) == SOURCES_ADMITTED;
}

/* What CHECKS clients from FIRST on cost, with the check or without. */
static uint64_t pass(const struct plan *plan, uint64_t first, uint64_t sources, unsigned tables, bool ipv4,
                     bool check)
{
    volatile unsigned passed = 0;
    uint64_t before = cost_now_ns();

    for (uint64_t i = first; i < first + CHECKS; i++) {
        struct client client = client_of(i, sources, tables, ipv4);
        passed += check ? admits(plan, &client) : client.address[15] + client.table;
    }
    uint64_t took = cost_now_ns() - before;
    for (uint64_t i = first; check && i < first + CHECKS; i++) {
        struct client client = client_of(i, sources, tables, ipv4);
        sources_remove(plan->sources, client.table, client.address, NO_LIMIT, NO_LIMIT);
    }
    (void) passed;
    return took;
}

/* In the best of many short rounds: in the others somebody else had the caches. */
static double measure(const struct plan *plan, uint64_t sources, unsigned tables, bool ipv4, bool check)
{
    uint64_t least = UINT64_MAX;

    for (uint64_t round = 0; round < ROUNDS; round++) {
        uint64_t took = pass(plan, round * CHECKS, sources, tables, ipv4, check);
        least = took < least ? took : least;
    }
    return (double) least / CHECKS;
}

/* Has SOURCES sources, in turn in TABLES tables, and a table of offenders that are others. */
static void fill(const struct plan *plan, uint64_t sources, unsigned tables, bool ipv4)
{
    for (uint64_t i = 0; i < (sources > tables ? sources : tables); i++) {
        uint8_t address[16];
        cost_address(i % sources, ipv4, address);
        sources_add(plan->sources, (unsigned) i % tables, address, NO_LIMIT, NO_LIMIT);
    }
    for (uint64_t i = 0; i < 100000; i++) {
        uint8_t address[16];
        cost_address(STRANGERS + i, ipv4, address);
        penalty_charge(plan->penalty, NOW_MS, address, PENALTY_OFFENCE, LONGEST_MS);
    }
}

/* Returns false when there is no memory. */
static bool report(uint64_t sources, unsigned generations, bool ipv4)
{
    static struct plan plan;
    unsigned tables = generations * WORKERS;

    plan.services[0] = (struct plan_service){.access = make_list(0, NETWORKS, ipv4), .allows_others = true};
    plan.exempt = make_list(STRANGERS, 2, ipv4);
    plan.sources = sources_open(SCOREBOARD_GENERATIONS * WORKERS, CONNECTIONS);
    plan.penalty = penalty_open();
    if (plan.services[0].access == NULL || plan.exempt == NULL || plan.sources == NULL ||
        plan.penalty == NULL)
        return false;
    fill(&plan, sources, tables, ipv4);
    printf("accept check: %5u sources, %d workers in %u generation%s, %s: %.1f ns\n", (unsigned) sources,
           WORKERS, generations, generations > 1 ? "s" : "", ipv4 ? "IPv4" : "IPv6",
           measure(&plan, sources, tables, ipv4, true) - measure(&plan, sources, tables, ipv4, false));
    penalty_close(plan.penalty);
    sources_close(plan.sources);
    prefixes_free(plan.exempt);
    prefixes_free(plan.services[0].access);
    return true;
}

int main(void)
{
    static const unsigned rows[] = {1, 1000, 10000};

    for (unsigned ipv4 = 0; ipv4 < 2; ipv4++)
        for (unsigned generations = 1; generations <= SCOREBOARD_GENERATIONS; generations += 2)
            for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
                if (!report(rows[i], generations, ipv4)) {
                    perror("cost_accept");
                    return EXIT_FAILURE;
                }
    return EXIT_SUCCESS;
}
