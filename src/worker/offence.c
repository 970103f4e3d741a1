/* Which ends are offences. It must not know how they are remembered, nor how a connection ends. */
#include "worker/offence.h"

#include "base/addr.h"
#include "worker/penalty.h"

enum {
    LIGHT = 1 /* of PENALTY_OFFENCE: hundreds of refusals are a flood, some happen to everybody */
};

struct offence {
    unsigned weight; /* 0: it is none */
    const char *words;
};

static struct offence offence_of(enum counter cause, bool spoke)
{
    switch (cause) {
    case COUNTER_closed_too_long:
        return (struct offence){PENALTY_OFFENCE, "a message was too long"};
    case COUNTER_closed_write:
        return (struct offence){PENALTY_OFFENCE, "answers were not read"};
    case COUNTER_closed_idle:
        return (struct offence){spoke ? 0 : PENALTY_OFFENCE, "a connection was never used"};
    case COUNTER_refused_source:
    case COUNTER_refused_prefix:
        return (struct offence){LIGHT, "there were too many connections"};
    default:
        return (struct offence){0, NULL};
    }
}

static void tell(const struct worker *worker, const struct addr_peer *peer, enum counter cause,
                 const char *words, uint64_t refused_ms)
{
    uint32_t count = penalty_note(worker->plan->penalty, worker->now_ms, peer->address);
    char text[ADDR_TEXT_MAX];

    if (count == 0)
        return;
    const struct fields about = {.peer = peer,
                                 .network =
                                     addr_network_text(peer->address, addr_source_bits(peer->address), text),
                                 .rule = "limits.penalty",
                                 .cause = counter_name(cause),
                                 .count = count};
    log_event(LOG_LEVEL_NOTICE, EVENT_PENALTY, &about,
              "%s is refused for %.3g seconds, after too many offences; the last: %s", text,
              (double) refused_ms / 1000, words);
}

void offence_end(struct worker *worker, const struct addr_peer *peer, enum counter cause, bool spoke)
{
    const struct plan *plan = worker->plan;
    struct offence offence = offence_of(cause, spoke);

    if (offence.weight == 0 || plan->limits.penalty_ms == 0)
        return;
    uint64_t refused_ms =
        penalty_charge(plan->penalty, worker->now_ms, peer->address, offence.weight, plan->limits.penalty_ms);
    if (refused_ms > 0)
        tell(worker, peer, cause, offence.words, refused_ms);
}

bool offence_keeps_out(const struct worker *worker, const struct addr_peer *peer)
{
    const struct plan *plan = worker->plan;

    return plan->limits.penalty_ms > 0 &&
           penalty_left_ms(plan->penalty, worker->now_ms, peer->address, plan->limits.penalty_ms) > 0;
}
