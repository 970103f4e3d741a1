"""The control socket of the real daemon: where it is, who may, and that nobody there can hold the service up.

What its clients say and hear in detail is in tests/unit/test_control.c.
"""

import os
import re
import socket
import stat

import pytest

from configs import GREETING, unprivileged
from hellodtest import EXIT_OK, EXIT_SOCKETS, Hellod, refused
from watch import SLOW, wait_until


class Control:
    """A client of the control socket at PATH."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(10 * SLOW)
        self.socket.connect(str(path))
        self.pending = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def ask(self, command):
        """The lines of the reply, the last one as well."""
        self.socket.sendall(f"1 {command}\n".encode())
        lines = []
        while not lines or not re.match(r"(ok|failed .*)$", lines[-1]):
            while b"\n" not in self.pending:
                more = self.socket.recv(65536)
                assert more, f"the end after {lines}"
                self.pending += more
            line, self.pending = self.pending.split(b"\n", 1)
            lines.append(line.decode())
        return lines


def serving(path, **more):
    return {"listen": [GREETING], "control": str(path), **more}


def test_mode_and_owner(folder):
    path = folder / "control"
    with Hellod(serving(path)) as daemon:
        status = path.stat()
        assert stat.S_ISSOCK(status.st_mode) and stat.S_IMODE(status.st_mode) == 0o660
        if unprivileged():
            owner = folder.stat()
            assert (status.st_uid, status.st_gid) == (owner.st_uid, owner.st_gid)
        assert f"control socket: {path}" in daemon.log()
    assert not path.exists()


def test_who_is_neither_user_nor_group_is_refused(folder):
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    path = folder / "control"
    with Hellod(serving(path)):
        child = os.fork()
        if child == 0:
            try:
                os.setgroups([])
                os.setgid(12345)
                os.setuid(12345)
                Control(path)
            except PermissionError:
                os._exit(0)
            finally:
                os._exit(1)
        assert os.waitpid(child, 0)[1] == 0


def test_default_is_in_the_runtime_directory(folder):
    config = {"listen": [GREETING], "control": None}
    with Hellod(config, env={"RUNTIME_DIRECTORY": folder}), Control(folder / "control") as control:
        assert control.ask("log-level debug") == ["ok"]


def test_default_that_cannot_be_had_is_done_without(folder):
    config = {"listen": [GREETING], "control": None}
    with Hellod(config, env={"RUNTIME_DIRECTORY": folder / "none"}) as daemon:
        daemon.wait_for_line(r"control socket: \S+/none/control cannot be had \(No such file or directory\)")
        with daemon.connect() as client:
            client.greeted()


def test_what_is_set_and_cannot_be_had_is_an_error(folder):
    path = folder / "control"
    with socket.socket(socket.AF_UNIX) as somebody:
        somebody.bind(str(path))
        somebody.listen()
        with refused(serving(path), EXIT_SOCKETS) as failed:
            assert f'control = "{path}" ({failed.where("^control")}): Address already in use' in failed.log()
    assert path.exists()


def test_replaced_after_a_master_was_killed(folder):
    path = folder / "control"
    with Hellod(serving(path)) as daemon:
        daemon.popen.kill()
        daemon.wait()
    assert path.exists()
    with Hellod(serving(path)), Control(path) as control:
        assert control.ask("log-level debug") == ["ok"]


def sockets_of(pid):
    found = set()
    for number in os.listdir(f"/proc/{pid}/fd"):
        try:
            found.add(os.readlink(f"/proc/{pid}/fd/{number}"))
        except FileNotFoundError:
            continue
    return {name for name in found if name.startswith("socket:")}


def test_workers_have_neither_it_nor_its_clients(folder):
    path = folder / "control"
    with Hellod(serving(path)) as daemon, Control(path) as control:
        assert control.ask("log-level debug") == ["ok"]
        inodes = {f"socket:[{line.split()[6]}]" for line in open("/proc/net/unix") if line.rstrip().endswith(str(path))}
        assert len(inodes) == 2 and inodes <= sockets_of(daemon.pid)
        # A worker that started after the client came.
        before = daemon.workers()
        os.kill(before[0], 9)
        wait_until(lambda: len(set(daemon.workers()) - {before[0]}) == 2, 10, "a new worker")
        daemon.wait_for_line(r"worker \d+ \(pid \d+\)")
        wait_until(lambda: all(not inodes & sockets_of(pid) for pid in daemon.workers()), 5, "workers without it")


def test_stop_ends_the_connection_with_the_service(folder):
    path = folder / "control"
    with Hellod(serving(path)) as daemon, Control(path) as control:
        assert control.ask("stop") == ["ok"]
        assert control.socket.recv(1) == b""
        assert daemon.wait() == EXIT_OK
        assert not path.exists()


def test_log_level(folder):
    path = folder / "control"
    with Hellod(serving(path)) as daemon, Control(path) as control:
        assert control.ask("log-level verbose")[-1].startswith("failed log-level takes one of err,")
        assert control.ask("log-level debug") == ["ok"]
        daemon.stop()
        assert re.search(r"(?m)^worker \d+ .*ended with code 0$", daemon.log())  # a line of level debug


def test_mad_clients_hold_nobody_up(folder):
    path = folder / "control"
    with Hellod(serving(path)) as daemon:
        mad = []
        for number in range(12):
            client = socket.socket(socket.AF_UNIX)
            client.connect(str(path))
            client.setblocking(False)
            mad.append(client)
            try:
                while True:
                    client.send(b"1 help\n" * 1000 if number % 2 else os.urandom(10000))
            except (BlockingIOError, BrokenPipeError, ConnectionResetError):
                pass
        with daemon.connect() as client, Control(path) as control:
            client.greeted()
            assert control.ask("log-level info") == ["ok"]
        for client in mad:
            client.close()
