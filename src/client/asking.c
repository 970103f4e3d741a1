/* Questions without a connection. Must not know who asks, or why. */
#include "client/asking.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

enum {
    STEP_MS = 250,     /* until the next address is asked, as RFC 8305 does with connections */
    PATIENCE_MS = 1000 /* until all of them are asked again; then twice that, and so on */
};

struct question {
    const char *name;
    size_t length;
    unsigned patience_ms;
    unsigned unasked; /* addresses that have not been asked this */
};

int asking_open(struct asking *asking, const struct target *target,
                void (*on_repeat)(void *owner, unsigned since_ms), void *owner)
{
    *asking = (struct asking){
        .target = target, .on_repeat = on_repeat, .owner = owner, .buffer = malloc(HEARD_MAX + 1)};
    for (unsigned i = 0; i < target->count; i++)
        asking->fds[i] = -1;
    if (asking->buffer != NULL)
        return 0;
    errno = ENOMEM;
    return -1;
}

/* Gives address INDEX up, for now, because of ERROR. */
static void give_up(struct asking *asking, unsigned index, int error)
{
    if (asking->fds[index] >= 0)
        close(asking->fds[index]);
    asking->fds[index] = -1;
    asking->trouble.errors[index] = error;
}

/* Sends QUESTION to address INDEX. Returns whether it is on its way, as far as can be known. */
static bool send_to(struct asking *asking, unsigned index, const struct question *question)
{
    if (asking->fds[index] < 0) {
        asking->fds[index] = dial_start(asking->target, index, SOCK_DGRAM);
        if (asking->fds[index] < 0) {
            asking->trouble.errors[index] = errno;
            return false;
        }
    }
    asking->trouble.errors[index] = 0;
    ssize_t sent = send(asking->fds[index], question->name, question->length, MSG_DONTWAIT | MSG_NOSIGNAL);
    /* A full queue loses the datagram, as a network may. */
    if (sent >= 0 || errno == EAGAIN || errno == ENOBUFS)
        return true;
    give_up(asking, index, errno);
    return false;
}

/* Whether some address may still answer what it was asked. */
static bool somebody_is_left(const struct asking *asking)
{
    for (unsigned i = 0; i < asking->target->count; i++)
        if (asking->fds[i] >= 0)
            return true;
    return false;
}

/* Sends QUESTION to the current address or, if that cannot be reached, to the first of those after it that
 * can. Returns false when none can. */
static bool send_to_one(struct asking *asking, struct question *question)
{
    for (unsigned i = 0; i < asking->target->count; i++) {
        if (question->unasked > 0)
            question->unasked--;
        if (send_to(asking, asking->current, question))
            return true;
        asking->current = (asking->current + 1) % asking->target->count;
    }
    return false;
}

/* Looks whether address INDEX, which is readable, has sent the answer to QUESTION. */
static bool look(struct asking *asking, unsigned index, const struct question *question, struct heard *heard)
{
    ssize_t bytes = recv(asking->fds[index], asking->buffer, HEARD_MAX, MSG_DONTWAIT);

    if (bytes < 0) {
        if (errno != EAGAIN && errno != EINTR)
            give_up(asking, index, errno);
        return false;
    }
    if (memmem(asking->buffer, (size_t) bytes, question->name, question->length) == NULL) {
        asking->ignored++;
        return false;
    }
    heard_set(heard, asking->buffer, (size_t) bytes);
    asking->current = index;
    asking->settled = true;
    return true;
}

/* Waits for the answer until UNTIL_MS; HEARD_NOTHING: it has not come. */
static enum heard_kind wait_for_answer(struct asking *asking, const struct question *question,
                                       uint64_t until_ms, struct heard *heard)
{
    struct pollfd fds[TARGET_ADDRESSES_MAX];

    for (uint64_t now = clock_ms(); now < until_ms; now = clock_ms()) {
        for (unsigned i = 0; i < asking->target->count; i++)
            fds[i] = (struct pollfd){.fd = asking->fds[i], .events = POLLIN};
        poll(fds, asking->target->count, (int) (until_ms - now));
        for (unsigned i = 0; i < asking->target->count; i++)
            if (fds[i].revents != 0 && look(asking, i, question, heard))
                return HEARD_WORDS;
        if (!somebody_is_left(asking))
            return HEARD_NOBODY;
    }
    return HEARD_NOTHING;
}

/* How long to wait for an answer before something else is tried. */
static unsigned next_pause(const struct asking *asking, struct question *question)
{
    unsigned pause_ms = question->patience_ms;

    if (!asking->settled && question->unasked > 0)
        return STEP_MS;
    question->patience_ms *= 2;
    return pause_ms;
}

/* Chooses the address for the next time, which comes SINCE_MS after the first. */
static void prepare_repeat(struct asking *asking, const struct question *question, uint64_t since_ms)
{
    if (!asking->settled || asking->fds[asking->current] < 0)
        asking->current = (asking->current + 1) % asking->target->count;
    if (asking->settled || question->unasked == 0)
        asking->on_repeat(asking->owner, (unsigned) since_ms);
}

enum heard_kind asking_ask(struct asking *asking, const char *name, size_t length, uint64_t deadline_ms,
                           struct heard *heard)
{
    struct question question = {name, length, PATIENCE_MS, asking->target->count};
    uint64_t begun_ms = clock_ms();

    asking->tries = asking->ignored = 0;
    for (;;) {
        if (!send_to_one(asking, &question))
            return HEARD_NOBODY;
        asking->tries++;
        uint64_t until_ms = clock_ms() + next_pause(asking, &question);
        if (until_ms > deadline_ms)
            until_ms = deadline_ms;
        enum heard_kind kind = wait_for_answer(asking, &question, until_ms, heard);
        uint64_t now = clock_ms();
        if (kind == HEARD_WORDS || now >= deadline_ms || (kind == HEARD_NOBODY && question.unasked == 0))
            return kind;
        prepare_repeat(asking, &question, now - begun_ms);
    }
}

void asking_close(struct asking *asking)
{
    for (unsigned i = 0; i < asking->target->count; i++)
        if (asking->fds[i] >= 0)
            close(asking->fds[i]);
    free(asking->buffer);
}
