/* Rate and budget: who is asked about, and what is made of the answer. It must not know how they are counted.
 */
#include "worker/pace.h"

#include "base/addr.h"
#include "worker/guard.h"
#include "worker/rate.h"

static bool has_rule(const struct plan_service *service, enum guard_rule rule)
{
    return service->guard_rules >> rule & 1;
}

static const char *words_for_dropped(const struct plan *plan)
{
    return plan->pace.dry_run ? "that would have been dropped" : "dropped";
}

static void tell_over_rate(struct worker *worker, const uint8_t address[16], uint64_t now_ns)
{
    uint32_t count = rate_refused(worker->plan->rate, now_ns, address);
    char text[ADDR_TEXT_MAX];

    if (count > 0)
        log_notice("%s is over its rate; datagrams %s since the last line about it: %u",
                   addr_network_text(address, addr_prefix_bits(address), text),
                   words_for_dropped(worker->plan), count);
}

bool pace_admits(struct worker *worker, const struct plan_service *service, const struct sockaddr *source,
                 uint64_t now_ns)
{
    const struct plan *plan = worker->plan;
    const struct plan_pace *pace = &plan->pace;

    if (!has_rule(service, GUARD_RATE) || pace->source_ns == 0)
        return true;
    struct addr_peer peer = addr_peer(source);
    if (plan_exempts(plan, &peer) ||
        rate_admit(plan->rate, now_ns, peer.address, pace->source_ns, pace->prefix_ns))
        return true;
    tell_over_rate(worker, peer.address, now_ns);
    score_add(worker->score, pace->dry_run ? COUNTER_would_drop_rate : COUNTER_drop_rate, 1);
    return pace->dry_run;
}

static void tell_over_budget(struct worker *worker, unsigned over)
{
    struct log_limit *limit = &worker->budget_log;

    if (!log_allowed(limit, worker->now_ms))
        return;
    log_notice(
        "worker %u is over the budget of answers; datagrams %s at once: %u (%llu such lines not logged)",
        worker->place.slot, words_for_dropped(worker->plan), over, (unsigned long long) limit->suppressed);
    limit->suppressed = 0;
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
    tell_over_budget(worker, count - within);
    score_add(worker->score, pace->dry_run ? COUNTER_would_drop_budget : COUNTER_drop_budget, count - within);
    return pace->dry_run ? count : within;
}
