"""`helloc ping`: its command line, the real service, what it prints, and how it keeps time.

Bad servers are in test_helloc_ping_hostile.py, terminals in test_helloc_ping_terminal.py.
"""

import json
import os
import re
import signal
import socket
import subprocess
import time

import pytest

import hostile
import netns
from clients import PROMPT, greeting
from configs import GREETING, HELLO, UPPER
from hellodtest import TREE, Hellod
from hostile import Datagrams, Streams
from pinging import (
    ANSWERED,
    BRIEF,
    IN_TURN,
    NONE,
    PATIENT,
    TCP_LINE,
    TROUBLE,
    UDP_LINE,
    counts,
    endless,
    kinds,
    ping,
    ping_json,
)
from reloads import owed
from watch import SLOW, wait_until
from workers import measures

# ---- the command line ----


@pytest.mark.parametrize("option", ("-h", "--help"))
def test_help_fits_a_screen(option):
    done = ping(option)
    assert done.returncode == 0 and done.stderr == ""
    assert len(done.lines) <= 24 and max(map(len, done.lines)) <= 80
    for name in "-u -b -4 -6 -c -i -W -a -q -D --json -h".split():
        assert re.search(rf"(?<![\w-]){name}\b", done.stdout), name


def test_manual_page_has_all_options():
    page = (TREE / "man" / "helloc-ping.1").read_text()
    for name in re.findall(r"(?<![\w-])(--?[a-zA-Z0-9][a-z0-9]*)", ping("-h").stdout):
        assert re.search(rf"^\.(It|Op) .*Fl {re.escape(name[1:]).replace('-', chr(92) * 2 + '-', 1)}\b", page, re.M), name


@pytest.mark.parametrize(
    "arguments",
    (
        "-x", "--nonsense", "-c", "-c 0", "-c -1", "-c 1x", "-c 4294967296", "-i 0", "-i -1", "-i nan", "-i inf", "-i 0x1",
        "-i 1s", "-i 3601", "-i", "-W 0", "-W 1,5", "-W 1.2.3", "-W 3601", "-i 0.01 -W 5.1", "localhost 3288 more",
        "-a Hello", "-a %s%s", "-a 100%", "127.0.0.1 0", "127.0.0.1 65536", "127.0.0.1 x", "-6 127.0.0.1", "-4 ::1",
        "--both /run/socket", "-u /run/socket 3288", "/" + 200 * "x",
    ),
)  # fmt: skip
def test_usage(arguments):
    done = ping("-c", "1", *arguments.split())
    assert done.returncode == TROUBLE and done.stdout == ""
    assert re.search("^helloc ping: |^See helloc ping", done.stderr, re.M)
    assert all(line.isprintable() for line in done.stderr.splitlines())


def test_name_without_address():
    """It cannot be a name, so nobody is asked."""
    done = ping("-c", "1", "no..name")
    assert done.returncode == TROUBLE and done.stdout == "" and "no..name: " in done.stderr


def test_output_that_fails():
    with Streams(hostile.friendly) as server, open("/dev/full", "wb") as full:
        done = ping("-c", "1", *server.operands, stdout=full)
    assert done.returncode == TROUBLE and "standard output" in done.stderr


# ---- the real service ----


@pytest.fixture(scope="module")
def service():
    with Hellod({"listen": [GREETING, HELLO]}) as daemon:
        yield {one.name: one.reach for one in daemon.listeners}


def test_tcp(service):
    done = ping("-c", "3", *IN_TURN, *service["greeting"])
    assert done.returncode == ANSWERED and done.stderr == ""
    host, port = service["greeting"]
    assert done.lines[0] == f"PING {host} port {port} at {host}:{port} over tcp"
    for number, line in enumerate(done.lines[1:4], 1):
        times = TCP_LINE.fullmatch(line)
        assert int(times["seq"]) == number
        parts = sum(float(times[name]) for name in ("connect", "greeting", "answer"))
        assert abs(parts - float(times["time"])) < 0.002 and float(times["time"]) > 0
    assert done.lines[4] == "" and re.fullmatch(rf"--- {host} port {port} at {host}:{port}, \d\.\d\d\d s ---", done.lines[5])
    assert done.lines[6:8] == ["tcp: 3 sent, 3 answered, 0 lost (0 %)", ""]
    assert done.lines[8].split() == ["ms", "min", "median", "p99", "max"]
    for name, line in zip(("connect", "greeting", "answer", "time"), done.lines[9:13]):
        measured = re.fullmatch(rf"tcp +{name} +(\d+\.\d+) +(\d+\.\d+) +(\d+\.\d+) +(\d+\.\d+)", line)
        assert sorted(map(float, measured.groups())) == list(map(float, measured.groups()))
    assert done.lines[13] == "" and done.lines[14].split() == ["below", "ms", "tcp"]
    rows = [line.split() for line in done.lines[15:]]
    assert sum(int(row[1]) for row in rows) == 3 and sorted(float(row[0]) for row in rows) == [float(row[0]) for row in rows]
    assert all(set(row[2]) == {"#"} if int(row[1]) else len(row) == 2 for row in rows)


def test_udp(service):
    done = ping("-u", "-c", "3", *IN_TURN, *service["hello"])
    assert done.returncode == ANSWERED and done.lines[0].endswith(" over udp")
    assert [int(UDP_LINE.fullmatch(line)["seq"]) for line in done.lines[1:4]] == [1, 2, 3]
    assert done.lines[6] == "udp: 3 sent, 3 answered, 0 lost (0 %)"
    assert re.fullmatch(r"udp +time( +\d+\.\d{3}){4}", done.lines[9])


@pytest.fixture
def both():
    """A port that both transports have."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # One worker: of two, the one that was asked first can answer last.
    with Hellod({"workers": 1, "listen": [{**GREETING, "port": port}, {**HELLO, "port": port}]}):
        yield "127.0.0.1", port


@pytest.mark.parametrize("option", ("-b", "--both"))
def test_both(both, option):
    done = ping_json(option, "-c", "3", *IN_TURN, *both)
    assert done.returncode == ANSWERED and list(done.sides) == ["tcp", "udp"]
    for transport, side in done.sides.items():
        assert sorted(kinds(done, transport)) == [("answered", 1), ("answered", 2), ("answered", 3)]
        assert counts(side) == {"sent": 3, "answered": 3}
    rows = [[row["below_ms"] for row in side["histogram"]] for side in done.sides.values()]
    assert rows[0] == rows[1]


def test_both_side_by_side(both):
    done = ping("-q", "--both", "-c", "3", *IN_TURN, *both)
    assert done.lines[0].endswith(" over tcp and udp")
    assert done.lines[3:5] == [f"{transport}: 3 sent, 3 answered, 0 lost (0 %)" for transport in ("tcp", "udp")]
    head = next(line for line in done.lines if line.startswith("  below ms"))
    rows = done.lines[done.lines.index(head) + 1 :]
    for transport in ("tcp", "udp"):
        at = head.index(transport) + 3
        assert sum(int(row[at - 8 : at]) for row in rows) == 3
    assert max(map(len, rows)) <= 80


def test_one_transport_is_enough():
    """Nobody answers over UDP there; and the other way round."""
    for server, option in ((Streams(hostile.friendly), "tcp"), (Datagrams(hostile.polite), "udp")):
        with server:
            done = ping_json("-b", "-c", "1", *server.operands)
        assert done.returncode == ANSWERED
        answered = {name: side["answered"] for name, side in done.sides.items()}
        assert answered == {"tcp": option == "tcp", "udp": option == "udp"}


def test_ipv6(ipv6):
    listen = [{**one, "address": "::1"} for one in (GREETING, HELLO)]
    with Hellod({"listen": listen}) as daemon:
        for name, options in (("greeting", ()), ("hello", ("-u", "-6"))):
            host, port = daemon.listener(name).reach
            done = ping("-c", "1", *options, host, port)
            assert done.returncode == ANSWERED and f" at [::1]:{port} over " in done.lines[0]


@pytest.mark.parametrize("framing", ("auto", "chunk", "line"))
def test_every_framing(framing):
    with Hellod({"listen": [{**GREETING, "framing": framing}]}) as daemon:
        done = ping_json("-c", "2", *PATIENT, *daemon.listener("greeting").reach)
    assert kinds(done) == [("answered", 1), ("answered", 2)]


@pytest.mark.parametrize("kind", ("stream", "seqpacket", "datagram"))
def test_paths(folder, kind):
    protocol = "hello" if kind == "datagram" else "greeting"
    listener = {"name": "x", "protocol": protocol, "type": kind, "path": f"{folder}/socket"}
    with Hellod({"listen": [listener]}):
        done = ping("-c", "2", *PATIENT, *(["-u"] if kind == "datagram" else []), f"{folder}/socket")
    name = "datagram" if kind == "datagram" else "stream"
    assert done.lines[0] == f"PING {folder}/socket at {folder}/socket over {name}"
    assert f"{name}: 2 sent, 2 answered, 0 lost (0 %)" in done.lines


@pytest.mark.parametrize("kind", ("SOCK_STREAM", "SOCK_SEQPACKET"))
def test_abstract_names(kind):
    """Such a name is looked up by type: whoever asks for the wrong one is refused, as if nobody were there."""
    with socket.socket(socket.AF_UNIX, getattr(socket, kind)) as server:
        server.bind("\0" + f"helloc-ping-{os.getpid()}")
        server.listen(8)
        server.settimeout(10 * SLOW)
        with Running("-c", "2", *PATIENT, f"@helloc-ping-{os.getpid()}") as running:
            for _ in range(2):
                client, _ = server.accept()
                with client:
                    client.sendall(PROMPT)
                    client.sendall(greeting(client.recv(100)))
            rest = running.process.stdout.read()
    assert "stream: 2 sent, 2 answered, 0 lost (0 %)" in rest


def test_path_that_changes_its_type(folder):
    """A service that is replaced by one with another type is found, and one that is away for a while."""
    path = str(folder / "socket")
    with Running("-i", "0.05", path) as running:
        for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET, socket.SOCK_STREAM):
            with Streams(hostile.friendly, path=path, kind=kind):
                running.read_until(" time=")
            running.read_until(" lost: ")
        code, _ = running.end(signal.SIGINT)
    assert code == ANSWERED


def test_path_without_anybody(folder):
    for options in ((), ("-u",)):
        done = ping(*options, *BRIEF, folder / "socket")
        # A datagram socket is connected before the first probe.
        assert done.returncode == (TROUBLE if options else NONE)
        assert "No such file or directory" in done.stdout + done.stderr


def test_other_words():
    listen = [{**one, "answer": "Na, %s? 100%%"} for one in (GREETING, HELLO)]
    with Hellod({"listen": listen}) as daemon:
        for name, options in (("greeting", ()), ("hello", ("-u",))):
            reach = daemon.listener(name).reach
            assert ping("-a", "Na, %s? 100%%", "-c", "1", *options, *reach).returncode == ANSWERED
            done = ping_json(*BRIEF, *options, *reach)
            assert done.returncode == NONE and next(iter(done.sides.values()))["altered"] == 1


@pytest.mark.parametrize("listener, template", (({**GREETING, "prompt": ""}, "Hello, %s!"), (UPPER, "%s")))
def test_without_greeting(listener, template):
    """Who does not greet is asked, too; a time that was not measured is not shown."""
    with Hellod({"listen": [listener]}) as daemon:
        reach = daemon.listener(listener["name"]).reach
        done = ping("-a", template, "-c", "2", *PATIENT, *reach)
        assert done.returncode == ANSWERED
        for number, line in enumerate(done.lines[1:3], 1):
            times = re.fullmatch(rf"tcp seq={number} connect=([0-9.]+) answer=([0-9.]+) time=([0-9.]+) ms", line)
            assert abs(float(times[1]) + float(times[2]) - float(times[3])) < 0.002
        assert "tcp: 2 sent, 2 answered, 0 lost (0 %)" in done.lines and "greeting" not in done.stdout
        done = ping_json("-a", template, "-c", "2", *PATIENT, *reach)
    assert done.returncode == ANSWERED and kinds(done) == [("answered", 1), ("answered", 2)]
    for place in (*done.events, done.sides["tcp"]):
        assert "greeting_ms" not in place and {"connect_ms", "answer_ms", "time_ms"} <= set(place)


def test_name_waits_for_greeting_once_there_was_one():
    """Else greeting and answer come together, and what each took is not to be told; a service may also cease to greet."""

    def greets_last(client, server):
        client.settimeout(0.2)
        try:
            early.append(client.recv(100))
        except socket.timeout:
            early.append(b"")
        client.settimeout(None)
        client.sendall(PROMPT)
        client.sendall(greeting(early[-1] or server.receive(client)))

    def mute(client, server):
        client.sendall(greeting(server.receive(client)))

    early = []
    manner = hostile.in_turn(greets_last, greets_last, mute, mute)
    with Streams(manner) as server:
        done = ping_json("-c", "4", "-i", 1.5 * min(SLOW, 4), "-W", 1.0 * min(SLOW, 4), *server.operands)
    assert early[0] and not early[1]
    assert kinds(done) == [("answered", 1), ("answered", 2), ("lost", 3), ("answered", 4)]
    assert ["greeting_ms" in event for event in done.events] == [True, True, False, False]


def test_greeting_of_own_words():
    with Hellod({"listen": [{**GREETING, "prompt": "Wie heißt du?\n"}]}) as daemon:
        done = ping_json("-c", "2", *PATIENT, *daemon.listener("greeting").reach)
    assert kinds(done) == [("answered", 1), ("answered", 2)] and all("greeting_ms" in event for event in done.events)


def test_the_tutorials_delay():
    with Hellod({"listen": [{**GREETING, "delay": 1.0}]}) as daemon:
        done = ping_json("-c", "1", "-W", 2 * SLOW, *daemon.listener("greeting").reach)
    assert done.events[0]["event"] == "answered" and done.events[0]["answer_ms"] > 990


def test_refusal_by_limit():
    """It was not the network, and the line says so."""
    listeners = [GREETING, {**GREETING, "name": "slow", "delay": 60.0}]
    with Hellod({"listen": listeners, "workers": 1, "limits": {"connections": 1}, "exempt": []}) as daemon:
        holder = owed(daemon)
        done = ping("-c", "1", *daemon.listener("greeting").reach)
        holder.reset()
    assert done.returncode == NONE
    assert done.lines[1] == 'tcp seq=1 lost: refused, it said "Sorry, the server is full."'


# ---- what is shown ----


@pytest.mark.parametrize("server", (Streams(hostile.escapes), Datagrams(hostile.replies_escapes)), ids=("tcp", "udp"))
def test_escapes_do_not_reach_the_terminal(server):
    options = ["-u"] if isinstance(server, Datagrams) else []
    with server:
        done = ping(*options, *BRIEF, *server.operands)
    assert all(line.isprintable() for line in done.lines)
    assert r"\x1b[2J\x1b]0;owned\x07\x9b31m\x00\x7f\xff%s%n" in done.stdout


def test_long_words_are_cut():
    with Streams(hostile.says(b"x" * 1000)) as server:
        done = ping(*BRIEF, *server.operands)
    assert f'"{160 * "x"}"...' in done.lines[1]


def test_quiet(service):
    done = ping("-q", "-c", "2", *PATIENT, *service["greeting"])
    assert done.lines[1] == "" and done.lines[2].startswith("--- ")
    done = ping("-q", "--json", "-c", "2", *PATIENT, *service["greeting"])
    assert [json.loads(line)["event"] for line in done.lines] == ["summary"]


def test_stamps(service):
    before = time.time()
    done = ping("-D", "-c", "2", *PATIENT, *service["greeting"])
    stamps = [re.match(r"\[(\d+\.\d{6})\] tcp seq=", line) for line in done.lines[1:3]]
    assert before - 1 < float(stamps[0][1]) <= float(stamps[1][1]) < time.time() + 1
    done = ping_json("-D", "-c", "1", *service["greeting"])
    assert before - 1 < done.events[0]["at"] <= done.summary["at"] < time.time() + 1


def test_json_of_all(both):
    done = ping_json("-b", "-c", "2", *PATIENT, *both)
    host, port = both
    assert done.summary["target"] == f"{host} port {port}" and done.summary["address"] == f"{host}:{port}"
    assert done.summary["seconds"] >= 0.05
    for transport, names in (("tcp", ["connect_ms", "greeting_ms", "answer_ms", "time_ms"]), ("udp", ["time_ms"])):
        side = done.sides[transport]
        events = [one for one in done.events if one["transport"] == transport]
        for name in names:
            values = [event[name] for event in events]
            assert list(side[name]) == ["min", "median", "p99", "max"]
            assert side[name]["min"] == min(values) and side[name]["max"] == max(values)
            assert side[name]["min"] <= side[name]["median"] <= side[name]["p99"] <= side[name]["max"]
        assert sum(row["count"] for row in side["histogram"]) == 2
        assert sorted(events[0]) == sorted(["event", "transport", "seq", "reordered", *names])


# ---- time, and the end ----


def test_interval_does_not_drift(service):
    done = ping_json("-c", "20", *PATIENT, *service["greeting"])
    assert done.summary["seconds"] >= 0.95 and done.sides["tcp"]["answered"] == 20


@measures
def test_interval_is_kept():
    """A server that takes 50 ms to answer makes nothing slower."""
    with Streams(hostile.slow(0.025)) as server:
        done = ping_json("-c", "20", *PATIENT, *server.operands)
    assert done.sides["tcp"]["answered"] == 20 and 1.0 <= done.summary["seconds"] < 1.5


class Running:
    """A ping without end; .lines are read as they come."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen(endless(*arguments), stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def read_until(self, pattern):
        for line in self.process.stdout:
            if re.search(pattern, line):
                return line
        raise AssertionError(f"no {pattern} in what it said")

    def end(self, number):
        self.process.send_signal(number)
        rest = self.process.stdout.read()
        return self.process.wait(10 * SLOW), rest

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@pytest.mark.parametrize("number", (signal.SIGINT, signal.SIGTERM))
def test_signals_bring_the_summary(service, number):
    with Running("-i", "0.05", *service["greeting"]) as running:
        running.read_until("^tcp seq=3 ")
        code, rest = running.end(number)
    assert code == ANSWERED and "median" in rest, rest
    assert re.search(r"^tcp: \d+ sent, \d+ answered, 0 lost \(0 %\)", rest, re.M), rest


def test_end_with_probes_under_way():
    """What was not waited for is not lost."""
    with Streams(hostile.greets_and_waits) as server:
        with Running("-W", "100", "-i", "0.5", *server.operands) as running:
            running.read_until("^PING")
            wait_until(lambda: server.asked, 10, "a name")
            code, rest = running.end(signal.SIGINT)
    assert code == NONE
    count = int(re.search(r"tcp: (\d+) sent, 0 answered, 0 lost \(0 %\), (\d+) still under way", rest)[1])
    assert f", {count} still under way" in rest


@pytest.mark.netns
@pytest.mark.parametrize("options", ((), ("-u",)), ids=str)
def test_a_system_that_may_not_send_says_nothing_of_a_service(options):
    """The way to an address where nobody is gets closed while it runs."""
    netns.ip("route add 192.0.2.0/24 dev lo")
    with Running("-i", "0.05", "-W", "0.05", *options, "192.0.2.9") as running:
        running.read_until("lost: no ")
        netns.ip("route replace prohibit 192.0.2.0/24")
        running.read_until("lost: Permission denied")
        code, rest = running.end(signal.SIGINT)
    assert code == TROUBLE and " 0 answered" in rest


def test_no_burst_after_a_stop(service):
    """What should have been sent while it was stopped is left out."""
    began = time.monotonic()
    with Running("-u", "-i", "0.05", *service["hello"]) as running:
        running.read_until("seq=2 ")
        running.process.send_signal(signal.SIGSTOP)
        stopped = time.monotonic()
        wait_until(lambda: time.monotonic() > stopped + 1, 5, "a second")
        running.process.send_signal(signal.SIGCONT)
        running.read_until("seq=4 ")
        _, rest = running.end(signal.SIGINT)
    took = time.monotonic() - began
    assert int(re.search(r"udp: (\d+) sent", rest)[1]) <= (took - 1) / 0.05 + 3


def test_many_under_way():
    """As many as the options allow, each with a connection of its own."""
    with Streams(hostile.greets_and_waits) as server:
        done = ping_json("-c", "100", "-i", "0.005", "-W", "2.5", *server.operands)
        wait_until(lambda: server.connections == 100, 10, "100 connections")
    assert counts(done.sides["tcp"]) == {"sent": 100, "lost": 100}
