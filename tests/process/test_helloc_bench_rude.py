"""helloc bench with servers that behave badly: every request is accounted for, whatever they do, and under its own reason."""

import socket

import pytest

import hostile
from benched import FAILED, bench, judge
from clients import PROMPT, greeting
from helloc import DONE, NOBODY, helloc
from hostile import Datagrams, Streams
from watch import seeded


@pytest.mark.parametrize(
    "manner, kind",
    (
        (hostile.silent, "timeout"),
        (hostile.closes, "closed"),
        (hostile.cut_greeting, "closed"),
        (hostile.half_closes, "closed"),
        (hostile.full, "turned_away"),
        (hostile.too_many, "turned_away"),
        (hostile.other_service, "wrong"),
        (hostile.blank, "wrong"),
        (hostile.floods(), "wrong"),
    ),
)
def test_connections_that_come_to_nothing(manner, kind):
    with Streams(manner) as server:
        report = bench("-d", "0.3", "-c", 2, "-W", "0.2", *server.operands, code=FAILED)
    assert report["requests"]["answered"] == 0
    assert report["connections"]["errors"][kind] + report["requests"]["errors"][kind] > 0
    assert report["greeting_ms"] is None or manner is hostile.half_closes


@pytest.mark.parametrize(
    "manner, kind",
    (
        (hostile.greets_and_waits, "timeout"),
        (hostile.wrong, "wrong"),
        (hostile.shouting, "wrong"),
        (hostile.cut_answer, "closed"),
        (hostile.closes_on_name, "closed"),
        (hostile.resets_on_name, "reset"),
        (hostile.half_closes_on_name, "closed"),
        (hostile.too_idle, "turned_away"),
        (hostile.greets_and_floods, "wrong"),
    ),
)
@pytest.mark.parametrize("depth", (1, 8))
def test_requests_that_come_to_nothing(manner, kind, depth):
    with Streams(manner) as server:
        report = bench("-d", "0.3", "-c", 2, "-p", depth, "-W", "0.2", *server.operands, code=FAILED)
    assert report["requests"]["errors"][kind] > 0
    if kind != "closed" or depth == 1:
        assert report["requests"]["answered"] == 0


def test_byte_by_byte():
    with Streams(hostile.byte_by_byte) as server:
        report = bench("-n", 20, "-c", 2, "-p", 3, *server.operands)
    assert report["requests"]["answered"] == 20


def test_server_that_lets_requests_pile_up(tmp_path):
    """More than a socket takes: what did not fit follows when there is room, and not a byte of it twice or never."""

    def reads_lines(client, server):
        client.sendall(PROMPT)
        server.pause(0.1)
        with client.makefile("rb") as lines:
            for line in lines:
                client.sendall(greeting(line[:-1]) + b"\n")

    with Streams(reads_lines, path=tmp_path / "slow") as server:
        report = bench("-n", 600, "-c", 1, "-p", 600, "-s", 5000, "-W", 5, *server.operands)
    assert report["requests"]["answered"] == 600


def test_answers_twice():
    """The second answer comes while nothing is asked, or instead of the next one: no count may suffer."""
    with Streams(hostile.twice) as server:
        report = bench("-n", 20, "-c", 2, *server.operands, code=FAILED)
    assert report["connections"]["errors"]["wrong"] + report["requests"]["errors"]["wrong"] > 0


def test_one_wrong_line_among_right_ones():
    def every_third(client, server):
        client.sendall(PROMPT)
        for number, name in enumerate(server.names(client)):
            client.sendall(greeting(b"Mallory" if number % 3 == 2 else name) + b"\n")

    with Streams(every_third) as server:
        report = bench("-n", 300, "-c", 1, "-p", 10, *server.operands, code=FAILED)
    assert report["requests"]["errors"]["wrong"] == 100
    assert report["requests"]["answered"] == 200 and report["connections"]["made"] == 1


def test_conversations_that_the_server_does_not_end():
    def deaf_to_farewell(client, server):
        client.sendall(PROMPT)
        for name in server.names(client):
            if name != b"disconnect":
                client.sendall(greeting(name) + b"\n")

    with Streams(deaf_to_farewell) as server:
        report = bench("-n", 4, "-c", 1, "-m", 2, "-W", "0.2", *server.operands, code=FAILED)
    assert report["connections"]["errors"]["timeout"] == 2 and report["connections"]["conversations"] == 0


def test_random_servers():
    """Any server whatever: nothing but the counts must hold."""
    chance = seeded()

    def moody(client, server):
        client.sendall(PROMPT[: chance.choice((17, 17, 17, 17, 4))])
        for name in server.names(client):
            mood = chance.random()
            if mood < 0.02:
                return
            if mood < 0.04:
                hostile.finish(client, server, "reset")
                return
            if mood < 0.06:
                client.sendall(chance.randbytes(chance.randrange(300)))
            elif mood > 0.08:
                client.sendall(greeting(name) + b"\n" * chance.choice((1,) * 30 + (2,)))

    with Streams(moody) as server:
        report = bench("-d", 1, "-c", 8, "-p", 4, "-W", "0.2", "-s", "1-40", *server.operands, code=FAILED)
    assert report["requests"]["answered"] > 0 and report["requests"]["failed"] > 0


@pytest.mark.parametrize(
    "manner, kind, besides",
    (
        (hostile.ignores, "timeout", None),
        (hostile.replies_wrong, "timeout", "strange"),
        (hostile.replies_shouting, "wrong", None),
        (hostile.replies_cut, "wrong", None),
        (hostile.replies_empty, "timeout", "strange"),
        (hostile.replies_huge, "wrong", None),
        (hostile.from_elsewhere, "timeout", None),
    ),
)
def test_datagrams_that_come_to_nothing(manner, kind, besides):
    with Datagrams(manner) as server:
        report = bench("-u", "-n", 10, "-c", 2, "-p", 2, "-W", "0.3", *server.operands, code=FAILED)
    assert report["requests"]["sent"] == report["requests"]["errors"][kind] == 10
    assert {name for name, count in report["besides"].items() if count} == ({besides} if besides else set())


@pytest.mark.parametrize("server, manner", ((Streams, hostile.escapes), (Datagrams, hostile.replies_escapes), (Datagrams, hostile.echoes)))
def test_strange_words_are_taken_for_the_service_s_own(server, manner):
    """Whoever always says the same around a name is answered to in full; what it says does not reach the terminal."""
    udp = ["-u"] if server is Datagrams else []
    with server(manner) as strange:
        assert bench(*udp, "-n", 10, *strange.operands)["target"]["own_words"]
        done = helloc("bench", *udp, "-n", 10, *strange.operands)
    assert done.returncode == DONE and b"the service's own" in done.stdout and not set(b"\x1b\x07\x7f\x9b\xff") & set(done.stdout)


def test_datagrams_twice_late_and_reordered():
    with Datagrams(hostile.replies_twice) as server:
        report = bench("-u", "-n", 50, "-c", 1, "-p", 4, *server.operands)
    assert report["requests"]["answered"] == 50 and 0 < report["besides"]["doubled"] <= 50
    with Datagrams(hostile.replies_reordered) as server:
        report = bench("-u", "-n", 50, "-c", 1, "-p", 2, *server.operands)
    assert report["requests"]["answered"] == 50
    with Datagrams(hostile.replies_late) as server:
        report = bench("-u", "-n", 6, "-c", 1, "-p", 1, "-W", "0.2", *server.operands, code=FAILED)
    assert report["requests"]["errors"]["timeout"] == 6 and report["besides"]["late"] >= 4


def test_datagram_flood():
    with Datagrams(hostile.floods_datagrams) as server:
        done = helloc("bench", "--json", "-u", "-d", "0.5", "-c", 1, *server.operands)
    # The socket overflows, and what is lost there was perhaps the first of five hundred.
    report = judge(done, done.returncode)
    assert done.returncode in (DONE, FAILED) and report["besides"]["doubled"] > 0


def test_nobody_there():
    done = helloc("bench", "-d", "0.2", *hostile.nobody())
    assert done.returncode == NOBODY and "Connection refused" in done.stderr and done.stdout == b""
    report = bench("-u", "-d", "0.3", "-c", 1, *hostile.nobody(socket.SOCK_DGRAM), code=FAILED)
    assert report["requests"]["errors"]["refused"] == report["requests"]["sent"] > 0


def test_count_ends_though_the_server_has_gone():
    with Streams(hostile.in_turn(hostile.friendly, hostile.greets_and_resets)) as server:
        report = bench("-n", 1000000, "-c", 1, "-W", "0.1", "-d", 1, *server.operands, code=FAILED)
    assert report["requests"]["sent"] < 1000000
