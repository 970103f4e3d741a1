"""Answers to one source go to the kernel together, and reach the client as if they had not."""

import os
import signal
import socket
import struct
from contextlib import contextmanager

import pytest

import netns
from clients import greeting
from configs import HELLO
from hellodtest import Hellod
from watch import process_state, wait_until

SOL_UDP, UDP_SEGMENT, UDP_GRO = 17, 103, 104
NAMES = [b"name %02d" % i for i in range(20)]


@contextmanager
def stopped(daemon):
    """The only worker finds in one batch what is sent meanwhile."""
    (worker,) = daemon.workers()
    os.kill(worker, signal.SIGSTOP)
    wait_until(lambda: process_state(worker) == "T", 5, "the worker to stop")
    try:
        yield
    finally:
        os.kill(worker, signal.SIGCONT)


def needs_segments():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.getsockopt(SOL_UDP, UDP_SEGMENT)
        except OSError:
            pytest.skip("this kernel cuts no datagrams (UDP_SEGMENT)")


@pytest.mark.parametrize("family", (socket.AF_INET, socket.AF_INET6), ids=("ipv4", "ipv6"))
def test_answers_to_one_source_travel_together(family, request):
    if family == socket.AF_INET6:
        request.getfixturevalue("ipv6")
    needs_segments()
    everywhere = {**HELLO, "address": "*"}
    with Hellod({"workers": 1, "listen": [everywhere], "log": {"access": True}}) as daemon:
        with daemon.datagrams(family=family) as client:
            # Who can take several datagrams at once shows that the kernel was given them so.
            client.socket.setsockopt(SOL_UDP, UDP_GRO, 1)
            with stopped(daemon):
                for name in NAMES:
                    client.send(name)
            data, control, _, source = client.socket.recvmsg(65536, socket.CMSG_SPACE(4))
        assert data == b"".join(greeting(name) for name in NAMES)
        assert [(level, kind, struct.unpack("i", size)[0]) for level, kind, size in control] == [
            (SOL_UDP, UDP_GRO, len(greeting(NAMES[0])))
        ]
        assert source[:2] == client.address[:2]
        assert daemon.at_rest()["datagram_answers"] == len(NAMES)
        wait_until(lambda: daemon.log().count(" answered.") == len(NAMES), 5, "a line for each")


def test_clients_do_not_get_the_answers_of_others():
    with Hellod({"workers": 1, "listen": [HELLO]}) as daemon:
        with daemon.datagrams() as one, daemon.datagrams() as other:
            with stopped(daemon):
                for number, name in enumerate(NAMES):
                    (one, one, other)[number % 3].send(name)
            for number, name in enumerate(NAMES):
                assert (one, one, other)[number % 3].receive()[0] == greeting(name)
            assert one.quiet() and other.quiet()
        assert daemon.at_rest()["datagram_answers"] == len(NAMES)


def test_empty_answers_stay_many():
    # Together they would be one.
    listener = {**HELLO, "answer": "%s", "guard": {"empty": False, "reply": False}}
    with Hellod({"workers": 1, "listen": [listener]}) as daemon, daemon.datagrams() as client:
        with stopped(daemon):
            for _ in range(5):
                client.send(b"")
        assert [client.receive()[0] for _ in range(5)] == [b""] * 5


@pytest.mark.netns
def test_a_path_that_is_too_narrow():
    # The kernel refuses to cut for it, and each answer by itself goes in fragments.
    names = [b"n" * 800 + name for name in NAMES]
    netns.ip("link set lo mtu 600")
    with Hellod({"workers": 1, "listen": [HELLO]}) as daemon, daemon.datagrams() as client:
        with stopped(daemon):
            for name in names:
                client.send(name)
        assert [client.receive()[0] for _ in names] == [greeting(name) for name in names]
        totals = daemon.at_rest()
        assert (totals["datagram_answers"], totals["datagram_unsent"]) == (len(names), 0)
