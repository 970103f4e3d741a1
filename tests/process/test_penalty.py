"""Penalties: who offends again and again is refused for a while, by all workers, over reloads and deaths.

What a penalty is worth in time is in the unit tests. Here the first is ten seconds long, and whoever got it is looked at
at once; nothing else depends on the time that a test takes. Loopback addresses are not exempt here.
"""

import re
import socket
import time
from contextlib import ExitStack, suppress

import pytest

import netns
from configs import GREETING, HELLO, UPPER
from controlled import helloctl
from hellodtest import EXIT_CONFIG, Hellod, refused, run
from reloads import Service
from rude import IDLE, SOURCE, TOO_LONG
from watch import wait_until
from workers import killed, settled

FORGIVEN = 4
LIGHT = 64  # refusals that are worth an offence
LINES = {**GREETING, "framing": "line"}


def counting(listen=None, **limits):
    """A config with LIMITS in which every source counts."""
    return {"listen": listen or [LINES], "exempt": [], "limits": limits}


def offend(daemon, source, count=1, name="greeting"):
    """COUNT offences of SOURCE, which are counted when this returns."""
    before = daemon.counters()["closed_too_long"]
    for number in range(count):
        with daemon.connect(name, source=(source, 0)).greeted() as client:
            client.send(b"x" * 1025)
            client.expect_end(TOO_LONG + b"\n")
        daemon.wait_for_counter("closed_too_long", before + number + 1)


def is_refused(daemon, source, name="greeting"):
    """Whether SOURCE is refused for its offences; else it must be served."""
    before = daemon.counters()["refused_penalty"]
    with daemon.connect(name, source=(source, 0)) as client:
        if daemon.counters()["refused_penalty"] > before or client.receive(len(SOURCE)) == SOURCE:
            return True
        client.exchange(b"Bob\n")
    return False


def silent_for_long():
    """Waits until whoever said nothing may be sent away in favour of others."""
    start = time.monotonic()
    wait_until(lambda: time.monotonic() > start + 1.05, 5, "a silence that is long enough")


def lines(daemon):
    """What the log says of anybody's penalty."""
    return re.findall(r"^\S+ is refused for .*", daemon.log(), re.M)


def the_line(daemon):
    """The one line about a penalty."""
    daemon.wait_for_line(r"^\S+ is refused for ")
    (line,) = lines(daemon)
    return line


# ---- what is an offence ----


def too_long(daemon, source):
    offend(daemon, source, FORGIVEN + 1)


def never_used(daemon, source):
    with ExitStack() as stack:
        clients = [stack.enter_context(daemon.connect(source=(source, 0))) for _ in range(FORGIVEN + 1)]
        for client in clients:
            client.greeted().expect_end(IDLE)
    daemon.wait_for_counter("closed_idle", FORGIVEN + 1)


def never_reading(daemon, source):
    with ExitStack() as stack:
        for _ in range(FORGIVEN + 1):
            client = stack.enter_context(daemon.connect(source=(source, 0), receive_buffer=4096))
            with suppress(ConnectionError):  # that it is closed is what it is for
                client.send_what_fits(b"Bob\n" * 1000000)
        daemon.wait_for_counter("closed_write", FORGIVEN + 1, 20)


def flooding(daemon, source):
    enough, few = (FORGIVEN + 1) * LIGHT, 5  # some are forgotten on a slow machine
    with daemon.connect(source=(source, 0)).greeted():
        for _ in range(enough + few):
            with daemon.connect(source=(source, 0)) as client:
                client.expect_end(SOURCE)
    counters = settled(daemon)
    assert enough <= counters["refused_source"] == enough + few - counters["refused_penalty"]


@pytest.mark.parametrize(
    "manner, limits, reason",
    (
        (too_long, {}, "a message was too long"),
        (never_used, {"idle_timeout": 0.2}, "a connection was never used"),
        (never_reading, {"write_timeout": 0.2}, "answers were not read"),
        (flooding, {"per_source": 1}, "there were too many connections"),
    ),
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_offences(manner, limits, reason):
    with Hellod(counting(**limits)) as daemon:
        manner(daemon, "127.1.2.1")
        before = daemon.counters()["refused_penalty"]
        with daemon.connect(source=("127.1.2.1", 0)) as client:
            client.expect_end(SOURCE)
        assert the_line(daemon) == f"127.1.2.1 is refused for 10 seconds, after too many offences; the last: {reason}"
        assert daemon.counters()["refused_penalty"] == before + 1
        with daemon.connect(source=("127.1.2.2", 0)).greeted() as neighbour:
            neighbour.ask(b"Bob\n", b"Hello, Bob!\n")


def test_others_are_no_offences():
    def leaves(client):
        client.close()

    def breaks(client):
        client.reset()

    def speaks_and_is_silent(client):
        client.ask(b"Bob\n", b"Hello, Bob!\n")
        client.expect_end(IDLE)

    with Hellod(counting(idle_timeout=0.2)) as daemon:
        for manner in (leaves, breaks, speaks_and_is_silent):
            for _ in range(FORGIVEN + 2):
                with daemon.connect(source=("127.1.2.1", 0)).greeted() as client:
                    manner(client)
            settled(daemon)
        assert not lines(daemon) and daemon.counters()["refused_penalty"] == 0


def test_evicted_is_no_offender():
    config = {**counting(connections=FORGIVEN + 1), "workers": 1}
    with Hellod(config) as daemon, ExitStack() as stack:

        def come(source):
            connect = (daemon.connect(source=(source, 0)) for _ in range(FORGIVEN + 1))
            return [stack.enter_context(client).greeted() for client in connect]

        silent = come("127.1.2.1")
        silent_for_long()
        come("127.1.2.2")
        for client in silent:
            client.expect_end(IDLE)
        assert daemon.counters()["closed_evicted"] == FORGIVEN + 1 and not lines(daemon)


# ---- who is refused, and for how long ----


def test_a_few_are_forgiven():
    with Hellod(counting()) as daemon:
        offend(daemon, "127.1.2.1", FORGIVEN)
        assert not is_refused(daemon, "127.1.2.1")
        offend(daemon, "127.1.2.1")
        assert is_refused(daemon, "127.1.2.1")


def test_comes_back_and_is_told_of_once():
    with Hellod(counting(penalty=0.5)) as daemon:
        offend(daemon, "127.1.2.1", FORGIVEN + 1)
        daemon.wait_for_line(r"^127\.1\.2\.1 is refused for 0\.5 seconds")
        wait_until(lambda: not is_refused(daemon, "127.1.2.1"), 5, "an offender to be served again")
        offend(daemon, "127.1.2.1")
        offend(daemon, "127.1.2.2", FORGIVEN + 1)
        daemon.wait_for_line(r"^127\.1\.2\.2 is refused for 0\.5 seconds")
        assert len(lines(daemon)) == 2


def test_no_penalty():
    with Hellod(counting(penalty=0.0)) as daemon:
        offend(daemon, "127.1.2.1", FORGIVEN + 4)
        assert not is_refused(daemon, "127.1.2.1") and not lines(daemon)


def test_exempt_and_local_clients_commit_no_offences(folder):
    path = {**LINES, "name": "path", "path": str(folder / "socket")}
    del path["address"], path["port"]
    config = {**counting([LINES, path]), "exempt": ["127.1.2.0/24"]}
    with Hellod(config) as daemon:
        offend(daemon, "127.1.2.1", FORGIVEN + 2)
        assert not is_refused(daemon, "127.1.2.1")
        for _ in range(FORGIVEN + 2):
            with daemon.connect("path").greeted() as client:
                client.send(b"x" * 1025)
                client.expect_end(TOO_LONG + b"\n")
        with daemon.connect("path").greeted() as client:
            client.ask(b"Bob\n", b"Hello, Bob!\n")
        assert not lines(daemon)


def test_datagrams_are_answered_all_the_same():
    with Hellod(counting([LINES, UPPER, HELLO])) as daemon:
        offend(daemon, "127.1.2.1", FORGIVEN + 1)
        # On all listeners for streams, and on no other.
        assert is_refused(daemon, "127.1.2.1") and is_refused(daemon, "127.1.2.1", "upper")
        with daemon.datagrams(bind=("127.1.2.1", 0)) as client:
            for _ in range(FORGIVEN + 1):
                client.send(b"x" * 1025)
            client.expect(b"Bob", b"Hello, Bob!")


def test_nobody_makes_room_for_an_offender():
    config = {**counting(connections=1), "workers": 1}
    with Hellod(config) as daemon:
        offend(daemon, "127.1.2.1", FORGIVEN + 1)
        with daemon.connect(source=("127.1.2.2", 0)).greeted() as silent:
            silent_for_long()
            assert is_refused(daemon, "127.1.2.1")
            silent.ask(b"Bob\n", b"Hello, Bob!\n")


def test_lists_come_first():
    with Hellod(counting([LINES, {**LINES, "name": "closed", "deny": ["127.1.2.1"]}])) as daemon:
        offend(daemon, "127.1.2.1", FORGIVEN + 1)
        with daemon.connect("closed", source=("127.1.2.1", 0)) as client:
            client.expect_end(b"")
        counters = daemon.counters()
        assert counters["refused_access"] == 1 and counters["refused_penalty"] == 0


@pytest.mark.netns
def test_ipv6_source_is_a_64():
    for address in ("1:1::1", "1:1::2", "1:1:ff::3", "1:2::1"):
        netns.ip(f"addr add fd00:0:{address}/128 dev lo nodad")
    with Hellod(counting([{**LINES, "address": "::"}])) as daemon:
        offend(daemon, "fd00:0:1:1::1", FORGIVEN)
        offend(daemon, "fd00:0:1:1::2")
        assert is_refused(daemon, "fd00:0:1:1:ff::3") and not is_refused(daemon, "fd00:0:1:2::1")
        assert the_line(daemon).startswith("fd00:0:1:1::/64 is refused for 10 seconds")


@pytest.mark.netns
def test_ipv4_client_is_one_source_on_both_kinds_of_socket():
    # An IPv4 client that comes through a socket for both families has a mapped address.
    with socket.socket(socket.AF_INET6) as both, socket.socket() as plain:
        both.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        both.bind(("::", 3288))
        plain.bind(("127.0.0.1", 3289))
        for one in (both, plain):
            one.listen(100)
        listeners = [{**LINES, "address": "*", "port": 3288}, {**LINES, "name": "plain", "port": 3289}]
        with Hellod(counting(listeners), sockets=[("greeting", both), ("plain", plain)]) as daemon:
            offend(daemon, "127.0.0.1", FORGIVEN + 1, "plain")
            with socket.create_connection(("127.0.0.1", 3288), 5) as mapped:
                assert mapped.recv(100) == SOURCE


# ---- over workers, deaths and reloads ----


def test_workers_count_together_and_tell_once():
    # With a socket each, the kernel spreads the ports of one source over them.
    listen = [{**LINES, "per_worker": True}]
    with Hellod({**counting(listen), "workers": 4}) as daemon:
        offend(daemon, "127.1.2.1", FORGIVEN + 1)
        for _ in range(20):
            assert is_refused(daemon, "127.1.2.1")
        the_line(daemon)
        judges = [block["refused_penalty"] > 0 for block in daemon.scoreboard()["blocks"]]
        assert sum(judges) > 1


def test_reload_and_deaths_forget_nothing():
    config = counting()
    with Service(config) as service:
        offend(service, "127.1.2.1", FORGIVEN - 2)
        service.reload(config)
        offend(service, "127.1.2.1")
        # Other tables of connections, the same of offences.
        service.reload({**config, "workers": 3})
        offend(service, "127.1.2.1")
        service.alone()
        for pid in service.workers():
            killed(pid)
        service.alone()
        offend(service, "127.1.2.1")
        assert is_refused(service, "127.1.2.1")
        for pid in service.workers():
            killed(pid)
        assert is_refused(service, "127.1.2.1")


@pytest.mark.parametrize("freed", (counting(penalty=0.0), {**counting(), "exempt": ["127.1.2.1"]}), ids=("off", "exempt"))
def test_reload_sets_free(freed):
    with Service(counting()) as service:
        offend(service, "127.1.2.1", FORGIVEN + 1)
        service.reload(freed)
        assert not is_refused(service, "127.1.2.1")


# ---- what is told ----


def test_status_shows_who_was_refused():
    with Service(counting()) as service:
        offend(service, "127.1.2.1", FORGIVEN + 1)
        assert is_refused(service, "127.1.2.1")
        told = helloctl("-s", service.control_path, "status").stdout.decode()
        assert "1  connections refused: its address has offended too often\n" in told
        assert sum(worker["drops"] for worker in service.status().workers) == 1


def test_dump_tells_the_memory_which_is_constant(tmp_path):
    file, found = tmp_path / "hellod.conf", set()
    for text in ("", "workers = 256; limits = { connections = 100000; };", "limits = { penalty = 0.0; };"):
        file.write_text(text)
        words = "# Memory for penalties, however many offenders there are: "
        found.add(re.search(rf"^{words}(\d+) bytes$", run("-c", file, "-T").stdout, re.M)[1])
    assert len(found) == 1 and 2**19 <= int(found.pop()) < 2**19 + 4096


@pytest.mark.parametrize(
    "setting, message",
    (
        ("penalty = -1.0;", "limits.penalty must be 0..86400 seconds, not -1"),
        ("penalty = 86401.0;", "limits.penalty must be 0..86400 seconds, not 86401"),
        ("penalties = 1.0;", 'did you mean "limits.penalty"?'),
    ),
)
def test_config_errors(setting, message):
    with refused(f"limits = {{ {setting} }};", EXIT_CONFIG) as failed:
        assert message in failed.log()
