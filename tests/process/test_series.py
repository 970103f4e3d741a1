"""What the service has counted, for each listener: as many as there were, over reloads and deaths; how long things took;
what the kernel says of the sockets; and that all of it is in the manual.

How the lines are shown is for helloctl and its tests.
"""

import re
import sys
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path

import pytest

import netns
from configs import GREETING, HELLO
from control import parsed
from hellodtest import TREE
from reloads import Service
from watch import wait_until
from workers import killed, replaced, settled, slots, stopped

LINES = {**GREETING, "framing": "line"}
PACKETS = {"name": "more", "protocol": "greeting", "type": "stream", "address": "127.0.0.1", "port": 0, "framing": "line"}
WITHOUT_NETLINK = [sys.executable, "-I", "-S", str(Path(__file__).with_name("without_family.py")), "AF_NETLINK"]
BOUNDS = sorted([4 << n for n in range(19)] + [6 << n for n in range(18)])


class Series:
    """The lines for metrics of the reply to "status": .metrics (name to its line), .lines (word to a list of (name,
    labels, value))."""

    def __init__(self, service):
        with service.control() as control:
            rows = [parsed(line) for line in control.done("status")]
        self.metrics = {row["name"]: row for word, row in rows if word == "metric"}
        self.counters = {row["name"]: row for word, row in rows if word == "counter"}
        self.lines = defaultdict(list)
        for word, row in rows:
            if word in ("value", "bucket", "sum"):
                labels = {key: row[key] for key in row if key not in ("name", "value")}
                self.lines[word].append((row["name"], labels, row["value"]))

    def get(self, name, word="value", **labels):
        """The value of the one series of NAME that has LABELS."""
        (found,) = self.all(name, word, **labels)
        return found

    def all(self, name, word="value", **labels):
        return [value for one, has, value in self.lines[word] if one == name and labels.items() <= has.items()]


@pytest.fixture
def service():
    with Service({"workers": 2, "listen": [LINES, HELLO, PACKETS]}) as made:
        yield made


def ask(service, count=1, name="greeting"):
    """A conversation with COUNT questions, which the client ends."""
    with service.connect(name).greeted() as client:
        for _ in range(count):
            client.ask(b"Bob\n", b"Hello, Bob!\n")
        client.send(b"disconnect\n")
        client.expect_end()


def test_each_listener_has_its_own(service):
    for _ in range(3):
        ask(service, 2)
    ask(service, name="more")
    with service.datagrams() as client:
        for name in (b"Bob", b"Alice", b"\x07"):
            client.send(name)
        client.receive(), client.receive()
    settled(service)
    series = Series(service)
    value = series.get
    assert (value("connections_accepted", listener="greeting"), value("connections_accepted", listener="more")) == (3, 1)
    assert value("connections_closed", listener="greeting", cause="farewell") == 3
    assert (value("messages", listener="greeting"), value("answers", listener="greeting")) == (9, 6)
    assert value("received", listener="greeting") == 6 * len("Bob\n") + 3 * len("disconnect\n")
    assert value("sent", listener="greeting") == 3 * len("What's your name?") + 6 * len("Hello, Bob!\n")
    assert (value("datagrams", listener="hello"), value("datagram_answers", listener="hello")) == (3, 2)
    assert value("datagrams_dropped", listener="hello", rule="text") == 1
    assert value("received", listener="hello") == len("Bob") + len("Alice") + 1
    assert value("sent", listener="hello") == len("Hello, Bob!") + len("Hello, Alice!")
    kinds = {(has["listener"], has["protocol"], has["type"]) for _, has, _ in series.lines["value"] if "listener" in has}
    assert kinds == {("greeting", "greeting", "stream"), ("more", "greeting", "stream"), ("hello", "hello", "datagram")}


def test_series_add_up_to_the_counters(service):
    ask(service)
    with service.connect("more").greeted() as client:
        client.send(b"n" * 2000)
        client.expect(b"Sorry, a name has at most 1024 bytes.\n")
        client.expect_end()
    settled(service)
    series = Series(service)
    for prefix, family, label in (("refused_", "connections_refused", "cause"), ("closed_", "connections_closed", "cause"),
                                  ("drop_", "datagrams_dropped", "rule"), ("reloads_", "reloads", "result")):  # fmt: skip
        mine = {name.removeprefix(prefix): row["value"] for name, row in series.counters.items() if name.startswith(prefix)}
        found = defaultdict(int)
        for name, has, value in series.lines["value"]:
            if name == family:
                found[has[label]] += value
        assert found == mine
    for name in ("messages", "answers", "datagrams", "received", "sent", "handed_on"):
        assert sum(series.all(name)) == series.counters[name]["value"]


def test_every_series_has_its_family_first(service):
    ask(service)
    with service.control() as control:
        rows = [parsed(line) for line in control.done("status")]
    known, seen = {}, set()
    for word, row in rows:
        if word == "metric":
            assert set(row) == {"name", "kind", "unit", "help"} and row["name"] not in known
            assert row["kind"] in ("counter", "gauge", "histogram") and row["unit"] in ("", "bytes", "us", "ms")
            known[row["name"]] = row["kind"]
        elif word in ("value", "bucket", "sum"):
            assert (known[row["name"]] == "histogram") == (word != "value")
            series = (word, *sorted((key, value) for key, value in row.items() if key != "value"))
            assert series not in seen
            seen.add(series)


def test_open_connections_are_their_listeners(service):
    with ExitStack() as held:
        for name, count in (("greeting", 3), ("more", 2)):
            for _ in range(count):
                held.enter_context(service.connect(name).greeted())
        settled(service, live=5)
        series = Series(service)
        assert (series.get("connections", listener="greeting"), series.get("connections", listener="more")) == (3, 2)
    settled(service)
    assert Series(service).all("connections") == [0, 0]


def test_what_is_counted_outlives_worker_and_reload(service):
    ask(service)
    with service.connect().greeted():
        settled(service, live=1)
        pid = next(worker["pid"] for worker in service.status().workers if worker["connections"])
        slot = next(worker["slot"] for worker in service.status().workers if worker["connections"])
        killed(pid)
        replaced(service, slot, pid)
    series = Series(service)
    assert series.get("connections_closed", listener="greeting", cause="killed") == 1
    assert (series.get("worker_restarts"), series.get("connections", listener="greeting")) == (1, 0)
    service.reload({"workers": 1, "listen": [{**LINES, "name": "new"}]})
    ask(service, name="new")
    settled(service)
    series = Series(service)
    assert series.get("connections_accepted", listener="greeting") == 2
    assert series.get("connections_accepted", listener="new") == 1
    service.reload({"listen": [LINES]})
    ask(service)
    settled(service)
    series = Series(service)
    assert series.get("connections_accepted", listener="greeting") == 3
    assert (series.get("reloads", result="ok"), series.get("reloads", result="failed")) == (2, 0)
    assert sum(series.all("connections_accepted")) == series.counters["accepted"]["value"] == 4


def test_a_failed_reload_is_counted(service):
    assert service.fails({"listen": [], "workers": 0.5})
    assert Series(service).get("reloads", result="failed") == 1


def test_how_long_things_take(service):
    def measured():
        ask(service, 20)
        with service.datagrams() as client:
            for _ in range(20):
                client.expect(b"Bob", b"Hello, Bob!")
        series = Series(service)
        return series if all(series.all(name, "sum", listener=listener)[0] for name, listener in (
            ("greeting_time", "greeting"), ("answer_time", "greeting"), ("answer_time", "hello"))) else None  # fmt: skip

    series = wait_until(measured, 20, "some of each to be measured")
    for name, labels in (("greeting_time", {"listener": "greeting"}), ("answer_time", {"listener": "greeting"}),
                         ("answer_time", {"listener": "hello"}), ("loop_lag", {})):  # fmt: skip
        buckets = [(has.get("le"), value) for one, has, value in series.lines["bucket"] if one == name and labels.items() <= has.items()]
        assert [bound for bound, _ in buckets] == [*BOUNDS, None]
        counts = [value for _, value in buckets]
        assert counts == sorted(counts) and counts[-1] > 0
        # The sum is in whole microseconds; each bucket's are not above its bound.
        most = sum((after - before) * bound for bound, before, after in zip(BOUNDS, [0, *counts], counts))
        assert counts[-1] > counts[-2] or series.get(name, "sum", **labels) <= most


def test_what_the_kernel_holds(service):
    pids = service.workers()
    with ExitStack() as held:
        for pid in pids:
            held.enter_context(stopped(pid))
        for _ in range(3):
            held.enter_context(service.connect("more"))
        client = held.enter_context(service.datagrams())
        client.send(b"Bob")
        series = Series(service)
        assert series.get("listen_queue", listener="more") == 3 < series.get("listen_queue_limit", listener="more")
        assert 0 < series.get("receive_queue", listener="hello") < series.get("receive_queue_limit", listener="hello")
        assert series.get("kernel_drops", listener="hello") == 0
        # More than any queue has room for.
        for _ in range(series.get("receive_queue_limit", listener="hello") // 512 + 100):
            client.send(b"n" * 1000)
        assert Series(service).get("kernel_drops", listener="hello") > 0
    assert {has["address"].split()[0] for name, has, _ in series.lines["value"] if "address" in has} == {"tcp", "udp"}


def in_slots(service):
    """How often the worker of each slot was replaced."""
    return {has["slot"]: value for name, has, value in Series(service).lines["value"] if name == "slot_restarts"}


def replace(service, slot):
    pid = slots(service)[slot]["pid"]
    killed(pid)
    replaced(service, slot, pid)


def test_restarts_are_their_slots(service):
    """Over reloads, and when a slot has no worker any more."""
    config = {"listen": [LINES, HELLO, PACKETS]}
    assert in_slots(service) == {0: 0, 1: 0}
    service.reload({**config, "workers": 3})
    wait_until(lambda: len(service.workers()) == 3, 10, "the end of generation 0")
    replace(service, 2)
    replace(service, 1)
    assert in_slots(service) == {0: 0, 1: 1, 2: 1}
    service.reload()
    wait_until(lambda: len(service.workers()) == 3, 10, "the end of generation 1")
    replace(service, 1)
    assert {row["slot"]: row["restarts"] for row in service.status().workers} == {0: 0, 1: 2, 2: 1}
    service.reload({**config, "workers": 1})
    wait_until(lambda: len(service.workers()) == 1, 10, "the end of generation 2")
    assert in_slots(service) == {0: 0, 1: 2, 2: 1}
    assert Series(service).get("worker_restarts") == 3


def test_heartbeats(service):
    """A worker that stands still has none; one that is replaced does not begin anew."""

    def beats():
        return [row["heartbeats"] for row in service.status().workers]

    with service.control() as control, stopped(slots(service)[0]["pid"]):
        before = beats()
        control.done("log-level info")  # of which every worker is told
        wait_until(lambda: beats()[1] > before[1], 10, "a pass of the loop in slot 1")
        assert beats()[0] == before[0]
    wait_until(lambda: beats()[0] > before[0], 10, "a pass of the loop in slot 0")
    before = beats()
    replace(service, 0)
    assert beats()[0] >= before[0] > 0


# ---- what waits at a path ----


def at_a_path(folder, kind):
    """A listener of KIND at a path."""
    protocol = "hello" if kind == "datagram" else "greeting"
    return {"name": kind, "protocol": protocol, "type": kind, "path": str(folder / kind)}


KINDS = ("stream", "seqpacket", "datagram")
QUEUES = ("listen_queue", "listen_queue_limit", "receive_queue", "receive_queue_limit", "kernel_drops")


@pytest.mark.skipif(not netns.tells_of_unix(), reason="the kernel does not tell of sockets of AF_UNIX")
def test_what_waits_at_a_path(folder):
    listen = [{**at_a_path(folder, kind), **({} if kind == "datagram" else {"backlog": 9})} for kind in KINDS]
    with Service({"listen": listen}) as service, ExitStack() as held:
        for pid in service.workers():
            held.enter_context(stopped(pid))
        for kind, count in (("stream", 3), ("seqpacket", 4)):
            for _ in range(count):
                held.enter_context(service.connect(kind))
        series = Series(service)
        told = {(name, has["listener"]): value for name, has, value in series.lines["value"] if name in QUEUES}
        assert told == {("listen_queue", "stream"): 3, ("listen_queue_limit", "stream"): 9,
                        ("listen_queue", "seqpacket"): 4, ("listen_queue_limit", "seqpacket"): 9}  # fmt: skip
        (address,) = {has["address"] for _, has, _ in series.lines["value"] if has.get("listener") == "stream" and "address" in has}
        assert address == f"unix stream {folder / 'stream'}"


def test_who_may_not_ask_leaves_it_out(folder):
    """As for a unit whose RestrictAddressFamilies= does not have AF_NETLINK: all the rest is told."""
    listen = [LINES, *(at_a_path(folder, kind) for kind in KINDS)]
    with Service({"listen": listen}, wrapper=WITHOUT_NETLINK) as service:
        before = service.mark()
        ask(service)
        settled(service)
        series = Series(service)
        told = {has["listener"] for name, has, _ in series.lines["value"] if name in QUEUES}
        assert told == {"greeting"} and set(QUEUES) <= set(series.metrics)
        assert series.get("connections_accepted", listener="greeting") == 1
        assert service.mark() == before


# ---- the manual ----


def test_the_manual_has_every_counter(service):
    page = (TREE / "man" / "hellod.8").read_text(encoding="utf-8")
    section = re.search(r"\n\.Sh COUNTERS\n(.*?)\n\.Sh ", page, re.S)[1]
    entries = re.findall(r"^\.It Li (\w+)\n((?:[^.].*\n?)+)", section, re.M)
    assert {name: " ".join(text.split()) for name, text in entries} == {
        name: row["help"] for name, row in Series(service).counters.items()}  # fmt: skip
