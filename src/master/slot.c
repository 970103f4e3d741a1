/* One worker's process, from fork to reaping. Must not know what workers do, nor where their sockets came
 * from. */
#include "master/slot.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/confine.h"
#include "base/descriptors.h"
#include "base/log.h"
#include "base/probes.h"
#include "master/notify.h"
#include "worker/sources.h"
#include "worker/worker.h"

enum {
    WORDS_AT_ONCE = 16
};

/* The worker's last words, of which there are no more than one: what else it says now is not its own will. */
static void tell_violation(struct slot *slot, uint32_t number)
{
    char name[CONFINE_NAME_MAX], reason[LINK_TEXT_MAX];

    if (slot->broke_out)
        return;
    slot->broke_out = true;
    confine_call_name(number, name);
    const struct fields_worker worker = slot_worker(slot);
    const struct fields about = {.worker = &worker};
    log_event(LOG_LEVEL_ERROR, EVENT_SANDBOX_VIOLATION, &about,
              "worker %u (pid %d) tried the system call %s, which the sandbox forbids", slot->number,
              (int) slot->pid, name);
    if (slot->state != SLOT_STARTING)
        return;
    snprintf(reason, sizeof(reason), "the sandbox forbids %s", name);
    slot->events->failed(slot, reason);
}

static void take_message(struct slot *slot, const struct link_message *message)
{
    if (message->word == LINK_READY && slot->state == SLOT_STARTING) {
        slot->state = SLOT_READY;
        log_debug("worker %u of generation %u (pid %d) is ready", slot->number, slot->generation,
                  (int) slot->pid);
        slot->events->ready(slot);
    } else if (message->word == LINK_FAILED) {
        slot->events->failed(slot, message->text);
    } else if (message->word == LINK_FORBIDDEN) {
        tell_violation(slot, message->value);
    } else if (message->word == LINK_AWAY && slot->state == SLOT_DRAINING) {
        slot->state = SLOT_AWAY;
        slot->events->away(slot);
    }
}

/* A worker says a word or two in its life. One that was taken over and says more must not keep the master
 * here: the rest has its turn when others have had theirs. */
static void hear(struct slot *slot)
{
    struct link_message message;

    for (unsigned i = 0;
         i < WORDS_AT_ONCE && slot->link >= 0 && link_receive(slot->link, &message) == LINK_MESSAGE; i++)
        take_message(slot, &message);
}

static int on_link(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    struct slot *slot = userdata;

    (void) fd;
    hear(slot);
    if (revents &
        (EPOLLHUP | EPOLLERR)) /* its end follows as a death; until then this would be reported for ever */
        sd_event_source_set_enabled(source, SD_EVENT_OFF);
    return 0;
}

/* Words for how a process ended. */
static void describe(const siginfo_t *info, char *text, size_t size)
{
    if (info->si_code == CLD_EXITED)
        snprintf(text, size, "ended with code %d", info->si_status);
    else
        snprintf(text, size, "was killed by signal %d (%s)%s", info->si_status, strsignal(info->si_status),
                 info->si_code == CLD_DUMPED ? ", core dumped" : "");
}

/* Has no more to do with its worker. */
static void leave(struct slot *slot)
{
    slot->child_source = sd_event_source_disable_unref(slot->child_source);
    slot->link_source = sd_event_source_disable_unref(slot->link_source);
    if (slot->link >= 0)
        close(slot->link);
    slot->link = -1;
    slot->state = SLOT_EMPTY;
}

/* After the death of its worker: nothing of it may go on counting. */
static void empty(struct slot *slot)
{
    const struct plan *plan = slot->plan;

    scoreboard_leave(plan->scoreboard, slot->generation, slot->number);
    sources_clear(plan->sources, plan_table(plan, slot->generation, slot->number));
    leave(slot);
}

static int on_death(sd_event_source *source, const siginfo_t *info, void *userdata)
{
    struct slot *slot = userdata;
    char how[LINK_TEXT_MAX / 2];

    (void) source;
    hear(slot); /* its last words */
    describe(info, how, sizeof(how));
    slot->crashed = info->si_code != CLD_EXITED && !slot->killed;
    probe_worker_end(slot->pid, slot->number, slot->generation, how);
    empty(slot);
    slot->events->died(slot, how, clock_ms() - slot->started_ms);
    return 0;
}

/* The child's side of the fork. Closes what it must not have, its siblings' links and the master's loop among
 * it. */
static _Noreturn void become_worker(const struct slot *slot, int link, pid_t master)
{
    const struct plan *plan = slot->plan;
    struct worker_place place = {
        .slot = slot->number, .generation = slot->generation, .link = link, .master = master};
    int keep[PLAN_SOCKETS_MAX + SCOREBOARD_SLOTS_MAX + 5] = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO,
                                                             log_descriptor(), link};
    size_t count = 5;

    for (unsigned i = 0; i < plan->socket_count; i++)
        keep[count++] = plan->sockets[i].fds[slot->number % plan->sockets[i].fd_count];
    for (uint32_t i = 0; i < plan->workers; i++)
        keep[count++] = plan->wake_fds[i];
    descriptors_close_others(keep, count);
    notify_forget();
    /* Not _exit(): what looks for leaks looks at exit. Nothing of the master's has an exit handler, and its
     * standard streams have nothing buffered. */
    exit(worker_run(plan, &place));
}

/* Watches the new worker. Returns 0 or a negative errno. */
static int watch(struct slot *slot)
{
    int result = sd_event_add_child(slot->event, &slot->child_source, slot->pid, WEXITED, on_death, slot);

    if (result < 0)
        return result;
    return sd_event_add_io(slot->event, &slot->link_source, slot->link, EPOLLIN, on_link, slot);
}

/* Notes in the slot that worker PID is there, at the other end of LINK. */
static void enter(struct slot *slot, pid_t pid, int link)
{
    slot->pid = pid;
    slot->link = link;
    slot->state = SLOT_STARTING;
    slot->stuck = (struct stuck){0};
    slot->broke_out = slot->killed = false;
    slot->started_ms = clock_ms();
    probe_worker_start(pid, slot->number, slot->generation);
    scoreboard_enter(slot->plan->scoreboard, slot->generation, slot->number, pid);
}

int slot_fill(struct slot *slot)
{
    sigset_t all, before;
    int ends[2];
    pid_t master = getpid();

    assert(slot->state == SLOT_EMPTY);
    slot->tried = true;
    if (link_open(ends) < 0)
        return -errno;
    /* A signal between fork and the child's own set-up must not find the master's dispositions there. */
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid == 0)
        become_worker(slot, ends[1], master);
    int error = errno;
    sigprocmask(SIG_SETMASK, &before, NULL);
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return -error;
    }
    enter(slot, pid, ends[0]);
    int result = watch(slot);
    if (result >= 0)
        return 0;
    /* It runs but cannot be watched: nobody would ever notice its death. */
    kill(slot->pid, SIGKILL);
    waitpid(slot->pid, NULL, 0);
    empty(slot);
    return result;
}

void slot_tell(const struct slot *slot, enum link_word word, uint32_t value)
{
    if (slot->state != SLOT_EMPTY)
        link_send(slot->link, word, value, NULL);
}

void slot_drain(struct slot *slot, enum link_word word, uint32_t drain_ms, const char *ending)
{
    if (slot->state == SLOT_EMPTY)
        return;
    if (slot->state != SLOT_AWAY)
        slot->state = SLOT_DRAINING;
    link_send(slot->link, word, drain_ms, ending);
}

void slot_abandon(struct slot *slot)
{
    if (slot->state != SLOT_EMPTY)
        leave(slot);
}

void slot_kill(struct slot *slot)
{
    if (slot->state == SLOT_EMPTY)
        return;
    kill(slot->pid, SIGKILL);
    slot->killed = true;
}

/* A worker that dies while a debugger or tracer has it cannot be waited for until that lets go, and by then
 * the event of its death has come and gone. So it is looked for, too. */
bool slot_find_dead(struct slot *slot)
{
    pid_t pid = slot->pid;
    siginfo_t info = {0};

    if (slot->state == SLOT_EMPTY || waitid(P_PID, (id_t) pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
        info.si_pid != pid || sd_event_source_get_pending(slot->child_source) != 0)
        return false; /* it lives, or its event is on the way */
    /* Reaped first: what is told of the death may fill the slot again. */
    waitid(P_PID, (id_t) pid, &info, WEXITED | WNOHANG);
    on_death(NULL, &info, slot);
    return true;
}

bool slot_check_stuck(struct slot *slot)
{
    if (slot->state == SLOT_EMPTY)
        return false; /* and its plan may be gone */
    const struct fields_worker worker = slot_worker(slot);
    const struct scoreboard *scoreboard = slot->plan->scoreboard;
    const struct score *score = &scoreboard->blocks[scoreboard_index(slot->generation, slot->number)];

    return stuck_check(&slot->stuck, &worker, atomic_load(&score->beat), clock_ms());
}
