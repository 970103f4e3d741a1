/* What became of each probe. Pure; must not know what a probe is made of. */
#include "client/probes.h"

#include <assert.h>
#include <stddef.h>

static struct probe *at(struct probes *probes, uint32_t seq)
{
    return &probes->ring[seq % PROBES_MAX];
}

/* Moves oldest up to the last probe before one that is waiting. */
static void skip_settled(struct probes *probes)
{
    while (probes->oldest < probes->sent && at(probes, probes->oldest + 1)->state != PROBE_WAITING)
        probes->oldest++;
}

uint32_t probes_send(struct probes *probes, uint64_t now_ns)
{
    uint32_t seq = ++probes->sent;

    assert(seq - probes->oldest <= PROBES_MAX);
    *at(probes, seq) = (struct probe){now_ns, PROBE_WAITING};
    probes->waiting++;
    return seq;
}

/* The probe of that number if it is remembered, or NULL. */
static struct probe *find(struct probes *probes, uint32_t seq)
{
    if (seq == 0 || seq > probes->sent || probes->sent - seq >= PROBES_MAX)
        return NULL;
    return at(probes, seq);
}

/* The first answer to PROBE, in time. */
static enum probe_verdict take(struct probes *probes, struct probe *probe, uint32_t seq)
{
    probe->state = PROBE_ANSWERED;
    probes->waiting--;
    probes->answered++;
    skip_settled(probes);
    if (seq < probes->newest_answered) {
        probes->reordered++;
        return PROBE_REORDERED;
    }
    probes->newest_answered = seq;
    return PROBE_FIRST;
}

enum probe_verdict probes_answer(struct probes *probes, uint32_t seq, uint64_t now_ns, uint64_t *took_ns)
{
    struct probe *probe = find(probes, seq);

    if (probe == NULL)
        return PROBE_UNKNOWN;
    *took_ns = now_ns - probe->sent_ns;
    switch (probe->state) {
    case PROBE_WAITING:
        return take(probes, probe, seq);
    case PROBE_LOST:
        probe->state = PROBE_LATE;
        probes->late++;
        return PROBE_TOO_LATE;
    case PROBE_ANSWERED:
    case PROBE_LATE:
        break;
    }
    probes->doubled++;
    return PROBE_DOUBLED;
}

bool probes_fail(struct probes *probes, uint32_t seq)
{
    struct probe *probe = find(probes, seq);

    if (probe == NULL || probe->state != PROBE_WAITING)
        return false;
    probe->state = PROBE_LOST;
    probes->waiting--;
    probes->lost++;
    skip_settled(probes);
    return true;
}

uint32_t probes_expire(struct probes *probes, uint64_t sent_ns)
{
    uint32_t seq = probes->oldest + 1;

    if (probes_oldest_ns(probes) > sent_ns || !probes_fail(probes, seq))
        return 0;
    return seq;
}

uint64_t probes_oldest_ns(const struct probes *probes)
{
    return probes->waiting > 0 ? probes->ring[(probes->oldest + 1) % PROBES_MAX].sent_ns : UINT64_MAX;
}
