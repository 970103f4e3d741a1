/* Who comes in. The checks in their order: the listener's lists, which are for good; offences, so that an
 * offender costs least; whether there is room or can be made; and last how many the source has.
 *
 * It must not know which worker accepts, nor what is said on a connection. */
#include "worker/admit.h"

#include "base/addr.h"
#include "worker/access.h"
#include "worker/lines.h"
#include "worker/offence.h"
#include "worker/sources.h"
#include "worker/stream.h"

static void refuse(struct worker *worker, unsigned socket, int fd, enum counter cause, const char *sentence)
{
    tally_add(tally_of(worker, service_of(worker, socket)), cause, 1);
    stream_refuse(worker, socket, fd, sentence);
}

static void tell_full(const struct worker *worker, unsigned socket, const struct addr_peer *peer)
{
    uint32_t count = lines_due(worker->plan->lines, worker->now_ms, LINE_FULL, 1);
    const struct fields about = {.listener = service_of(worker, socket)->name,
                                 .peer = peer,
                                 .rule = "limits.connections",
                                 .cause = counter_name(COUNTER_refused_full),
                                 .count = count};

    if (count > 0)
        log_event(LOG_LEVEL_WARNING, EVENT_FULL, &about,
                  "the service is full; connections refused since the last line about it: %u", count);
}

static void tell_too_many(const struct worker *worker, unsigned socket, const struct addr_peer *peer,
                          enum counter cause)
{
    bool source = cause == COUNTER_refused_source;
    unsigned bits = source ? addr_source_bits(peer->address) : addr_prefix_bits(peer->address);
    uint32_t count = lines_due_about(worker->plan->lines, worker->now_ms, peer->address, bits);
    char text[ADDR_TEXT_MAX];

    if (count == 0)
        return;
    const struct fields about = {.listener = service_of(worker, socket)->name,
                                 .peer = peer,
                                 .network = addr_network_text(peer->address, bits, text),
                                 .rule = source ? "limits.per_source" : "limits.per_prefix",
                                 .cause = counter_name(cause),
                                 .count = count};
    log_event(LOG_LEVEL_NOTICE, EVENT_TOO_MANY, &about,
              "%s has too many connections; refused since the last line about it: %u", text, count);
}

static void refuse_source(struct worker *worker, unsigned socket, int fd, const struct addr_peer *peer,
                          enum sources_verdict verdict)
{
    enum counter cause = verdict == SOURCES_SOURCE_FULL ? COUNTER_refused_source : COUNTER_refused_prefix;

    tell_too_many(worker, socket, peer, cause);
    offence_end(worker, peer, cause, false);
    refuse(worker, socket, fd, cause, SENTENCE_SOURCE);
}

/* Without a place and without a line in the log: there may be many. */
static void refuse_offender(struct worker *worker, unsigned socket, int fd)
{
    tally_add(tally_of(worker, service_of(worker, socket)), COUNTER_refused_penalty, 1);
    stream_refuse_at_once(worker, fd, SENTENCE_SOURCE);
}

void admit_connection(struct worker *worker, unsigned socket, int fd, const struct addr_peer *peer)
{
    const struct plan *plan = worker->plan;
    struct conn *silent = NULL;
    enum sources_verdict verdict = SOURCES_ADMITTED;

    if (access_closes(worker, socket, fd, peer))
        return;
    bool counted = !plan_exempts(plan, peer);
    if (counted && offence_keeps_out(worker, peer)) {
        refuse_offender(worker, socket, fd);
        return;
    }
    if (worker_is_full(worker) && (silent = stream_silent(worker)) == NULL) {
        tell_full(worker, socket, peer);
        refuse(worker, socket, fd, COUNTER_refused_full, SENTENCE_FULL);
        return;
    }
    if (counted)
        verdict = sources_add(plan->sources, worker->table, peer->address, plan->limits.per_source,
                              plan->limits.per_prefix);
    if (verdict == SOURCES_ADMITTED && silent != NULL)
        stream_evict(worker, silent); /* nobody has to go for one who may not come in */
    if (verdict == SOURCES_ADMITTED)
        stream_open(worker, socket, fd, peer, counted);
    else
        refuse_source(worker, socket, fd, peer, verdict);
}
