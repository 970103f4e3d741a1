"""`helloc ping` against servers of every bad manner: what each probe came to, and that nothing is taken for an answer."""

import re
import socket

import pytest

import hostile
from clients import PROMPT, greeting
from hostile import Datagrams, Deaf, Streams
from pinging import ANSWERED, BRIEF, NONE, PATIENT, counts, kinds, ping, ping_json
from watch import SLOW

UNHURRIED = min(SLOW, 5)  # for what is far enough apart, however slow it is


# ---- streams in every bad manner ----


@pytest.mark.parametrize("manner", ("friendly", "byte_by_byte"))
def test_streams_that_answer(manner):
    with Streams(getattr(hostile, manner)) as server:
        done = ping_json("-c", "2", *PATIENT, *server.operands)
    assert done.returncode == ANSWERED and sorted(kinds(done)) == [("answered", 1), ("answered", 2)]
    assert server.connections == 2


def test_stages_are_told_apart():
    with Streams(hostile.slow(0.05)) as server:
        done = ping_json("-c", "1", "-W", "20", *server.operands)
    times = done.events[0]
    # Each pause of the server's begins after the client's connect, and may begin a little before the client sees where
    # the stage before ended: the sums have a sharp bound, the stages by themselves do not.
    assert times["connect_ms"] + times["greeting_ms"] >= 50 * SLOW and times["time_ms"] >= 100 * SLOW
    assert times["greeting_ms"] >= 45 * SLOW and times["answer_ms"] >= 45 * SLOW
    assert times["time_ms"] == pytest.approx(times["connect_ms"] + times["greeting_ms"] + times["answer_ms"])


GONE = "closed by the server|Connection reset by peer|Broken pipe"  # what it is depends on who is faster


@pytest.mark.parametrize(
    "manner, why, said, odd",
    (
        ("silent", "neither greeting nor answer in time", None, None),
        ("upper", GONE, "PING-.*\n", "altered"),  # its answer is not the one that is wanted
        ("greets_and_waits", "no answer in time", "What's your name?", None),
        ("closes", GONE, None, None),
        ("resets", GONE, None, None),
        ("cut_greeting", GONE, "What's", None),
        ("half_closes", GONE, "What's your name?", None),
        ("greets_and_resets", GONE, "(What's your name[?])?", None),
        ("closes_on_name", GONE, "What's your name?", None),
        ("resets_on_name", GONE, "What's your name?", None),
        ("half_closes_on_name", GONE, "What's your name?", None),
        ("full", "refused", "Sorry, the server is full.\n", None),
        ("too_many", "refused", "Sorry, too many connections from your address.\n", None),
        ("too_idle", GONE, "What's your name?Sorry, you have been silent for too long.\n", "foreign"),
        ("wrong", GONE, "What's your name?Hello, Mallory!\n", "foreign"),
        ("other_service", GONE, "220 mail.example ESMTP\r\n500 5.5.1 Command unrecognized\r\n", "foreign"),
        ("blank", GONE, "\n\n", "foreign"),
        ("shouting", GONE, r"What's your name\?HELLO, PING-.*!\n", "altered"),
        ("cut_answer", GONE, r"What's your name\?Hello, PING-[0-9A-F]+", "altered"),
        ("twice", GONE, r"What's your name\?(Hello, PING-.*!\n){2}", "altered"),
        ("escapes", GONE, None, "altered"),
        ("floods", "it says too much", None, None),
        ("greets_and_floods", "it says too much", None, "foreign"),
    ),
)
def test_streams_that_do_not(manner, why, said, odd):
    found = getattr(hostile, manner)
    with Streams(found() if manner == "floods" else found) as server:
        done = ping_json(*BRIEF, *server.operands)
    assert done.returncode == NONE and kinds(done) == [("lost", 1)]
    event = done.events[0]
    assert re.fullmatch(why, event["why"]), event
    if said is not None:
        assert event.get("said", "") == said or re.fullmatch(said, event.get("said", "")), event
    assert counts(done.sides["tcp"]) == {"sent": 1, "lost": 1, **({odd: 1} if odd else {})}
    assert done.sides["tcp"]["loss_percent"] == 100 and done.sides["tcp"]["histogram"] == []


@pytest.mark.parametrize("gap", (None, 0, 0.1))
@pytest.mark.parametrize(
    "prompt, answer, foreign",
    (
        (PROMPT, b"Hello, Mallory!\n", 3),
        (PROMPT + b"\n", b"Hello, Mallory!\n", 3),
        (PROMPT + b"\r\n", b"", 0),
        (b"Wer da?\n", b"Hello, Mallory!\n", 3),
        (b"Wer da?\n", b"", 0),
        (b"Wer da?", b"Hello, Mallory!\n", 2),  # without a line end, it takes the next probe to see where it ends
        (b"Wer da?", b"", 0),
    ),
)
def test_wrong_answers_after_greetings(prompt, answer, foreign, gap):
    """They are told from the greeting, whether they come together or not."""

    def manner(client, server):
        if gap is None and server.connections == 1:
            server.receive(client)
            client.sendall(prompt + answer)
        else:
            client.sendall(prompt)
            server.pause((gap or 0) * UNHURRIED / SLOW)
            server.receive(client)
            client.sendall(answer)

    with Streams(manner) as server:
        done = ping_json("-c", "3", "-i", 0.4 * UNHURRIED, "-W", "20", *server.operands)
    assert kinds(done) == [("lost", 1), ("lost", 2), ("lost", 3)]
    assert {event["said"] for event in done.events} == {(prompt + answer).decode()}
    assert counts(done.sides["tcp"]) == {"sent": 3, "lost": 3, **({"foreign": foreign} if foreign else {})}


def test_wrong_answers_without_a_greeting():
    """The second probe waits for a greeting in vain, which tells what the others have heard."""

    def manner(client, server):
        server.receive(client)
        client.sendall(b"500\n")

    with Streams(manner) as server:
        done = ping_json("-c", "4", "-i", 0.4 * UNHURRIED, "-W", 0.3 * UNHURRIED, *server.operands)
    assert [event.get("said") for event in done.events] == ["500\n", None, "500\n", "500\n"]
    assert counts(done.sides["tcp"]) == {"sent": 4, "lost": 4, "foreign": 2}


def test_a_service_without_a_greeting_that_was_full():
    """A refusal is no greeting: the next probe does not wait for one."""

    def mute(client, server):
        client.sendall(greeting(server.receive(client)))

    with Streams(hostile.in_turn(hostile.full, mute)) as server:
        done = ping_json("-c", "2", "-i", 0.2 * SLOW, "-W", "20", *server.operands)
    assert kinds(done) == [("lost", 1), ("answered", 2)]


def test_stream_that_nobody_accepts():
    with Deaf() as deaf:
        done = ping_json(*BRIEF, *deaf.operands)
    assert done.returncode == NONE and done.events[0]["why"] == "no connection in time"


def test_nobody_is_there():
    for option, kind in (((), socket.SOCK_STREAM), (("-u",), socket.SOCK_DGRAM)):
        done = ping_json(*option, "-c", "3", *PATIENT, *hostile.nobody(kind))
        assert done.returncode == NONE
        assert kinds(done) == [("lost", 1), ("lost", 2), ("lost", 3)]
        assert {one["why"] for one in done.events} == {"Connection refused"}


def test_some_connections_fail():
    with Streams(hostile.in_turn(hostile.closes, hostile.friendly, hostile.resets, hostile.friendly)) as server:
        done = ping_json("-c", "4", "-i", 0.1 * SLOW, "-W", "20", *server.operands)
    assert done.returncode == ANSWERED
    assert kinds(done) == [("lost", 1), ("answered", 2), ("lost", 3), ("answered", 4)]
    assert done.sides["tcp"]["loss_percent"] == 50


# ---- datagrams in every bad manner ----


def udp(manner, *arguments):
    with Datagrams(manner) as server:
        done = ping_json("-u", *arguments, *server.operands)
    done.asked = [data.decode() for _, data in server.asked]
    return done


def test_names_are_nonces():
    """Each is unique, plain text, bears the number, and differs from run to run."""
    runs = [udp(hostile.polite, "-c", "5", *PATIENT).asked for _ in range(2)]
    names = [re.fullmatch(r"PING-([0-9A-F]{8})-(\d+)-([0-9A-F]{8})", name) for run in runs for name in run]
    assert [int(name[2]) for name in names] == [1, 2, 3, 4, 5] * 2
    assert len({name[1] for name in names}) == 2 and len({name[3] for name in names}) == 10


def test_lost():
    done = udp(hostile.every(2), "-c", "4", "-i", "0.05", "-W", 0.5 * SLOW)
    assert done.returncode == ANSWERED
    assert kinds(done) == [("answered", 1), ("answered", 3), ("lost", 2), ("lost", 4)]
    assert counts(done.sides["udp"]) == {"sent": 4, "answered": 2, "lost": 2} and done.sides["udp"]["loss_percent"] == 50


def test_all_lost():
    done = udp(hostile.ignores, *BRIEF)
    assert done.returncode == NONE and done.events[0]["why"] == "no answer in time"


def test_late():
    """An answer that comes after its time is no loss less, but it came."""
    done = udp(hostile.replies_late, "-c", "3", "-i", 0.2 * SLOW, "-W", "0.01")
    assert done.returncode == ANSWERED
    assert sorted(kinds(done)) == [("late", 1), ("late", 2), ("lost", 1), ("lost", 2), ("lost", 3)]
    assert counts(done.sides["udp"]) == {"sent": 3, "lost": 3, "late": 2}
    assert all(event["time_ms"] > 10 for event in done.events if event["event"] == "late")


def test_doubled():
    done = udp(hostile.replies_twice, "-c", "2", *PATIENT)
    # It may end before the last one has come.
    assert kinds(done)[:3] == [("answered", 1), ("doubled", 1), ("answered", 2)]
    assert done.sides["udp"]["answered"] == 2 and done.sides["udp"]["doubled"] in (1, 2)


def test_reordered():
    done = udp(hostile.replies_reordered, "-c", "4", *PATIENT)
    assert [(one["seq"], one["reordered"]) for one in done.events] == [(2, False), (1, True), (4, False), (3, True)]
    assert counts(done.sides["udp"]) == {"sent": 4, "answered": 4, "reordered": 2}


@pytest.mark.parametrize(
    "manner, expected",
    (
        ("replies_wrong", ("foreign", None)),
        ("replies_empty", ("foreign", None)),
        ("replies_shouting", ("altered", 1)),
        ("replies_escapes", ("altered", 1)),
        ("replies_huge", ("altered", 1)),
        ("echoes", ("altered", 1)),
        ("replies_cut", ("altered", None)),
    ),
)
def test_datagrams_that_are_no_answer(manner, expected):
    done = udp(getattr(hostile, manner), *BRIEF)
    assert done.returncode == NONE and kinds(done) == [expected, ("lost", 1)]
    assert counts(done.sides["udp"]) == {"sent": 1, "lost": 1, expected[0]: 1}


def test_old_answers_again():
    done = udp(hostile.replies_to_the_first, "-c", "3", "-i", 0.1 * SLOW, "-W", 0.3 * SLOW)
    assert sorted(kinds(done)) == [("answered", 1), ("doubled", 1), ("doubled", 1), ("lost", 2), ("lost", 3)]


@pytest.mark.parametrize("manner, code", (("from_elsewhere", NONE), ("from_elsewhere_first", ANSWERED)))
def test_answers_from_elsewhere(manner, code):
    done = udp(getattr(hostile, manner), *BRIEF)
    assert done.returncode == code and done.sides["udp"]["foreign"] == 0


def test_flood_of_datagrams_does_not_fill_the_screen():
    with Datagrams(hostile.floods_datagrams) as server:
        done = ping("-u", "-c", "3", "-i", 0.2 * SLOW, "-W", "20", *server.operands)
    about_probes = [line for line in done.lines if line.startswith("udp seq=")]
    assert len(about_probes) <= 3 * 4 and len([line for line in about_probes if line.endswith(", doubled")]) >= 3
    assert int(re.search(r"3 answered.*, (\d+) doubled", done.stdout)[1]) > 20
