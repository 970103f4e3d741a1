"""System calls that fail while the daemon serves: every failure is somebody's bad luck, counted where it can be, and
the service goes on.
"""

import errno
import threading
import time

import pytest

from clients import PROMPT, greeting
from configs import GREETING, HELLO
from faults import Faults
from hellodtest import Hellod
from rude import FULL
from watch import SLOW, cpu_seconds, descriptors, wait_until
from workers import settled

LINES = {**GREETING, "framing": "line"}


@pytest.fixture(scope="module")
def faults():
    with Faults() as made:
        yield made


@pytest.fixture(scope="module")
def daemon(faults):
    config = {"workers": 1, "listen": [LINES, HELLO], "exempt": [], "limits": {"per_source": 5}}
    with Hellod(config, env=faults.environment) as running:
        yield running


def serves(daemon):
    """The service is whole."""
    with daemon.connect() as client, daemon.datagrams() as other:
        client.greeted().ask(b"Bob\n", b"Hello, Bob!\n")
        other.expect(b"Bob", b"Hello, Bob!")


@pytest.mark.parametrize("number", ("ECONNABORTED", "EPROTO", "EPERM", "ENETDOWN", "EHOSTUNREACH", "EINTR"))
def test_accept_of_a_connection_that_is_gone(daemon, faults, number):
    # These are the peer's or the network's: no pause, the next one is taken at once.
    before = daemon.counters()
    faults.on("accept4", getattr(errno, number), once=True)
    serves(daemon)
    assert faults.happened("accept4")
    assert daemon.counters()["accept_pauses"] == before["accept_pauses"]


@pytest.mark.parametrize("number", ("ENFILE", "ENOBUFS", "ENOMEM"))
def test_accept_while_the_kernel_is_short_of_something(daemon, faults, number):
    # Failure 41: pauses, not a spin, and the connection is served when the shortage is over.
    (worker,) = daemon.workers()
    before, open_before = daemon.counters(), descriptors(worker)
    faults.on("accept4", getattr(errno, number))
    with daemon.connect() as client, daemon.datagrams() as other:
        used, start = cpu_seconds(worker), time.monotonic()
        wait_until(lambda: daemon.counters()["accept_pauses"] >= before["accept_pauses"] + 4, 10, "pauses")
        assert cpu_seconds(worker) - used < 0.2 * (time.monotonic() - start) + 0.02
        other.expect(b"Bob", b"Hello, Bob!")
        faults.off("accept4")
        client.greeted()
    settled(daemon)
    assert descriptors(worker) == open_before


@pytest.mark.parametrize("number", ("ENOSPC", "ENOMEM"))
def test_no_memory_to_watch_a_connection(daemon, faults, number):
    (worker,) = daemon.workers()
    before, open_before = daemon.counters(), descriptors(worker)
    faults.on("epoll_ctl", getattr(errno, number))
    for _ in range(8):  # more than a source may have: those who are refused are not counted
        with daemon.connect() as client:
            assert client.rest() in (FULL, PROMPT)
    faults.off("epoll_ctl")
    serves(daemon)
    after = settled(daemon)
    assert after["refused_descriptors"] - before["refused_descriptors"] == 8
    assert after["refused_source"] == before["refused_source"]
    assert descriptors(worker) == open_before


def test_receive_that_is_interrupted(daemon, faults):
    for number in (errno.EINTR, errno.EAGAIN):
        with daemon.connect().greeted() as client:
            faults.on("recv", number, once=True)
            client.ask(b"Bob\n", b"Hello, Bob!\n")
            assert faults.happened("recv")


@pytest.mark.parametrize("name", ("recv", "send"))
def test_connection_that_fails(daemon, faults, name):
    before = settled(daemon)["closed_reset"]
    with daemon.connect().greeted() as client, daemon.connect().greeted() as other:
        faults.on(name, errno.ETIMEDOUT, once=True)
        client.send(b"Bob\n")
        try:
            assert client.receive() == b""
        except ConnectionResetError:  # what it sent was not read
            pass
        other.ask(b"Bob\n", b"Hello, Bob!\n")
    assert settled(daemon)["closed_reset"] == before + 1


def test_prompt_that_cannot_be_sent(daemon, faults):
    before = settled(daemon)["closed_reset"]
    faults.on("send", errno.EPIPE, once=True)
    with daemon.connect() as client:
        client.expect_end()
    assert settled(daemon)["closed_reset"] == before + 1
    serves(daemon)


@pytest.mark.parametrize("name, number", (("send_short", 1), ("send", errno.EAGAIN), ("send", errno.ENOBUFS)))
def test_answers_that_are_taken_bit_by_bit(daemon, faults, name, number):
    names = [b"name %d" % i for i in range(50)]
    with daemon.connect().greeted() as client:
        over = threading.Event()

        def again():
            while not over.wait(0.001):
                faults.on(name, number, once=True)

        hindrance = threading.Thread(target=again)
        hindrance.start()
        try:
            for each in names * 4:
                client.ask(each + b"\n", greeting(each) + b"\n")
            got = client.exchange(b"".join(each + b"\n" for each in names * 40))
        finally:
            over.set()
            hindrance.join(10 * SLOW)
            faults.off(name)
        assert got == b"".join(greeting(each) + b"\n" for each in names * 40)
    settled(daemon)


def test_every_byte_by_itself(daemon, faults):
    with daemon.connect().greeted() as client:
        faults.on("send_short")
        client.send(b"Ann\nBob\n" * 20)
        client.expect(b"Hello, Ann!\nHello, Bob!\n" * 20)
        client.send(b"n" * 2000)
        client.finish()
        client.expect_end(b"Sorry, a name has at most 1024 bytes.\n")
        faults.off("send_short")


@pytest.mark.parametrize("number", ("EAGAIN", "ENOBUFS", "ECONNREFUSED", "EPERM", "EINVAL", "ENETUNREACH"))
def test_answer_that_the_kernel_does_not_take(daemon, faults, number):
    before = daemon.counters()
    faults.on("sendmmsg", getattr(errno, number), once=True)
    with daemon.datagrams() as client:
        client.send(b"Ann")
        wait_until(lambda: daemon.counters()["datagrams"] == before["datagrams"] + 1, 5, "the datagram")
        client.expect(b"Bob", b"Hello, Bob!")
    assert daemon.counters()["datagram_unsent"] == before["datagram_unsent"] + 1


@pytest.mark.parametrize(
    "name, number", (("recvmmsg", errno.EINTR), ("recvmmsg", errno.ECONNREFUSED), ("sendmmsg", errno.EINTR))
)
def test_datagrams_that_are_interrupted(daemon, faults, name, number):
    faults.on(name, number, once=True)
    with daemon.datagrams() as client:
        client.expect(b"Bob", b"Hello, Bob!")
        assert faults.happened(name)


def test_wait_that_is_interrupted(daemon, faults):
    faults.on("epoll_wait", errno.EINTR, once=True)
    serves(daemon)
    serves(daemon)
    assert faults.happened("epoll_wait")
