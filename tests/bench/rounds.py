"""Loads whose every round makes a server do exactly the same, however busy the machine is.

While a round is asked the server is held: when it goes on it finds all of it at once, in one batch, where by itself it
would find as much as the machine happened to let it. So its system calls and instructions can be counted, not only
measured. Each load is a context manager that yields a function for one round; every answer is checked."""

import contextlib
import os
import signal
import socket
import time

from processes import PATIENCE_S, Failure, stat_fields

PROMPT = b"What's your name?"
NAME, ANSWER = b"Alice", b"Hello, Alice!"
PEERS, TALKERS, LINE_PEERS, LINES, UDP_PEERS, DATAGRAMS = 128, 32, 16, 64, 4, 32


def wait_for_state(pid, states):
    deadline = time.monotonic() + PATIENCE_S
    while stat_fields(pid)[0] not in states:
        if time.monotonic() > deadline:
            raise Failure(f"process {pid} does not come to one of the states {states}")
        time.sleep(0.0005)


@contextlib.contextmanager
def held(server):
    """The server stands still, from a moment at which it had nothing to do, until what is inside is done."""
    wait_for_state(server.pid, "S")
    os.kill(server.pid, signal.SIGSTOP)
    wait_for_state(server.pid, "Tt")
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


def peer(server, kind, transport):
    found = socket.socket(socket.AF_INET, kind)
    found.settimeout(PATIENCE_S)
    found.connect(("127.0.0.1", server.ports[transport]))
    return found


def hear(talker, expected):
    got = b""
    while len(got) < len(expected):
        piece = talker.recv(len(expected) - len(got))
        if not piece:
            break
        got += piece
    if got != expected:
        raise Failure(f"an answer is {got!r} and not {expected!r}")


def greeted(server):
    found = peer(server, socket.SOCK_STREAM, "tcp")
    hear(found, PROMPT)
    return found


def hang_up(server, peers):
    """All of them say at once that no more will come, and see the server's."""
    with held(server):
        for talker in peers:
            talker.shutdown(socket.SHUT_WR)
    for talker in peers:
        if talker.recv(1):
            raise Failure("a surplus answer")
        talker.close()


@contextlib.contextmanager
def streams(server, count, question, answer):
    """COUNT connections that ask the same at the same moment."""
    peers = [greeted(server) for _ in range(count)]

    def ask():
        with held(server):
            for talker in peers:
                talker.sendall(question)
        for talker in peers:
            hear(talker, answer)

    yield ask
    hang_up(server, peers)


def requests(server):
    return streams(server, PEERS, NAME, ANSWER)


def lines(server):
    return streams(server, LINE_PEERS, (NAME + b"\n") * LINES, (ANSWER + b"\n") * LINES)


@contextlib.contextmanager
def ping(server):
    """One connection; each request comes alone and wakes the server."""
    with greeted(server) as talker:
        def ask():
            for _ in range(PEERS):
                talker.sendall(NAME)
                hear(talker, ANSWER)

        yield ask
        hang_up(server, [talker])


@contextlib.contextmanager
def udp(server):
    peers = [peer(server, socket.SOCK_DGRAM, "udp") for _ in range(UDP_PEERS)]

    def ask():
        with held(server):
            for talker in peers:
                for _ in range(DATAGRAMS):
                    talker.send(NAME)
        for talker in peers:
            for _ in range(DATAGRAMS):
                if talker.recv(len(ANSWER) + 1) != ANSWER:
                    raise Failure("a wrong answer to a datagram")

    yield ask
    for talker in peers:
        talker.close()


@contextlib.contextmanager
def conversations(server):
    """Connect, greeting, name, answer, end of file."""
    def ask():
        with held(server):
            peers = [peer(server, socket.SOCK_STREAM, "tcp") for _ in range(TALKERS)]
        for talker in peers:
            hear(talker, PROMPT)
        with held(server):
            for talker in peers:
                talker.sendall(NAME)
        for talker in peers:
            hear(talker, ANSWER)
        hang_up(server, peers)

    yield ask


# Load: its function, and the requests in a round.
LOADS = {"ping": (ping, PEERS), "requests": (requests, PEERS), "udp": (udp, UDP_PEERS * DATAGRAMS),
         "lines": (lines, LINE_PEERS * LINES), "conversations": (conversations, TALKERS)}
