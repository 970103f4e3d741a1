"""Who may use a listener: its lists of allowed and denied networks, for connections and datagrams, on sockets of both
families, over reloads, and when they are as long as can be.

Loopback addresses, of which there are many, are the sources here.
"""

import socket

import pytest

import netns
from clients import Datagram, Stream
from configs import GREETING, HELLO, write_config
from controlled import helloctl
from hellodtest import EXIT_CONFIG, EXIT_OK, Hellod, refused, run
from reloads import Service, owed
from watch import descriptors, wait_until
from workers import grown_fates, settled

LINES = {**GREETING, "framing": "line"}
LISTS = {"allow": ["127.1.0.0/16", "127.1.2.3", "127.2.2.2"], "deny": ["127.1.2.0/24", "127.0.0.0/8"]}
IN, OUT = ("127.1.1.1", "127.1.2.3", "127.2.2.2"), ("127.1.2.2", "127.1.2.4", "127.2.2.3", "127.0.0.1")


def serving(listener=LINES, **options):
    """A config of two listeners, for connections like LISTENER and for datagrams, with the lists in OPTIONS."""
    return {"listen": [{**listener, **options}, {**HELLO, **options}]}


def is_served(daemon, source, name="greeting"):
    """Whether SOURCE, which must get either the prompt or nothing at all, may connect."""
    with daemon.connect(name, source=(source, 0)) as client:
        first = client.read(1)
        if first:
            assert first == b"W"
        else:
            client.expect_end()
        return bool(first)


def is_answered(daemon, source, name="hello"):
    """Whether SOURCE, whose datagram must come to one end or the other, gets an answer."""
    before = daemon.at_rest()
    with daemon.datagrams(name, bind=(source, 0)) as client:
        client.send(b"Bob")
        wait_until(lambda: daemon.counters()["datagrams"] > before["datagrams"], 5, "a datagram to be received")
        after = daemon.at_rest()
        grown = grown_fates(before, after)
        if "drop_access" in grown:
            assert grown == {"datagrams": 1, "drop_access": 1} and client.quiet()
            return False
        assert grown == {"datagrams": 1, "datagram_answers": 1}
        assert client.receive()[0] == b"Hello, Bob!"
        return True


# ---- who may ----


def test_the_smallest_network_decides():
    with Hellod(serving(**LISTS)) as daemon:
        for source in IN:
            assert is_served(daemon, source) and is_answered(daemon, source)
        for source in OUT:
            assert not is_served(daemon, source) and not is_answered(daemon, source)
        settled(daemon)
        counters = daemon.counters()
        assert counters["refused_access"] == counters["drop_access"] == len(OUT)
        assert counters["accepted"] == counters["datagram_answers"] == len(IN)


def test_order_has_no_meaning():
    turned = {key: networks[::-1] for key, networks in LISTS.items()}
    with Hellod(serving(**turned)) as daemon:
        assert all(is_served(daemon, source) and is_answered(daemon, source) for source in IN)
        assert not any(is_served(daemon, source) or is_answered(daemon, source) for source in OUT)


@pytest.mark.parametrize(
    "lists, served, others",
    (
        ({}, "127.1.1.1", None),
        ({"allow": [], "deny": []}, "127.1.1.1", None),
        ({"allow": ["127.1.1.1"]}, "127.1.1.1", "127.1.1.2"),
        ({"deny": ["127.1.1.0/24"]}, "127.1.2.1", "127.1.1.2"),
        ({"deny": ["::/0"]}, None, "127.1.1.1"),
        ({"deny": ["::/0"], "allow": ["0.0.0.0/0"]}, "127.1.1.1", None),
    ),
)
def test_one_list_alone(lists, served, others):
    with Hellod(serving(**lists)) as daemon:
        assert served is None or (is_served(daemon, served) and is_answered(daemon, served))
        assert others is None or not (is_served(daemon, others) or is_answered(daemon, others))


def test_lists_are_of_one_listener():
    listeners = [{**LINES, "deny": ["127.0.0.0/8"]}, {**LINES, "name": "open"}, {**HELLO, "allow": ["10.0.0.0/8"]}]
    with Hellod({"listen": [*listeners, {**HELLO, "name": "free"}]}) as daemon:
        assert not is_served(daemon, "127.0.0.1") and is_served(daemon, "127.0.0.1", "open")
        assert not is_answered(daemon, "127.0.0.1") and is_answered(daemon, "127.0.0.1", "free")


def test_exempt_sources_are_refused_all_the_same():
    with Hellod({**serving(deny=["127.1.1.1"]), "exempt": ["127.0.0.0/8"]}) as daemon:
        assert not is_served(daemon, "127.1.1.1") and not is_answered(daemon, "127.1.1.1")


def test_denied_sources_take_nothing():
    # Neither a place, nor a line in the access log, nor the attention of the guard.
    config = {**serving(deny=["127.1.1.1"]), "workers": 1, "limits": {"connections": 1}, "log": {"access": True}}
    with Hellod(config) as daemon, daemon.connect().greeted() as client:
        (worker,) = daemon.workers()
        before = descriptors(worker)
        for _ in range(20):
            assert not is_served(daemon, "127.1.1.1")
        with daemon.datagrams(bind=("127.1.1.1", 0)) as rude:
            for data in (b"", b"\0", b"x" * 2000, b"Hello, Bob!"):
                rude.send(data)
            wait_until(lambda: daemon.counters()["drop_access"] == 4, 5, "datagrams to be dropped")
        wait_until(lambda: descriptors(worker) == before, 5, "the server to close")
        counters = settled(daemon, live=1)
        assert counters["refused_access"] == 20 and counters["refused_full"] == 0 and counters["accepted"] == 1
        assert not any(counters[name] for name in counters if name.startswith("drop_") and name != "drop_access")
        client.ask(b"Bob\n", b"Hello, Bob!\n")
        assert "127.1.1.1" not in daemon.log()


@pytest.mark.netns
def test_ipv6():
    netns.ip("route add local fd00::/16 dev lo")
    netns.sysctl("ipv6/ip_nonlocal_bind", 1)
    lists = {"allow": ["fd00:0:1::/48", "fd00:0:2::5"], "deny": ["fd00:0:1:1::/64"]}
    with Hellod({"listen": [{**LINES, "address": "::", **lists}, {**HELLO, "address": "::", **lists}]}) as daemon:
        for source in ("fd00:0:1::1", "fd00:0:1:2::1", "fd00:0:2::5"):
            assert is_served(daemon, source) and is_answered(daemon, source)
        for source in ("fd00:0:1:1::1", "fd00:0:2::6", "::1"):
            assert not is_served(daemon, source) and not is_answered(daemon, source)


@pytest.mark.netns
def test_ipv4_through_a_socket_for_both_families():
    # There an IPv4 client has a mapped address.
    kinds = {"greeting": socket.SOCK_STREAM, "hello": socket.SOCK_DGRAM}
    sockets = [(name, socket.socket(socket.AF_INET6, kind)) for name, kind in kinds.items()]
    for _, both in sockets:
        both.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        both.bind(("::", 3288))
    sockets[0][1].listen()
    config = serving({**LINES, "port": 3288}, deny=["127.0.0.0/8"])
    config = {"listen": [{**listener, "address": "*", "port": 3288} for listener in config["listen"]]}
    with Hellod(config, sockets=sockets) as daemon:
        with Stream(("127.0.0.1", 3288)) as client:
            client.expect_end()
        with Stream(("::1", 3288)) as client:
            client.greeted()
        with Datagram(("127.0.0.1", 3288)) as client:
            client.send(b"Bob")
            wait_until(lambda: daemon.counters()["drop_access"] == 1, 5, "a datagram to be dropped")
        with Datagram(("::1", 3288)) as client:
            client.expect(b"Bob", b"Hello, Bob!")
        assert daemon.counters()["refused_access"] == 1


# ---- reload ----


def test_reload_takes_new_lists_up():
    with Service(serving()) as service:
        service.reload(serving(deny=["127.1.1.1"]))
        assert not is_served(service, "127.1.1.1") and not is_answered(service, "127.1.1.1")
        assert is_served(service, "127.1.1.2") and is_answered(service, "127.1.1.2")
        service.reload(serving(allow=["127.1.1.1"]))
        assert is_served(service, "127.1.1.1") and is_answered(service, "127.1.1.1")
        assert not is_served(service, "127.1.1.2") and not is_answered(service, "127.1.1.2")
        service.fails(serving(allow=["127.1.1.2"], deny=["127.1.1.2"]))
        assert is_served(service, "127.1.1.1") and not is_served(service, "127.1.1.2")


def test_reload_leaves_those_who_are_there_alone():
    slow = {**LINES, "delay": 1.0}
    with Service(serving(slow)) as service, owed(service, "greeting") as client:
        service.reload(serving(slow, deny=["127.0.0.0/8"]))
        assert not is_served(service, "127.0.0.1")
        client.expect(b"Hello, Bob!\n")


# ---- long lists ----


def test_longest_lists():
    allow = [f"127.{i // 100}.{i % 100}.1" for i in range(10000)]
    deny = [f"127.{i // 100}.{i % 100}.0/24" for i in range(10000)]
    with Hellod(serving(allow=allow, deny=deny)) as daemon:
        for source in ("127.0.0.1", "127.99.99.1", "127.50.5.1"):
            assert is_served(daemon, source) and is_answered(daemon, source)
        for source in ("127.0.0.2", "127.99.99.2", "127.50.5.255", "127.100.1.1"):
            assert not is_served(daemon, source) and not is_answered(daemon, source)


# ---- what is told ----


def test_status_shows_who_was_not_served():
    with Service(serving(deny=["127.1.1.1"])) as service:
        assert not is_served(service, "127.1.1.1") and not is_answered(service, "127.1.1.1")
        told = helloctl("-s", service.control_path, "status").stdout.decode()
        assert "1  connections refused: not from an allowed address\n" in told
        assert "1  datagrams dropped: not from an allowed address\n" in told
        assert sum(worker["drops"] for worker in service.status().workers) == 2


def test_dump_shows_the_lists(tmp_path):
    file = write_config(tmp_path, serving(allow=["10.1.2.3/8", "::ffff:192.0.2.1"], deny=["2001:db8::1/32"]))
    first = run("-c", file, "-T")
    assert first.returncode == EXIT_OK
    assert '"10.0.0.0/8",\n' in first.stdout and '"192.0.2.1"\n' in first.stdout
    assert '"2001:db8::/32"\n' in first.stdout
    file.write_text(first.stdout)
    again = run("-c", file, "-T").stdout
    assert [line.split("#")[0] for line in again.splitlines()] == [line.split("#")[0] for line in first.stdout.splitlines()]


@pytest.mark.parametrize(
    "lists, message",
    (
        ('allow = [ "10.0.0.0/33" ];', '1: allow: "10.0.0.0/33" has a number of bits other than 0..32'),
        ('deny = [ "host" ];', '1: deny: "host" is not an address'),
        ("deny = [ 1 ];", "1: deny: element 1 is not a string"),
        ('deny = "::1";', "1: deny must be an array of strings: [ ... ], not a string"),
        ('allow = [ "::1" ]; deny = [ "10.0.0.0/8", "::1/128" ];', '1: deny: "::1" is in allow, too'),
        ('path = "@hellod-lists"; allow = [ "::1" ];', "1: allow has no meaning with a path"),
        ("guard = { access = false; };", 'the guard\'s rule "access" cannot be switched off'),
        ('denys = [ "::1" ];', 'did you mean "listen.deny"?'),
    ),
)
def test_config_errors(lists, message):
    with refused(f'listen = ( {{ name = "a"; protocol = "greeting"; {lists} }} );', EXIT_CONFIG) as failed:
        assert message in failed.log()
