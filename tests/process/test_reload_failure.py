"""Reloads that fail: the world in force goes on untouched, whoever asked is told why, with file and line, and the next
one may work.
"""

import errno
import os
import re
import signal
import socket

import pytest

from configs import GREETING, HELLO, unprivileged
from faults import Faults
from hellodtest import EXIT_OK
from manners import Manners
from reloads import (
    Load,
    Service,
    all_stopped,
    converse,
    inodes,
    owed,
    signal_all,
    wait_for_end_of,
    wait_for_error,
    zombies,
)
from test_limits import without_right_to_raise
from watch import descriptors, process_state, wait_until
from workers import SANITIZED, killed, settled

LINES = {**GREETING, "framing": "line"}
SLOW_LINES = {**LINES, "name": "slow", "delay": 30.0}
SERVES = {"listen": [LINES, HELLO]}
NEVER = {"listen": [{**LINES, "answer": "Never, %s!"}, {**HELLO, "name": "never"}, HELLO], "workers": 3}


class Untouched:
    """In the block nothing of SERVICE may change: its workers, its sockets, and an old connection."""

    def __init__(self, service):
        self._service = service

    def _look(self):
        service = self._service
        sockets = {row["name"]: (row["address"], inodes(service, row["name"])) for row in service.status().listeners}
        return service.workers(), sockets, service.status().service["generation"]

    def __enter__(self):
        self._client = self._service.connect().greeted()
        self._before = self._look()
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            # Those who were to be the new workers may still be going.
            wait_until(lambda: self._look()[0] == self._before[0], 5, "nobody but the old workers")
            assert self._look() == self._before
            self._client.ask(b"Ann\n", b"Hello, Ann!\n")
            converse(self._service)
        self._client.close()


def begins(service, name):
    """"FILE:LINE" of the line at which listener NAME begins, just before its name."""
    path, _, number = service.where(f'name = "{name}"').rpartition(":")
    return f"{path}:{int(number) - 1}"


def check_fails(service, config=None, conf_d=None, line=None, words=""):
    """A reload with CONFIG fails and changes nothing; its errors, one of which names LINE (a text, or a function that
    finds it) and has WORDS, are told to the client, in the log and in the status."""
    since = service.mark()
    with Untouched(service):
        errors = service.fails(config, conf_d)
        where = line() if callable(line) else line
        assert [error for error in errors if (where or "") in error and words in error], (where, words, errors)
        for error in errors:
            wait_for_error(service, error, since)
        number = service.status().reload["number"]
        service.wait_for_line(rf"^reload {number} failed: the configuration in force stays$", since=since)
        last = service.status().reload
        assert last["result"] == "failed" and (where or "") in last["reason"] and errors[0] in last["reason"]
    return errors


# ---- the files ----


BAD = {
    "syntax": ("workers = 2;\nlisten = ( {\n", None, "syntax error"),
    "unknown key": ("workers = 2;\nworkerz = 1;\n", "workerz", "workers"),
    "out of range": ("workers = -1;\n", "-1", ""),
    "wrong type": ('workers = "two";\n', "two", ""),
    "no listener": ("listen = ( );\n", "listen", ""),
    "bad template": ({"listen": [LINES, {**HELLO, "answer": "%d"}]}, "answer", ""),
    "address": ({"listen": [LINES, {**HELLO, "address": "1.2.3.x"}]}, r"1\.2\.3\.x", ""),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_config(name):
    config, line, words = BAD[name]
    with Service(SERVES) as service:
        errors = check_fails(service, config, line=(lambda: service.where(line)) if line else f"{service.config}:")
        assert re.search(words, errors[0])
        # All that is wrong is told, and the way back is open.
        service.reload(SERVES)
        converse(service)
        assert service.status().reload["result"] == "ok" and service.status().reload["reason"] == ""


def test_every_error_is_told():
    with Service(SERVES) as service:
        errors = check_fails(service, "workerz = 1;\nworkers = 1000;\nlimitz = { };\n")
        assert [re.search(r":(\d+):", error)[1] for error in errors] == ["1", "2", "3"]


def test_error_in_a_drop_in():
    with Service(SERVES) as service:
        check_fails(service, SERVES, {"10.conf": "\nworkerz = 1;\n"}, line=f"{service.directory}/conf.d/10.conf:2")


def test_file_is_missing():
    with Service(SERVES) as service:
        service.config.rename(service.directory / "away")
        check_fails(service, words=str(service.config))
        (service.directory / "away").rename(service.config)
        service.reload()


def test_file_is_unreadable():
    with Service(SERVES) as service:
        if unprivileged() is None and os.geteuid() == 0:
            pytest.skip("root reads everything")
        service.config.chmod(0)
        check_fails(service, words="Permission denied")
        service.config.chmod(0o644)
        service.reload()


def test_file_is_a_folder():
    with Service(SERVES) as service:
        service.config.rename(service.directory / "away")
        service.config.mkdir()
        check_fails(service, words=str(service.config))
        service.config.rmdir()
        (service.directory / "away").rename(service.config)
        service.reload()


@pytest.mark.skipif(unprivileged() is None, reason="who was never root stays who he is")
@pytest.mark.parametrize("what", ("user", "group"))
def test_identity_cannot_change(what):
    with Service(SERVES) as service:
        (error, *more) = check_fails(service, {**SERVES, what: "daemon"}, line=lambda: service.where(rf"^{what} ="))
        assert what in error and "restart" in error and not more
        service.reload(SERVES)


# ---- the system ----


@pytest.mark.parametrize("kind", (socket.SOCK_STREAM, socket.SOCK_DGRAM), ids=("tcp", "udp"))
def test_port_is_somebody_elses(kind, folder):
    with Service(SERVES) as service, socket.socket(socket.AF_INET, kind) as other:
        other.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            other.listen()
        path = {"name": "local", "protocol": "greeting", "type": "stream", "path": str(folder / "s")}
        base = LINES if kind == socket.SOCK_STREAM else HELLO
        taken = {**base, "name": "taken", "port": other.getsockname()[1]}
        before = descriptors(service.pid)
        # What could be had is given back.
        config = {"listen": [path, {**LINES, "name": "free"}, LINES, HELLO, taken]}
        check_fails(service, config, line=lambda: begins(service, "taken"), words="Address already in use")
        assert not (folder / "s").exists()
        wait_until(lambda: descriptors(service.pid) <= before, 5, "the new sockets to be closed")
        other.close()
        service.reload()
        service.connect("taken") if kind == socket.SOCK_STREAM else service.datagrams("taken")


def test_path_is_somebody_elses(folder):
    with Service(SERVES) as service, socket.socket(socket.AF_UNIX) as other:
        other.bind(str(folder / "s"))
        other.listen()
        taken = {"name": "local", "protocol": "greeting", "type": "stream", "path": str(folder / "s")}
        check_fails(service, {"listen": [LINES, HELLO, taken]}, line=lambda: begins(service, "local"))
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(folder / "s"))


def test_control_path_cannot_be_bound(folder):
    with Service(SERVES) as service:
        config = {**SERVES, "control": str(folder / "nowhere" / "control")}
        check_fails(service, config, line=lambda: service.where("control"))


def test_too_few_descriptors():
    how = {"rlimits": {"RLIMIT_NOFILE": (512, 512)}, "wrapper": without_right_to_raise()}
    config = {**SERVES, "limits": {"connections": 100}}
    with Service(config, **how) as service:
        more = {**SERVES, "limits": {"connections": 1000}}
        check_fails(service, more, line=lambda: service.where("connections"), words="limits.connections = 1000")
        service.reload(config)


# ---- new workers that do not come up ----


@pytest.mark.parametrize("name", ("epoll_create1", "fork"))
@pytest.mark.parametrize("once", (False, True), ids=("always", "once"))
def test_new_worker_cannot_start(name, once):
    with Faults() as faults, Service(SERVES, env=faults.environment) as service:
        faults.on(name, errno.EMFILE if name != "fork" else errno.EAGAIN, once=once)
        before = descriptors(service.pid)
        check_fails(service, NEVER, words="Too many open files" if name != "fork" else "unavailable")
        wait_until(lambda: descriptors(service.pid) <= before, 5, "all that was new to be closed")
        faults.off(name)
        service.reload(SERVES)
        service.alone()
        converse(service)
        assert settled(service)["closed_killed"] == 0 and not zombies(service.pid)


def test_new_worker_is_killed_in_its_start():
    with Manners() as manners, Service(SERVES, env=manners.environment) as service, Untouched(service):
        manners.hold_one()
        with service.control() as control:
            service.rewrite(NEVER)
            control.send(b"1 reload\n")
            wait_until(manners.holds, 5, "a new worker that is held")
            old = service.pids(0)
            signal_all(pid for pid in service.workers() if pid not in old)
            manners.let_go()
            reply = control.reply()
        assert reply.last.startswith("failed ") and "signal 9" in "".join(reply.errors)
        service.wait_for_line("^reload 1 failed: the configuration in force stays$")


def test_old_worker_dies_while_new_ones_start():
    # Its slot is the old world's: nobody waits for that one, but nobody is lost either.
    with Manners() as manners, Service(SERVES, env=manners.environment) as service:
        manners.hold_one()
        service.signal(signal.SIGHUP)
        wait_until(manners.holds, 5, "a new worker that is held")
        for pid in service.pids(0):
            killed(pid)
        converse(service)
        manners.let_go()
        service.wait_for_line("^reload 1 done")
        service.alone()
        converse(service)


def test_old_workers_die_while_new_ones_start_and_fail():
    with Manners() as manners, Service(SERVES, env=manners.environment) as service:
        manners.hold_one()
        service.signal(signal.SIGHUP)
        wait_until(manners.holds, 5, "a new worker that is held")
        old = service.pids(0)
        new = [pid for pid in service.workers() if pid not in old]
        for pid in old:
            killed(pid)
        signal_all(new)
        manners.let_go()
        service.wait_for_line("^reload 1 failed")
        assert service.alone(10).service["generation"] == 0
        converse(service)


# ---- ends in between ----


def test_master_is_killed_in_a_reload():
    config = {"listen": [SLOW_LINES, LINES, HELLO], "limits": {"drain_timeout": 2.0}}
    with Manners() as manners, Service(config, env=manners.environment) as service:
        client = owed(service)
        service.reload()  # one generation that finishes, one that serves, one that starts
        manners.hold_one()
        service.signal(signal.SIGHUP)
        wait_until(manners.holds, 5, "a new worker that is held")
        assert len(service.status().generations) == 3
        workers = service.workers()
        client.close()
        service.signal(signal.SIGKILL)
        manners.let_go()
        assert service.popen.wait(10) == -signal.SIGKILL
        wait_until(lambda: not any(map(process_state, workers)), 10, "the end of all workers")
        service.assert_clean()


def test_stop_in_a_reload():
    with Manners() as manners, Service({"listen": [SLOW_LINES, LINES, HELLO]}, env=manners.environment) as service:
        client = owed(service)
        service.reload()
        idle = service.connect().greeted()
        manners.hold_one()
        with service.control() as control:
            control.send(b"1 reload\n")
            wait_until(manners.holds, 5, "a new worker that is held")
            service.signal(signal.SIGTERM)
            manners.let_go()
            client.close()
            idle.expect_end()
            # Whoever waits hears of it, or that nobody is there any more.
            assert "ok" not in str(control.line())
        service.signal(signal.SIGTERM)
        assert service.wait() == EXIT_OK
        service.assert_clean()
        assert "did not end in time" not in service.log()


def test_reload_while_it_stops():
    with Service({"listen": [{**SLOW_LINES, "delay": 0.5}, LINES, HELLO]}) as service:
        client = owed(service)
        with service.control() as control:
            service.signal(signal.SIGTERM)
            service.wait_for_line(": finishing 1 connections")
            service.signal(signal.SIGHUP)
            control.send(b"1 reload\n")
            assert "ok" not in str(control.line())
        client.expect(b"Hello, Bob!\n")
        client.close()
        assert service.wait() == EXIT_OK
        service.assert_clean()
        assert "reload" not in service.log() or "done" not in service.log()


def test_old_workers_that_finish_are_killed():
    with Service({"listen": [SLOW_LINES, LINES, HELLO]}) as service:
        client = owed(service)
        service.reload()
        wait_until(lambda: len(service.pids(0)) == 1, 5, "the worker that nobody keeps to go")
        (old,) = service.pids(0)
        assert [worker["state"] for worker in service.status().workers if worker["pid"] == old] == ["draining"]
        new = service.pids(1)
        killed(old)
        wait_for_end_of(service, 0)
        client.expect_end()
        # It is not replaced, and the sums agree.
        assert service.workers() == sorted(new)
        assert settled(service)["closed_killed"] == 1
        assert not zombies(service.pid)
        converse(service)


def test_killed_workers_while_reloads_go_on():
    with Service({**SERVES, "workers": 3}) as service:
        for _ in range(3 if SANITIZED else 6):
            service.alone()  # whoever finishes may be gone before it is stopped
            victims = service.workers()
            with all_stopped(victims[:1]):
                service.signal(signal.SIGHUP)
                signal_all(victims[:2])
            service.hang_up()
        service.alone()
        with Load(service.address("greeting"), service.address("hello")) as load:
            load.goes_on()
        assert not zombies(service.pid)
