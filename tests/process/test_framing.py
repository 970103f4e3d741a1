"""Where a message begins and ends when it comes in pieces, many at once, or faster than it is read.

The words themselves are in test_greeting.py.
"""

import socket

import pytest

from clients import PROMPT, greeting, same
from configs import GREETING
from hellodtest import Hellod
from watch import seeded


@pytest.fixture(scope="module")
def daemon():
    listeners = [{**GREETING, "name": framing, "framing": framing} for framing in ("auto", "chunk", "line")]
    # Some tests here do not read for a while, and for longer on slow machines.
    with Hellod({"listen": listeners, "limits": {"write_timeout": 300.0}}) as running:
        yield running


def answers(lines):
    """What is to be said to LINES, each with its ending, in line mode."""
    said = b""
    for line in lines:
        ending = b"\r\n" if line.endswith(b"\r\n") else b"\n" if line.endswith(b"\n") else b""
        name = line[: len(line) - len(ending)]
        said += (greeting(name) if name else PROMPT) + ending
    return said


# ---- pieces ----


@pytest.mark.parametrize("ending", (b"\n", b"\r\n"), ids=("LF", "CRLF"))
def test_line_byte_by_byte(daemon, ending):
    with daemon.connect("line").greeted() as client:
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"Bob" + ending[:-1]:
            client.send(bytes([byte]))
        client.ask(b"\n", b"Hello, Bob!" + ending)


@pytest.mark.parametrize("begun", (b"", b"B", b"Bob", b"Bob\r", b"\r", b"n" * 1024, b"n" * 1024 + b"\r"), ids=len)
def test_line_cut_at_every_kind_of_place(daemon, begun):
    whole = begun.rstrip(b"\r")
    with daemon.connect("line").greeted() as client:
        # When Ann has her answer, the beginning behind her has been received too.
        client.ask(b"Ann\n" + begun, b"Hello, Ann!\n")
        if begun.endswith(b"\r"):
            client.ask(b"\n", answers([whole + b"\r\n"]))
        elif len(begun) == 1024:
            client.ask(b"\r\n", answers([whole + b"\r\n"]))
        else:
            client.ask(b"by\n", answers([whole + b"by\n"]))
        client.ask(b"Eve\n", b"Hello, Eve!\n")


def test_two_lines_and_a_half_in_one_send(daemon):
    with daemon.connect("line").greeted() as client:
        client.ask(b"Ann\nBob\nCat", b"Hello, Ann!\nHello, Bob!\n")
        client.ask(b"herine\n", b"Hello, Catherine!\n")


# ---- auto ----


def test_auto_turns_to_lines_at_the_first_newline(daemon):
    with daemon.connect("auto").greeted() as client:
        client.ask(b"Ann", b"Hello, Ann!")
        client.ask(b"Bob", b"Hello, Bob!")
        client.ask(b"Cat\n", b"Hello, Cat!\n")
        client.send(b"Da")
        client.ask(b"n\n", b"Hello, Dan!\n")
        client.finish()
        client.expect_end()


def test_auto_counts_the_chunk_with_the_newline_as_lines(daemon):
    with daemon.connect("auto").greeted() as client:
        client.ask(b"Ann\nBo", b"Hello, Ann!\n")
        client.ask(b"b\n", b"Hello, Bob!\n")
        client.ask(b"Dan\nE", b"Hello, Dan!\n")
        client.finish()
        client.expect_end(b"Hello, E!")


def test_auto_farewell_in_a_chunk_and_in_a_line(daemon):
    for farewell in (b"disconnect", b"disconnect\n", b"Bob\ndisconnect\r\n"):
        with daemon.connect("auto").greeted() as client:
            client.send(farewell)
            client.expect_end(b"Hello, Bob!\n" if farewell.startswith(b"Bob") else b"")


# ---- chunks ----


@pytest.mark.parametrize("framing", ("auto", "chunk"))
def test_chunks_are_cut_at_message_size(daemon, framing):
    # One send on loopback is one segment, and the original would receive it 1024 bytes at a time.
    sent = bytes(range(48, 58)) * 300
    with daemon.connect(framing).greeted() as client:
        client.ask(sent[:1025], greeting(sent[:1024]) + greeting(sent[1024:1025]))
        client.ask(sent, greeting(sent[:1024]) + greeting(sent[1024:2048]) + greeting(sent[2048:]))
        client.finish()
        client.expect_end()


@pytest.mark.parametrize("size", (1, 7, 1000, 1024, 16384))
def test_chunks_of_own_size(size):
    # More than is received at once, and still one segment; and the other listener's size is nothing to this one.
    chunks = {**GREETING, "framing": "chunk", "message_size": size}
    sent = bytes(range(48, 58)) * 3000
    pieces = [sent[at : at + size] for at in range(0, len(sent), size)]
    with Hellod({"listen": [chunks, {**GREETING, "name": "other", "message_size": 1500}]}) as daemon:
        with daemon.connect(receive_buffer=1 << 20).greeted() as client:
            client.ask(sent, b"".join(greeting(piece) for piece in pieces))
            client.finish()
            client.expect_end()


def test_farewell_as_the_rest_of_a_cut_chunk(daemon):
    with daemon.connect("chunk").greeted() as client:
        client.send(b"n" * 1024 + b"disconnect")
        client.expect_end(greeting(b"n" * 1024))


# ---- many at once ----


def test_pipelined_lines_leave_in_order(daemon):
    lines = [b"name %d%s" % (i, b"\r\n" if i % 3 else b"\n") for i in range(200)]
    with daemon.connect("auto").greeted() as client:
        client.ask(b"".join(lines), answers(lines))


def test_answers_leave_together(daemon):
    lines = [b"name %d\n" % i for i in range(50)]
    with daemon.connect("auto").greeted() as client:
        client.send(b"".join(lines))
        # One send of theirs is one segment here: had they been sent one by one, the first receive would hardly ever
        # find them all.
        assert client.receive() == answers(lines)


@pytest.mark.parametrize("framing", ("auto", "line"))
def test_10000_lines_read_while_they_are_sent(daemon, framing):
    lines = [b"%d" % i + b"x" * (i % 90) + b"\n" for i in range(10000)]
    with daemon.connect(framing) as client:
        same(PROMPT + answers(lines), client.exchange(b"".join(lines)))


@pytest.mark.parametrize("framing", ("auto", "line"))
def test_10000_lines_read_after_as_many_as_fit_were_sent(daemon, framing):
    # The server must stop reading while answers are pending, and go on when they are taken.
    lines = [b"%d" % i + b"x" * (i % 90) + b"\n" for i in range(10000)]
    sent = b"".join(lines)
    with daemon.connect(framing, receive_buffer=4096, seconds=20) as client:
        fitted = client.send_what_fits(sent)
        same(PROMPT + answers(lines), client.exchange(sent[fitted:]))


@pytest.mark.seconds(120)
def test_server_stops_reading_when_answers_are_not_taken(daemon):
    line = b"n" * 1000 + b"\n"
    total = 64 * 1024 * 1024
    with daemon.connect("line", receive_buffer=4096, seconds=60) as client:
        fitted = client.send_what_fits(line * (total // len(line)))
        # What fits is the kernel's buffers on both sides and one buffer of ours.
        assert fitted < total // 2, f"the server took {fitted} bytes without having its answers read"
        whole, rest = divmod(fitted, len(line))
        client.finish()
        expected = PROMPT + answers([line]) * whole + (answers([line[:rest]]) if rest else b"")
        client.expect_end(expected)


def test_10000_chunks_of_one_connection(daemon):
    with daemon.connect("chunk").greeted() as client:
        for i in range(10000):
            client.ask(b"%d" % i, b"Hello, %d!" % i)


# ---- chance ----


def random_lines(chance, count):
    """COUNT lines of all kinds of bytes, lengths and endings."""
    lines = []
    for _ in range(count):
        length = chance.choice((0, 1, 2, 3, 10, 60, 1023, 1024, chance.randrange(1025)))
        # \r is frequent: at the end of a name, in front of \r\n, at a cut.
        name = bytes(chance.choices(b"\r\rab\0\xff", k=length)) if chance.random() < 0.3 else chance.randbytes(length)
        name = name.replace(b"\n", b"\r")
        ending = chance.choice((b"\n", b"\r\n"))
        if name.endswith(b"\r") and ending == b"\n":
            name = name[:-1] + b"x"
        if name == b"disconnect":
            name = b""
        lines.append(name + ending)
    return lines


def random_pieces(chance, data):
    """DATA cut at random places, mostly into small pieces."""
    pieces = []
    while data:
        size = chance.choice((1, 1, 2, 3, 7, 40, 200, 1024, 1025, 5000))
        pieces.append(data[:size])
        data = data[size:]
    return pieces


@pytest.mark.parametrize("framing", ("line", "auto"))
def test_random_splits_of_random_lines(daemon, framing):
    chance = seeded()
    for _ in range(25):
        lines = random_lines(chance, chance.randrange(1, 40))
        whole = b"".join(lines)
        pieces = random_pieces(chance, whole)
        if framing == "auto":
            # Until the first newline has arrived, a piece is a message of its own.
            first = whole.index(b"\n") + 1
            pieces = [whole[:first]] + random_pieces(chance, whole[first:])
        with daemon.connect(framing, seconds=20) as client:
            # Each piece leaves as it is.
            client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            got = client.exchange(whole, pieces)
        same(PROMPT + answers(lines), got)


def test_random_last_line_without_ending(daemon):
    chance = seeded()
    for _ in range(25):
        lines = random_lines(chance, chance.randrange(0, 10)) + [b"x" * chance.randrange(1, 1025)]
        with daemon.connect("line") as client:
            got = client.exchange(b"", random_pieces(chance, b"".join(lines)))
        same(PROMPT + answers(lines), got)
