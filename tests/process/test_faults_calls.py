"""Every system call of the master and of a worker fails once: nobody crashes, hangs, spins or leaks for it. Either the
service goes on, or it does not start and says why.

The tables below are all there is to know: who calls what, with which errors, and what becomes of it. A call that is
made and has no row fails the last test. With HELLOD_TEST_FAULTS=all each occurrence of a call fails in turn
instead of the first, and one more by chance.
"""

import errno
import os
import signal
import time
import uuid
from contextlib import ExitStack, suppress

import pytest

from configs import GREETING, HELLO
from hellodtest import EXIT_CONFIG, EXIT_NO_WORKER, EXIT_SOCKETS, EXIT_SYSTEM
from judge import Judge
from reloads import Service, converse
from watch import anonymous_bytes, descriptors, seeded, wait_until
from workers import settled

CONFIG = {
    "workers": 2,
    "listen": [
        {**GREETING, "framing": "line"},
        HELLO,
        {"name": "local", "protocol": "greeting", "type": "stream", "path": f"@hellod-{uuid.uuid4()}"},
    ],
    "limits": {"drain_timeout": 1.0},
    "log": {"access": True},  # so that workers write lines
}
IDLE_SECONDS, IDLE_CALLS = 0.2, 30
MEMORY_SLACK = 128 * 1024  # what a small leak loses in time is seen by the soak
GOES_ON = None
SHORT = "EMFILE ENFILE ENOMEM"

# At the start. Who, what, errors; what becomes of it when the first of these calls fails: an exit code, or GOES_ON.
START = (
    ("master", "bind", "ENOMEM EACCES EADDRNOTAVAIL", EXIT_SOCKETS),
    ("master", "bind", "EADDRINUSE", GOES_ON),  # port 0 with two sockets: the next number
    ("master", "chmod", "EPERM", EXIT_SOCKETS),  # of the control socket
    ("master", "clone", "EAGAIN ENOMEM", GOES_ON),
    ("master", "close", "EINTR EIO", GOES_ON),
    ("master", "connect", "EINTR EAGAIN", GOES_ON),  # is somebody there already?
    ("master", "epoll_create1", SHORT, EXIT_SYSTEM),
    ("master", "epoll_ctl", "ENOMEM ENOSPC", EXIT_SYSTEM),
    ("master", "epoll_wait", "EINTR", GOES_ON),
    ("master", "eventfd2", SHORT, EXIT_NO_WORKER),
    ("master", "fchown", "EPERM", GOES_ON),
    ("master", "fcntl", "EMFILE", EXIT_SOCKETS),
    ("master", "ftruncate", "ENOMEM", EXIT_SYSTEM),
    ("master", "getrandom", "EINTR ENOSYS", EXIT_SYSTEM),
    ("master", "getsockname", "ENOBUFS", EXIT_SOCKETS),
    ("master", "listen", "EADDRINUSE", GOES_ON),
    ("master", "memfd_create", SHORT, EXIT_SYSTEM),
    ("master", "mmap", "ENOMEM", GOES_ON),
    ("master", "newfstatat", "ENOMEM", GOES_ON),
    ("master", "openat", f"{SHORT} EINTR", EXIT_SYSTEM),
    ("master", "pidfd_open", SHORT, GOES_ON),
    ("master", "prlimit64", "EPERM", EXIT_CONFIG),
    ("master", "read", "EINTR", GOES_ON),
    ("master", "read", "EIO", EXIT_CONFIG),
    ("master", "recvfrom", "EINTR EAGAIN", GOES_ON),
    ("master", "setgid", "EAGAIN EPERM", EXIT_CONFIG),
    ("master", "setgroups", "ENOMEM EPERM", EXIT_CONFIG),
    ("master", "setsockopt", "ENOMEM ENOBUFS", EXIT_SOCKETS),
    ("master", "setuid", "EAGAIN EPERM", EXIT_CONFIG),
    ("master", "signalfd4", SHORT, EXIT_SYSTEM),
    ("master", "socket", f"{SHORT} ENOBUFS", GOES_ON),
    ("master", "socketpair", SHORT, GOES_ON),
    ("master", "timerfd_create", SHORT, EXIT_SYSTEM),
    ("master", "timerfd_settime", "ENOMEM", EXIT_SYSTEM),
    ("master", "write", "EAGAIN ENOSPC EIO EPIPE", GOES_ON),  # a line of the log
    # The sandbox. What the kernel does not have is done without; a worker that what it has fails ends, and the next one
    # may be luckier.
    ("master", "seccomp", "EINVAL EPERM ENOSYS", GOES_ON),
    ("master", "landlock_create_ruleset", "ENOSYS EOPNOTSUPP", GOES_ON),
    ("master", "prctl", "EPERM", EXIT_SYSTEM),
    ("master", "pread64", "EIO", EXIT_SYSTEM),
    ("worker", "alarm", "EPERM", GOES_ON),  # the trial of what is permitted, from here to writev
    ("worker", "bind", "ENOMEM", GOES_ON),
    ("worker", "capget", "EPERM", GOES_ON),
    ("worker", "connect", "EAGAIN", GOES_ON),
    ("worker", "eventfd2", SHORT, GOES_ON),
    ("worker", "landlock_create_ruleset", SHORT, GOES_ON),
    ("worker", "landlock_restrict_self", "EPERM E2BIG", GOES_ON),
    ("worker", "listen", "EADDRINUSE", GOES_ON),
    ("worker", "madvise", "ENOMEM", GOES_ON),
    ("worker", "seccomp", "EPERM ENOMEM", GOES_ON),
    ("worker", "shutdown", "ENOMEM", GOES_ON),
    ("worker", "socket", SHORT, GOES_ON),
    ("worker", "socketpair", SHORT, GOES_ON),
    ("worker", "tgkill", "EPERM", GOES_ON),
    ("worker", "writev", "EPIPE", GOES_ON),
    ("worker", "close_range", "ENOSYS ENOMEM", GOES_ON),
    ("worker", "epoll_create1", SHORT, GOES_ON),
    ("worker", "epoll_ctl", "ENOMEM ENOSPC", GOES_ON),
    ("worker", "epoll_wait", "EINTR", GOES_ON),
    ("worker", "fcntl", "EMFILE", GOES_ON),
    ("worker", "getsockname", "ENOBUFS", GOES_ON),
    ("worker", "getsockopt", "ENOPROTOOPT EOPNOTSUPP", GOES_ON),  # whether datagrams are cut; then they are not
    ("worker", "mmap", "ENOMEM", GOES_ON),
    ("worker", "prctl", "EPERM", GOES_ON),
    ("worker", "sendto", "EAGAIN ENOBUFS ENOMEM", GOES_ON),  # what it says to the master
)

# While it serves. Who, what, errors; what is done then (a function below), and a counter or a line that tells of it.
LIFE = (
    ("worker", "accept4", "ECONNABORTED EINTR EAGAIN EPROTO EPERM", "serve", None),  # the next one is taken
    ("worker", "accept4", f"{SHORT} ENOBUFS", "serve", "accept_pauses"),
    # The listening socket is looked at again later, a client that cannot be watched is refused: see test_faults.py.
    ("worker", "epoll_ctl", "ENOMEM ENOSPC", "serve", "accept_pauses"),
    ("worker", "sendto", "EPIPE ECONNRESET ETIMEDOUT", "serve", "closed_reset"),
    ("worker", "sendto", "EAGAIN ENOBUFS", "serve", None),  # sent when there is room
    ("worker", "recvfrom", "ECONNRESET ETIMEDOUT ENOMEM", "serve", "closed_reset"),
    ("worker", "recvfrom", "EAGAIN EINTR", "serve", None),
    ("worker", "recvmmsg", "EAGAIN EINTR ECONNREFUSED ENOMEM", "serve", None),  # it stays in the queue
    ("worker", "sendmmsg", "EAGAIN ENOBUFS EPERM ENETUNREACH ECONNREFUSED EINVAL EIO", "serve", "datagram_unsent"),
    ("worker", "sendmmsg", "EINTR", "serve", None),  # sent again
    ("worker", "close", "EINTR EIO", "serve", None),
    ("worker", "epoll_wait", "EINTR", "serve", None),
    ("worker", "munmap", "ENOMEM", "reload", None),
    ("worker", "recvfrom", "EINTR EAGAIN ENOMEM", "reload", None),
    ("worker", "write", "EAGAIN ENOSPC EIO EPIPE", "serve", "log_lost"),
    ("master", "accept4", f"{SHORT} ECONNABORTED EINTR EAGAIN", "control", None),
    ("master", "epoll_ctl", "ENOMEM ENOSPC", "control", None),
    ("master", "epoll_wait", "EINTR", "control", None),
    ("master", "getsockopt", "ENOMEM", "control", None),  # who asks?
    ("master", "recvfrom", "EINTR EAGAIN ECONNRESET ENOMEM", "control", None),
    ("master", "sendto", "EINTR EAGAIN EPIPE ENOMEM", "control", None),
    ("master", "socket", f"{SHORT} EAFNOSUPPORT EPROTONOSUPPORT EACCES", "control", None),  # of netlink; here and below
    ("master", "newfstatat", "ENOMEM", "control", None),
    ("master", "write", "EAGAIN ENOSPC EIO EPIPE", "reload", None),
    ("master", "openat", f"{SHORT} EINTR EACCES", "reload", "reload .* failed"),
    ("master", "newfstatat", "ENOMEM", "reload", None),
    ("master", "read", "EIO", "reload", "reload .* failed"),
    ("master", "eventfd2", SHORT, "reload", "reload .* failed"),
    ("master", "socketpair", SHORT, "reload", "reload .* failed"),
    ("master", "clone", "EAGAIN ENOMEM", "reload", "reload .* failed"),
    ("master", "pidfd_open", SHORT, "reload", "reload .* failed"),
    ("master", "sendto", "EAGAIN ENOBUFS", "reload", None),
    ("master", "waitid", "EINTR", "kill", None),
    ("master", "socketpair", SHORT, "kill", "cannot be started"),
    ("master", "clone", "EAGAIN ENOMEM", "kill", "cannot be started"),
    ("master", "pidfd_open", SHORT, "kill", "cannot be started"),
)

# What cannot fail as it is called, or not so that anybody could tell.
NO_ROW = {
    "brk": "fails with mmap, or mmap is asked next",
    "clock_getres": "of a process that was just there",
    "clock_gettime": "likewise",
    "exit_group": "does not return",
    "futex": "there is one thread",
    "geteuid": "cannot fail",
    "getpid": "cannot fail",
    "getppid": "cannot fail",
    "getrusage": "of its own children",
    "gettid": "cannot fail",
    "ioctl": "is it a terminal? The answer is no",
    "kill": "of a child that is not reaped",
    "lseek": "libc's, after it has read a file",
    "munmap": "of what was mapped",
    "rt_sigaction": "with a signal that there is",
    "rt_sigprocmask": "cannot fail",
    "sched_getaffinity": "with a set that is too small: then there are as many workers as there can be",
    "set_robust_list": "libc's, in a child",
    "rseq": "likewise",
    "umask": "cannot fail",
    "unlink": "when it ends: what it does not take away the next one does",
    "getdents64": "libc's, of a folder that is open",
}


# Not called by everybody everywhere.
BY_ROOT = {"setgid", "setgroups", "setuid", "fchown"}
BY_KERNEL = {"landlock_create_ruleset", "landlock_restrict_self"}


@pytest.fixture(scope="module")
def judge():
    with Judge() as made:
        yield made


def cases(errors, chance):
    """Pairs of an error and the occurrences of a call that are to fail with it: how many others come before each."""
    names = errors.split()
    if os.environ.get("HELLOD_TEST_FAULTS") == "all":
        return [(getattr(errno, name), range(1000)) for name in names]
    more = chance.choice(names)
    return [(getattr(errno, name), [0, chance.randrange(1, 6)] if name == more else [0]) for name in names]


def started(judge, who, call, error, skip):
    """The fate of a daemon in which a call fails while it starts: its exit code, GOES_ON, or "" if there are not as many
    calls as that. Whatever it is, it is in good order."""
    with ExitStack() as failing:
        fault = failing.enter_context(judge.fails(who, call, error, skip))
        with Service(CONFIG, env=judge.environment, ready=False) as service:
            decided = lambda: service.popen.poll() is not None or is_ready(service, call)
            wait_until(decided, 10, lambda: f"any fate: {service.log()}")
            failing.close()
            if not fault.happened:
                return ""
            if service.popen.poll() is None:
                converse(service)
                service.stop()
                return GOES_ON
            code = service.wait()
            assert code in (EXIT_SOCKETS, EXIT_NO_WORKER, EXIT_SYSTEM, EXIT_CONFIG), service.log()
            assert any(line.startswith(("<3>", "hellod: ")) for line in service.raw), service.raw
            service.assert_clean()
            return code


def is_ready(service, call):
    """True when all workers serve; when CALL is "write", whether or not the log could be told."""
    if "ready: " in service.log() or call != "write":
        return "ready: " in service.log()
    with suppress(AssertionError):  # there is no scoreboard yet
        blocks = service.scoreboard()["blocks"]
        return len(blocks) == CONFIG["workers"] and all(block["ready"] for block in blocks)
    return False


@pytest.mark.parametrize("who, call, errors, expected", START, ids=lambda value: str(value))
@pytest.mark.seconds(300)
def test_call_that_fails_at_the_start(judge, who, call, errors, expected):
    if call in BY_ROOT and os.geteuid() != 0:
        pytest.skip("only root changes its identity")
    chance = seeded()
    for error, skips in cases(errors, chance):
        for skip in skips:
            fate = started(judge, who, call, error, skip)
            if fate == "":
                assert skip > 0 or call in BY_KERNEL, f"{who} does not call {call}"
                break
            assert skip > 0 or fate == expected, f"{errno.errorcode[error]}: {fate}"


# ---- while it serves ----


def serve(service):
    """A conversation, and a datagram that is answered."""
    with suppress(AssertionError, OSError):
        with service.connect(seconds=1) as client:
            client.greeted().ask(b"Bob\n", b"Hello, Bob!\n")
    with suppress(AssertionError, OSError):
        with service.datagrams(seconds=0.2) as client:
            client.expect(b"Bob", b"Hello, Bob!")


def control(service):
    for _ in range(2):  # the second one after the end of the first
        with suppress(AssertionError, OSError):
            service.status()


def reload(service):
    with suppress(AssertionError, OSError), service.control() as one:
        one.ask("reload")


def kill(service):
    os.kill(service.workers()[0], signal.SIGKILL)
    # If its death is not told, the master sees it when it looks, every five seconds.
    service.wait_for_line("was killed by signal 9", seconds=10, since=service.marked)
    with suppress(AssertionError):
        service.alone(0.5)


class Held:
    """What a service holds while nobody asks for anything."""

    def __init__(self, service, judge):
        settled(service)
        service.alone()
        before = judge.calls
        time.sleep(IDLE_SECONDS)  # nothing is waited for: what is made of the time is counted
        self.idle_calls = judge.calls - before
        self.master_fds, self.master = descriptors(service.pid), anonymous_bytes(service.pid)
        self.worker_fds = sorted(descriptors(pid) for pid in service.workers())
        self.worker = max(anonymous_bytes(pid) for pid in service.workers())

    def check(self, before):
        assert (self.master_fds, self.worker_fds) == (before.master_fds, before.worker_fds)
        assert max(self.master - before.master, self.worker - before.worker) < MEMORY_SLACK
        assert self.idle_calls < IDLE_CALLS, f"{self.idle_calls} calls in {IDLE_SECONDS} s of idleness"


def suffer(service, judge, row, error, skip):
    """One call fails; returns whether it came to that."""
    who, call, action, sign = row
    before, service.marked = service.counters(), service.mark()
    with judge.fails(who, call, error, skip) as fault:
        action(service)
        if not fault.happened:
            return False
    converse(service)
    service.alone()
    if skip == 0 and sign in before:
        wait_until(lambda: service.counters()[sign] > before[sign], 5, f"{sign} to grow")
    elif skip == 0 and sign is not None:
        service.wait_for_line(sign, since=service.marked)
    return True


@pytest.mark.parametrize("who, call, errors, action, sign", LIFE, ids=lambda value: str(value))
@pytest.mark.seconds(300)
def test_call_that_fails_while_it_serves(judge, who, call, errors, action, sign):
    chance, row = seeded(), (who, call, globals()[action], sign)
    todo = cases(errors, chance)
    # One that dies again and again is replaced later and later.
    for some in [[(error, [0])] for error, _ in todo] if action == "kill" else [todo]:
        with Service(CONFIG, env=judge.environment) as service:
            converse(service)
            service.reload()
            before = Held(service, judge)
            for error, skips in some:
                for skip in skips:
                    if not suffer(service, judge, row, error, skip):
                        assert skip > 0, f"{who} does not call {call}"
                        break
            Held(service, judge).check(before)


def test_every_call_has_a_row(judge):
    judge.seen.clear()
    with Service(CONFIG, env=judge.environment) as service:
        service.marked = service.mark()
        for action in (serve, control, reload, kill):
            action(service)
            service.alone()
        service.fails("workers = -1;")
    rows = {row[:2] for row in START + LIFE}
    assert {(who, call) for who, call in judge.seen - rows if call not in NO_ROW} == set()
    # And none is there in vain.
    elsewhere = BY_KERNEL | (BY_ROOT if os.geteuid() != 0 else set())
    assert {(who, call) for who, call in rows - judge.seen if call not in elsewhere} == set()
