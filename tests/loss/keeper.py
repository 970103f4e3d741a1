"""The daemon as a service whose sockets outlive it, in one of the two ways of systemd.

 - as a service with a descriptor store: what the daemon sends with FDSTORE=1 comes back to the next one as LISTEN_FDS;
 - as a socket unit: TCP and UDP sockets of the manager's own, which are passed to each daemon.

This file must not know what is asked of the daemon, nor what becomes of the answers.
"""

import ctypes
import os
import re
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "process"))
from configs import write_config  # noqa: E402  the folder had to be named first
from hellodtest import EXIT_OK, Process  # noqa: E402
from manager import Manager  # noqa: E402
from watch import SLOW, process_state, wait_until  # noqa: E402

IP_PKTINFO = 8  # of ip(7); the module socket does not have it
PIDFD_GETFD = 438  # syscalls(2); the same on all processors that came after it


def have_ipv6():
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


def unit_sockets(port):
    """What hellod.socket would hold, at PORT."""
    made = []
    for family, host in [(socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")][: 2 if have_ipv6() else 1]:
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            one = socket.socket(family, kind)
            made.append(("hellod.socket", one))
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
            else:
                one.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
            if kind == socket.SOCK_STREAM:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind((host, port))
            if kind == socket.SOCK_STREAM:
                one.listen(4096)
            one.setblocking(False)
    return made


def clients_of(pid):
    """The ports of the clients whose connections process PID has."""
    libc, ports = ctypes.CDLL(None, use_errno=True), []
    pidfd = os.pidfd_open(pid)
    try:
        for entry in os.listdir(f"/proc/{pid}/fd"):
            if not os.readlink(f"/proc/{pid}/fd/{entry}").startswith("socket:"):
                continue
            fd = libc.syscall(PIDFD_GETFD, pidfd, int(entry), 0)
            if fd < 0:
                raise OSError(ctypes.get_errno(), "pidfd_getfd")
            with socket.socket(fileno=fd) as copy:
                try:
                    peer = copy.getpeername()
                except OSError:
                    continue  # a listening socket
                if isinstance(peer, tuple):
                    ports.append(peer[1])
    finally:
        os.close(pidfd)
    return ports


def kill_worker(ledger, pid):
    """Kills PID. It stands still first, so that what it has in its hands can be written down."""
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: process_state(pid) in ("T", "t", None), 5, f"{pid} to stand still")
    ledger.kills(clients_of(pid))
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not process_state(pid), 5, f"the end of {pid}")


class Service:
    """The daemon under a manager of its own, serving the config that was given to configure(), as a context manager.
    sockets: those of a socket unit; none: it binds itself, and its descriptors are kept."""

    def __init__(self, sockets=()):
        self.sockets = list(sockets)
        self.folder = Path(tempfile.mkdtemp(prefix="hellod-loss-"))
        self.folder.chmod(0o755)
        self.manager = Manager()
        self.process = None
        self.crossed = 0  # questions that met the end of their connection, as those that have ended counted them

    def __enter__(self):
        self.manager.__enter__()
        return self

    def __exit__(self, kind, *_):
        try:
            if self.process and kind is None:
                self.stop()
            elif self.process:
                print(f"---- the last lines of the log\n{self.process.log()[-4000:]}\n----", file=sys.stderr)
        finally:
            if self.process:
                self.process.destroy()
            self.manager.close()
            for _, one in self.sockets:
                one.close()
            for path in self.folder.iterdir():
                path.unlink()
            self.folder.rmdir()

    def configure(self, config):
        self.config = write_config(self.folder, config)

    def start(self):
        mark = len(self.manager.messages)
        passed = self.sockets + self.manager.stored
        self.process = Process(["-c", self.config], sockets=passed, env=self.manager.environment)
        pid = self.process.pid

        def is_ready():
            assert self.process.popen.poll() is None, f"it has ended:\n{self.process.log()}"
            return any(one.pid == pid for one in self.manager.having("READY", since=mark))

        wait_until(is_ready, 10, lambda: f"READY; the log:\n{self.process.log()}")

    def stop(self):
        self.process.signal(signal.SIGTERM)
        code = self.process.wait(20)
        assert code == EXIT_OK, f"exit code {code}; the log:\n{self.process.log()}"
        self.process.assert_clean()
        self.crossed += int(re.search(r"served .*; (\d+) clients spoke too late", self.process.log())[1])

    def restart(self):
        self.stop()
        self.process.destroy()
        self.start()

    def reload(self):
        """Returns whether the daemon says that it worked."""
        mark = self.process.mark()
        self.process.signal(signal.SIGHUP)
        return self.process.wait_for_line(r"^reload \d+ (done|failed)", 40, mark)[1] == "done"

    def workers(self, count):
        """Waits until there are COUNT workers, and returns them, the oldest first."""

        def all_there():
            found = self.process.workers()
            return found if len(found) == count else None

        found = wait_until(all_there, 70, lambda: f"{count} workers; the log:\n{self.process.log()[-2000:]}")
        return sorted(found, key=lambda pid: int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]))


def pause(seconds):
    """The pace of what is done to the server. Not for waiting: for that there is wait_until()."""
    time.sleep(seconds * SLOW)
