/* For the tests of activation and matching: a child that is passed sockets as the service manager passes
 * them, and what became of them there. */
#ifndef HELLOD_TESTS_UNIT_ACTIVATION_HELP_H
#define HELLOD_TESTS_UNIT_ACTIVATION_HELP_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "config_help.h"
#include "master/activation.h"
#include "master/matching.h"

enum {
    OFFERED_MAX = 8,
    SAID_MAX = 16384
};

/* What a child is given. */
struct offer {
    const char *config;   /* text */
    int fds[OFFERED_MAX]; /* become 3, 4 and so on; -1: nothing is there */
    unsigned count;
    const char *pid;        /* LISTEN_PID; NULL: the child's own */
    const char *listen_fds; /* LISTEN_FDS; NULL: count, and with none no environment at all */
    const char *names;      /* LISTEN_FDNAMES; NULL: unset */
};

/* A passed socket and the wanted one that it is for. */
struct matched {
    int fd;
    unsigned wanted;
};

/* What became of it. */
struct outcome {
    int status;                 /* of the child, as waitpid(2) tells it */
    int result;                 /* how many were matched; -1: something was wrong */
    unsigned wanted_count, met; /* met: a bit for each wanted one */
    struct matched matched[PLAN_SOCKETS_MAX];
    bool open[OFFERED_MAX], tuned[OFFERED_MAX]; /* by place in fds */
    bool environment_left;
    char said[SAID_MAX];
};

static inline void pass_environment(const struct offer *offer)
{
    char number[16];

    if (offer->count == 0 && offer->listen_fds == NULL)
        return;
    snprintf(number, sizeof(number), "%d", (int) getpid());
    setenv("LISTEN_PID", offer->pid != NULL ? offer->pid : number, 1);
    snprintf(number, sizeof(number), "%u", offer->count);
    setenv("LISTEN_FDS", offer->listen_fds != NULL ? offer->listen_fds : number, 1);
    if (offer->names != NULL)
        setenv("LISTEN_FDNAMES", offer->names, 1);
}

/* As the listeners do it: what is refused is closed. */
static inline void take_and_match(const struct config *config, struct wanted *wanted, struct outcome *outcome)
{
    struct held_list held = {.count = 0};

    outcome->result = -1;
    if (activation_take(&held) == 0 && matching_run(config, wanted, outcome->wanted_count, &held) == 0) {
        outcome->result = (int) held.count;
        for (unsigned i = 0; i < held.count; i++)
            outcome->matched[i] = (struct matched){held.sockets[i].fd, held.sockets[i].wanted};
    }
    for (unsigned i = 0; outcome->result < 0 && i < held.count; i++)
        close(held.sockets[i].fd);
    free(held.sockets);
}

/* The child's part. What is in FDS lies above 100. */
static inline void be_activated(const struct offer *offer, struct outcome *outcome)
{
    struct config *config = good_config_of(offer->config);
    struct wanted wanted[PLAN_SOCKETS_MAX];

    for (int i = 0; i < OFFERED_MAX; i++) {
        close(SD_LISTEN_FDS_START + i);
        if (i < (int) offer->count && offer->fds[i] >= 0)
            dup2(offer->fds[i], SD_LISTEN_FDS_START + i);
    }
    pass_environment(offer);
    outcome->wanted_count = wanted_list(config, wanted);
    take_and_match(config, wanted, outcome);
    for (unsigned i = 0; i < outcome->wanted_count; i++)
        outcome->met |= (unsigned) wanted[i].met << i;
    for (int i = 0; i < OFFERED_MAX; i++) {
        int fd = SD_LISTEN_FDS_START + i;
        outcome->open[i] = fcntl(fd, F_GETFD) >= 0;
        outcome->tuned[i] =
            outcome->open[i] && fcntl(fd, F_GETFD) == FD_CLOEXEC && (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0;
    }
    outcome->environment_left = getenv("LISTEN_PID") || getenv("LISTEN_FDS") || getenv("LISTEN_FDNAMES");
    config_free(config);
}

/* Makes OFFER to a child; the outcome stands until the next one. */
static inline const struct outcome *offer_to_child(const struct offer *offer)
{
    static struct outcome outcome;
    struct outcome *shared =
        mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int text = memfd_create("said", MFD_CLOEXEC), high = fcntl(text, F_DUPFD_CLOEXEC, 100);

    assert_true(shared != MAP_FAILED && high >= 0);
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(high, STDERR_FILENO);
        be_activated(offer, shared);
        exit(0); /* not _exit(2): what looks for leaks does so at exit */
    }
    assert_int_equal(waitpid(pid, &shared->status, 0), pid);
    ssize_t length = pread(high, shared->said, SAID_MAX - 1, 0);
    assert_in_range(length, 0, SAID_MAX - 1);
    outcome = *shared;
    munmap(shared, sizeof(*shared));
    close(text);
    close(high);
    return &outcome;
}

#endif
