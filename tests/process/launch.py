"""Turns itself into the program to be tested: `launch.py JSON PROGRAM ARGUMENT...`.

It stands between fork and exec, so that the process that becomes the daemon can be told its own process ID, get
descriptors 3, 4, ... in the order asked for, and lower its limits. It must not import the rest of the test library: it
is started once for each daemon and has to be quick.

JSON is an object: "fds": descriptors to be moved to 3 and up; "limits": resource name to [soft, hard];
"listen_pid": true to put LISTEN_PID=own process ID into the environment.
"""

import fcntl
import json
import os
import resource
import signal
import sys

FIRST_PASSED = 3


def place(fds):
    """Moves FDS to 3 and up, inheritable, and closes all others but 0, 1 and 2."""
    beyond = FIRST_PASSED + len(fds)
    moved = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, max(beyond, 100)) for fd in fds]
    for number, fd in enumerate(moved, FIRST_PASSED):
        os.dup2(fd, number, inheritable=True)
    os.closerange(beyond, 4096)


def main():
    wanted = json.loads(sys.argv[1])
    place(wanted["fds"])
    for name, (soft, hard) in wanted["limits"].items():
        resource.setrlimit(getattr(resource, name), (soft, hard))
    if wanted["listen_pid"]:
        os.environ["LISTEN_PID"] = str(os.getpid())
    # Python ignores these two; the program must find the usual dispositions.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    os.execvp(sys.argv[2], sys.argv[2:])


main()
