/* Rate and budget: who is asked about, and what is made of the answer. It must not know how they are counted.
 */
#include "worker/pace.h"

#include <string.h>

#include "base/addr.h"
#include "base/probes.h"
#include "worker/guard.h"
#include "worker/lines.h"
#include "worker/rate.h"

static bool has_rule(const struct plan_service *service, enum guard_rule rule)
{
    return service->guard_rules >> rule & 1;
}

/* DROPPED, or what counts instead in a dry run. */
static enum counter counter_of(const struct plan *plan, enum counter dropped)
{
    if (!plan->pace.dry_run)
        return dropped;
    return dropped == COUNTER_drop_rate ? COUNTER_would_drop_rate : COUNTER_would_drop_budget;
}

static const char *words_for_dropped(const struct plan *plan)
{
    return plan->pace.dry_run ? "that would have been dropped" : "dropped";
}

static void tell_over_rate(const struct worker *worker, const struct plan_service *service,
                           const struct addr_peer *peer, uint64_t now_ns)
{
    uint32_t count = rate_refused(worker->plan->rate, now_ns, peer->address);
    char text[ADDR_TEXT_MAX];

    if (count == 0)
        return;
    const struct fields about = {.listener = service->name,
                                 .peer = peer,
                                 .network =
                                     addr_network_text(peer->address, addr_prefix_bits(peer->address), text),
                                 .rule = "rate",
                                 .cause = counter_name(counter_of(worker->plan, COUNTER_drop_rate)),
                                 .count = count};
    log_event(LOG_LEVEL_NOTICE, EVENT_OVER_RATE, &about,
              "%s is over its rate; datagrams %s since the last line about it: %u", text,
              words_for_dropped(worker->plan), count);
}

/* Who sends much sends it in a row. */
static bool is_exempt(struct worker *worker, const struct addr_peer *peer)
{
    if (!peer->is_internet)
        return true;
    if (!worker->paced.known || memcmp(worker->paced.address, peer->address, sizeof(peer->address)) != 0) {
        memcpy(worker->paced.address, peer->address, sizeof(peer->address));
        worker->paced.known = true;
        worker->paced.exempt = plan_exempts(worker->plan, peer);
    }
    return worker->paced.exempt;
}

bool pace_admits(struct worker *worker, const struct plan_service *service, const struct sockaddr *source,
                 uint64_t now_ns)
{
    const struct plan *plan = worker->plan;
    const struct plan_pace *pace = &plan->pace;

    if (!has_rule(service, GUARD_RATE) || pace->source_ns == 0)
        return true;
    struct addr_peer peer = addr_peer(source);
    if (is_exempt(worker, &peer) ||
        rate_admit(plan->rate, now_ns, peer.address, pace->source_ns, pace->prefix_ns))
        return true;
    tell_over_rate(worker, service, &peer, now_ns);
    tally_add(tally_of(worker, service), counter_of(plan, COUNTER_drop_rate), 1);
    return pace->dry_run;
}

static void tell_over_budget(const struct worker *worker, const struct plan_service *service, unsigned over)
{
    const struct plan *plan = worker->plan;
    uint32_t count = lines_due(plan->lines, worker->now_ms, LINE_BUDGET, over);

    if (count == 0)
        return;
    const struct fields about = {.listener = service->name,
                                 .rule = "budget",
                                 .cause = counter_name(counter_of(plan, COUNTER_drop_budget)),
                                 .count = count};
    log_event(LOG_LEVEL_NOTICE, EVENT_OVER_BUDGET, &about,
              "the service is over its budget of answers; datagrams %s since the last line about it: %u",
              words_for_dropped(plan), count);
}

unsigned pace_budget(struct worker *worker, const struct plan_service *service, unsigned count,
                     uint64_t now_ns)
{
    const struct plan_pace *pace = &worker->plan->pace;

    if (!has_rule(service, GUARD_BUDGET) || count == 0)
        return count;
    unsigned within = rate_budget(worker->plan->rate, now_ns, pace->budget_ns, count);
    if (within == count)
        return count;
    if (!pace->dry_run)
        probe_drop(service->name, GUARD_BUDGET, count - within, NULL);
    tell_over_budget(worker, service, count - within);
    tally_add(tally_of(worker, service), counter_of(worker->plan, COUNTER_drop_budget), count - within);
    return pace->dry_run ? count : within;
}
