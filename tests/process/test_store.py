"""Sockets of the daemon's own binding in the service manager's descriptor store: what a restart keeps and gives up.

The manager is ours (manager.py) and does what systemd does: what is in the store comes back as descriptors 3, 4, ...
beside those of socket units.
"""

import os
import pwd
import re
import signal
import socket
from contextlib import ExitStack, contextmanager

import pytest

from clients import Datagram, Stream
from configs import GREETING, HELLO, UPPER, unprivileged
from conftest import have_ipv6
from hellodtest import EXIT_SOCKETS, Hellod, refused
from manager import Manager, identity
from watch import seeded, wait_until
from workers import killed, opened, replaced, slots, targets

LEDGER = "hellod/ledger"
BOTH = {"listen": [GREETING, HELLO]}


@pytest.fixture
def manager():
    with Manager() as one:
        yield one


@contextmanager
def started(manager, config, sockets=None, **how):
    """A daemon that gets what the store has, or SOCKETS, and is ready when the block begins."""
    since = len(manager.messages)
    given = manager.stored if sockets is None else sockets
    with Hellod(config, env=manager.environment, sockets=given, **how) as daemon:
        manager.wait_for("READY", since=since)
        yield daemon


def run_once(manager, config, **how):
    """Starts and stops a daemon; returns its listeners."""
    with started(manager, config, **how) as daemon:
        return daemon.listeners


def stored(manager, name=None):
    """The identities of the sockets in the store, those called NAME alone if it is given."""
    return {identity(fd) for known, fd in manager.stored if known != LEDGER and name in (None, known)}


def names(manager):
    """The names in the store, sorted; one for each descriptor."""
    return sorted(name for name, _ in manager.stored)


def talks(address, kind=socket.SOCK_STREAM):
    """The greeting is served at ADDRESS."""
    with Stream(address, kind=kind).greeted() as client:
        client.ask(b"Bob", b"Hello, Bob!")


def answers(address):
    """Hello is served at ADDRESS."""
    with Datagram(address) as client:
        client.expect(b"Bob", b"Hello, Bob!")


def serves(daemon, name):
    """Listener NAME of DAEMON is served, at each of its addresses."""
    for listener in daemon.listeners:
        if listener.name != name:
            continue
        if listener.kind in ("udp", "unix datagram"):
            answers(listener.reach)
        else:
            talks(listener.reach, socket.SOCK_SEQPACKET if "seqpacket" in listener.kind else socket.SOCK_STREAM)


def is_free(address, kind=socket.SOCK_STREAM):
    """Nobody has ADDRESS."""
    with socket.socket(socket.AF_INET, kind) as probe:
        if kind == socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError:
            return False
    return True


def free_port(kind):
    """A port that nobody has at any address: one that is free at a single address may be somebody's elsewhere."""
    while True:
        with socket.socket(socket.AF_INET, kind) as four:
            four.bind(("0.0.0.0", 0))
            port = four.getsockname()[1]
            if not have_ipv6():
                return port
            with socket.socket(socket.AF_INET6, kind) as six:
                six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                try:
                    six.bind(("::", port))
                except OSError:
                    continue
                return port


def at(listener, address):
    """LISTENER at ADDRESS (host, port)."""
    return {**listener, "address": address[0], "port": address[1]}


def on_path(listener, path, **options):
    """LISTENER at PATH instead."""
    kept = {key: value for key, value in listener.items() if key not in ("address", "port")}
    return {**kept, "path": str(path), **options}


# ---- what a restart keeps ----


@pytest.mark.parametrize("number", (signal.SIGTERM, signal.SIGKILL), ids=("TERM", "KILL"))
def test_what_waits_is_answered_after_a_restart(manager, folder, number):
    config = {
        "listen": [
            GREETING,
            HELLO,
            on_path({**GREETING, "name": "local"}, folder / "stream"),
            on_path({**HELLO, "name": "messages"}, folder / "datagram"),
        ]
    }
    with started(manager, config) as daemon:
        before = {listener.name: listener for listener in daemon.listeners}
        assert names(manager) == ["greeting", "hello", LEDGER, "local", "messages"]
        kept = stored(manager)
        daemon.signal(number)
        daemon.wait()
        wait_until(lambda: not daemon.workers(), 5, "the workers to go")
    told = len(manager.store_messages)
    with ExitStack() as stack:
        streams = [stack.enter_context(Stream(before[name].reach)) for name in ("greeting", "local") for _ in range(5)]
        datagrams = [stack.enter_context(Datagram(before[name].reach)) for name in ("hello", "messages")]
        for client in streams:
            client.send(b"Bob\n")
        for client in datagrams:
            client.send(b"Bob")
        with started(manager, config) as daemon:
            for client in streams:
                client.expect(b"What's your name?Hello, Bob!\n")
            for client in datagrams:
                assert client.receive()[0] == b"Hello, Bob!"
            for listener in daemon.listeners:
                assert listener.address == before[listener.name].address and listener.fd is not None
                serves(daemon, listener.name)
            assert stored(manager) == kept
    # Nothing has changed, so there was nothing to say.
    assert len(manager.store_messages) == told


def test_many_restarts(manager, folder):
    config = {"listen": [GREETING, HELLO, on_path({**GREETING, "name": "local"}, folder / "socket")]}
    run_once(manager, config)
    kept = stored(manager)
    for _ in range(5):
        with started(manager, config) as daemon:
            for name in ("greeting", "hello", "local"):
                serves(daemon, name)
        assert stored(manager) == kept and names(manager) == ["greeting", "hello", LEDGER, "local"]


def test_the_order_says_nothing(manager):
    random = seeded()
    unit = socket.create_server(("127.0.0.1", 0))
    config = {"listen": [GREETING, HELLO, {**GREETING, "name": "unit", "port": unit.getsockname()[1]}]}
    with unit:
        run_once(manager, config, sockets=[("unit", unit)])
        assert names(manager) == ["greeting", "hello", LEDGER]
        kept = stored(manager)
        for _ in range(4):
            given = [*manager.stored, ("unit", unit)]
            random.shuffle(given)
            with started(manager, config, given) as daemon:
                for name in ("greeting", "hello", "unit"):
                    serves(daemon, name)
                assert daemon.listener("unit").fd == 3 + [name for name, _ in given].index("unit")
            assert stored(manager) == kept


def test_both_families_of_star(manager, ipv6):
    config = {"listen": [{**GREETING, "address": "*"}]}
    first = run_once(manager, config)
    with started(manager, config) as daemon:
        assert [one.address for one in daemon.listeners] == [one.address for one in first]
        serves(daemon, "greeting")


def test_port_0_goes_by_name(manager):
    first = run_once(manager, {"listen": [{**GREETING, "name": "one"}, {**GREETING, "name": "two"}]})
    # The other way round, and one that is new.
    config = {"listen": [{**GREETING, "name": name} for name in ("two", "three", "one")]}
    with started(manager, config) as daemon:
        ports = {one.name: one.address for one in daemon.listeners}
        assert ports["one"] == first[0].address and ports["two"] == first[1].address
        assert ports["three"] not in (ports["one"], ports["two"])
    assert names(manager) == [LEDGER, "one", "three", "two"]


def test_whoever_asks_for_the_very_port_goes_first(manager):
    (first,) = run_once(manager, {"listen": [{**GREETING, "name": "any"}]})
    config = {"listen": [{**GREETING, "name": "any"}, at({**GREETING, "name": "very"}, first.address)]}
    kept = stored(manager)
    with started(manager, config) as daemon:
        assert daemon.address("very") == first.address and daemon.address("any") != first.address
        serves(daemon, "any")
        serves(daemon, "very")
    assert stored(manager, "very") == kept and names(manager) == ["any", LEDGER, "very"]


def test_a_new_name_is_one_in_the_store_too(manager):
    (first,) = run_once(manager, {"listen": [{**GREETING, "name": "old"}]})
    kept = stored(manager)
    with started(manager, {"listen": [at({**GREETING, "name": "new"}, first.address)]}) as daemon:
        serves(daemon, "new")
        assert stored(manager, "new") == kept and names(manager) == [LEDGER, "new"]


def test_sockets_belong_to_the_user_that_serves(manager):
    # The kernel lets only sockets of one user share a port, and a reload is not root any more.
    run_once(manager, BOTH)
    owner = pwd.getpwnam(unprivileged()[0]).pw_uid if unprivileged() else os.geteuid()
    assert {os.fstat(fd).st_uid for name, fd in manager.stored if name != LEDGER} == {owner}


def test_workers_do_not_have_the_ledger(manager):
    with started(manager, BOTH) as daemon:
        assert any("ledger" in target for target in targets(daemon.pid).values())
        # The first ones were there before it; their successors are forked when the master has it.
        for slot, block in slots(daemon).items():
            killed(block["pid"])
            replaced(daemon, slot, block["pid"])
        for pid in daemon.workers():
            assert not any("ledger" in target for target in targets(pid).values())


# ---- what it gives up ----


def test_a_dropped_listener_is_closed(manager, folder):
    config = {"listen": [GREETING, HELLO, on_path({**HELLO, "name": "local"}, folder / "socket")]}
    first = {listener.name: listener for listener in run_once(manager, config)}
    assert (folder / "socket").is_socket()
    with started(manager, {"listen": [GREETING]}) as daemon:
        daemon.wait_for_line(rf"^listener hello: udp 127\.0\.0\.1:{first['hello'].address[1]} closed$")
        daemon.wait_for_line(rf"^listener local: unix datagram {re.escape(str(folder))}/socket closed$")
        assert names(manager) == ["greeting", LEDGER]
        serves(daemon, "greeting")
        assert is_free(first["hello"].address, socket.SOCK_DGRAM)
        assert not (folder / "socket").exists()


def test_a_changed_address(manager):
    first = {listener.name: listener for listener in run_once(manager, BOTH)}
    old = stored(manager)
    config = {"listen": [at(one, ("127.0.0.2", first[one["name"]].address[1])) for one in (GREETING, HELLO)]}
    with started(manager, config) as daemon:
        for name in ("greeting", "hello"):
            serves(daemon, name)
            assert daemon.listener(name).fd is None
        assert names(manager) == ["greeting", "hello", LEDGER] and not stored(manager) & old
        assert is_free(first["greeting"].address) and is_free(first["hello"].address, socket.SOCK_DGRAM)


@pytest.mark.parametrize("listener", (GREETING, HELLO), ids=("tcp", "udp"))
def test_an_address_that_overlaps(manager, listener):
    # The old one is still in the store, and so still has the port, when the new one is bound.
    kind = socket.SOCK_DGRAM if listener is HELLO else socket.SOCK_STREAM
    port = free_port(kind)
    for address in ("127.0.0.1", "*", "127.0.0.1", "0.0.0.0", "127.0.0.1"):
        with started(manager, {"listen": [at(listener, (address, port))]}) as daemon:
            serves(daemon, listener["name"])
            for family in {one.family for one in daemon.listeners}:
                assert daemon.address(listener["name"], family)[1] == port
    # Nobody else may share it now.
    with socket.socket(socket.AF_INET, kind) as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        with pytest.raises(OSError):
            other.bind(("127.0.0.1", port))


def test_another_type_at_the_same_path(manager, folder):
    run_once(manager, {"listen": [on_path(GREETING, folder / "socket")]})
    for listener in (on_path(HELLO, folder / "socket"), on_path(GREETING, folder / "socket", type="seqpacket")):
        with started(manager, {"listen": [listener]}) as daemon:
            serves(daemon, listener["name"])
            assert names(manager) == sorted([listener["name"], LEDGER])
        assert os.listdir(folder) == ["socket"]


def test_random_changes(manager, folder):
    random = seeded()
    pool = [
        {**GREETING, "name": "a"},
        {**HELLO, "name": "b"},
        {**GREETING, "name": "c", "per_worker": True},
        {**HELLO, "name": "d", "per_worker": True},
        on_path({**GREETING, "name": "e"}, folder / "e"),
        on_path({**HELLO, "name": "f"}, folder / "f"),
    ]
    held = {}
    for _ in range(8):
        chosen = random.sample(pool, random.randint(1, len(pool)))
        config = {"workers": random.randint(1, 4), "listen": chosen}
        with started(manager, config) as daemon:
            for listener in chosen:
                name = listener["name"]
                serves(daemon, name)
                assert stored(manager, name) >= held.get(name, set())
                assert len(stored(manager, name)) >= (config["workers"] if listener.get("per_worker") else 1)
            assert set(names(manager)) == {LEDGER, *(listener["name"] for listener in chosen)}
            held = {listener["name"]: stored(manager, listener["name"]) for listener in chosen}
        assert {entry.name for entry in folder.iterdir()} == {"e", "f"} & set(held)


# ---- paths ----


def test_the_path_stays_for_a_restart(manager, folder):
    config = {"listen": [on_path(GREETING, folder / "socket")]}
    run_once(manager, config)
    kept, file = stored(manager), (folder / "socket").stat().st_ino
    with Stream(str(folder / "socket")) as early, started(manager, config):
        early.greeted().ask(b"Bob", b"Hello, Bob!")
        assert stored(manager) == kept and (folder / "socket").stat().st_ino == file


@pytest.mark.parametrize("replaced", (False, True), ids=("gone", "another"))
def test_a_path_that_is_not_ours_any_more(manager, folder, replaced):
    # Nobody could reach the stored socket: a new one takes its place.
    path = folder / "socket"
    config = {"listen": [on_path(GREETING, path)]}
    run_once(manager, config)
    old = stored(manager)
    path.unlink()
    if replaced:
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(path))
    with started(manager, config) as daemon:
        serves(daemon, "greeting")
        daemon.wait_for_line(r"^listener greeting: unix stream .* closed$")
        assert not stored(manager) & old and names(manager) == ["greeting", LEDGER]


def test_the_path_of_another_stays(manager, folder):
    # Failure 40: a file that is not ours is nobody's to remove.
    path = folder / "socket"
    run_once(manager, {"listen": [GREETING, on_path({**HELLO, "name": "local"}, path)]})
    path.unlink()
    path.write_text("somebody's")
    run_once(manager, {"listen": [GREETING]})
    assert path.read_text() == "somebody's"


# ---- one socket a worker ----


@pytest.mark.parametrize(
    "first, second",
    (
        ((2, True), (4, True)),
        ((4, True), (2, True)),
        ((3, True), (3, False)),
        ((1, False), (3, True)),
        ((5, True), (2, False)),
    ),
    ids=("more workers", "fewer workers", "switched off", "switched on", "fewer and off"),
)
def test_all_that_waits_at_several_sockets_is_answered(manager, first, second):
    def config(workers, per_worker):
        return {"workers": workers, "listen": [{**one, "per_worker": per_worker} for one in (GREETING, HELLO)]}

    listeners = {listener.name: listener for listener in run_once(manager, config(*first))}
    held = {name: stored(manager, name) for name in ("greeting", "hello")}
    assert len(held["greeting"]) == len(held["hello"]) == (first[0] if first[1] else 1)
    with ExitStack() as stack:
        streams = [stack.enter_context(Stream(listeners["greeting"].reach)) for _ in range(40)]
        datagrams = [stack.enter_context(Datagram(listeners["hello"].reach)) for _ in range(40)]
        for client in datagrams:
            client.send(b"Bob")
        for _ in range(2):
            with started(manager, config(*second)) as daemon:
                for client in streams:
                    client.greeted().ask(b"Bob", b"Hello, Bob!")
                for client in datagrams:
                    assert client.receive()[0] == b"Hello, Bob!"
                for name, old in held.items():
                    serves(daemon, name)
                    assert stored(manager, name) >= old
                    wanted = second[0] if second[1] else 1
                    assert len(stored(manager, name)) == max(len(old), wanted)
                    assert daemon.address(name) == listeners[name].reach
                streams, datagrams = [], []


def test_a_socket_that_few_workers_have_is_served_by_them(manager):
    # Five sockets and three workers: the last one is slot 1's alone. However many more connections it has than its
    # siblings, nobody else can take them.
    listener = {**GREETING, "per_worker": True}
    run_once(manager, {"workers": 5, "listen": [listener]})
    with started(manager, {"workers": 3, "listen": [listener]}) as daemon, ExitStack() as stack:
        busy = slots(daemon)[1]["pid"]
        for client, pid in opened(daemon, 60):
            if pid == busy:
                stack.enter_context(client)
            else:
                client.close()
        for _ in range(40):
            stack.enter_context(daemon.connect()).greeted()


# ---- beside a socket unit ----


def test_a_units_socket_that_matches_nothing_is_still_an_error(manager):
    unit = socket.create_server(("127.0.0.2", 0))
    with unit:
        first = run_once(manager, BOTH)
        before = stored(manager)
        given = [*manager.stored, ("greeting", unit)]
        with refused(BOTH, EXIT_SOCKETS, env=manager.environment, sockets=given) as failed:
            assert f'passed socket {2 + len(given)} ("greeting", tcp 127.0.0.2' in failed.log()
            assert "passed socket 3" not in failed.log()
        # And nothing is lost by it.
        assert stored(manager) == before
        with started(manager, BOTH) as daemon:
            assert [one.address for one in daemon.listeners] == [one.address for one in first]
            serves(daemon, "greeting")


def test_a_units_sockets_are_not_stored():
    with Manager() as manager, socket.create_server(("127.0.0.1", 0)) as unit:
        config = {"listen": [{**GREETING, "port": unit.getsockname()[1]}]}
        run_once(manager, config, sockets=[("greeting", unit)])
        assert manager.store_messages == [] and manager.stored == []


def test_a_unit_takes_over(manager):
    # The service has bound the address so far; now the same socket comes from a unit as well.
    (first,) = run_once(manager, {"listen": [GREETING]})
    unit = os.dup(next(fd for name, fd in manager.stored if name == "greeting"))
    given = [("greeting", unit), *manager.stored]
    with started(manager, {"activation": "require", "listen": [at(GREETING, first.address)]}, given) as daemon:
        os.close(unit)
        assert daemon.listener("greeting").fd == 3
        serves(daemon, "greeting")
        assert "greeting" not in names(manager)


def test_a_stored_socket_is_none_that_is_required(manager):
    run_once(manager, BOTH)
    config = {"activation": "require", **BOTH}
    with refused(config, EXIT_SOCKETS, env=manager.environment, sockets=manager.stored) as failed:
        assert 'was passed no socket for udp 127.0.0.1:0, and activation = "require"' in failed.log()


def test_a_start_that_fails_leaves_the_store_alone(manager):
    with socket.create_server(("127.0.0.1", 0)) as other:
        first = run_once(manager, BOTH)
        before, told = stored(manager), len(manager.store_messages)
        config = {"listen": [GREETING, HELLO, at(UPPER, other.getsockname())]}
        with refused(config, EXIT_SOCKETS, env=manager.environment, sockets=manager.stored):
            assert stored(manager) == before and len(manager.store_messages) == told
        with started(manager, BOTH) as daemon:
            assert [one.address for one in daemon.listeners] == [one.address for one in first]
            serves(daemon, "hello")


# ---- the ledger ----


def ledger(data):
    """A file in memory with DATA."""
    fd = os.memfd_create("test")
    os.write(fd, data)
    return fd


def broken_ledgers():
    form = b"hellod ledger 1"
    header = bytes(32) + form.ljust(96, b"\0")
    return {
        "empty": lambda: ledger(b""),
        "text": lambda: ledger(b"not a ledger\n"),
        "another form": lambda: ledger(header.replace(b"ledger 1", b"ledger 2")),
        "cut": lambda: ledger(header + bytes(100)),
        "endless name": lambda: ledger(header + b"x" * 128),
        "a pipe": lambda: os.pipe()[0],
        "a socket": lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).detach(),
        "a folder": lambda: os.open("/", os.O_RDONLY),
    }


@pytest.mark.parametrize("make", broken_ledgers().values(), ids=broken_ledgers().keys())
def test_a_broken_ledger(manager, make):
    first = run_once(manager, BOTH)
    manager.remove(LEDGER)
    manager.put(LEDGER, make())
    with started(manager, BOTH) as daemon:
        daemon.wait_for_line("^the list of stored sockets cannot be read")
        assert [one.address for one in daemon.listeners] == [one.address for one in first]
        serves(daemon, "greeting")
        serves(daemon, "hello")


def test_a_broken_ledger_is_replaced(manager):
    run_once(manager, {"listen": [GREETING]})
    manager.remove(LEDGER)
    manager.put(LEDGER, ledger(b"?"))
    run_once(manager, BOTH)
    assert names(manager) == ["greeting", "hello", LEDGER]
    with started(manager, BOTH) as daemon:
        serves(daemon, "hello")
        assert "cannot be read" not in daemon.log()


def test_a_lost_ledger(manager):
    # Then nobody knows that the sockets are ours; those that fit serve.
    first = run_once(manager, BOTH)
    manager.remove(LEDGER)
    with started(manager, BOTH) as daemon:
        assert [one.address for one in daemon.listeners] == [one.address for one in first]
        serves(daemon, "greeting")
    with refused({"listen": [GREETING]}, EXIT_SOCKETS, env=manager.environment, sockets=manager.stored) as failed:
        assert 'udp 127.0.0.1' in failed.log() and "matches no listener" in failed.log()


def test_without_a_manager_nothing_is_left(folder):
    config = {"listen": [on_path(GREETING, folder / "socket")]}
    with Hellod(config) as daemon:
        assert not any("ledger" in target for target in targets(daemon.pid).values())
        serves(daemon, "greeting")
    assert os.listdir(folder) == []
