"""Sockets passed as descriptors 3, 4, ... (LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES): all right and all wrong ways.

Each wrong one must end the start with exit code 69 and a line that names the socket (descriptor, name, address), the
listener, and the line of the config that does not fit.
"""

import os
import re
import socket
import uuid
from contextlib import ExitStack

import pytest

from clients import Datagram, Stream
from configs import GREETING, HELLO
from hellodtest import EXIT_SOCKETS, Hellod, refused


TYPES = {socket.SOCK_STREAM: "stream", socket.SOCK_DGRAM: "datagram", socket.SOCK_SEQPACKET: "seqpacket"}


def on_path(path):
    """A greeting listener on PATH."""
    return {"name": "greeting", "protocol": "greeting", "type": "stream", "path": str(path)}


@pytest.fixture
def passed():
    """Makes sockets that are closed after the test."""
    with ExitStack() as stack:
        yield lambda *arguments, **options: stack.enter_context(made(*arguments, **options))


def made(kind=socket.SOCK_STREAM, host="127.0.0.1", port=0, listen=True, v6only=True, blocking=False):
    """A bound socket as systemd would make it; HOST may be a path or an abstract name with a leading NUL."""
    family = socket.AF_UNIX if host[0] in "/\0" else socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, kind)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, v6only)
    sock.bind(host if family == socket.AF_UNIX else (host, port))
    if listen and kind != socket.SOCK_DGRAM:
        sock.listen(64)
    sock.setblocking(blocking)
    return sock


def port_of(sock):
    return sock.getsockname()[1]


def talks(address):
    """The greeting is served at ADDRESS."""
    with Stream(address).greeted() as client:
        client.ask(b"Bob", b"Hello, Bob!")


def answers(address):
    """Hello is served at ADDRESS."""
    with Datagram(address) as client:
        client.expect(b"Bob", b"Hello, Bob!")


def descriptors_of(daemon):
    """Which descriptor each of DAEMON's sockets was passed as: [(listener's name, descriptor or None)]."""
    return [(listener.name, listener.fd) for listener in daemon.listeners]


# ---- what fits ----


@pytest.mark.parametrize("activation", ("auto", "require"))
def test_by_name(passed, activation):
    tcp, udp = passed(), passed(socket.SOCK_DGRAM)
    listeners = [{**GREETING, "port": port_of(tcp)}, {**HELLO, "port": port_of(udp)}]
    config = {"activation": activation, "listen": listeners}
    with Hellod(config, sockets=[("greeting", tcp), ("hello", udp)]) as daemon:
        assert sorted(descriptors_of(daemon)) == [("greeting", 3), ("hello", 4)]
        talks(tcp.getsockname())
        answers(udp.getsockname())


def test_order_does_not_matter(passed):
    tcp, udp = passed(), passed(socket.SOCK_DGRAM)
    listeners = [{**GREETING, "port": port_of(tcp)}, {**HELLO, "port": port_of(udp)}]
    with Hellod({"listen": listeners}, sockets=[("hello", udp), ("greeting", tcp)]) as daemon:
        assert sorted(descriptors_of(daemon)) == [("greeting", 4), ("hello", 3)]
        talks(tcp.getsockname())
        answers(udp.getsockname())


def test_name_decides_between_equals(passed):
    # Two listeners of one type and family; their ports are the kernel's choice, so only the names tell them apart.
    one, two = passed(), passed()
    listeners = [{**GREETING, "name": "one", "prompt": "one?"}, {**GREETING, "name": "two", "prompt": "two?"}]
    with Hellod({"listen": listeners}, sockets=[("two", two), ("one", one)]):
        for sock, prompt in ((one, b"one?"), (two, b"two?")):
            with Stream(sock.getsockname()) as client:
                client.expect(prompt)


def test_port_0_takes_any_port(passed):
    tcp = passed()
    with Hellod({"activation": "require", "listen": [GREETING]}, sockets=[("greeting", tcp)]):
        talks(tcp.getsockname())


@pytest.mark.parametrize("names", (None, "a.socket:a.socket:a.socket", "::"), ids=("none", "unit", "empty"))
def test_by_type_family_and_port(passed, names):
    # Failure 12: LISTEN_FDNAMES is optional; and a unit without FileDescriptorName= gives all its own name.
    tcp, other, udp = passed(), passed(), passed(socket.SOCK_DGRAM)
    listeners = [
        {**GREETING, "port": port_of(tcp)},
        {**GREETING, "name": "other", "prompt": "other?", "port": port_of(other)},
        {**HELLO, "port": port_of(udp)},
    ]
    config = {"activation": "require", "listen": listeners}
    with Hellod(config, sockets=[other, udp, tcp], env={"LISTEN_FDNAMES": names}) as daemon:
        assert sorted(descriptors_of(daemon)) == [("greeting", 5), ("hello", 4), ("other", 3)]
        talks(tcp.getsockname())
        answers(udp.getsockname())
        with Stream(other.getsockname()) as client:
            client.expect(b"other?")


@pytest.mark.parametrize("name", ("greeting", None), ids=("by name", "by port"))
def test_star_takes_two_sockets(passed, ipv6, name):
    # Failure 12: several descriptors with one name.
    four = passed(host="0.0.0.0")
    six = passed(host="::", port=port_of(four))
    config = {"activation": "require", "listen": [{**GREETING, "address": "*", "port": port_of(four)}]}
    with Hellod(config, sockets=[(name, four), (name, six)]) as daemon:
        assert sorted(descriptors_of(daemon)) == [("greeting", 3), ("greeting", 4)]
        talks(("127.0.0.1", port_of(four)))
        talks(("::1", port_of(four)))


@pytest.mark.parametrize("activation", ("auto", "require"))
@pytest.mark.parametrize("name", ("greeting", None), ids=("by name", "by port"))
def test_star_takes_one_socket_for_both_families(passed, ipv6, name, activation):
    # Failures 14 and 18: ListenStream=3288 without BindIPv6Only= is this; setting options on it was fatal.
    tcp = passed(host="::", v6only=False)
    listeners = [{**GREETING, "address": "*", "port": port_of(tcp)}]
    config = {"activation": activation, "listen": listeners, "log": {"access": True}}
    with Hellod(config, sockets=[(name, tcp)]) as daemon:
        assert descriptors_of(daemon) == [("greeting", 3)]
        talks(("::1", port_of(tcp)))
        daemon.wait_for_line(r"^Accept new connection from \[::1\]:\d+$")
        talks(("127.0.0.1", port_of(tcp)))
        daemon.wait_for_line(r"^Accept new connection from 127\.0\.0\.1:\d+$")


def test_datagrams_on_one_socket_for_both_families(passed, ipv6):
    udp = passed(socket.SOCK_DGRAM, host="::", v6only=False)
    config = {"activation": "require", "listen": [{**HELLO, "address": "*", "port": port_of(udp)}]}
    with Hellod(config, sockets=[("hello", udp)]) as daemon:
        for host in ("::1", "127.0.0.1", "127.0.0.2"):
            answers((host, port_of(udp)))
        with Datagram(("127.0.0.1", port_of(udp)), bind=("127.0.0.3", port_of(udp) + 1)) as client:
            client.expect(b"Bob", b"Hello, Bob!")
        # The guard sees through mapped addresses.
        with Datagram(("127.255.255.255", port_of(udp))) as client:
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            client.send(b"Bob")
            daemon.wait_for_counter("drop_destination", 1)


def test_all_kinds_together(passed, folder, ipv6):
    socks = {
        "tcp": passed(),
        "tcp6": passed(host="::1"),
        "udp": passed(socket.SOCK_DGRAM),
        "udp6": passed(socket.SOCK_DGRAM, host="::1"),
        "local": passed(host=str(folder / "local")),
        "packets": passed(socket.SOCK_SEQPACKET, host=str(folder / "packets")),
        "datagrams": passed(socket.SOCK_DGRAM, host=str(folder / "datagrams")),
        "abstract": passed(host=f"\0hellod-{uuid.uuid4()}"),
    }
    listeners = []
    for name, sock in socks.items():
        model = HELLO if sock.type == socket.SOCK_DGRAM else GREETING
        listener = {"name": name, "protocol": model["protocol"], "type": TYPES[sock.type]}
        bound = sock.getsockname()
        if sock.family == socket.AF_UNIX:
            listener["path"] = "@" + bound[1:].decode() if isinstance(bound, bytes) else bound
        else:
            listener.update(address=bound[0], port=bound[1])
        listeners.append(listener)
    for named in (True, False):
        given = [(name if named else None, sock) for name, sock in reversed(socks.items())]
        with Hellod({"activation": "require", "listen": listeners}, sockets=given) as daemon:
            assert sorted(fd for _, fd in descriptors_of(daemon)) == list(range(3, 11))
            for name, sock in socks.items():
                if sock.type == socket.SOCK_DGRAM:
                    with daemon.datagrams(name) as client:
                        client.expect(b"Bob", b"Hello, Bob!")
                else:
                    with daemon.connect(name).greeted() as client:
                        client.ask(b"Bob", b"Hello, Bob!")


def test_what_is_missing_is_bound(passed):
    tcp = passed()
    config = {"activation": "auto", "listen": [HELLO, {**GREETING, "port": port_of(tcp)}]}
    with Hellod(config, sockets=[("greeting", tcp)]) as daemon:
        assert sorted(descriptors_of(daemon)) == [("greeting", 3), ("hello", None)]
        talks(tcp.getsockname())
        answers(daemon.address("hello"))


def test_the_other_family_of_star_is_bound(passed, ipv6):
    # Failure 15: a passed socket is never bound again, only what is missing.
    four = passed(host="0.0.0.0")
    config = {"activation": "auto", "listen": [{**GREETING, "address": "*", "port": port_of(four)}]}
    with Hellod(config, sockets=[("greeting", four)]) as daemon:
        assert sorted(descriptors_of(daemon), key=str) == [("greeting", 3), ("greeting", None)]
        talks(("127.0.0.1", port_of(four)))
        talks(("::1", port_of(four)))


def test_a_blocking_socket_blocks_nobody(passed):
    # Several workers are woken for one connection; those that come late must not wait in accept.
    tcp, udp = passed(blocking=True), passed(socket.SOCK_DGRAM, blocking=True)
    listeners = [{**GREETING, "port": port_of(tcp)}, {**HELLO, "port": port_of(udp)}]
    with Hellod({"workers": 2, "listen": listeners}, sockets=[("greeting", tcp), ("hello", udp)]):
        with Stream(tcp.getsockname()).greeted() as silent:
            for _ in range(50):
                talks(tcp.getsockname())
                answers(udp.getsockname())
            silent.ask(b"Bob", b"Hello, Bob!")


def test_per_worker_is_for_sockets_of_our_own(passed):
    tcp, udp = passed(), passed(socket.SOCK_DGRAM)
    listeners = [{**GREETING, "port": port_of(tcp)}, {**HELLO, "port": port_of(udp)}]
    config = {"workers": 3, "listen": [{**listener, "per_worker": True} for listener in listeners]}
    with Hellod(config, sockets=[("greeting", tcp), ("hello", udp)]) as daemon:
        assert sorted(descriptors_of(daemon)) == [("greeting", 3), ("hello", 4)]
        for _ in range(10):
            talks(tcp.getsockname())
            answers(udp.getsockname())


def test_passed_sockets_survive(passed):
    # Nobody is refused while the daemon is down: the queue belongs to the socket, and whoever passed it still has it.
    tcp, udp = passed(), passed(socket.SOCK_DGRAM)
    config = {"listen": [{**GREETING, "port": port_of(tcp)}, {**HELLO, "port": port_of(udp)}]}
    given = [("greeting", tcp), ("hello", udp)]
    with Hellod(config, sockets=given):
        talks(tcp.getsockname())
    waiting = Stream(tcp.getsockname())
    asking = Datagram(udp.getsockname())
    waiting.send(b"Bob\n")
    asking.send(b"Bob")
    with waiting, asking, Hellod(config, sockets=given):
        waiting.expect(b"What's your name?Hello, Bob!\n")
        assert asking.receive()[0] == b"Hello, Bob!"


def test_passed_path_is_not_unlinked(passed, folder):
    path = folder / "socket"
    tcp = passed(host=str(path))
    config = {"listen": [on_path(path)]}
    for _ in range(2):
        with Hellod(config, sockets=[("greeting", tcp)]):
            talks(str(path))
        assert path.is_socket()


def test_for_another_process(passed):
    # LISTEN_PID is not ours: the variables were meant for somebody else and the descriptors are not looked at.
    tcp = passed()
    config = {"activation": "auto", "listen": [GREETING]}
    with Hellod(config, sockets=[("greeting", tcp)], env={"LISTEN_PID": 1}) as daemon:
        assert descriptors_of(daemon) == [("greeting", None)]
        talks(daemon.address("greeting"))


@pytest.mark.parametrize("variables", ({"LISTEN_FDS": "0"}, {"LISTEN_FDNAMES": ""}, {"LISTEN_FDS": "1"}), ids=str)
def test_nothing_passed(variables):
    env = {"LISTEN_PID": None, **variables}
    with Hellod({"listen": [GREETING]}, env=env) as daemon:
        assert descriptors_of(daemon) == [("greeting", None)]
        talks(daemon.address("greeting"))


# ---- what does not fit ----


def assert_blames(failed, parts, line=None, listener="greeting"):
    """Some line of the log has all of PARTS (regular expressions), LISTENER with FILE:LINE unless None; LINE says of
    which key of the listener, None that any line will do."""
    wanted = list(parts)
    if listener:
        wanted.append(rf"\b{listener}\b")
    if line:
        wanted.append(re.escape(failed.where(rf"\b{line} =", after=rf'name = "{listener}"')) + r"\b")
    elif listener:
        wanted.append(re.escape(f"{failed.config}:") + r"\d+")
    for _, text in failed.lines:
        if all(re.search(part, text) for part in wanted):
            return
    raise AssertionError(f"no line has all of {wanted}:\n{failed.log()}")


def test_right_name_wrong_type(passed):
    udp = passed(socket.SOCK_DGRAM)
    config = {"listen": [{**GREETING, "port": port_of(udp)}]}
    with refused(config, EXIT_SOCKETS, sockets=[("greeting", udp)]) as failed:
        assert_blames(failed, [r"(descriptor|socket) 3\b", re.escape(f"127.0.0.1:{port_of(udp)}")], "type")


def test_right_name_wrong_local_type(passed, folder):
    local = passed(socket.SOCK_SEQPACKET, host=str(folder / "socket"))
    config = {"listen": [on_path(folder / "socket")]}
    with refused(config, EXIT_SOCKETS, sockets=[("greeting", local)]) as failed:
        assert_blames(failed, [r"(descriptor|socket) 3\b", re.escape(str(folder / "socket"))], "type")


def test_right_name_wrong_family(passed, ipv6):
    # Failure 18: the config was edited and the socket unit was not.
    tcp = passed(host="::1")
    config = {"listen": [{**GREETING, "port": port_of(tcp)}]}
    with refused(config, EXIT_SOCKETS, sockets=[("greeting", tcp)]) as failed:
        assert_blames(failed, [r"(descriptor|socket) 3\b", "family", re.escape(f"[::1]:{port_of(tcp)}")], "address")


@pytest.mark.parametrize("address", ("127.0.0.1", "*"))
def test_right_name_local_socket_for_an_address(passed, folder, address):
    local = passed(host=str(folder / "socket"))
    config = {"listen": [{**GREETING, "address": address}]}
    with refused(config, EXIT_SOCKETS, sockets=[("greeting", local)]) as failed:
        assert_blames(failed, [r"(descriptor|socket) 3\b", "family", re.escape(str(folder / "socket"))], "address")


@pytest.mark.parametrize("host", ("127.0.0.2", "0.0.0.0"))
def test_right_name_wrong_address(passed, host):
    tcp = passed(host=host)
    config = {"listen": [{**GREETING, "port": port_of(tcp)}]}
    with refused(config, EXIT_SOCKETS, sockets=[("greeting", tcp)]) as failed:
        assert_blames(failed, [r"(descriptor|socket) 3\b", re.escape(f"{host}:{port_of(tcp)}")], "address")


def test_right_name_one_address_for_star(passed):
    tcp = passed(host="127.0.0.1")
    config = {"listen": [{**GREETING, "address": "*", "port": port_of(tcp)}]}
    with refused(config, EXIT_SOCKETS, sockets=[("greeting", tcp)]) as failed:
        assert_blames(failed, [r"(descriptor|socket) 3\b", re.escape(f"127.0.0.1:{port_of(tcp)}")], "address")


def test_right_name_both_families_for_one_address(passed, ipv6):
    # Failure 14: IPv4 clients would be served too, which the config does not say.
    tcp = passed(host="::", v6only=False)
    config = {"listen": [{**GREETING, "address": "::", "port": port_of(tcp)}]}
    with refused(config, EXIT_SOCKETS, sockets=[("greeting", tcp)]) as failed:
        assert_blames(failed, [r"(descriptor|socket) 3\b", re.escape(f"[::]:{port_of(tcp)}")], "address")


def test_right_name_wrong_port(passed):
    tcp, other = passed(), passed()
    config = {"listen": [{**GREETING, "port": port_of(other)}]}
    with refused(config, EXIT_SOCKETS, sockets=[("greeting", tcp)]) as failed:
        assert_blames(failed, [r"(descriptor|socket) 3\b", re.escape(f"127.0.0.1:{port_of(tcp)}")], "port")


def test_right_name_wrong_path(passed, folder):
    local = passed(host=str(folder / "one"))
    config = {"listen": [on_path(folder / "two")]}
    with refused(config, EXIT_SOCKETS, sockets=[("greeting", local)]) as failed:
        assert_blames(failed, [r"(descriptor|socket) 3\b", re.escape(str(folder / "one"))], "path")
    assert (folder / "one").is_socket() and not (folder / "two").exists()


@pytest.mark.parametrize("name", ("greeting", None), ids=("by name", "by port"))
def test_not_listening(passed, name):
    tcp = passed(listen=False)
    config = {"listen": [{**GREETING, "port": port_of(tcp)}]}
    with refused(config, EXIT_SOCKETS, sockets=[(name, tcp)]) as failed:
        assert_blames(failed, [r"(descriptor|socket) 3\b", "listen", re.escape(f"127.0.0.1:{port_of(tcp)}")])


def test_connected_socket_instead_of_a_listening_one(passed):
    # What Accept=yes in the socket unit passes.
    server = passed()
    with socket.create_connection(server.getsockname()) as client:
        connection, _ = server.accept()
        with connection, refused({"listen": [GREETING]}, EXIT_SOCKETS, sockets=[("connection", connection)]) as failed:
            assert_blames(failed, [r"(descriptor|socket) 3\b", "connection"], listener=None)
        assert client.fileno() >= 0


@pytest.mark.parametrize("name", ("greeting", "unknown"))
def test_no_socket_at_all(name):
    reading, writing = os.pipe()
    try:
        with refused({"listen": [GREETING]}, EXIT_SOCKETS, sockets=[(name, reading)]) as failed:
            assert_blames(failed, [r"(descriptor|socket) 3\b", name, "not a socket"], listener=None)
    finally:
        os.close(reading)
        os.close(writing)


@pytest.mark.parametrize("name", ("other", "greeting", None), ids=("own name", "same name", "no name"))
def test_one_socket_too_many(passed, name):
    # Failure 16: the number of descriptors is checked at every start.
    tcp, other = passed(), passed(host="127.0.0.2")
    config = {"listen": [{**GREETING, "port": port_of(tcp)}]}
    first = "greeting" if name else None
    with refused(config, EXIT_SOCKETS, sockets=[(first, tcp), (name, other)]) as failed:
        known = [re.escape(f"127.0.0.2:{port_of(other)}"), name or "", re.escape(str(failed.config))]
        assert_blames(failed, [r"(descriptor|socket) 4\b", *known], listener=None)


def test_the_same_socket_twice(passed):
    tcp = passed()
    config = {"listen": [{**GREETING, "port": port_of(tcp)}]}
    with refused(config, EXIT_SOCKETS, sockets=[("greeting", tcp), ("greeting", tcp)]) as failed:
        assert_blames(failed, [r"(descriptor|socket) 4\b", re.escape(f"127.0.0.1:{port_of(tcp)}")])


def test_several_faults_are_all_named(passed):
    tcp, udp = passed(host="127.0.0.2"), passed(socket.SOCK_DGRAM, host="127.0.0.2")
    config = {"listen": [{**GREETING, "port": port_of(tcp)}, {**HELLO, "port": port_of(udp)}]}
    with refused(config, EXIT_SOCKETS, sockets=[("greeting", tcp), ("hello", udp)]) as failed:
        assert_blames(failed, [r"(descriptor|socket) 3\b"], "address", "greeting")
        assert_blames(failed, [r"(descriptor|socket) 4\b"], "address", "hello")


def test_too_few_when_all_are_required(passed):
    tcp = passed()
    config = {"activation": "require", "listen": [{**GREETING, "port": port_of(tcp)}, HELLO]}
    with refused(config, EXIT_SOCKETS, sockets=[("greeting", tcp)]) as failed:
        assert_blames(failed, ["activation|passed"], listener="hello")


def test_none_when_all_are_required():
    with refused({"activation": "require", "listen": [GREETING, HELLO]}, EXIT_SOCKETS) as failed:
        assert_blames(failed, ["activation|passed"], listener="greeting")
        assert_blames(failed, ["activation|passed"], listener="hello")


def test_one_family_of_star_is_missing_when_all_are_required(passed, ipv6):
    four = passed(host="0.0.0.0")
    config = {"activation": "require", "listen": [{**GREETING, "address": "*", "port": port_of(four)}]}
    with refused(config, EXIT_SOCKETS, sockets=[("greeting", four)]) as failed:
        assert_blames(failed, ["activation|passed", r"\[::\]|IPv6"])


@pytest.mark.parametrize("count", ("", "abc", "-1", "1x", "99999999999999999999", "2147483647", "5"), ids=repr)
def test_malformed_listen_fds(passed, count):
    # Failure 13: "Could not parse socket activation data", and no word more. 5: fewer are open than promised.
    tcp = passed()
    config = {"listen": [{**GREETING, "port": port_of(tcp)}]}
    env = {"LISTEN_FDS": count, "LISTEN_FDNAMES": None}
    with refused(config, EXIT_SOCKETS, sockets=[tcp], env=env) as failed:
        assert "LISTEN_FDS" in failed.log()


@pytest.mark.parametrize("pid", ("", "abc", "-1", "0"), ids=repr)
def test_malformed_listen_pid(passed, pid):
    tcp = passed()
    with refused({"listen": [GREETING]}, EXIT_SOCKETS, sockets=[tcp], env={"LISTEN_PID": pid}) as failed:
        assert "LISTEN_PID" in failed.log() or "LISTEN_FDS" in failed.log()


@pytest.mark.parametrize("names", ("greeting:hello", "greeting:", "greeting:hello:third:fourth"), ids=repr)
def test_more_or_fewer_names_than_sockets(passed, names):
    tcp = passed()
    config = {"listen": [{**GREETING, "port": port_of(tcp)}]}
    with refused(config, EXIT_SOCKETS, sockets=[tcp], env={"LISTEN_FDNAMES": names}) as failed:
        assert "LISTEN_FDNAMES" in failed.log()


def test_a_name_with_control_characters_is_shown_escaped(passed):
    tcp = passed()
    config = {"listen": [{**GREETING, "name": "other", "port": port_of(tcp), "address": "127.0.0.2"}]}
    with refused(config, EXIT_SOCKETS, sockets=[("\x1b[31mred", tcp)]) as failed:
        assert "red" in failed.log() and "\x1b" not in failed.log()


def test_refusal_takes_nothing_away(passed):
    # After a refused start the socket is as it was: the next start serves whoever has waited.
    tcp = passed()
    waiting = Stream(tcp.getsockname())
    wrong = {"listen": [{**GREETING, "address": "127.0.0.2", "port": port_of(tcp)}]}
    right = {"listen": [{**GREETING, "port": port_of(tcp)}]}
    with waiting:
        with refused(wrong, EXIT_SOCKETS, sockets=[("greeting", tcp)]):
            pass
        with Hellod(right, sockets=[("greeting", tcp)]):
            waiting.greeted().ask(b"Bob", b"Hello, Bob!")


@pytest.mark.parametrize("host", ("0.0.0.0", "127.0.0.1", "::"))
def test_first_datagram_is_answered(passed, host):
    # It came before anybody asked the kernel to tell where datagrams go: it is the one that starts the service.
    sock = passed(socket.SOCK_DGRAM, host)
    loopback = "::1" if ":" in host else "127.0.0.1"
    with Datagram((loopback, port_of(sock))) as client:
        client.send(b"Bob")
        listener = {**HELLO, "address": "*" if host in ("0.0.0.0", "::") else host}
        listener["port"] = port_of(sock)
        with Hellod({"listen": [listener]}, sockets=[sock]):
            data, source = client.receive()
            assert data == b"Hello, Bob!" and source[:2] == (loopback, port_of(sock))
