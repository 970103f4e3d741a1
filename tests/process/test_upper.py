"""Upper, byte for byte: the tutorial's first server, each chunk back in upper case."""

import threading

import pytest

from clients import same
from configs import GREETING, UPPER
from hellodtest import EXIT_CONFIG, Hellod, refused
from watch import seeded

ALL_BYTES = bytes(range(256))


@pytest.fixture(scope="module")
def daemon():
    with Hellod({"listen": [UPPER]}) as running:
        yield running


def test_the_client_speaks_first(daemon):
    with daemon.connect("upper") as client:
        client.ask(b"Hello world", b"HELLO WORLD")
        client.ask(b"disconnect", b"DISCONNECT")
        client.ask(b"\n", b"\n")
        client.finish()
        client.expect_end()


def test_end_of_file_at_once(daemon):
    with daemon.connect("upper") as client:
        client.finish()
        client.expect_end()


def test_only_ascii_letters_change(daemon):
    with daemon.connect("upper") as client:
        client.ask(ALL_BYTES, ALL_BYTES.upper())
        client.ask("zoë ß\n".encode(), "ZOë ß\n".encode())


@pytest.mark.parametrize("size", (1, 1023, 1024, 1025, 5000, 300000))
def test_all_sizes(daemon, size):
    sent = (ALL_BYTES * (size // 256 + 1))[:size]
    with daemon.connect("upper") as client:
        same(sent.upper(), client.exchange(sent))


def test_random_pieces(daemon):
    chance = seeded()
    pieces = [chance.randbytes(chance.choice((1, 2, 100, 1024, 1025, 3000))) for _ in range(300)]
    with daemon.connect("upper") as client:
        same(b"".join(pieces).upper(), client.exchange(b"", pieces))


def test_one_silent_client_keeps_nobody_waiting(daemon):
    # The original serves one connection at a time.
    with daemon.connect("upper") as silent, daemon.connect("upper") as also_silent, daemon.connect("upper") as client:
        client.ask(b"abc", b"ABC")
        also_silent.ask(b"def", b"DEF")
        silent.ask(b"ghi", b"GHI")


def test_many_at_the_same_time(daemon):
    failures = []

    def converse(number):
        try:
            sent = b"client %d says\n" % number * 500
            with daemon.connect("upper", seconds=20) as client:
                same(sent.upper(), client.exchange(sent))
        except (AssertionError, OSError) as error:
            failures.append(error)

    threads = [threading.Thread(target=converse, args=(number,)) for number in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_beside_the_greeting():
    with Hellod({"listen": [GREETING, UPPER]}) as daemon:
        with daemon.connect("greeting").greeted() as client:
            client.ask(b"Bob\n", b"Hello, Bob!\n")
        with daemon.connect("upper") as client:
            client.ask(b"Bob\n", b"BOB\n")


def test_lines_are_no_choice():
    with refused({"listen": [{**UPPER, "framing": "line"}]}, EXIT_CONFIG) as failed:
        assert failed.where("framing") in failed.log()
