"""Hello on UDP: exact answers, each rule of the guard on and off, and answers from the
address that was asked.

Loops with other services are in test_loops.py, local datagram sockets in test_local.py.
"""

import os
import signal
import socket
from contextlib import contextmanager

import pytest

import netns
from clients import Datagram, greeting, tutorial_udp
from configs import GREETING, HELLO
from hellodtest import EXIT_CONFIG, Hellod, refused
from watch import process_state, seeded, wait_until

RULES = ("oversize", "empty", "port", "source", "destination", "reply", "text", "rate", "budget")
ALL_OFF = {rule: False for rule in RULES if rule != "oversize"}
EVERYWHERE = {**HELLO, "address": "*"}
IP_FREEBIND = 15  # <linux/in.h>


@pytest.fixture(scope="module")
def daemon():
    with Hellod({"listen": [HELLO, {**HELLO, "name": "open", "guard": ALL_OFF}]}) as running:
        yield running


@contextmanager
def dropped(daemon, rule, count=1):
    """Asserts that the block sends COUNT datagrams which RULE, and no other, drops, and that none is answered."""
    before = daemon.at_rest()
    yield
    wait_until(
        lambda: daemon.counters()["datagrams"] >= before["datagrams"] + count, 5, "the datagrams to be received"
    )
    after = daemon.at_rest()
    about = [name for name in after if name.startswith(("datagram", "drop_"))]
    changed = {name: after[name] - before[name] for name in about if after[name] != before[name]}
    assert changed == {"datagrams": count, f"drop_{rule}": count}


# ---- answers ----


@pytest.mark.parametrize("last", ("", "quit"))
def test_tutorial_conversation(daemon, last):
    assert tutorial_udp(daemon.address("hello"), ["Bob", "Zoë", "disconnect", last, "never sent"]) == [
        "From server: Hello, Bob!",
        "From server: Hello, Zoë!",
        "From server: Hello, disconnect!",
    ]


@pytest.mark.parametrize("listener", ("hello", "open"))
def test_names_of_all_lengths(daemon, listener):
    with daemon.datagrams(listener) as client:
        for length in (1, 2, 3, 4, 7, 8, 9, 100, 1023, 1024):
            client.expect(b"n" * length, greeting(b"n" * length))


def test_text_of_all_kinds(daemon):
    with daemon.datagrams() as client:
        names = ["Zoë", "日本", "😀", "a b", "!", "%s%n", "Hello", "Hello, ", "\u00a0", "\ufeff", "\U0010fffd"]
        for name in names:
            client.expect(name.encode(), greeting(name.encode()))


def test_one_line_ending_is_cut_off(daemon):
    with daemon.datagrams() as client:
        client.expect(b"Bob\n", b"Hello, Bob!")
        client.expect(b"Bob\r\n", b"Hello, Bob!")
        client.expect(b"n" * 1022 + b"\r\n", greeting(b"n" * 1022))


def test_own_answer():
    with Hellod({"listen": [{**HELLO, "answer": "%s: 100%% grüßt"}]}) as daemon:
        with daemon.datagrams() as client:
            client.expect(b"Bob", "Bob: 100% grüßt".encode())


def test_200_at_once(daemon):
    names = [b"name %d" % i for i in range(200)]
    with daemon.datagrams() as client:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        for name in names:
            client.send(name)
        got = {client.receive()[0] for _ in names}
    assert got == {greeting(name) for name in names}


def test_200_waiting_when_the_worker_looks():
    # A stopped worker finds them all at once: more than one batch.
    names = [b"name %d" % i for i in range(200)]
    with Hellod({"workers": 1, "listen": [HELLO]}) as daemon, daemon.datagrams() as client:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        (worker,) = daemon.workers()
        os.kill(worker, signal.SIGSTOP)
        wait_until(lambda: process_state(worker) == "T", 5, "the worker to stop")
        for name in names:
            client.send(name)
        os.kill(worker, signal.SIGCONT)
        assert [client.receive()[0] for _ in names] == [greeting(name) for name in names]
        assert daemon.at_rest()["datagram_answers"] == 200


def test_many_clients_each_get_their_own(daemon):
    clients = [daemon.datagrams() for _ in range(100)]
    try:
        for number, client in enumerate(clients):
            client.send(b"%d" % number)
        for number, client in enumerate(clients):
            assert client.receive()[0] == b"Hello, %d!" % number
    finally:
        for client in clients:
            client.close()


def test_clients_that_are_gone_hurt_nobody(daemon):
    # Their answers come back as ICMP errors, which a connected socket would report at the next receive.
    before = daemon.at_rest()["datagrams"]
    for _ in range(50):
        with daemon.datagrams() as client:
            client.send(b"Bob")
    wait_until(lambda: daemon.counters()["datagrams"] == before + 50, 5, "50 datagrams to be received")
    with daemon.datagrams() as client:
        for _ in range(50):
            client.expect(b"Bob", b"Hello, Bob!")


def test_busy_streams_do_not_stop_datagrams():
    with Hellod({"workers": 1, "listen": [GREETING, HELLO], "limits": {"connections": 4}}) as daemon:
        streams = [daemon.connect() for _ in range(8)]
        with daemon.datagrams() as client:
            client.expect(b"Bob", b"Hello, Bob!")
        for stream in streams:
            stream.close()


def random_words(chance):
    """A template: characters, among them percent signs, and the place of the name."""
    sides = ("".join(chance.choices("abé日!, %", k=chance.choice((0, 3, 50)))) for _ in range(2))
    return "%s".join(side.replace("%", "%%") for side in sides)


def random_datagram(chance, message_size, answer):
    """Bytes of any kind around MESSAGE_SIZE, or like an ANSWER."""
    length = chance.choice((0, 1, 2, chance.randrange(message_size + 1), message_size, message_size + 1))
    kind = chance.choice(("bytes", "text", "answer"))
    if kind == "bytes":
        return chance.randbytes(length)
    text = "".join(chance.choices("Bob!\r\n", k=length))
    return (answer.replace("%%", "%").replace("%s", text) if kind == "answer" else text).encode()


def test_no_answer_is_longer_than_template_and_datagram():
    # And there is one answer, or none. What bounds an answer bounds what a forged source can be sent with our help.
    chance = seeded()
    listeners = []
    for number in range(6):
        own = {"answer": random_words(chance), "message_size": chance.choice((16, 200, 1024, 9000))}
        guard = {rule: chance.random() < 0.3 for rule in ALL_OFF}
        listeners.append({**HELLO, "name": f"l{number}", "guard": guard, **own})
    with Hellod({"workers": 1, "listen": listeners}) as daemon:
        for listener in listeners:
            words = listener["answer"].replace("%%", "%").encode()
            second = words.replace(b"%s", b"*end*", 1)
            with daemon.datagrams(listener["name"]) as client:
                for _ in range(100):
                    data = random_datagram(chance, listener["message_size"], listener["answer"])
                    client.send(data)
                    # The worker takes them in order: behind the answer, if there is one, comes that to the second.
                    first = client.ask(b"*end*")
                    if first != second:
                        assert len(first) <= len(words) - len("%s") + len(data), (listener, data)
                        assert client.receive()[0] == second, (listener, data)
                    assert client.quiet()
        totals = daemon.at_rest()
        assert 600 < totals["datagram_answers"] <= totals["datagrams"] == 1200


# ---- the guard: what is dropped, and that it is answered with the rule off ----

CONTROL = [b"Bob\n\n", b"Bo\nb", b"\n\n", b"Bob\0", b"\x1b[2J", b"a\tb", b"Bob\r", b"\x7f", "\u0080".encode()]
NOT_UTF8 = [b"\xff", b"Bob\xc3", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x80", b"\xe2\x82"]
REPLIES = [b"Hello, Bob!", b"Hello, !", b"Hello, Hello, Bob!!", "Hello, Zoë!".encode(), b"Hello, Bob!\r\n"]


@pytest.mark.parametrize("data", CONTROL + NOT_UTF8, ids=repr)
def test_text(daemon, data):
    with daemon.datagrams() as client, dropped(daemon, "text"):
        client.send(data)
    with daemon.datagrams("open") as client:
        client.expect(data, greeting(data))


@pytest.mark.parametrize("data", REPLIES, ids=repr)
def test_reply(daemon, data):
    with daemon.datagrams() as client, dropped(daemon, "reply"):
        client.send(data)
    with daemon.datagrams("open") as client:
        client.expect(data, greeting(data))


def test_reply_of_own_and_of_built_in_template():
    with Hellod({"listen": [{**HELLO, "answer": "Salve, %s."}]}) as daemon, daemon.datagrams() as client:
        for reply in (b"Salve, Bob.", b"Hello, Bob!"):
            with dropped(daemon, "reply"):
                client.send(reply)
        client.expect(b"Salve, Bob!", b"Salve, Salve, Bob!.")


@pytest.mark.parametrize("data", (b"", b"\n", b"\r\n"), ids=repr)
def test_empty(daemon, data):
    with daemon.datagrams() as client, dropped(daemon, "empty"):
        client.send(data)
    with daemon.datagrams("open") as client:
        client.expect(data, greeting(data))


@pytest.mark.parametrize("listener", ("hello", "open"))
@pytest.mark.parametrize("length", (1025, 1026, 2048, 65507))
def test_oversize(daemon, listener, length):
    # Never cut and answered: that would make the loop of two servers endless.
    with daemon.datagrams(listener) as client, dropped(daemon, "oversize"):
        client.send(b"n" * length)


def test_oversize_follows_message_size():
    with Hellod({"listen": [{**HELLO, "message_size": 16}]}) as daemon, daemon.datagrams() as client:
        client.expect(b"n" * 16, greeting(b"n" * 16))
        with dropped(daemon, "oversize"):
            client.send(b"n" * 17)


def test_oversize_cannot_be_switched_off():
    with refused({"listen": [{**HELLO, "guard": {"oversize": False}}]}, EXIT_CONFIG) as failed:
        assert failed.where("oversize") in failed.log()


def test_own_port(daemon):
    # Another address of this machine, the same port: what a second server would send from.
    for listener, expected in (("hello", None), ("open", b"Hello, Bob!")):
        address = daemon.address(listener)
        with Datagram(address, bind=("127.0.0.2", address[1])) as client:
            if expected:
                client.expect(b"Bob", expected)
            else:
                with dropped(daemon, "port"):
                    client.send(b"Bob")


def test_port_of_another_listener_is_own_too(daemon):
    with Datagram(daemon.address("hello"), bind=("127.0.0.2", daemon.address("open")[1])) as client:
        with dropped(daemon, "port"):
            client.send(b"Bob")


def bound_below_1024(address):
    for port in range(1023, 511, -1):
        try:
            return Datagram(address, bind=("127.0.0.1", port))
        except PermissionError:
            pytest.skip("only root may bind ports below 1024")
        except OSError:
            continue
    return pytest.skip("no port below 1024 is free")


def test_port_below_1024(daemon):
    with bound_below_1024(daemon.address("hello")) as client, dropped(daemon, "port"):
        client.send(b"Bob")
    with bound_below_1024(daemon.address("open")) as client:
        client.expect(b"Bob", b"Hello, Bob!")


def test_broadcast_on_loopback():
    willing = {"guard": {"destination": False}}
    with Hellod({"listen": [EVERYWHERE, {**EVERYWHERE, "name": "open", **willing},
                            {**HELLO, "name": "there", "address": "127.255.255.255", **willing}]}) as daemon:
        for listener in ("hello", "open", "there"):
            port = daemon.address(listener, socket.AF_INET)[1]
            with Datagram(("127.255.255.255", port)) as client:
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
                if listener == "hello":
                    with dropped(daemon, "destination"):
                        client.send(b"Bob")
                else:
                    client.send(b"Bob")
                    answer, source = client.receive()
                    assert answer == b"Hello, Bob!"
                    assert source[0] != "127.255.255.255"


def test_without_the_guard_it_is_the_original(daemon):
    chance = seeded()
    with daemon.datagrams("open") as client:
        for data in (b"", b"\n", b"Bob\n", b"Bob\r\n", b"\0", bytes(range(256)), b"Hello, Bob!", b"disconnect"):
            client.expect(data, greeting(data))
        for _ in range(200):
            data = chance.randbytes(chance.randrange(0, 1025))
            client.expect(data, greeting(data))


def test_one_rule_off_leaves_the_others_on():
    probes = {"empty": b"", "reply": b"Hello, Bob!", "text": b"\xff"}
    listeners = [{**HELLO, "name": rule, "guard": {rule: False}} for rule in probes]
    with Hellod({"listen": listeners}) as daemon:
        for off in probes:
            with daemon.datagrams(off) as client:
                for rule, data in probes.items():
                    if rule == off:
                        client.expect(data, greeting(data))
                    else:
                        with dropped(daemon, rule):
                            client.send(data)


# ---- the address that was asked ----


@pytest.mark.parametrize("per_worker", (False, True))
def test_answers_come_from_the_asked_address(per_worker):
    # Failure 43: a server on a wildcard address answered from whatever address the route chose.
    with Hellod({"listen": [{**EVERYWHERE, "per_worker": per_worker}]}) as daemon:
        port = daemon.address("hello", socket.AF_INET)[1]
        for host in ("127.0.0.1", "127.0.0.2", "127.200.1.9"):
            with Datagram((host, port)) as client:
                client.expect(b"Bob", b"Hello, Bob!")


def test_answers_come_from_the_one_address():
    # Such a socket needs not be told.
    with Hellod({"listen": [{**HELLO, "address": "127.200.1.9"}]}) as daemon, daemon.datagrams() as client:
        client.expect(b"Bob", b"Hello, Bob!")


def test_answers_come_from_the_asked_address_ipv6(ipv6):
    with Hellod({"listen": [EVERYWHERE]}) as daemon, daemon.datagrams(family=socket.AF_INET6) as client:
        client.expect(b"Bob", b"Hello, Bob!")


def wired(neighbour):
    """Two wires to NEIGHBOUR, with two addresses a family on the first of our ends."""
    ours = ["10.1.0.1/24", "10.1.0.3/24", "fd00:1::1/64", "fd00:1::3/64"]
    neighbour.wire("w1", "f1", ours, ["10.1.0.2/24", "fd00:1::2/64"])
    neighbour.wire("w2", "f2", ["10.2.0.1/24", "fd00:2::1/64"], ["10.2.0.2/24", "fd00:2::2/64"])


@pytest.mark.netns
def test_two_addresses_and_two_routes():
    # Failure 43 again, with real routes: the client asks an address that lies behind the other wire.
    with netns.Neighbour() as neighbour, Hellod({"listen": [EVERYWHERE]}) as daemon:
        wired(neighbour)
        netns.ip("route add 10.2.0.1/32 via 10.1.0.1 src 10.1.0.2", inside=neighbour.pid)
        netns.ip("route add fd00:2::1/128 via fd00:1::1 src fd00:1::2", inside=neighbour.pid)
        with neighbour.inside():
            for host in ("10.1.0.1", "10.1.0.3", "10.2.0.1"):
                with Datagram((host, daemon.address("hello", socket.AF_INET)[1])) as client:
                    client.expect(b"Bob", b"Hello, Bob!")
            for host in ("fd00:1::1", "fd00:1::3", "fd00:2::1"):
                with Datagram((host, daemon.address("hello", socket.AF_INET6)[1])) as client:
                    client.expect(b"Bob", b"Hello, Bob!")


@pytest.mark.netns
def test_link_local_addresses():
    # The same address on both wires: only the interface tells the clients apart.
    with netns.Neighbour() as neighbour, Hellod({"listen": [EVERYWHERE]}) as daemon:
        wired(neighbour)
        port = daemon.address("hello", socket.AF_INET6)[1]
        for near, far in (("w1", "f1"), ("w2", "f2")):
            netns.add_address("fe80::1:1/64", near)
            netns.add_address("fe80::1:2/64", far, inside=neighbour.pid)
        with neighbour.inside():
            for far in ("f1", "f2"):
                scope = socket.if_nametoindex(far)
                with Datagram(("fe80::1:1", port, 0, scope), bind=("fe80::1:2", 0, 0, scope)) as client:
                    client.send(b"Bob")
                    answer, source = client.receive()
                    assert (answer, source[1], source[3]) == (b"Hello, Bob!", port, scope)
                    assert source[0].partition("%")[0] == "fe80::1:1"


@pytest.mark.netns
def test_broadcast_to_a_socket_that_is_older_than_its_network():
    # A socket unit with FreeBind=: the kernel, which could not know its address for a broadcast's, would send from it.
    with netns.Neighbour() as neighbour, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
        sock.bind(("10.1.0.255", 0))
        port = sock.getsockname()[1]
        wired(neighbour)
        listener = {**HELLO, "address": "10.1.0.255", "port": port, "guard": {"destination": False}}
        with Hellod({"listen": [listener]}, sockets=[sock]), neighbour.inside():
            with Datagram(("10.1.0.255", port), bind=("10.1.0.2", 0)) as client:
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
                client.send(b"Bob")
                assert client.receive() == (b"Hello, Bob!", ("10.1.0.1", port))


# ---- nobody is reflected, nobody loops ----


@pytest.mark.netns
@pytest.mark.parametrize("rule", (True, False), ids=("on", "off"))
def test_broadcast_and_multicast(rule):
    with netns.Neighbour() as neighbour:
        wired(neighbour)
        with Hellod({"listen": [{**EVERYWHERE, "guard": {"destination": rule}}]}) as daemon, neighbour.inside():
            scope = socket.if_nametoindex("f1")
            for host in ("10.1.0.255", "255.255.255.255", "224.0.0.1", "ff02::1"):
                family = socket.AF_INET6 if ":" in host else socket.AF_INET
                port = daemon.address("hello", family)[1]
                with Datagram((host, port), bind=("fd00:1::2" if ":" in host else "10.1.0.2", 0)) as client:
                    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
                    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"f1")
                    if family == socket.AF_INET6:
                        client.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, scope)
                    if rule:
                        with dropped(daemon, "destination"):
                            client.send(b"Bob")
                        assert client.quiet()
                    else:
                        client.send(b"Bob")
                        wait_until(lambda: not client.quiet(), 5, f"an answer to {host}")
                        answer, source = client.receive()
                        assert answer == b"Hello, Bob!"
                        assert source[0] != host


@pytest.mark.netns
@pytest.mark.parametrize("rule", (True, False), ids=("on", "off"))
def test_loopback_source_from_outside(rule):
    with netns.Neighbour() as neighbour:
        wired(neighbour)
        # A kernel with its usual settings drops these itself; here it lets them in.
        for name in ("all", "w1"):
            netns.sysctl(f"ipv4/conf/{name}/route_localnet", 1)
            netns.sysctl(f"ipv4/conf/{name}/accept_local", 1)
            netns.sysctl(f"ipv4/conf/{name}/rp_filter", 0)
        with Hellod({"listen": [{**EVERYWHERE, "guard": {"source": rule}}]}) as daemon:
            target = ("10.1.0.1", daemon.address("hello", socket.AF_INET)[1])
            # As itself the neighbour is welcome; and afterwards it knows our hardware address.
            with neighbour.inside(), Datagram(target) as client:
                client.expect(b"Bob", b"Hello, Bob!")
            with Datagram(("127.0.0.1", target[1]), bind=("127.0.0.1", 0)) as local:
                claimed = local.socket.getsockname()
                if rule:
                    with dropped(daemon, "source"), neighbour.inside():
                        netns.spoof(claimed, target, b"Bob")
                    assert local.quiet()
                else:
                    with neighbour.inside():
                        netns.spoof(claimed, target, b"Bob")
                    assert local.receive()[0] == b"Hello, Bob!"
                # On loopback itself the same source is welcome.
                local.expect(b"Bob", b"Hello, Bob!")


@pytest.mark.netns
def test_source_port_0():
    with Hellod({"listen": [HELLO]}) as daemon, dropped(daemon, "port"):
        netns.spoof(("127.0.0.1", 0), daemon.address("hello"), b"Bob")
