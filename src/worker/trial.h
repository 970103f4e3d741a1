/* The trial: a worker that has entered its sandbox does once what it will do again and again.
 *
 * Which system calls there are behind a function of the C library is the library's affair, and may be another
 * one's after an upgrade. So each function is called before anybody is served: what the sandbox does not let
 * through is found at start, by name, and not when a client comes. */
#ifndef HELLOD_WORKER_TRIAL_H
#define HELLOD_WORKER_TRIAL_H

struct trial {
    int epoll, event;         /* -1 when unset */
    int listener, client;     /* a connection that waits to be accepted */
    int stream[2], packet[2]; /* socket pairs */
};

/* Opens what the trial needs, which cannot be had any more in the sandbox; and takes over SIGURG, which
 * nobody else wants. Returns 0, or -1 with errno and nothing open. */
int trial_open(struct trial *trial);

/* Does it all. Returns NULL; or, with errno, words for the first function that fails as if it was not
 * allowed. A failure of another kind is a shortage, which may be over by the time it matters. */
const char *trial_run(struct trial *trial);

/* Closes what trial_open() has opened. */
void trial_close(struct trial *trial);

#endif
