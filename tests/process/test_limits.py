"""Limits: connections of a worker, of a source and of a prefix; descriptors; what one client can make the daemon hold.

Idle timeouts are in test_greeting.py.
"""

import grp
import os
import pwd
import resource
import shutil
import socket
import statistics
import threading
import time
from contextlib import suppress

import pytest

import netns
from clients import PROMPT, greeting, timed
from configs import GREETING, HELLO, UPPER
from hellodtest import EXIT_CONFIG, Hellod, refused
from reloads import owed
from rude import FULL, IDLE, SOURCE
from watch import SLOW, cpu_seconds, descriptors, private_bytes, wait_until
from workers import SANITIZED, measures, refused_in_all, settled, spread, stopped

SOON = 1 * SLOW  # what is granted at once is there within this time
LINES = {**GREETING, "framing": "line"}
SLOW_LINES = {**LINES, "name": "slow", "delay": 60.0}  # whoever is owed an answer there keeps its place


def hears(client, sentence):
    """Asserts that CLIENT hears SENTENCE and then a clean end."""
    with client:
        client.expect_end(sentence)
        # No reset behind it either: on another network it could have overtaken the sentence.
        assert client.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0


def close_all(clients):
    for client in clients:
        client.close()


def reset_all(clients):
    """Ends those who are owed an answer: an end of file would be noticed after the delay."""
    for client in clients:
        client.reset()


# ---- connections of a worker ----


def test_one_too_many_is_told_and_the_next_finds_room():
    with Hellod({"workers": 1, "listen": [LINES, SLOW_LINES, HELLO], "limits": {"connections": 4}}) as daemon:
        clients = [owed(daemon) for _ in range(4)]
        for _ in range(3):
            hears(daemon.connect(), FULL)
        assert daemon.counters()["refused_full"] == 3
        # Datagrams have no part in it.
        with daemon.datagrams() as other:
            other.expect(b"Bob", b"Hello, Bob!")
        clients.pop().reset()
        settled(daemon, live=3)
        took, newcomer = timed(lambda: daemon.connect().greeted())
        assert took < SOON
        with newcomer:
            newcomer.ask(b"Bob\n", b"Hello, Bob!\n")
        settled(daemon, live=3)
        clients.append(owed(daemon))
        hears(daemon.connect(), FULL)
        reset_all(clients)
        assert settled(daemon)["accepted"] == 6


@pytest.mark.parametrize("size", (6, 5000, 300000))
def test_refused_client_that_has_spoken_hears_why(size):
    # What it sent is unread when the server closes: a plain close would reset the connection, sentence and all.
    with Hellod({"workers": 1, "listen": [LINES, SLOW_LINES], "limits": {"connections": 1}}) as daemon:
        holder = owed(daemon)
        (worker,) = daemon.workers()
        with stopped(worker):
            client = daemon.connect()
            sent = client.send_what_fits(b"x" * size)
        assert sent > min(size, 60000) - 1
        client.expect_end(FULL)
        for _ in range(3):  # it may go on
            client.send(b"x" * size)
        hears(client, b"")
        holder.reset()


def test_all_of_two_hundred_refused_at_once_hear_why():
    # More than there are places for clients that are being refused.
    with Hellod({"workers": 1, "listen": [LINES, SLOW_LINES], "limits": {"connections": 1}}) as daemon:
        holder = owed(daemon)
        (worker,) = daemon.workers()
        before = descriptors(worker)
        with stopped(worker):
            clients = [daemon.connect() for _ in range(200)]
            for client in clients:
                client.send(b"Bob\n" * 25)
        for client in clients:
            hears(client, FULL)
        assert daemon.counters()["refused_full"] == 200
        wait_until(lambda: descriptors(worker) == before, 5, "the descriptors of those refused to be closed")
        holder.reset()


def test_refused_client_that_stays_is_closed_after_a_while():
    with Hellod({"workers": 1, "listen": [LINES, SLOW_LINES], "limits": {"connections": 1}}) as daemon:
        holder = owed(daemon)
        (worker,) = daemon.workers()
        before = descriptors(worker)
        with daemon.connect() as stubborn:
            stubborn.expect_end(FULL)
            assert descriptors(worker) == before + 1
            wait_until(lambda: descriptors(worker) == before, 5, "the server to close")
        holder.reset()


def test_refused_clients_take_no_place_of_others():
    # Each refused client that does not close is there for a while, until the server gives it up.
    config = {"workers": 1, "listen": [LINES], "exempt": [], "limits": {"connections": 2, "per_source": 1}}
    with Hellod(config) as daemon:
        first = daemon.connect(source=("127.1.2.1", 0)).greeted()
        many = [daemon.connect(source=("127.1.2.1", 0)) for _ in range(200)]
        for client in many:
            client.expect_end(SOURCE)
        with daemon.connect(source=("127.1.2.2", 0)).greeted() as other:
            other.ask(b"Bob\n", b"Hello, Bob!\n")
            assert daemon.counters()["refused_source"] == 200
            assert refused_in_all(daemon.counters()) == 200
        close_all([first, *many])
        settled(daemon)


@pytest.mark.parametrize("burst", (False, True), ids=("one at a time", "at once"))
def test_nobody_is_refused_before_all_are_full(burst):
    with Hellod({"workers": 4, "listen": [LINES, SLOW_LINES], "limits": {"connections": 8}}) as daemon:
        for _ in range(3):
            if burst:
                clients = [daemon.connect() for _ in range(32)]
                for client in clients:
                    client.greeted()
            else:
                clients = [daemon.connect().greeted() for _ in range(32)]
            settled(daemon, live=32)
            assert set(spread(daemon).values()) == {8}
            assert refused_in_all(daemon.counters()) == 0
            close_all(clients)
            settled(daemon)
            assert daemon.counters()["closed_evicted"] == 0
        clients = [owed(daemon) for _ in range(32)]
        took, _ = timed(lambda: hears(daemon.connect(), FULL))
        assert took < SOON
        reset_all(clients)


def test_full_worker_comes_back_as_soon_as_it_has_room():
    with Hellod({"workers": 2, "listen": [LINES], "limits": {"connections": 4}}) as daemon:
        clients = [daemon.connect().greeted() for _ in range(8)]
        waited = []
        for _ in range(60):
            settled(daemon, live=8)  # who is greeted is counted a little later
            clients.pop(0).close()
            settled(daemon, live=7)
            took, client = timed(lambda: daemon.connect().greeted())
            waited.append(took)
            clients.append(client)
        print(f"a place is taken {statistics.mean(waited):.4f} s after it was left, {max(waited):.4f} s at worst")
        assert max(waited) < SOON
        # Nobody waits until a full worker looks up again, which it does ten times a second.
        assert SANITIZED or sum(took > 0.04 for took in waited) <= 3
        close_all(clients)


# ---- silent clients make room ----


def silent_since(start):
    """Waits until a client that was silent from START on may be evicted."""
    wait_until(lambda: time.monotonic() > start + 1.1, 5, "a second of silence")


def test_longest_silent_makes_room():
    with Hellod({"workers": 1, "listen": [LINES], "limits": {"connections": 2}}) as daemon:
        speaks, start = daemon.connect().greeted(), time.monotonic()
        silent = daemon.connect().greeted()
        refused_so_far = 0

        def comes():
            nonlocal refused_so_far
            speaks.ask(b"Bob\n", b"Hello, Bob!\n")
            client = daemon.connect()
            if client.read(1) == PROMPT[:1]:
                return client
            hears(client, FULL[1:])
            refused_so_far += 1
            return None

        newcomer = wait_until(comes, 5, "a newcomer to be admitted")
        assert time.monotonic() - start >= 0.99  # who was just greeted stays; the worker's clock has ticks of 4 ms
        newcomer.expect(PROMPT[1:])
        hears(silent, IDLE)
        for client in (newcomer, speaks):
            client.ask(b"Bob\n", b"Hello, Bob!\n")
        close_all([newcomer, speaks])
        totals = settled(daemon)
        assert (totals["accepted"], totals["closed_evicted"], totals["closed_idle"]) == (3, 1, 0)
        assert totals["refused_full"] == refused_so_far


def test_who_is_owed_an_answer_does_not_make_room():
    with Hellod({"workers": 1, "listen": [LINES, SLOW_LINES], "limits": {"connections": 2}}) as daemon:
        waits, silent = owed(daemon), daemon.connect().greeted()
        for _ in range(2):
            silent_since(time.monotonic())
            newcomer = daemon.connect().greeted()
            hears(silent, IDLE)
            silent = newcomer
        assert waits.quiet()
        silent.close()
        waits.reset()
        totals = settled(daemon)
        assert totals["closed_evicted"] == 2 and refused_in_all(totals) == 0


def test_who_has_spoken_unheard_does_not_make_room():
    # The worker was held up: what it has not read yet is no silence.
    with Hellod({"workers": 1, "listen": [LINES], "limits": {"connections": 2}}) as daemon:
        clients = [daemon.connect().greeted() for _ in range(2)]
        with stopped(daemon.workers()[0]):
            newcomer = daemon.connect()
            for client in clients:
                client.send(b"Bob\n")
            silent_since(time.monotonic())
        hears(newcomer, FULL)
        for client in clients:
            client.expect(b"Hello, Bob!\n")
        close_all(clients)
        assert settled(daemon)["closed_evicted"] == 0


def test_nobody_makes_room_for_one_too_many_from_a_source():
    config = {"workers": 1, "listen": [LINES], "exempt": [], "limits": {"connections": 1, "per_source": 1}}
    with Hellod(config) as daemon:
        first = daemon.connect(source=("127.1.2.1", 0)).greeted()
        silent_since(time.monotonic())
        hears(daemon.connect(source=("127.1.2.1", 0)), SOURCE)
        assert first.quiet()
        second = daemon.connect(source=("127.1.2.2", 0)).greeted()
        # The source of the one evicted has its place back at once, although this one does not close.
        silent_since(time.monotonic())
        third = daemon.connect(source=("127.1.2.1", 0)).greeted()
        hears(first, IDLE)
        hears(second, IDLE)
        third.close()
        totals = settled(daemon)
        assert (totals["closed_evicted"], totals["refused_source"], totals["refused_full"]) == (2, 1, 0)


def test_nobody_makes_room_while_a_sibling_has_some():
    with Hellod({"workers": 2, "listen": [LINES], "limits": {"connections": 2}}) as daemon:
        clients = [daemon.connect().greeted() for _ in range(3)]
        silent_since(time.monotonic())
        clients.append(daemon.connect().greeted())
        settled(daemon, live=4)
        assert daemon.counters()["closed_evicted"] == 0
        silent_since(time.monotonic())
        clients.append(daemon.connect().greeted())
        totals = settled(daemon, live=4)
        assert totals["closed_evicted"] == 1 and refused_in_all(totals) == 0
        assert set(spread(daemon).values()) == {2}
        close_all(clients)
        settled(daemon)


# ---- connections of a source ----

SMALL = {"connections": 64, "per_source": 3, "per_prefix": 5, "penalty": 0.0}


@pytest.fixture(scope="module")
def counting():
    """Four workers that count everybody but 127.1.2.9 and 127.9.0.0/16; one listener more than usual."""
    config = {"workers": 4, "listen": [LINES, UPPER], "exempt": ["127.1.2.9", "127.9.0.0/16"], "limits": SMALL}
    with Hellod(config) as daemon:
        yield daemon


def come(daemon, source, count, name="greeting"):
    """COUNT connections from SOURCE, greeted; they are there until close_all()."""
    how = {} if name == "greeting" else {"prompt": b""}
    return [daemon.connect(name, source=(source, 0)).greeted(**how) for _ in range(count)]


def test_one_too_many_from_a_source(counting):
    clients = come(counting, "127.1.2.1", 3)
    before = counting.counters()
    for _ in range(8):
        hears(counting.connect(source=("127.1.2.1", 0)), SOURCE)
    after = counting.counters()
    assert after["refused_source"] - before["refused_source"] == 8
    assert after["refused_full"] == after["refused_prefix"] == before["refused_prefix"]
    clients += come(counting, "127.1.2.2", 2)
    clients.pop(0).close()
    settled(counting, live=4)
    clients += come(counting, "127.1.2.1", 1)
    hears(counting.connect(source=("127.1.2.1", 0)), SOURCE)
    close_all(clients)
    settled(counting)


def test_listeners_count_together(counting):
    clients = come(counting, "127.1.2.1", 2) + come(counting, "127.1.2.1", 1, "upper")
    settled(counting, live=3)
    hears(counting.connect(source=("127.1.2.1", 0)), SOURCE)
    hears(counting.connect("upper", source=("127.1.2.1", 0)), SOURCE)
    close_all(clients)
    settled(counting)


def test_one_too_many_from_a_prefix(counting):
    before = counting.counters()
    clients = [client for last in range(1, 6) for client in come(counting, f"127.1.2.{last}", 1)]
    hears(counting.connect(source=("127.1.2.1", 0)), SOURCE)
    hears(counting.connect(source=("127.1.2.6", 0)), SOURCE)
    assert counting.counters()["refused_prefix"] - before["refused_prefix"] == 2
    clients += come(counting, "127.1.3.1", 3)
    clients.pop(0).close()
    settled(counting, live=7)
    clients += come(counting, "127.1.2.6", 1)
    close_all(clients)
    settled(counting)


def test_exempt_sources_are_not_counted(counting):
    clients = come(counting, "127.1.2.9", 12) + come(counting, "127.9.1.2", 12)
    # They do not fill their prefix for others either.
    clients += come(counting, "127.1.2.8", 3) + come(counting, "127.1.2.7", 2)
    hears(counting.connect(source=("127.1.2.6", 0)), SOURCE)
    close_all(clients)
    settled(counting)


def test_refused_and_broken_connections_are_not_counted(counting):
    for _ in range(50):
        clients = come(counting, "127.1.2.1", 3)
        hears(counting.connect(source=("127.1.2.1", 0)), SOURCE)
        clients.pop().reset()
        clients.pop().finish()
        close_all(clients)
        settled(counting)


def test_burst_from_a_source_never_gets_more_than_its_limit(counting):
    # Four workers decide at the same moment. They may refuse the last that would have fitted, but admit none too many.
    for _ in range(10):
        clients = [counting.connect(source=("127.1.2.1", 0)) for _ in range(24)]
        first = [client.read(len(PROMPT)) for client in clients]
        assert 1 <= first.count(PROMPT) <= 3
        assert first.count(PROMPT) + first.count(SOURCE[: len(PROMPT)]) == 24
        close_all(clients)
        settled(counting)


def test_no_limit():
    config = {"listen": [LINES], "exempt": [], "limits": {"connections": 300, "per_source": 0, "per_prefix": 0}}
    with Hellod(config) as daemon:
        clients = come(daemon, "127.0.0.1", 300)
        assert refused_in_all(daemon.counters()) == 0
        close_all(clients)


def test_local_clients_have_no_source(folder):
    listener = {"name": "greeting", "protocol": "greeting", "path": str(folder / "socket")}
    config = {"listen": [listener], "exempt": [], "limits": {"per_source": 1, "per_prefix": 1}}
    with Hellod(config) as daemon:
        close_all([daemon.connect().greeted() for _ in range(10)])


@pytest.mark.netns
def test_ipv6_sources_and_prefixes():
    # A source is a /64, which one client can have all of; a prefix is a /48.
    for address in ("1:1::1", "1:1::2", "1:1:ff::3", "1:2::1", "1:3::1", "2:1::1"):
        netns.ip(f"addr add fd00:0:{address}/128 dev lo nodad")
    config = {"workers": 2, "listen": [{**LINES, "address": "::"}], "exempt": [], "limits": SMALL}

    def one(daemon, source):
        return daemon.connect(source=(f"fd00:0:{source}", 0))

    with Hellod(config) as daemon:
        clients = [one(daemon, source).greeted() for source in ("1:1::1", "1:1::2", "1:1:ff::3")]
        hears(one(daemon, "1:1::1"), SOURCE)
        assert daemon.counters()["refused_source"] == 1
        clients += [one(daemon, source).greeted() for source in ("1:2::1", "1:3::1")]
        hears(one(daemon, "1:2::1"), SOURCE)
        assert daemon.counters()["refused_prefix"] == 1
        clients.append(one(daemon, "2:1::1").greeted())
        close_all(clients)
        settled(daemon)


@pytest.mark.netns
def test_ipv4_client_is_one_source_on_both_kinds_of_socket():
    # An IPv4 client that comes through a socket for both families has a mapped address.
    with socket.socket(socket.AF_INET6) as both, socket.socket() as plain:
        both.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        both.bind(("::", 3288))
        plain.bind(("127.0.0.1", 3289))
        listeners = [{**LINES, "address": "*", "port": 3288}, {**LINES, "name": "plain", "port": 3289}]
        for one in (both, plain):
            one.listen(100)
        config = {"workers": 2, "listen": listeners, "exempt": [], "limits": SMALL}
        with Hellod(config, sockets=[("greeting", both), ("plain", plain)]) as daemon:
            clients = come(daemon, "127.0.0.1", 1, "plain")
            mapped = [socket.create_connection(("127.0.0.1", 3288)) for _ in range(2)]
            settled(daemon, live=3)
            hears(daemon.connect("plain"), SOURCE)
            close_all(clients + mapped)


# ---- clients that do not read ----


def test_client_that_does_not_read_is_cut_off():
    config = {"workers": 1, "listen": [LINES], "limits": {"write_timeout": 1.5}}
    with Hellod(config) as daemon, daemon.connect(receive_buffer=4096) as client, daemon.connect().greeted() as other:
        start = time.monotonic()
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            while True:
                client.send(b"Bob\n" * 4096)
        assert time.monotonic() - start >= 0.5
        other.ask(b"Bob\n", b"Hello, Bob!\n")
        daemon.wait_for_counter("closed_write", 1)


def send_until_cut_off(client, data):
    """Sends DATA; that it cannot be sent is for others to notice."""
    with suppress(OSError):
        client.send(data)


def test_slow_reader_is_not_cut_off():
    # The timeout is for silence, not for slowness: each bit that the client takes counts.
    config = {"workers": 1, "listen": [LINES], "limits": {"write_timeout": 0.5, "idle_timeout": 0.5}}
    lines = 1000000
    with Hellod(config) as daemon, daemon.connect(receive_buffer=4096) as client:
        feeder = threading.Thread(target=send_until_cut_off, args=(client, b"Bob\n" * lines))
        feeder.start()
        client.expect(PROMPT)
        got, start = b"", time.monotonic()

        def some_more():
            nonlocal got
            got += client.read(8 * 1024)
            return time.monotonic() - start > 1.5

        wait_until(some_more, 10, "three write timeouts of slow reading")
        assert daemon.scoreboard()["live"] == 1
        got += client.read(100 * 1024)
        assert got == (b"Hello, Bob!\n" * lines)[: len(got)]
        client.reset()
        feeder.join(10 * SLOW)


def test_answers_are_in_order_for_one_who_reads_late():
    names = [b"name %d" % i for i in range(60000)]
    with Hellod({"workers": 1, "listen": [LINES]}) as daemon, daemon.connect(receive_buffer=4096) as client:
        lines = b"".join(name + b"\n" for name in names) + b"disconnect\n"
        feeder = threading.Thread(target=client.send, args=(lines,))
        feeder.start()

        def stuck():
            seen = daemon.counters()["answers"]
            return seen if seen == stuck.before and seen else setattr(stuck, "before", seen)

        stuck.before = 0
        wait_until(stuck, 10, "the server to stop reading")
        assert client.rest() == PROMPT + b"".join(greeting(name) + b"\n" for name in names)
        feeder.join(10 * SLOW)
        assert settled(daemon)["messages"] == len(names) + 1


@measures
def test_one_client_makes_the_daemon_hold_one_buffer():
    with Hellod({"workers": 1, "listen": [LINES], "limits": {"write_timeout": 30.0}}) as daemon:
        (worker,) = daemon.workers()
        with daemon.connect().greeted() as client:
            client.ask(b"Bob\n", b"Hello, Bob!\n")
        settled(daemon)
        before = private_bytes(worker)
        greedy = [daemon.connect(receive_buffer=4096) for _ in range(2)]
        sent = sum(client.send_what_fits(b"Bob\n" * 25_000_000) for client in greedy)
        grown = private_bytes(worker) - before
        print(f"{sent} bytes sent by clients that do not read: {grown} bytes more")
        assert sent > 100_000
        assert grown <= len(greedy) * 16 * 1024 + 16 * 1024  # and a page here and there
        close_all(greedy)


# ---- descriptors ----


def of_our_user():
    """For a daemon whose limits we change while it runs: that takes the same user, or a right that root may lack."""
    if os.geteuid() != 0:
        return {}
    return {"user": pwd.getpwuid(0).pw_name, "group": grp.getgrgid(os.getegid()).gr_name}


def leave_free(pid, free):
    """Lowers PID's soft limit so that it can open FREE descriptors more."""
    taken, limit = {int(fd) for fd in os.listdir(f"/proc/{pid}/fd")}, 0
    while free or limit in taken:
        free -= limit not in taken
        limit += 1
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]))


@measures
def test_descriptor_famine_without_a_spin():
    # Failure 41: a server out of descriptors was told of the waiting connection again and again, and spun.
    config = {"workers": 1, "listen": [LINES, HELLO], **of_our_user()}
    with Hellod(config) as daemon, daemon.datagrams() as other:
        (worker,) = daemon.workers()
        before = resource.prlimit(worker, resource.RLIMIT_NOFILE)
        inside = daemon.connect().greeted()
        settled(daemon, live=1)
        leave_free(worker, 3)
        waiting = [daemon.connect() for _ in range(50)]
        settled(daemon, live=4)
        pauses, used, start = daemon.counters()["accept_pauses"], cpu_seconds(worker), time.monotonic()
        wait_until(lambda: daemon.counters()["accept_pauses"] >= pauses + 10, 10, "ten pauses")
        took, used = time.monotonic() - start, cpu_seconds(worker) - used
        print(f"{used:.2f} s of CPU time in {took:.2f} s")
        assert took > 0.5 and used < 0.2 * took
        # Those who are in, and datagrams, do not suffer from it.
        inside.ask(b"Bob\n", b"Hello, Bob!\n")
        other.expect(b"Bob", b"Hello, Bob!")
        resource.prlimit(worker, resource.RLIMIT_NOFILE, before)
        took, first = timed(lambda: [client.read(len(PROMPT)) for client in waiting])
        counters = settled(daemon, live=1 + first.count(PROMPT))
        assert took < SOON
        # The descriptor that is kept in reserve tells one at each pause; nobody is dropped without a word.
        told = first.count(FULL[: len(PROMPT)])
        assert first.count(PROMPT) + told == 50 and told == counters["refused_descriptors"] <= counters["accept_pauses"]
        lines = [line for _, line in daemon.lines if "cannot accept connections" in line]
        assert len(lines) == 1 and "Too many open files" in lines[0]
        close_all([inside, *waiting])
        settled(daemon)


def test_descriptor_famine_has_no_words_for_the_denied():
    config = {"workers": 1, "listen": [{**LINES, "deny": ["127.1.1.1"]}], **of_our_user()}
    with Hellod(config) as daemon:
        (worker,) = daemon.workers()
        before = resource.prlimit(worker, resource.RLIMIT_NOFILE)
        leave_free(worker, 0)
        for _ in range(3):
            with daemon.connect(source=("127.1.1.1", 0)) as client:
                client.expect_end()
        with daemon.connect() as client:
            client.expect_end(FULL)
        counters = daemon.counters()
        assert counters["refused_access"] == 3 and counters["refused_descriptors"] == 1
        resource.prlimit(worker, resource.RLIMIT_NOFILE, before)


def without_right_to_raise():
    """Command words in front of the daemon that leave it no right to raise a hard limit; none if it has none anyway."""
    if os.geteuid() != 0:
        return []
    if not shutil.which("setpriv"):
        pytest.skip("needs setpriv (package util-linux), because root may raise every limit")
    return ["setpriv", "--bounding-set", "-sys_resource", "--inh-caps", "-sys_resource"]


@pytest.mark.parametrize("default", (False, True), ids=("given", "default"))
def test_hard_limit_too_low_for_connections(default):
    limits = {} if default else {"limits": {"connections": 500}}
    how = {"rlimits": {"RLIMIT_NOFILE": (256, 256)}, "wrapper": without_right_to_raise()}
    with refused({"listen": [GREETING], **limits}, EXIT_CONFIG, **how) as failed:
        line = next(line for _, line in failed.lines if "limits.connections" in line)
        assert "256" in line and ("4096" if default else "500") in line
        assert "default:" not in line if default else failed.where("connections") in line


def test_soft_limit_is_raised():
    how = {"rlimits": {"RLIMIT_NOFILE": (64, 2048)}, "wrapper": without_right_to_raise()}
    config = {"workers": 1, "listen": [LINES], "limits": {"connections": 500}, **of_our_user()}
    with Hellod(config, **how) as daemon:
        (worker,) = daemon.workers()
        soft, hard = resource.prlimit(worker, resource.RLIMIT_NOFILE)
        assert 500 < soft <= hard == 2048
        close_all([daemon.connect().greeted() for _ in range(300)])
