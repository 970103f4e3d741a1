"""Listeners that come, go, change and stay when the configuration is read again: those that stay keep their sockets and
what is queued there, and nobody is refused while one address takes another's place.
"""

import os
import shutil
import signal
import socket
import subprocess
from contextlib import ExitStack, contextmanager

import pytest

from clients import Datagram, Stream
from configs import GREETING, HELLO, UPPER
from hellodtest import EXIT_OK, EXIT_SOCKETS, refused
from reloads import Load, Queue, Service, all_stopped, converse, inodes, is_refused, owed, signal_all, wait_for_error
from watch import wait_until
from workers import settled

LINES = {**GREETING, "framing": "line"}
SERVES = {"listen": [LINES, HELLO]}
PORT = 3288


def on_path(path, kind="stream", **changes):
    """A listener on PATH."""
    protocol = "hello" if kind == "datagram" else "greeting"
    return {"name": "local", "protocol": protocol, "type": kind, "path": str(path), **changes}


def everywhere(**changes):
    """A config on one port of every address."""
    return here(address="*", **changes)


def here(**changes):
    """A config on one port of one address."""
    return {"listen": [{**LINES, "port": PORT, **changes}, {**HELLO, "port": PORT, **changes}]}


def nobody_at(address, kind=socket.SOCK_STREAM):
    """Asserts that nobody listens at ADDRESS."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family, kind) as probe:
        probe.settimeout(5)
        with pytest.raises((ConnectionRefusedError, FileNotFoundError)):
            probe.connect(address)
            if kind == socket.SOCK_DGRAM:
                probe.send(b"Bob")
                probe.recv(100)


# ---- come, go, change ----


def test_listeners_come_and_go(folder):
    more = {**LINES, "name": "more", "prompt": "More?"}
    other = {**HELLO, "name": "other"}
    with Service(SERVES) as service:
        before = {name: inodes(service, name) for name in ("greeting", "hello")}
        local = [on_path(folder / "s"), on_path(folder / "d", "datagram", name="d")]
        service.reload({"listen": [more, LINES, *local, HELLO, other]})
        converse(service)
        with service.connect("more") as client:
            client.greeted(b"More?").ask(b"Bob\n", b"Hello, Bob!\n")
        with service.datagrams("other") as client:
            client.expect(b"Bob", b"Hello, Bob!")
        with service.connect("local").greeted() as client:
            client.ask(b"Bob", b"Hello, Bob!")
        with service.datagrams("d") as client:
            client.expect(b"Bob", b"Hello, Bob!")
        gone = [service.address("more"), service.address("other")]
        assert {name: inodes(service, name) for name in ("greeting", "hello")} == before
        service.reload(SERVES)
        # The old workers may hold them for a moment longer.
        service.alone()
        nobody_at(gone[0])
        nobody_at(gone[1], socket.SOCK_DGRAM)
        assert not list(folder.iterdir())
        assert [row["name"] for row in service.status().listeners] == ["greeting", "hello"]
        assert {name: inodes(service, name) for name in ("greeting", "hello")} == before
        converse(service)


def test_removed_listener_is_closed_while_its_clients_finish():
    slow = {**LINES, "name": "slow", "delay": 0.5}
    with Service({"listen": [LINES, HELLO, slow]}) as service:
        gone = service.address("slow")
        with service.connect("slow").greeted() as client:
            client.send(b"Bob\n")
            settled(service, live=1)
            service.reload(SERVES)
            wait_until(lambda: is_refused(gone), 5, "the listener to be closed")
            client.expect(b"Hello, Bob!\n")


def test_all_listeners_replaced():
    with Service(SERVES) as service:
        gone = service.address("greeting")
        service.reload({"listen": [{**UPPER, "name": "up"}]})
        service.alone()
        with service.connect("up") as client:
            client.ask(b"Bob", b"BOB")
        nobody_at(gone)


def test_port_changes():
    with Service({"listen": [{**LINES, "address": "127.0.0.77"}, HELLO]}) as service:
        first = service.address("greeting")
        # Another address with the same port, for every machine has that free; then another port.
        service.reload({"listen": [{**LINES, "address": "127.0.0.78", "port": first[1]}, HELLO]})
        assert service.address("greeting") == ("127.0.0.78", first[1])
        converse(service)
        service.alone()
        nobody_at(first)
        service.reload({"listen": [{**LINES, "address": "127.0.0.78", "name": "greeting2"}, HELLO]})
        second = service.address("greeting2")
        assert second[1] != first[1]
        converse(service, "greeting2")
        service.alone()
        nobody_at(("127.0.0.78", first[1]))


def test_sockets_are_known_by_address():
    # The name and what is said there may change, the queue stays.
    with Service(SERVES) as service:
        host, port = service.address("greeting")
        before = inodes(service, "greeting")
        service.reload({"listen": [{**UPPER, "name": "up", "address": host, "port": port}, HELLO]})
        service.alone()
        assert inodes(service, "up") == before
        with Stream((host, port)) as client:
            client.ask(b"Bob", b"BOB")


def test_port_of_the_kernels_choice_stays_with_the_name():
    two = {**LINES, "name": "two"}
    with Service({"listen": [LINES, two, HELLO]}) as service:
        first, second = service.address("greeting"), service.address("two")
        service.reload({"listen": [two, {**LINES, "name": "three"}, LINES, HELLO]})
        assert (service.address("greeting"), service.address("two")) == (first, second)
        assert service.address("three") not in (first, second)


def test_kind_changes():
    with Service({"listen": [{**LINES, "address": "127.0.0.77"}]}) as service:
        host, port = service.address("greeting")
        service.reload({"listen": [{**HELLO, "name": "greeting", "address": host, "port": port}]})
        with Datagram((host, port)) as client:
            client.expect(b"Bob", b"Hello, Bob!")
        service.alone()
        nobody_at((host, port))


def test_path_stays_changes_and_goes(folder):
    one, two = folder / "one", folder / "two"
    with Service({"listen": [on_path(one)]}) as service:
        inode, file = inodes(service, "local"), one.stat().st_ino
        service.reload()
        assert (inodes(service, "local"), one.stat().st_ino) == (inode, file) and inode
        service.reload({"listen": [on_path(two)]})
        assert two.exists() and not one.exists()
        with Stream(str(two)).greeted() as client:
            client.ask(b"Bob", b"Hello, Bob!")
        # The same path, but another kind of socket.
        service.reload({"listen": [on_path(two, "seqpacket")]})
        with Stream(str(two), kind=socket.SOCK_SEQPACKET).greeted() as client:
            client.ask(b"Bob", b"Hello, Bob!")
        service.reload({"listen": [LINES]})
        service.alone()
        assert not two.exists()


def test_abstract_path_stays():
    name = f"hellod-test-{os.getpid()}"
    with Service({"listen": [on_path("@" + name), LINES]}) as service:
        inode = inodes(service, "local")
        service.reload({"listen": [LINES, on_path("@" + name)]})
        assert inodes(service, "local") == inode and inode
        with Stream("\0" + name).greeted() as client:
            client.ask(b"Bob", b"Hello, Bob!")
        service.reload({"listen": [LINES]})
        service.alone()
        nobody_at("\0" + name)


def test_backlog_changes():
    if not shutil.which("ss"):
        pytest.skip("needs ss (package iproute2)")

    def backlog(service):
        words = ["ss", "-Hltn", f"sport = :{service.address('greeting')[1]}"]
        return int(subprocess.run(words, capture_output=True, text=True).stdout.split()[2])

    with Service({"listen": [{**LINES, "backlog": 10}]}) as service:
        assert backlog(service) == 10
        before = inodes(service, "greeting")
        service.reload({"listen": [{**LINES, "backlog": 20}]})
        assert backlog(service) == 20 and inodes(service, "greeting") == before


# ---- sockets of the service manager ----


@contextmanager
def passed(**config):
    """A service that was passed its two sockets, and may not bind others."""
    with socket.create_server(("127.0.0.1", 0)) as stream, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram:
        datagram.bind(("127.0.0.1", 0))
        listen = [{**LINES, "port": stream.getsockname()[1]}, {**HELLO, "port": datagram.getsockname()[1]}]
        pairs = [("greeting", stream), ("hello", datagram)]
        with Service({"activation": "require", "listen": listen, **config}, sockets=pairs) as service:
            yield service, listen


def test_passed_sockets_stay():
    with passed() as (service, listen):
        before = {name: inodes(service, name) for name in ("greeting", "hello")}
        assert all(row["passed"] for row in service.status().listeners)
        service.reload({"activation": "require", "workers": 3, "listen": listen})
        service.alone()
        assert {name: inodes(service, name) for name in ("greeting", "hello")} == before
        assert all(row["passed"] for row in service.status().listeners)
        converse(service)
        service.reload({"activation": "auto", "listen": [*listen, {**LINES, "name": "more"}]})
        assert [row["passed"] for row in service.status().listeners] == [True, True, False]
        with service.connect("more").greeted() as client:
            client.ask(b"Bob\n", b"Hello, Bob!\n")


def test_passed_socket_without_a_listener_is_an_error():
    with passed() as (service, listen):
        errors = service.fails({"activation": "auto", "listen": listen[:1]})
        assert any("hello" in error for error in errors), errors
        converse(service)
        service.reload({"activation": "auto", "listen": listen})
        converse(service)


def test_listener_without_a_passed_socket_is_an_error():
    with passed() as (service, listen):
        errors = service.fails({"activation": "require", "listen": [*listen, {**LINES, "name": "more"}]})
        assert any("more" in error for error in errors), errors
        wait_for_error(service, errors[0])
        converse(service)


# ---- one address in another's place ----


@pytest.mark.netns
def test_all_addresses_and_one_take_turns():
    with Service(everywhere()) as service, Load(("127.0.0.1", PORT), ("127.0.0.1", PORT)) as load:
        for _ in range(3):
            service.reload(here())
            load.goes_on()
            service.alone()
            nobody_at(("127.0.0.2", PORT))
            service.reload(everywhere())
            load.goes_on()
            with Stream(("127.0.0.2", PORT)).greeted(), Stream(("::1", PORT)).greeted():
                pass


@pytest.mark.netns
def test_own_socket_for_each_worker_on_and_off():
    with Service(here()) as service, Load(("127.0.0.1", PORT), ("127.0.0.1", PORT)) as load:
        for count in (2, 4, 1):
            service.reload({**here(per_worker=True), "workers": count})
            load.goes_on()
            service.alone()
            assert len(inodes(service, "greeting")) >= count
            service.reload({**here(), "workers": count})
            load.goes_on()
            service.alone()


@pytest.mark.netns
def test_address_is_ours_alone_after_it_took_anothers_place():
    # While two sockets share it, each allows that; left so, any process of this user could take clients away.
    with Service(everywhere()) as service:
        for config in (here(), everywhere(), here(per_worker=True), here(), everywhere()):
            service.reload(config)
            service.alone()
            # Of sockets that several workers had none is closed, so that they go on sharing the address. For TCP the
            # kernel does not forget that it was allowed.
            if len(inodes(service, "hello")) <= (2 if config == everywhere() else 1):
                assert not can_share_udp(os.stat(f"/proc/{service.pid}").st_uid), config
            with refused({**here(), "control": ""}, EXIT_SOCKETS) as failed:
                assert "Address already in use" in failed.log()


def can_share_udp(uid):
    """Whether a socket that user UID makes can be bound to our address."""
    saved = os.geteuid()
    os.seteuid(uid)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            try:
                probe.bind(("127.0.0.1", PORT))
            except OSError:
                return False
            return True
    finally:
        os.seteuid(saved)


# ---- what is queued ----


def shared(**more):
    return {**SERVES, **more}


def separate(**more):
    return {"listen": [{**LINES, "per_worker": True}, {**HELLO, "per_worker": True}], **more}


@pytest.mark.parametrize(
    "before, after",
    (
        (shared(), shared()),
        (shared(workers=4), shared(workers=1)),
        (shared(workers=1), shared(workers=4)),
        (shared(), separate()),
        (separate(), shared()),
        (separate(workers=4), separate(workers=1)),
        (separate(workers=2), separate(workers=4)),
        (separate(workers=4), shared(workers=1)),
    ),
    ids=("same", "fewer", "more", "separate", "shared", "fewer separate", "more separate", "fewer shared"),
)
def test_what_is_queued_is_served(before, after):
    with Service(before) as service:
        with all_stopped(service.workers()):
            first = Queue(service)
            service.reload(after)
            second = Queue(service)
            # The new workers serve; the old ones know nothing of it yet.
            first.check_answered()
        # What the kernel has told to old ones alone is not forgotten.
        second.check_answered()
        service.alone()
        third = Queue(service)
        third.check_answered()
        assert settled(service)["closed_killed"] == 0


@pytest.mark.parametrize("number", (signal.SIGCONT, signal.SIGKILL), ids=("go on", "are killed"))
def test_what_only_the_old_ones_were_told_of(number):
    # Of those that wait for a socket the kernel wakes one: an old one that stands still swallows that.
    listen = [LINES, HELLO, {**LINES, "name": "slow", "delay": 50.0}]
    with Service({"workers": 1, "listen": listen, "limits": {"drain_timeout": 50.0}}) as service:
        with owed(service):  # which keeps the old one from going
            old = service.workers()
            with all_stopped(old):
                service.reload()
                queue = Queue(service, count=1)
                signal_all(old, number)
                queue.check_answered()
            service.signal(signal.SIGTERM)
            if number == signal.SIGCONT:
                service.insist()
            assert service.wait() == EXIT_OK


@pytest.mark.netns
@pytest.mark.parametrize("before, after", ((everywhere(), here()), (here(), everywhere())), ids=("narrower", "wider"))
def test_what_is_queued_at_an_address_that_changes(before, after):
    with Service(before) as service, ExitStack() as stack:
        stack.enter_context(all_stopped(service.workers()))
        queue = Queue(service)
        service.reload(after)
        stack.close()
        # The socket goes, but those who came while it was there are served.
        queue.check_answered()
        service.alone()
        converse(service)


def test_what_is_queued_at_a_path_stays(folder):
    with Service({"listen": [on_path(folder / "s"), on_path(folder / "d", "datagram", name="d")]}) as service:
        with all_stopped(service.workers()):
            queue = Queue(service, stream="local", datagram="d", count=10)
            service.reload()
            queue.check_answered()


def test_what_is_queued_survives_a_reload_that_fails():
    with Service(SERVES) as service:
        with all_stopped(service.workers()):
            queue = Queue(service)
            service.fails("workerz = 1;\n")
        queue.check_answered()
