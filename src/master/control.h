/* The control socket: a path at which those who may are told how the service is, and give it orders.
 *
 * Text, UTF-8, in lines that end with LF. A client sends "1 COMMAND[ ARGUMENT]", where 1 is the version of
 * what is described here, in at most REQUEST_MAX bytes, and gets a reply: any number of lines, each of which
 * begins with a word, and last "ok" or "failed TEXT". The next line is read when the reply is written.
 *
 *     status           what the owner writes, in lines of WORD KEY=VALUE...
 *     reload           when it is done; "error FILE:LINE: TEXT" for each error comes before "failed ..."
 *     stop             at once; the connection ends when the service has ended
 *     log-level LEVEL  err, warning, notice, info or debug
 *     help             the list of these, as command name="..." argument="..." help="..."
 *
 * A client that speaks another version or sends a line too long is told so and closed; what else is wrong is
 * answered "failed ...". An unfinished line at the end of a connection is not obeyed. Several clients are
 * served side by side; one that is slow, mad or gone holds nobody up. This module must not know what a
 * command does. */
#ifndef HELLOD_MASTER_CONTROL_H
#define HELLOD_MASTER_CONTROL_H

#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>

#include "base/config.h"
#include "base/log.h"

enum {
    CONTROL_CLIENTS_MAX = 16
};

/* What clients want of the owner. None of these may free the control. */
struct control_events {
    /* Writes the lines of "status", without the last one, to OUT. */
    void (*status)(void *owner, FILE *out);
    /* Starts a reload, or has one follow the one that is running; WHO asks (unix(7), SO_PEERCRED). Returns
     * its number, at least 1. control_reloaded() then tells the result, perhaps before this returns. */
    uint64_t (*reload)(void *owner, const struct ucred *who);
    /* Begins to stop; asked again: insists. */
    void (*stop)(void *owner, const struct ucred *who);
    void (*set_log_level)(void *owner, enum log_level level, const struct ucred *who);
};

struct control;

/* A control without a socket, for the loop EVENT. EVENTS and OWNER must outlive it. NULL with errno. */
struct control *control_new(sd_event *event, const struct control_events *events, void *owner);

/* Makes the control listen where CONFIG says: first the new socket, then the old one goes. Where it is the
 * same path nothing is done. Clients stay connected. Call it when root has been given up: the socket is for
 * this process's user and group (mode 0660), or for CONFIG's group if a file sets one. Returns 0, also when
 * the default path cannot be had: then there is no socket, and a line says so; or -1 after logging why a path
 * that a file sets cannot be had: then all is as it was. */
int control_open(struct control *control, const struct config *config);

/* Tells all who wait for a reload up to NUMBER how it ended. ERRORS: NULL when it worked, else lines, each
 * with its newline. */
void control_reloaded(struct control *control, uint64_t number, const char *errors);

/* Ends all connections, removes the path if it is still ours, and frees the control; NULL is fine. */
void control_free(struct control *control);

#endif
