"""Rate and budget of datagrams: what a source, a prefix and all together are answered, by all workers at once, over
reloads and deaths.

Time goes on while a test asks, and on a slow machine much of it; so rates are as low as can be, one answer a second,
and what may be answered in the time that it took is granted. Loopback addresses, of which there are many, are not
exempt here.
"""

import re
import socket
import time
import uuid
from contextlib import contextmanager

import pytest

import netns
from clients import Datagram
from configs import HELLO
from controlled import helloctl
from hellodtest import EXIT_CONFIG, Hellod, refused, run
from reloads import Service
from watch import wait_until
from workers import grown_fates, killed

BURST, PREFIX_BURST = 2, 16  # of one answer a second, and of the eight of its prefix
ONE = {"per_source": 1}
NOTES_SECONDS = 30  # from one line about a prefix to the next
FEW, MANY = 40, 200  # small datagrams; so many wait in any socket, if need be


def counting(rate=None, **options):
    """A config with RATE in which every source counts."""
    return {"listen": [HELLO], "exempt": [], "rate": rate or ONE, **options}


class Asked:
    """What became of the datagrams that a block sent: .answers, .counters (name to difference), .seconds."""

    def most(self, burst, per_second):
        """How many answers a limit allows that grants BURST and so many PER_SECOND."""
        return burst + int(self.seconds * per_second)


@contextmanager
def asked(daemon, count):
    """For a block that sends COUNT datagrams: waits until each of them has come to its end."""
    result, before, start = Asked(), daemon.at_rest(), time.monotonic()
    yield result
    wait_until(
        lambda: daemon.counters()["datagrams"] >= before["datagrams"] + count, 5, "the datagrams to be received"
    )
    after = daemon.at_rest()
    result.seconds = time.monotonic() - start
    assert after["datagrams"] == before["datagrams"] + count
    result.counters = grown_fates(before, after)
    result.answers = result.counters.get("datagram_answers", 0)


def send(daemon, source, count=1, name="hello"):
    with daemon.datagrams(name, bind=(source, 0)) as client:
        for _ in range(count):
            client.send(b"Bob")


def over_rate(result, count, burst, per_second, rule="rate"):
    """Asserts that of COUNT datagrams as many were answered as the limit allows, and the others dropped for it."""
    assert burst <= result.answers <= result.most(burst, per_second) < count, result.counters
    others = count - result.answers
    assert result.counters == {"datagrams": count, "datagram_answers": result.answers, f"drop_{rule}": others}


# ---- rate ----


def test_source_over_its_rate():
    with Hellod(counting()) as daemon:
        with asked(daemon, FEW) as result:
            send(daemon, "127.1.2.1", FEW)
        over_rate(result, FEW, BURST, 1)
        # Its neighbour is none the worse for it, and it is itself again after a while.
        with daemon.datagrams(bind=("127.1.2.2", 0)) as other:
            for _ in range(BURST):
                other.expect(b"Bob", b"Hello, Bob!")
        wait_until(lambda: is_answered(daemon, "127.1.2.1"), 5, "a source to be answered again")


def is_answered(daemon, source):
    with asked(daemon, 1) as result:
        send(daemon, source)
    return result.answers == 1


def test_prefix_over_its_rate():
    with Hellod(counting()) as daemon:
        with asked(daemon, MANY) as result:
            for last in range(1, MANY + 1):
                send(daemon, f"127.1.2.{last}")
        over_rate(result, MANY, PREFIX_BURST, 8)
        assert is_answered(daemon, "127.1.3.1")


def test_default_does_not_limit_loopback():
    with Hellod({"listen": [HELLO]}) as daemon, daemon.datagrams() as client:
        for _ in range(500):
            client.expect(b"Bob", b"Hello, Bob!")
        assert daemon.at_rest()["drop_rate"] == 0


def test_default_limits_others():
    # 200 at once and 100 a second; they are asked one after the other, which takes far less than a second for ten.
    with Hellod({"listen": [HELLO], "exempt": []}) as daemon:
        with asked(daemon, 200) as result, daemon.datagrams() as client:
            for _ in range(200):
                client.expect(b"Bob", b"Hello, Bob!")
        assert result.answers == 200


def test_exempt_source():
    with Hellod(counting(exempt=["127.1.2.1", "127.9.0.0/16"])) as daemon:
        with asked(daemon, 3 * FEW) as result:
            for source in ("127.1.2.1", "127.9.1.2", "127.9.2.1"):
                send(daemon, source, FEW)
        assert result.answers == 3 * FEW
        # They take nothing from their prefix either.
        assert is_answered(daemon, "127.1.2.2")


def test_no_rate():
    with Hellod(counting({"per_source": 0})) as daemon:
        with asked(daemon, FEW) as result:
            send(daemon, "127.1.2.1", FEW)
        assert result.answers == FEW


def test_rule_off_for_one_listener():
    free = {**HELLO, "name": "free", "guard": {"rate": False}}
    with Hellod(counting(listen=[HELLO, free])) as daemon:
        with asked(daemon, FEW) as result:
            send(daemon, "127.1.2.1", FEW, "free")
        assert result.answers == FEW
        with asked(daemon, FEW) as result:
            send(daemon, "127.1.2.1", FEW)
        over_rate(result, FEW, BURST, 1)


def test_listeners_count_together():
    with Hellod(counting(listen=[HELLO, {**HELLO, "name": "second"}])) as daemon:
        with asked(daemon, FEW) as result:
            send(daemon, "127.1.2.1", FEW // 2)
            send(daemon, "127.1.2.1", FEW // 2, "second")
        over_rate(result, FEW, BURST, 1)


def test_what_the_guard_drops_does_not_count():
    with Hellod(counting()) as daemon:
        with asked(daemon, FEW + BURST) as result, daemon.datagrams(bind=("127.1.2.1", 0)) as client:
            for _ in range(FEW):
                client.send(b"\0")
            for _ in range(BURST):
                client.expect(b"Bob", b"Hello, Bob!")
        assert result.counters["drop_text"] == FEW


@pytest.mark.netns
def test_ipv6_sources_and_prefixes():
    # A source is a /64, which one client can have all of; a prefix is a /48.
    hosts = [f"fd00:0:1:1::{last:x}" for last in range(1, 11)]
    networks = [f"fd00:0:2:{last:x}::1" for last in range(1, MANY + 1)]
    netns.ip("route add local fd00::/16 dev lo")
    netns.sysctl("ipv6/ip_nonlocal_bind", 1)
    with Hellod(counting(listen=[{**HELLO, "address": "::"}])) as daemon:
        with asked(daemon, FEW) as result:
            for source in hosts:
                send(daemon, source, FEW // len(hosts))
        over_rate(result, FEW, BURST, 1)
        daemon.wait_for_line(r"^fd00:0:1::/48 is over its rate")
        with asked(daemon, MANY) as result:
            for source in networks:
                send(daemon, source)
        over_rate(result, MANY, PREFIX_BURST, 8)
        assert is_answered(daemon, "fd00:0:3::1")


@pytest.mark.netns
def test_ipv4_client_is_one_source_on_both_kinds_of_socket():
    # An IPv4 client that comes through a socket for both families has a mapped address.
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as both, socket.socket(type=socket.SOCK_DGRAM) as plain:
        both.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        both.bind(("::", 3288))
        plain.bind(("127.0.0.1", 3289))
        listeners = [{**HELLO, "address": "*", "port": 3288}, {**HELLO, "name": "plain", "port": 3289}]
        with Hellod(counting(listen=listeners), sockets=[("hello", both), ("plain", plain)]) as daemon:
            with asked(daemon, FEW) as result:
                send(daemon, "127.0.0.1", FEW // 2, "plain")
                with Datagram(("127.0.0.1", 3288)) as mapped:
                    for _ in range(FEW // 2):
                        mapped.send(b"Bob")
            over_rate(result, FEW, BURST, 1)
            daemon.wait_for_line(r"^127\.0\.0\.0/24 is over its rate")


# ---- budget ----


def test_budget_is_for_everybody_together():
    # The exempt included.
    config = counting({"budget": 1}, exempt=["127.1.0.0/16"])
    with Hellod(config) as daemon:
        with asked(daemon, FEW) as result:
            for last in range(1, FEW + 1):
                send(daemon, f"127.1.2.{last}")
        over_rate(result, FEW, 1, 1, "budget")
        daemon.wait_for_line(r"^the service is over its budget of answers; datagrams dropped since the last line about it: \d+$")


def test_budget_off_for_one_listener():
    free = {**HELLO, "name": "free", "guard": {"budget": False}}
    with Hellod({"listen": [HELLO, free], "rate": {"budget": 1}}) as daemon:
        with asked(daemon, FEW) as result:
            send(daemon, "127.1.2.1", FEW, "free")
        assert result.answers == FEW
        with asked(daemon, FEW) as result:
            send(daemon, "127.1.2.1", FEW)
        over_rate(result, FEW, 1, 1, "budget")


def test_local_clients_have_no_rate_but_a_budget():
    listener = {"name": "hello", "protocol": "hello", "type": "datagram", "path": f"@hellod-{uuid.uuid4()}"}
    with Hellod(counting({"per_source": 1, "budget": 5}, listen=[listener])) as daemon:
        with asked(daemon, MANY) as result, daemon.datagrams() as client:
            for _ in range(MANY):
                client.send(b"Bob")  # waits, as the queue of a local socket is short
        over_rate(result, MANY, 5, 5, "budget")


# ---- dry run ----


def test_dry_run_answers_and_counts():
    with Hellod(counting({"per_source": 1, "budget": 1, "dry_run": True})) as daemon:
        with asked(daemon, FEW) as result, daemon.datagrams(bind=("127.1.2.1", 0)) as client:
            for _ in range(FEW):
                client.send(b"Bob")
            for _ in range(FEW):
                assert client.receive()[0] == b"Hello, Bob!"
        would = {name: result.counters.pop(f"would_drop_{name}") for name in ("rate", "budget")}
        assert result.counters == {"datagrams": FEW, "datagram_answers": FEW}
        assert FEW - result.most(BURST, 1) <= would["rate"] <= FEW - BURST
        assert FEW - result.most(1, 1) <= would["budget"] <= FEW - 1
        would_have = "datagrams that would have been dropped"
        daemon.wait_for_line(rf"^127\.1\.2\.0/24 is over its rate; {would_have} since the last line about it: \d+$")
        daemon.wait_for_line(rf"^the service is over its budget of answers; {would_have} since the last line about it: \d+$")


# ---- over workers, deaths and reloads ----


def answered_by(daemon):
    """The workers that have answered datagrams."""
    counted = [block["datagrams"] for block in daemon.scoreboard()["blocks"]]
    return sum(count > 0 for count in counted)


def test_workers_count_together():
    # With a socket each, the kernel spreads the ports of one source over them.
    with Hellod(counting(workers=4, listen=[{**HELLO, "per_worker": True}])) as daemon:
        with asked(daemon, FEW) as result:
            for _ in range(FEW):
                send(daemon, "127.1.2.1")
        over_rate(result, FEW, BURST, 1)
        assert answered_by(daemon) > 1


def test_reload_and_deaths_forget_nothing():
    config = counting(workers=2)
    with Service(config) as service:
        with asked(service, 4 * FEW) as result:
            send(service, "127.1.2.1", FEW)
            service.reload(config)
            send(service, "127.1.2.1", FEW)
            service.reload({**config, "workers": 3})
            send(service, "127.1.2.1", FEW)
            service.alone()
            for pid in service.workers():
                killed(pid)
            service.alone()
            send(service, "127.1.2.1", FEW)
        over_rate(result, 4 * FEW, BURST, 1)


def test_reload_with_another_rate():
    with Service(counting()) as service:
        with asked(service, BURST + FEW) as result:
            send(service, "127.1.2.1", BURST)
            service.reload(counting({"per_source": 0}))
            send(service, "127.1.2.1", FEW)
        assert result.answers == BURST + FEW


# ---- what is told ----


def test_one_line_for_a_prefix_and_few_in_all():
    with Hellod(counting(workers=4, listen=[{**HELLO, "per_worker": True}])) as daemon:
        start = time.monotonic()
        for _ in range(10):
            with asked(daemon, 40) as result:
                for last in (1, 2, 3, 4):
                    send(daemon, f"127.1.2.{last}", 10)
        assert result.counters["drop_rate"] > 0
        told = r"^(\S+) is over its rate; datagrams dropped since the last line about it: (\d+)$"
        lines = re.findall(told, daemon.log(), re.M)
        turns = 1 + int((time.monotonic() - start) / NOTES_SECONDS)  # more than one in a slow tool
        assert lines[0] == ("127.1.2.0/24", "1") and len(lines) <= turns
        for number in range(200):
            with asked(daemon, 6):
                send(daemon, f"127.2.{number}.1", 6)
        turns = 1 + int((time.monotonic() - start) / NOTES_SECONDS)
        lines = re.findall(r"^(\S+) is over its rate", daemon.log(), re.M)
        assert 30 < len(lines) <= 64 * turns
        assert turns > 1 or len(set(lines)) == len(lines)


def test_status_shows_what_was_dropped():
    with Service(counting({"per_source": 1, "budget": 3})) as service:
        with asked(service, 2 * FEW):
            send(service, "127.1.2.1", FEW)
            for number in range(FEW):
                send(service, f"127.1.{number}.1")
        told = helloctl("-s", service.control_path, "status").stdout.decode()
        assert re.search(r"\d+  datagrams dropped: over the rate of their address or network\n", told)
        assert re.search(r"\d+  datagrams dropped: over the budget of answers\n", told)
        assert sum(worker["drops"] for worker in service.status().workers) > 0
        service.reload(counting({"per_source": 1, "dry_run": True}))
        with asked(service, FEW):
            send(service, "127.1.2.1", FEW)
        told = helloctl("-s", service.control_path, "status").stdout.decode()
        assert re.search(r"\d+  datagrams over the rate of their address or network, in a dry run\n", told)


def test_dump_tells_the_memory_which_is_constant(tmp_path):
    file, found = tmp_path / "hellod.conf", set()
    for text in ("", "workers = 256; rate = { per_source = 1000000; };", "rate = { per_source = 0; budget = 0; };"):
        file.write_text(text)
        last = run("-c", file, "-T").stdout.splitlines()[-1]
        words = "# Memory for rates, whatever they are and however many sources there are: "
        found.add(re.fullmatch(rf"{words}(\d+) bytes", last)[1])
    assert len(found) == 1 and 2**20 <= int(found.pop()) < 2**20 + 4096


# ---- config ----


@pytest.mark.parametrize(
    "setting, message",
    (
        ("rate = { per_source = -1; };", "rate.per_source must be 0..1000000 answers per second, not -1"),
        ("rate = { per_source = 1000001; };", "must be 0..1000000 answers per second, not 1000001"),
        ("rate = { budget = 10000001; };", "rate.budget must be 0..10000000 answers per second, not 10000001"),
        ("rate = { dry_run = 1; };", "dry_run"),
        ("rate = { per_sources = 1; };", "per_source"),
        ('listen = ( { name = "a"; protocol = "greeting"; guard = { rate = false; }; } );', "no meaning"),
    ),
)
def test_config_errors(setting, message):
    with refused(setting, EXIT_CONFIG) as failed:
        assert message in failed.log()
