"""The sockets that the daemon binds itself: families, addresses that are not there yet, ports and paths that are taken,
one socket or one for each worker.

Sockets that are passed are in test_activation.py.
"""

import os
import pwd
import re
import signal
import socket
import stat
import sys
import uuid
from pathlib import Path

import pytest

import netns
from clients import Datagram, Stream
from configs import GREETING, HELLO, unprivileged
from hellodtest import EXIT_SOCKETS, Hellod, refused
from watch import wait_channel, wait_until

EVERYWHERE = [{**GREETING, "address": "*"}, {**HELLO, "address": "*"}]
WITHOUT_IPV6 = [sys.executable, "-I", "-S", str(Path(__file__).with_name("without_family.py")), "AF_INET6"]


def on_path(path, **changes):
    """A greeting listener on PATH."""
    return {"name": "greeting", "protocol": "greeting", "type": "stream", "path": str(path), **changes}


def says_hello(daemon, family=None, stream="greeting", datagram="hello"):
    """Both listeners of DAEMON answer."""
    with daemon.connect(stream, family).greeted() as client:
        client.ask(b"Bob", b"Hello, Bob!")
    with daemon.datagrams(datagram, family) as client:
        client.expect(b"Bob", b"Hello, Bob!")


def sockets_on(port, protocol):
    """How many IPv4 sockets of this network namespace are bound to PORT; of TCP only the listening ones."""
    count = 0
    for line in Path(f"/proc/net/{protocol}").read_text().splitlines()[1:]:
        _, local, _, state = line.split()[:4]
        count += local.endswith(f":{port:04X}") and (protocol == "udp" or state == "0A")
    return count


# ---- families and addresses ----


def test_star_is_two_sockets(ipv6):
    with Hellod({"listen": EVERYWHERE}) as daemon:
        found = [(listener.name, listener.kind, listener.address[0]) for listener in daemon.listeners]
        assert sorted(found) == [
            ("greeting", "tcp", "0.0.0.0"),
            ("greeting", "tcp", "::"),
            ("hello", "udp", "0.0.0.0"),
            ("hello", "udp", "::"),
        ]
        for listener in daemon.listeners:
            host = "::1" if listener.family == socket.AF_INET6 else "127.0.0.1"
            make = Stream if listener.kind == "tcp" else Datagram
            with make((host, listener.address[1])) as client:
                if make is Stream:
                    client.greeted().ask(b"Bob", b"Hello, Bob!")
                else:
                    client.expect(b"Bob", b"Hello, Bob!")


@pytest.mark.netns
def test_star_on_one_port_and_two_families():
    listeners = [{**listener, "port": 3288} for listener in EVERYWHERE]
    with Hellod({"listen": listeners}):
        for host in ("127.0.0.1", "::1"):
            with Stream((host, 3288)).greeted() as client:
                client.ask(b"Bob", b"Hello, Bob!")
            with Datagram((host, 3288)) as client:
                client.expect(b"Bob", b"Hello, Bob!")


def test_explicit_ipv6(ipv6):
    listeners = [{**GREETING, "address": "::1"}, {**HELLO, "address": "::1"}]
    with Hellod({"listen": listeners}) as daemon:
        assert [listener.address[0] for listener in daemon.listeners] == ["::1", "::1"]
        says_hello(daemon)


def test_star_without_ipv6():
    with Hellod({"listen": EVERYWHERE}, wrapper=WITHOUT_IPV6) as daemon:
        assert {listener.address[0] for listener in daemon.listeners} == {"0.0.0.0"}
        with Stream(("127.0.0.1", daemon.address("greeting")[1])).greeted() as client:
            client.ask(b"Bob", b"Hello, Bob!")


def test_explicit_ipv6_without_ipv6():
    with refused({"listen": [{**GREETING, "address": "::1"}]}, EXIT_SOCKETS, wrapper=WITHOUT_IPV6) as failed:
        assert_names(failed, "greeting", "[::1]", key="address")


@pytest.mark.netns
def test_star_with_ipv6_disabled():
    for name in ("all", "default", "lo"):
        netns.sysctl(f"ipv6/conf/{name}/disable_ipv6", 1)
    with Hellod({"listen": EVERYWHERE}) as daemon:
        with Stream(("127.0.0.1", daemon.address("greeting", socket.AF_INET)[1])).greeted() as client:
            client.ask(b"Bob", b"Hello, Bob!")


@pytest.mark.netns
@pytest.mark.parametrize("host, bits", (("10.9.9.9", 32), ("fd00:9::9", 128)))
def test_address_that_comes_later(host, bits):
    # Failure 17: at boot the daemon was faster than the network, and never came up.
    with Hellod({"listen": [{**GREETING, "address": host}, {**HELLO, "address": host}]}) as daemon:
        for _ in range(2):
            netns.add_address(f"{host}/{bits}", "lo")
            says_hello(daemon)
            netns.ip(f"addr del {host}/{bits} dev lo")  # and it may go and come back


@pytest.mark.netns
def test_link_local_address():
    netns.ip("link add w1 type veth peer name w2")
    for device, address in (("w1", "fe80::1:1/64"), ("w2", "fe80::1:2/64")):
        netns.ip(f"link set {device} up")
        netns.add_address(address, device)
    address = "fe80::1:1%w1"
    with Hellod({"listen": [{**GREETING, "address": address}, {**HELLO, "address": address}]}) as daemon:
        scope = socket.if_nametoindex("w1")
        ports = [listener.address[1] for listener in daemon.listeners]
        with Stream(("fe80::1:1", ports[0], 0, scope)).greeted() as client:
            client.ask(b"Bob", b"Hello, Bob!")
        with Datagram(("fe80::1:1", ports[1], 0, scope)) as client:
            client.send(b"Bob")
            assert client.receive()[0] == b"Hello, Bob!"
    with refused({"listen": [{**GREETING, "address": "fe80::1:1%w3"}]}, EXIT_SOCKETS) as failed:
        assert_names(failed, "greeting", "fe80::1:1%w3", key="address")


# ---- taken already ----


def taken(kind, family=socket.AF_INET, reuseport=False):
    """A socket that holds a port on loopback, and the port."""
    holder = socket.socket(family, kind)
    if reuseport:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    holder.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
    if kind == socket.SOCK_STREAM:
        holder.listen()
    return holder, holder.getsockname()[1]


def assert_names(failed, listener, text, key="port"):
    """One line of the log says which LISTENER cannot have its socket, why or where (TEXT), and the config's line: that
    of KEY or that where the listener begins, just before its name."""
    path, _, number = failed.where(f'name = "{listener}"').rpartition(":")
    where = [f"{path}:{int(number) - 1}", failed.where(rf"\b{key} =", after=f'name = "{listener}"')]
    for _, line in failed.lines:
        if text in line and re.search(rf"\b{listener}\b", line) and any(re.search(rf"{at}\b", line) for at in where):
            return
    raise AssertionError(f"no line has {listener}, {text} and one of {where}:\n{failed.log()}")


@pytest.mark.parametrize("per_worker", (False, True), ids=("shared", "per_worker"))
@pytest.mark.parametrize("reuseport", (False, True), ids=("plain", "with SO_REUSEPORT"))
@pytest.mark.parametrize("model", (GREETING, HELLO), ids=("tcp", "udp"))
def test_port_in_use(model, reuseport, per_worker):
    # Failure 11: with SO_REUSEPORT on both sides two programs share a port in silence.
    holder, port = taken(socket.SOCK_STREAM if model is GREETING else socket.SOCK_DGRAM, reuseport=reuseport)
    other = HELLO if model is GREETING else GREETING
    with holder, refused(
        {"listen": [other, {**model, "port": port, "per_worker": per_worker}]}, EXIT_SOCKETS
    ) as failed:
        assert_names(failed, model["name"], f"127.0.0.1:{port}")
        assert "Address already in use" in failed.log()


@pytest.mark.parametrize("model", (GREETING, HELLO), ids=("tcp", "udp"))
def test_port_that_is_given_up_late(model):
    # A service manager reports a service as stopped some moments before it closes the sockets it had stored for it.
    holder, port = taken(socket.SOCK_STREAM if model is GREETING else socket.SOCK_DGRAM)
    with holder, Hellod({"listen": [{**model, "port": port}]}, ready=False) as daemon:
        wait_until(lambda: "nanosleep" in wait_channel(daemon.pid), 5, "daemon asks once more")
        holder.close()
        daemon.wait_ready()
        assert daemon.address(model["name"])[1] == port


def test_port_in_use_ipv6(ipv6):
    holder, port = taken(socket.SOCK_STREAM, socket.AF_INET6)
    with holder, refused({"listen": [{**GREETING, "address": "::1", "port": port}]}, EXIT_SOCKETS) as failed:
        assert_names(failed, "greeting", f"[::1]:{port}")


def test_port_in_use_under_star(ipv6):
    holder, port = taken(socket.SOCK_STREAM, socket.AF_INET6)
    with holder, refused({"listen": [{**GREETING, "address": "*", "port": port}]}, EXIT_SOCKETS) as failed:
        assert_names(failed, "greeting", f":{port}")


@pytest.mark.parametrize("first", (False, True))
@pytest.mark.parametrize("second", (False, True))
def test_second_instance_is_refused(first, second):
    # Failure 11.
    listeners = [{**GREETING, "per_worker": first}, {**HELLO, "per_worker": first}]
    with Hellod({"listen": listeners}) as daemon:
        for model in (GREETING, HELLO):
            port = daemon.address(model["name"])[1]
            with refused({"listen": [{**model, "port": port, "per_worker": second}]}, EXIT_SOCKETS) as failed:
                assert_names(failed, model["name"], f"127.0.0.1:{port}")
        says_hello(daemon)


def test_port_is_free_again_at_once():
    # A connection that the server closed first stays in TIME_WAIT; the next start must not mind.
    with Hellod({"listen": [GREETING]}) as daemon:
        port = daemon.address("greeting")[1]
        with daemon.connect().greeted() as client:
            client.send(b"disconnect")
            client.expect_end()
    with Hellod({"listen": [{**GREETING, "port": port}]}) as daemon, daemon.connect().greeted() as client:
        client.ask(b"Bob", b"Hello, Bob!")


def test_two_listeners_on_one_port():
    holder, port = taken(socket.SOCK_STREAM)
    holder.close()
    listeners = [{**GREETING, "port": port}, {**GREETING, "name": "again", "port": port}]
    failed = Hellod({"listen": listeners}, ready=False)
    with failed:
        assert failed.wait() != 0
        assert "again" in failed.log()
        assert re.search(re.escape(str(failed.config)) + r":\d+", failed.log())


# ---- one socket or many ----


def test_shared_socket_is_one():
    with Hellod({"workers": 3, "listen": [GREETING, HELLO]}) as daemon:
        assert sockets_on(daemon.address("greeting")[1], "tcp") == 1
        assert sockets_on(daemon.address("hello")[1], "udp") == 1


def test_per_worker_sockets():
    # Failure 6: "reuseport" was on and there was still one queue.
    listeners = [{**GREETING, "per_worker": True}, {**HELLO, "per_worker": True}]
    with Hellod({"workers": 3, "listen": listeners}) as daemon:
        assert sockets_on(daemon.address("greeting")[1], "tcp") == 3
        assert sockets_on(daemon.address("hello")[1], "udp") == 3
        connections = [daemon.connect() for _ in range(60)]
        for connection in connections:
            connection.greeted().ask(b"Bob", b"Hello, Bob!")
        live = [block["live"] for block in daemon.scoreboard()["blocks"]]
        assert sum(live) == 60 and len([count for count in live if count]) == 3
        for connection in connections:
            connection.close()
        for _ in range(60):
            with daemon.datagrams() as client:
                client.expect(b"Bob", b"Hello, Bob!")


# ---- paths ----


def stale(path, kind=socket.SOCK_STREAM):
    """Leaves a socket at PATH that nobody has open."""
    with socket.socket(socket.AF_UNIX, kind) as gone:
        gone.bind(str(path))


def hold(path, kind=socket.SOCK_STREAM):
    """A socket at PATH that somebody serves."""
    holder = socket.socket(socket.AF_UNIX, kind)
    holder.bind(str(path))
    if kind != socket.SOCK_DGRAM:
        holder.listen()
    return holder


PATH_KINDS = pytest.mark.parametrize(
    "kind, changes",
    (
        (socket.SOCK_STREAM, {}),
        (socket.SOCK_SEQPACKET, {"type": "seqpacket"}),
        (socket.SOCK_DGRAM, {"name": "greeting", "protocol": "hello", "type": "datagram"}),
    ),
    ids=("stream", "seqpacket", "datagram"),
)


@PATH_KINDS
def test_path_comes_and_goes(folder, kind, changes):
    path = folder / "socket"
    with Hellod({"listen": [on_path(path, **changes)]}):
        assert stat.S_ISSOCK(path.stat().st_mode)
    assert not path.exists()


def test_path_is_for_everybody(folder):
    path = folder / "socket"
    before = os.umask(0o077)
    try:
        with Hellod({"listen": [on_path(path)]}):
            assert stat.S_IMODE(path.stat().st_mode) == 0o666
    finally:
        os.umask(before)


@PATH_KINDS
def test_stale_path_is_replaced(folder, kind, changes):
    path = folder / "socket"
    stale(path, kind)
    with Hellod({"listen": [on_path(path, **changes)]}) as daemon:
        if kind == socket.SOCK_DGRAM:
            with daemon.datagrams("greeting") as client:
                client.expect(b"Bob", b"Hello, Bob!")
        else:
            with daemon.connect().greeted() as client:
                client.ask(b"Bob", b"Hello, Bob!")
    assert not path.exists()


@PATH_KINDS
def test_live_path_is_refused(folder, kind, changes):
    path = folder / "socket"
    with hold(path, kind):
        inode = path.stat().st_ino
        with refused({"listen": [on_path(path, **changes)]}, EXIT_SOCKETS) as failed:
            assert_names(failed, "greeting", str(path), key="path")
        assert path.stat().st_ino == inode


def test_live_path_of_another_type_is_refused(folder):
    path = folder / "socket"
    with hold(path, socket.SOCK_DGRAM):
        with refused({"listen": [on_path(path)]}, EXIT_SOCKETS) as failed:
            assert_names(failed, "greeting", str(path), key="path")
        assert path.exists()


def test_second_instance_on_a_path_is_refused(folder):
    path = folder / "socket"
    with Hellod({"listen": [on_path(path)]}) as daemon:
        with refused({"listen": [on_path(path)]}, EXIT_SOCKETS) as failed:
            assert_names(failed, "greeting", str(path), key="path")
        with daemon.connect().greeted() as client:
            client.ask(b"Bob", b"Hello, Bob!")


@pytest.mark.parametrize("what", ("file", "folder", "link"))
def test_path_that_is_no_socket_is_left_alone(folder, what):
    path = folder / "socket"
    if what == "file":
        path.write_text("precious")
    elif what == "folder":
        path.mkdir()
    else:
        (folder / "target").write_text("precious")
        path.symlink_to("target")
    with refused({"listen": [on_path(path)]}, EXIT_SOCKETS) as failed:
        assert_names(failed, "greeting", str(path), key="path")
    if what == "folder":
        assert path.is_dir()
    else:
        assert path.read_text() == "precious"


def test_path_without_its_folder(folder):
    path = folder / "missing" / "socket"
    with refused({"listen": [on_path(path)]}, EXIT_SOCKETS) as failed:
        assert_names(failed, "greeting", str(path), key="path")


def test_only_the_owner_unlinks(folder):
    # Failure 40: the old instance, when it went, removed the socket that the new one had just made.
    path = folder / "socket"
    with Hellod({"listen": [on_path(path)]}):
        path.unlink()
        with hold(path):
            pass
        inode = path.stat().st_ino
    assert path.stat().st_ino == inode


def test_failed_start_leaves_no_path(folder):
    holder, port = taken(socket.SOCK_STREAM)
    path = folder / "socket"
    with holder, refused({"listen": [on_path(path, name="local"), {**GREETING, "port": port}]}, EXIT_SOCKETS):
        assert not path.exists()


def test_killed_instance_leaves_a_path_that_the_next_replaces(folder):
    path = folder / "socket"
    with Hellod({"listen": [on_path(path)]}) as daemon:
        daemon.signal(signal.SIGKILL)
        daemon.wait()
        daemon.assert_clean()  # the workers have followed
    assert path.exists()
    with Hellod({"listen": [on_path(path)]}) as daemon, daemon.connect().greeted() as client:
        client.ask(b"Bob", b"Hello, Bob!")


def test_abstract_name_in_use():
    name = f"hellod-{uuid.uuid4()}"
    with hold("\0" + name):
        with refused({"listen": [on_path("@" + name)]}, EXIT_SOCKETS) as failed:
            assert_names(failed, "greeting", "@" + name, key="path")


# ---- rights ----


@pytest.mark.netns
def test_privileged_port_and_unprivileged_workers():
    if not unprivileged():
        pytest.skip("only root has something to give up")
    uid = pwd.getpwnam(unprivileged()[0]).pw_uid
    with Hellod({"listen": [{**GREETING, "port": 7}, {**HELLO, "port": 7}]}) as daemon:
        says_hello(daemon)
        for worker in daemon.workers():
            status = Path(f"/proc/{worker}/status").read_text()
            assert re.search(rf"^Uid:\t{uid}\t{uid}\t{uid}\t{uid}$", status, re.M), status
            assert re.search(r"^CapEff:\t0+$", status, re.M), status
