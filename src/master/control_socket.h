/* Where the control socket is: its path, its mode, its group. It must not know what is said there. */
#ifndef HELLOD_MASTER_CONTROL_SOCKET_H
#define HELLOD_MASTER_CONTROL_SOCKET_H

#include "base/config.h"
#include "master/binding.h"

struct control_socket {
    int fd; /* listening, non-blocking; -1: there is none */
    struct binding_path path;
};

/* Binds the socket that CONFIG asks for into CONTROL, with mode 0660, for this process's user and for its
 * group, or that of CONFIG if a file sets one; never open to anybody else on the way. Returns 0, also when
 * there is to be none, or when the default cannot be had and a line says so; or -1 after logging, with
 * nothing open. */
int control_socket_open(struct control_socket *control, const struct config *config);

/* Closes it, and removes the path if it is still ours; fine when there is none. */
void control_socket_close(struct control_socket *control);

#endif
