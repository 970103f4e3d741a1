"""The control socket of the running daemon: what may be asked, what is answered, who may ask, and that no client holds
the service up.

helloctl, which speaks to it, is in test_control_ctl.py.
"""

import errno
import grp
import os
import pwd
import select
import signal
import socket
import stat
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from configs import GREETING, HELLO, unprivileged
from control import Control, Status
from hellodtest import EXIT_OK, EXIT_SOCKETS, Hellod, refused
from manners import Manners
from reloads import Service, converse, owed
from watch import SLOW, cpu_seconds, descriptors, process_state, seeded, wait_until
from workers import killed, measures, settled

LINES = {**GREETING, "framing": "line"}
SERVES = {"listen": [LINES, HELLO]}
DEFAULT = {"listen": [GREETING], "control": None}
CLIENTS = 16
LONGEST = 255  # bytes in a request, without its newline


@pytest.fixture(scope="module")
def service():
    """One for all tests that leave it as it was."""
    with Service(SERVES) as running:
        yield running


@pytest.fixture(scope="module", autouse=True)
def patience():
    """What takes many seconds goes on beside the other tests; the one that it belongs to waits for it."""
    with ThreadPoolExecutor(1) as beside:
        yield beside.submit(drop_who_does_not_read)


def drop_who_does_not_read():
    with Service(SERVES) as service, service.control() as mad, service.control() as waits:
        start = time.monotonic()
        mad.socket.setblocking(False)
        try:
            while time.monotonic() - start < 5 * SLOW:
                mad.send(b"1 status\n" * 100)
        except BlockingIOError:
            pass
        # Nobody else waits for it.
        waits.done("status")
        service.reload()
        poll = select.poll()
        poll.register(mad.socket, 0)
        wait_until(lambda: poll.poll(0), 20, "the end of who does not read")
        took = time.monotonic() - start
        assert 9 < took < 13 * SLOW, took
        assert service.status().service["state"] == "serving"


def failed(control, request):
    """Sends the bytes REQUEST and returns the text after "failed"."""
    control.send(request)
    reply = control.reply()
    assert reply.last.startswith("failed ") and not reply.lines, reply
    return reply.last


# ---- what may be asked ----


def test_status_of_the_service(service):
    converse(service)
    settled(service)
    status = service.status()
    what = status.service
    assert what["pid"] == service.pid and what["config"] == str(service.config)
    assert (what["state"], what["healthy"], what["log_level"]) == ("serving", True, "info")
    assert (what["workers"], what["ready"], what["connections"]) == (2, 2, 0)
    assert what["answers"] >= 2 and what["uptime_ms"] >= 0 and what["version"]
    assert set(status.reload) == {"number", "result", "age_ms", "reason"}


def test_status_of_listeners(folder):
    listen = [
        {**LINES, "address": "*"},
        HELLO,
        {"name": "path", "protocol": "greeting", "type": "seqpacket", "path": str(folder / 'a "quoted" \\ name')},
    ]
    with Service({"listen": listen}) as service:
        rows = service.status().listeners
        assert {row["name"] for row in rows} == {"greeting", "hello", "path"}
        assert all(set(row) == {"name", "protocol", "address", "passed", "type"} and not row["passed"] for row in rows)
        kinds = {(row["name"], row["protocol"], row["type"], row["address"].partition(" ")[0]) for row in rows}
        assert kinds == {("greeting", "greeting", "stream", "tcp"), ("hello", "hello", "datagram", "udp"),
                         ("path", "greeting", "seqpacket", "unix")}  # fmt: skip
        (path,) = [row for row in rows if row["name"] == "path"]
        assert path["address"].startswith("unix seqpacket /")


def test_status_of_workers(service):
    with service.connect().greeted() as client:
        client.ask(b"Bob\n", b"Hello, Bob!\n")
        settled(service, live=1)
        rows = service.status().workers
        assert sorted(row["pid"] for row in rows) == service.workers()
        assert [row["slot"] for row in rows] == [0, 1] and {row["state"] for row in rows} == {"ready"}
        assert sum(row["connections"] for row in rows) == 1 == service.status().service["connections"]
        keys = {"generation", "slot", "pid", "state", "connections", "answers", "drops", "cpu_ms", "age_ms",
                "heartbeats", "restarts"}  # fmt: skip
        assert all(set(row) == keys for row in rows)
    settled(service)


def test_status_counts_what_the_scoreboard_counts(service):
    converse(service)
    totals = settled(service)
    assert service.status().counters == totals
    with service.control() as control:
        assert all(' help="' in line for line in control.done("status") if line.startswith("counter "))


def test_drops_are_shown(service):
    before = sum(row["drops"] for row in service.status().workers)
    with service.datagrams() as client:
        client.send(b"")
        client.expect(b"Bob", b"Hello, Bob!")
    service.at_rest()
    assert sum(row["drops"] for row in service.status().workers) == before + 1


def test_help_lists_all_commands(service):
    with service.control() as control:
        lines = control.done("help")
        names = [line.partition('name="')[2].partition('"')[0] for line in lines]
        assert sorted(names) == ["help", "log-level", "reload", "status", "stop"]


def test_log_level(service):
    with service.control() as control:
        for level in ("err", "warning", "notice", "debug", "info"):
            control.done(f"log-level {level}")
            assert service.status().service["log_level"] == level


def test_log_level_of_the_master():
    with Service(SERVES) as service, service.control() as control:
        control.done("log-level err")
        service.fails("workerz = 1;\n")
        control.done("log-level info")
        service.hang_up(SERVES)
        service.wait_for_line("^reload 2, asked for by SIGHUP$")
        assert "workerz" in service.log() and "reload 1, asked" not in service.log()


def test_log_level_of_workers():
    with Service({**SERVES, "log": {"access": True}}) as service, service.control() as control:

        def lines_of_a_conversation():
            since = service.mark()
            converse(service)
            settled(service)
            # What is written after this is behind all that workers wrote.
            control.done("log-level info")
            service.hang_up()
            service.alone()
            return [text for _, text in service.lines[since:] if text.startswith(("Accept", "Datagram"))]

        assert len(lines_of_a_conversation()) == 2
        control.done("log-level err")
        assert lines_of_a_conversation() == []
        # A worker that starts later is as quiet as the others.
        control.done("log-level err")
        for pid in service.workers():
            killed(pid)
        service.alone()
        assert lines_of_a_conversation() == []
        assert len(lines_of_a_conversation()) == 2


def test_stop_ends_the_connection_when_the_service_has_ended():
    with Service({"listen": [{**LINES, "name": "slow", "delay": 0.7}]}) as service, service.control() as control:
        client = owed(service)
        control.done("stop")
        service.wait_for_line(rf"uid {os.getuid()} \(pid {os.getpid()}\).*: finishing 1 connections")
        # Meanwhile it answers, and says what it does.
        assert Status(control.done("status")).service["state"] == "stopping"
        client.expect(b"Hello, Bob!\n")
        client.close()
        assert control.line() is None
        assert service.wait() == EXIT_OK
        assert not service.control_path.exists()
        service.assert_clean()


def test_stop_twice_does_not_wait():
    with Service({"listen": [{**LINES, "name": "slow", "delay": 30.0}]}) as service, service.control() as control:
        client = owed(service)
        control.done("stop")
        wait_until(lambda: len(service.workers()) == 1, 5, "the other worker to go")
        control.send(b"1 stop\n")
        assert control.is_over() or control.is_over()
        assert service.wait() == EXIT_OK
        client.close()


# ---- how it may be asked ----


@pytest.mark.parametrize(
    "request_", (b"1 statuz", b"1", b"1 ", b"1 status now", b"1 status ", b"1 Status", b"1  status")
)
def test_unknown_command(service, request_):
    with service.control() as control:
        failed(control, request_ + b"\n")
        control.done("status")


@pytest.mark.parametrize("level", ("", " ", " loud", " info info", " INFO", " 3"))
def test_unknown_level(service, level):
    with service.control() as control:
        assert "info" in failed(control, f"1 log-level{level}\n".encode())
        control.done("status")
        assert service.status().service["log_level"] == "info"


@pytest.mark.parametrize("request_", (b"2 status", b"", b"status", b" 1 status", b"GET / HTTP/1.0", b"\xff\xfe"))
def test_unknown_version_ends_the_connection(service, request_):
    with service.control() as control:
        failed(control, request_ + b"\n")
        assert control.is_over()


def test_request_of_the_greatest_length(service):
    with service.control() as control:
        failed(control, b"1 " + b"a" * (LONGEST - 2) + b"\n")
        control.done("status")


@pytest.mark.parametrize("size, end", ((LONGEST + 1, b"\n"), (LONGEST + 1, b""), (100_000, b"\n"), (100_000, b"")))
def test_request_too_long_ends_the_connection(service, size, end):
    with service.control() as control:
        try:
            control.send(b"1 " + b"a" * (size - 2) + end)
        except (BrokenPipeError, ConnectionResetError):  # it did not want to hear all of it
            assert size > 10_000
            return
        assert control.is_over() or control.is_over()


def test_nul_is_refused(service):
    with service.control() as control:
        failed(control, b"1 status\0\n")
        control.done("status")


def test_request_in_pieces(service):
    with service.control() as control:
        for byte in b"1 status\n":
            control.send(bytes([byte]))
        assert control.reply().last == "ok"


def test_requests_in_one_piece(service):
    with service.control() as control:
        control.send(b"1 status\n1 help\n1 nothing\n1 reload\n1 status\n")
        assert Status(control.reply().lines).service["pid"] == service.pid
        assert control.reply().last == "ok"
        assert control.reply().last.startswith("failed ")
        assert control.reply().last == "ok"
        assert Status(control.reply().lines).reload["result"] == "ok"
    service.alone()


def test_half_close_is_answered(service):
    with service.control() as control:
        control.send(b"1 status\n1 reload\n")
        control.socket.shutdown(socket.SHUT_WR)
        assert control.reply().last == "ok"
        assert control.reply().last == "ok"
        assert control.is_over()
    service.alone()


def test_unfinished_request_is_not_obeyed(service):
    before = service.status().reload["number"]
    with service.control() as control:
        control.send(b"1 reload")
        control.socket.shutdown(socket.SHUT_WR)
        assert control.is_over()
    assert service.status().reload["number"] == before


def test_noise(service):
    chance = seeded()
    for _ in range(100):
        with service.control() as control:
            noise = bytes(chance.choice(b"\0\n 12aslr\xff") for _ in range(chance.randrange(1, 600)))
            try:
                control.send(noise)
                if chance.random() < 0.5:
                    control.socket.shutdown(socket.SHUT_WR)
                    while control.line() is not None:
                        pass
            except (BrokenPipeError, ConnectionResetError):
                pass
    assert service.status().service["state"] == "serving"


# ---- several clients ----


def test_as_many_clients_as_there_may_be():
    with Service(SERVES) as service:
        clients = [service.control() for _ in range(CLIENTS)]
        for client in clients:
            client.done("status")
        clients[0].done("status")
        # Who was silent longest goes.
        with service.control() as one_more:
            one_more.done("status")
            assert clients[1].is_over()
            for client in [clients[0], *clients[2:]]:
                client.done("status")
        for client in clients:
            client.close()


def test_who_waits_for_a_reload_is_not_sent_away():
    with Manners() as manners, Service(SERVES, env=manners.environment) as service:
        manners.hold_one()
        with service.control() as waits:
            waits.send(b"1 reload\n")
            wait_until(manners.holds, 5, "a new worker that is held")
            for _ in range(3 * CLIENTS):
                service.control().done("status")
            assert waits.quiet()
            manners.let_go()
            assert waits.reply().last == "ok"


def test_client_that_goes_while_it_waits():
    with Manners() as manners, Service(SERVES, env=manners.environment) as service:
        before = descriptors(service.pid)
        manners.hold_one()
        for _ in range(5):
            with service.control() as control:
                control.send(b"1 reload\n")
        wait_until(manners.holds, 5, "a new worker that is held")
        manners.let_go()
        service.wait_for_line("^reload 1 done")
        service.hang_up()
        service.alone()
        wait_until(lambda: descriptors(service.pid) <= before, 5, "its end to be noticed")
        assert service.status().reload["result"] == "ok"


def test_mad_clients_hold_nobody_up(service):
    mad = []
    for number in range(CLIENTS - 4):
        mad.append(service.control())
        mad[-1].socket.setblocking(False)
        try:
            while True:
                mad[-1].send(b"1 help\n" * 1000 if number % 2 else os.urandom(10000))
        except (BlockingIOError, BrokenPipeError, ConnectionResetError):
            pass
    converse(service)
    service.reload()
    service.alone()
    for client in mad:
        client.close()


@measures
def test_clients_that_come_and_go_cost_nothing(service):
    with service.control() as control:
        control.done("status")
    before, used = descriptors(service.pid), cpu_seconds(service.pid)
    for _ in range(300):
        Control(service.control_path).close()
    wait_until(lambda: descriptors(service.pid) <= before, 5, "all to be gone")
    start = time.monotonic()
    idle = cpu_seconds(service.pid)
    wait_until(lambda: time.monotonic() - start > 0.3, 5, "a while to pass")
    assert cpu_seconds(service.pid) - idle < 0.05 and idle - used < 2
    converse(service)


def test_client_that_does_not_read_is_dropped(patience):
    patience.result()


# ---- the path ----


def test_mode_and_owner(service):
    found = os.stat(service.control_path)
    assert stat.S_ISSOCK(found.st_mode) and stat.S_IMODE(found.st_mode) == 0o660
    if identity := unprivileged():
        assert found.st_uid == pwd.getpwnam(identity[0]).pw_uid
        assert found.st_gid == grp.getgrnam(identity[1]).gr_gid


def test_default_in_the_runtime_directory(folder):
    with Hellod(DEFAULT, env={"RUNTIME_DIRECTORY": folder}) as daemon:
        with Control(folder / "control") as control:
            control.done("reload")
        daemon.stop()
        assert not list(folder.iterdir())


def test_default_that_cannot_be_had_is_done_without(folder):
    with Hellod(DEFAULT, env={"RUNTIME_DIRECTORY": folder / "nowhere"}) as daemon:
        daemon.wait_for_line(str(folder / "nowhere" / "control"))
        with daemon.connect().greeted():
            pass
        since = daemon.mark()
        daemon.signal(signal.SIGHUP)
        daemon.wait_for_line("^reload 1 done", since=since)


def test_default_that_another_has_is_done_without(folder):
    with Hellod(DEFAULT, env={"RUNTIME_DIRECTORY": folder}) as first:
        with Hellod(DEFAULT, env={"RUNTIME_DIRECTORY": folder}) as second:
            second.wait_for_line(str(folder / "control"))
            with second.connect().greeted(), Control(folder / "control") as control:
                assert Status(control.done("status")).service["pid"] == first.pid
            second.stop()
        # It was not the second one's to take away.
        Control(folder / "control").done("status")


@pytest.mark.parametrize("where", ("nowhere/control", "taken"))
def test_path_that_cannot_be_had_is_an_error(folder, where):
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(folder / "taken"))
        other.listen()
        with refused({**SERVES, "control": str(folder / where)}, EXIT_SOCKETS) as failed_start:
            assert failed_start.where("control") in failed_start.log()
        assert (folder / "taken").exists()


def test_no_control_socket(folder):
    with Hellod({**SERVES, "control": ""}, env={"RUNTIME_DIRECTORY": folder}) as daemon:
        with daemon.connect().greeted():
            pass
        assert not list(folder.iterdir()) and "control" not in daemon.log()


def test_stale_path_is_replaced(folder):
    path = folder / "control"
    with Hellod({**SERVES, "control": str(path)}) as daemon:
        daemon.signal(signal.SIGKILL)
        daemon.wait()
        assert path.exists()
    with Hellod({**SERVES, "control": str(path)}):
        Control(path).done("status")
    assert not path.exists()


def test_path_that_is_another_file_stays(folder):
    path = folder / "control"
    path.write_text("mine")
    with refused({**SERVES, "control": str(path)}, EXIT_SOCKETS):
        assert path.read_text() == "mine"


def test_path_that_another_took_is_left(folder):
    path = folder / "control"
    with Hellod({**SERVES, "control": str(path)}) as daemon:
        path.unlink()
        path.write_text("mine")
        daemon.stop()
    assert path.read_text() == "mine"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has another user at hand")
def test_who_may_not_is_refused(service):
    service.control_path.parent.chmod(0o755)
    pid = os.fork()
    if pid == 0:  # somebody who is neither the user nor in the group
        code = 1
        try:
            os.setgroups([])
            os.setgid(12345)
            os.setuid(12345)
            Control(service.control_path)
        except OSError as error:
            code = 0 if error.errno == errno.EACCES else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_workers_do_not_have_it(service):
    # A worker that is taken over must not be able to give orders.
    with service.control() as control:
        control.done("status")
        service.reload()
        service.alone()
        killed(service.workers()[0])  # one that starts later is like the others
        service.alone()
        inodes = set()
        for line in open("/proc/net/unix", encoding="utf-8").read().splitlines()[1:]:
            row = line.split()
            if row[7:] == [str(service.control_path)]:
                inodes.add(f"socket:[{row[6]}]")
        assert len(inodes) >= 2  # the one that listens, and the connection
        for pid in service.workers():
            assert process_state(pid)
            assert not inodes & {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
