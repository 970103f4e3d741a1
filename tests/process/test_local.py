"""Greeting and hello on AF_UNIX sockets: stream, seqpacket, datagram; in the file system and in the abstract namespace.

How paths come and go is in test_listeners.py.
"""

import os
import socket
import uuid
from contextlib import contextmanager

import pytest

from clients import PROMPT, Datagram, greeting, same
from configs import GREETING, HELLO, UPPER
from hellodtest import Hellod
from watch import descriptors, seeded, wait_until

TOO_LONG = b"Sorry, a name has at most 1024 bytes."


def local(listener, path, kind=None):
    """LISTENER with a PATH instead of an address and a port."""
    changed = {key: value for key, value in listener.items() if key not in ("address", "port")}
    return {**changed, "path": str(path), "type": kind or changed["type"]}


@contextmanager
def serving(listener, folder, where, kind=None, **options):
    """A daemon with LISTENER on a path in FOLDER or on an abstract name."""
    path = folder / "socket" if where == "path" else f"@hellod-{uuid.uuid4()}"
    with Hellod({"listen": [{**local(listener, path, kind), **options}]}) as daemon:
        yield daemon


WHERE = pytest.mark.parametrize("where", ("path", "abstract"))


# ---- stream ----


@WHERE
def test_stream(folder, where):
    with serving(GREETING, folder, where) as daemon:
        assert daemon.listener("greeting").kind == "unix stream"
        with daemon.connect().greeted() as client:
            client.ask(b"Bob", b"Hello, Bob!")
            client.ask(b"Ann\r\n", b"Hello, Ann!\r\n")
            client.ask(b"Bob\nCat\n\n", b"Hello, Bob!\nHello, Cat!\n" + PROMPT + b"\n")
            client.send(b"disconnect\n")
            client.expect_end()
        with daemon.connect() as client:
            same(PROMPT + b"Hello, Ann!\nHello, Bob!", client.exchange(b"Ann\nBob"))


def test_stream_sentence_arrives_though_the_client_goes_on(folder):
    with serving(GREETING, folder, "path") as daemon, daemon.connect().greeted() as client:
        client.send(b"Bob\n" + b"n" * 2000)
        for _ in range(100):
            client.send(b"n" * 1000)
        client.finish()
        client.expect_end(b"Hello, Bob!\n" + TOO_LONG + b"\n")


def test_stream_10000_lines(folder):
    with serving(GREETING, folder, "path") as daemon, daemon.connect() as client:
        lines = [b"%d\n" % i for i in range(10000)]
        answers = b"".join(greeting(line[:-1]) + b"\n" for line in lines)
        same(PROMPT + answers, client.exchange(b"".join(lines)))


def test_stream_upper(folder):
    with serving(UPPER, folder, "path") as daemon, daemon.connect("upper") as client:
        same(b"ABC" * 1000, client.exchange(b"abc" * 1000))


# ---- seqpacket: one packet, one answer ----


@WHERE
def test_seqpacket(folder, where):
    with serving(GREETING, folder, where, "seqpacket") as daemon:
        assert daemon.listener("greeting").kind == "unix seqpacket"
        with daemon.connect() as client:
            assert client.receive() == PROMPT
            for name in (b"Bob", b"Ann\n", b"a\nb\r\n", b"\n", bytes(range(256)), b"n" * 1024):
                client.send(name)
                assert client.receive() == greeting(name)
            client.send(b"disconnect")
            assert client.receive() == b""


def test_seqpacket_keeps_packets_apart(folder):
    names = [b"n" * (1 + i % 300) for i in range(500)]
    with serving(GREETING, folder, "path", "seqpacket") as daemon, daemon.connect() as client:
        assert client.receive() == PROMPT
        sent = 0
        for name in names:
            # As many as the socket takes, then one back; at the end all are back.
            client.socket.setblocking(False)
            try:
                while sent < len(names):
                    client.socket.send(names[sent])
                    sent += 1
            except BlockingIOError:
                pass
            client.socket.settimeout(client.seconds)
            assert client.receive() == greeting(name)


def test_seqpacket_half_close(folder):
    with serving(GREETING, folder, "path", "seqpacket") as daemon, daemon.connect() as client:
        client.send(b"Ann")
        client.send(b"Bob")
        client.finish()
        assert [client.receive() for _ in range(4)] == [PROMPT, b"Hello, Ann!", b"Hello, Bob!", b""]


@pytest.mark.parametrize("length", (1025, 1026, 5000, 100000))
def test_seqpacket_too_long(folder, length):
    with serving(GREETING, folder, "path", "seqpacket") as daemon:
        with daemon.connect() as client:
            assert client.receive() == PROMPT
            client.send(b"n" * length)
            assert client.receive() == TOO_LONG
            assert client.receive() == b""
        daemon.wait_for_counter("closed_too_long", 1)


def test_seqpacket_upper(folder):
    with serving(UPPER, folder, "path", "seqpacket") as daemon, daemon.connect("upper") as client:
        for packet in (b"abc", b"x", b"Zo\xc3\xab\n"):
            client.send(packet)
            assert client.receive() == packet.upper()


# ---- datagram ----


@WHERE
def test_datagram(folder, where):
    with serving(HELLO, folder, where) as daemon:
        assert daemon.listener("hello").kind == "unix datagram"
        with daemon.datagrams() as client:
            client.expect(b"Bob", b"Hello, Bob!")
            client.expect(b"n" * 1024, greeting(b"n" * 1024))
        with daemon.datagrams(bind=str(folder / "client")) as client:
            os.chmod(folder / "client", 0o666)  # who answers must be allowed to write to it
            client.expect("Zoë\n".encode(), "Hello, Zoë!".encode())


def test_datagram_guard(folder):
    with serving(HELLO, folder, "path") as daemon, daemon.datagrams() as client:
        probes = {"oversize": b"n" * 1025, "empty": b"", "reply": b"Hello, Bob!", "text": b"\0"}
        for rule, data in probes.items():
            client.send(data)
            daemon.wait_for_counter(f"drop_{rule}", 1)
        client.expect(b"Bob", b"Hello, Bob!")
        assert daemon.at_rest()["datagram_answers"] == 1


def test_datagram_without_the_guard(folder):
    off = {rule: False for rule in ("empty", "port", "source", "destination", "reply", "text")}
    chance = seeded()
    with serving(HELLO, folder, "path", guard=off) as daemon, daemon.datagrams() as client:
        for data in (b"", b"\n", b"Hello, Bob!", b"\0\xff"):
            client.expect(data, greeting(data))
        for _ in range(50):
            data = chance.randbytes(chance.randrange(1025))
            client.expect(data, greeting(data))


@pytest.mark.parametrize("guard", ({}, {"source": False}), ids=("guarded", "unguarded"))
def test_datagram_from_nobody(folder, guard):
    # A socket without a name cannot be answered.
    with serving(HELLO, folder, "path", guard=guard) as daemon, daemon.datagrams() as client:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as nameless:
            for _ in range(5):
                nameless.sendto(b"Bob", daemon.address("hello"))
        daemon.wait_for_counter("datagrams", 5)
        client.expect(b"Bob", b"Hello, Bob!")
        assert daemon.at_rest()["datagram_answers"] == 1


def test_datagram_client_that_is_gone(folder):
    with serving(HELLO, folder, "path") as daemon, daemon.datagrams() as client:
        for number in range(5):
            path = folder / f"gone{number}"
            with daemon.datagrams(bind=str(path)) as gone:
                os.chmod(path, 0o666 if number % 2 else 0)
                gone.send(b"Bob")
            path.unlink()
        daemon.wait_for_counter("datagrams", 5)
        client.expect(b"Bob", b"Hello, Bob!")


def test_datagram_client_that_does_not_read(folder):
    # Its queue is full after some ten answers; a send that waits would stop the worker.
    path = folder / "socket"
    with Hellod({"workers": 1, "listen": [local(HELLO, path)]}) as daemon:
        with daemon.datagrams() as deaf, daemon.datagrams() as client:
            sent = 0

            def another():
                nonlocal sent
                deaf.send(b"Bob")
                sent += 1
                client.expect(b"Ann", b"Hello, Ann!")
                return daemon.counters()["datagram_unsent"] > 0

            wait_until(another, 10, "an answer that the kernel does not take")
            for _ in range(100):
                client.expect(b"Ann", b"Hello, Ann!")
            totals = daemon.at_rest()
            assert totals["datagrams"] == totals["datagram_answers"] + totals["datagram_unsent"]


def test_descriptors_that_are_sent_along_are_not_kept(folder):
    listeners = [
        {**local(GREETING, folder / "stream"), "name": "stream"},
        {**local(GREETING, folder / "packets", "seqpacket"), "name": "packets"},
        {**local(HELLO, folder / "datagrams"), "name": "datagrams"},
    ]
    with Hellod({"workers": 1, "listen": listeners}) as daemon, open(os.devnull, "rb") as null:
        (worker,) = daemon.workers()
        before = descriptors(worker)
        for name in ("stream", "packets"):
            with daemon.connect(name).greeted() as client:
                socket.send_fds(client.socket, [b"Bob"], [null.fileno()] * 10)
                same(b"Hello, Bob!", client.socket.recv(100))
        with daemon.datagrams("datagrams") as client:
            client.socket.connect(client.address)
            for _ in range(3):
                socket.send_fds(client.socket, [b"Bob"], [null.fileno()] * 10)
                same(b"Hello, Bob!", client.receive()[0])
        wait_until(lambda: descriptors(worker) == before, 5, lambda: f"{before} descriptors: {descriptors(worker)}")


def test_all_kinds_together(folder):
    listeners = [
        {**local(GREETING, folder / "stream"), "name": "stream"},
        {**local(GREETING, folder / "packets", "seqpacket"), "name": "packets"},
        {**local(HELLO, folder / "datagrams"), "name": "datagrams"},
        GREETING,
        HELLO,
    ]
    with Hellod({"listen": listeners}) as daemon:
        for name in ("stream", "packets", "greeting"):
            with daemon.connect(name).greeted() as client:
                client.ask(b"Bob", b"Hello, Bob!")
        for name in ("datagrams", "hello"):
            with daemon.datagrams(name) as client:
                client.expect(b"Bob", b"Hello, Bob!")


def test_access_lines_of_local_clients(folder):
    listeners = [local(GREETING, folder / "stream"), local(HELLO, folder / "datagrams")]
    with Hellod({"listen": listeners, "log": {"access": True}}) as daemon:
        with daemon.connect().greeted():
            daemon.wait_for_line(r"^Accept new connection from ")
        daemon.wait_for_line(r"^Connection from .* closed\.$")
        with Datagram(daemon.address("hello")) as client:
            client.expect(b"Bob", b"Hello, Bob!")
        daemon.wait_for_line(r"^Datagram from .* answered\.$")
