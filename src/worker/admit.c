/* Who comes in. The checks in their order: the listener's lists, which are for good; offences, so that an
 * offender costs least; whether there is room or can be made; and last how many the source has.
 *
 * It must not know which worker accepts, nor what is said on a connection. */
#include "worker/admit.h"

#include "worker/access.h"
#include "worker/offence.h"
#include "worker/sources.h"
#include "worker/stream.h"

static void refuse(struct worker *worker, unsigned socket, int fd, enum counter cause, const char *sentence)
{
    score_add(worker->score, cause, 1);
    stream_refuse(worker, socket, fd, sentence);
}

static void refuse_source(struct worker *worker, unsigned socket, int fd, const struct addr_peer *peer,
                          enum sources_verdict verdict)
{
    enum counter cause = verdict == SOURCES_SOURCE_FULL ? COUNTER_refused_source : COUNTER_refused_prefix;

    offence_end(worker, peer, cause, false);
    refuse(worker, socket, fd, cause, SENTENCE_SOURCE);
}

/* Without a place and without a line in the log: there may be many. */
static void refuse_offender(struct worker *worker, int fd)
{
    score_add(worker->score, COUNTER_refused_penalty, 1);
    stream_refuse_at_once(worker, fd, SENTENCE_SOURCE);
}

void admit_connection(struct worker *worker, unsigned socket, int fd, const struct addr_peer *peer)
{
    const struct plan *plan = worker->plan;
    struct conn *silent = NULL;
    enum sources_verdict verdict = SOURCES_ADMITTED;
    char text[ADDR_TEXT_MAX];

    if (access_closes(worker, socket, fd, peer))
        return;
    bool counted = !plan_exempts(plan, peer);
    if (counted && offence_keeps_out(worker, peer)) {
        refuse_offender(worker, fd);
        return;
    }
    if (plan->access_log)
        log_info("Accept new connection from %s", addr_peer_text(peer, text));
    if (worker_is_full(worker) && (silent = stream_silent(worker)) == NULL) {
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
