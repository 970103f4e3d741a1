"""Restarts and crashes lose nobody who waits: the sockets outlive the service, in systemd's descriptor store or in the
socket unit."""

import json
import threading
from collections import Counter
from contextlib import contextmanager

import pytest

from clients import Datagram, Stream, greeting
from machine import is_refused
from queues import Queue
from service import WAYS, Service
from watch import wait_until

LEDGER = 1  # beside the sockets hellod stores a list of them
SAMPLE = 4  # the sockets of the sample configuration
MORE = (
    'listen = ( { name = "greeting"; protocol = "greeting"; type = "stream"; },\n'
    '{ name = "hello"; protocol = "hello"; type = "datagram"; },\n'
    '{ name = "more"; protocol = "greeting"; type = "stream"; port = 4001; } );\n'
)
MOVED = (
    'listen = ( { name = "greeting"; protocol = "greeting"; type = "stream"; port = 4001; },\n'
    '{ name = "hello"; protocol = "hello"; type = "datagram"; } );\n'
)


def wait_for_stored(service, number):
    wait_until(lambda: service.stored() == number, 10, lambda: f"{number} stored, not {service.stored()}")


@pytest.fixture(params=["service", "socket"])
def gated(request, service):
    """hellod serves, on sockets of its own or on those of the socket unit; its next start will wait at the gate."""
    service.gate()
    if request.param == "socket":
        Service(service.machine, "hellod.socket").systemctl("start")
    service.systemctl("start")
    service.ask()
    service.close_gate()
    yield service
    service.open_gate()


def test_a_restart_keeps_those_who_wait(gated):
    with gated.connect() as before:
        before.greeted()
        gated.systemctl("restart", "--no-block")
        before.expect_end()
    gated.wait_at_gate()
    with Queue(gated) as queue:
        gated.open_gate()
        queue.expect_answers()
    assert gated.show("NRestarts") == "0"


def crash(gated, times):
    gated.kill("KILL", gated.master())
    gated.wait_at_gate()
    with Queue(gated) as queue:
        gated.open_gate()
        queue.expect_answers()
    wait_until(lambda: gated.state() == "active", 10, gated.state)
    assert gated.show("NRestarts") == str(times)


def test_a_crash_keeps_those_who_wait(gated):
    crash(gated, 1)


def test_a_second_crash_too(gated):
    """What came back from the store is in it again."""
    gated.kill("KILL", gated.master())
    gated.wait_at_gate()
    gated.open_gate()
    gated.ask()
    gated.close_gate()
    crash(gated, 2)


@contextmanager
def load(service):
    """Clients of all kinds, one after the other, until the block ends; yields how many were answered, by kind. That one
    was not fails the block."""
    over, done, failures = threading.Event(), Counter(), []

    def go_on(kind, host):
        while not over.is_set():
            try:
                service.ask(kind, host)
            except (OSError, AssertionError) as failure:
                failures.append((kind, host, failure))
            done[kind, host] += 1

    threads = [threading.Thread(target=go_on, args=way) for way in WAYS]
    for thread in threads:
        thread.start()
    try:
        yield done
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert not failures, failures


@pytest.mark.parametrize("way", ["service", "socket"])
def test_restarts_under_load_lose_nobody(service, way):
    if way == "socket":
        Service(service.machine, "hellod.socket").systemctl("start")
    service.systemctl("start")
    with load(service) as done:
        for _ in range(3):
            before = done.copy()
            service.systemctl("restart")
            wait_until(lambda: all(done[way] > before[way] + 3 for way in WAYS), 20, lambda: done)
    print(done)


def test_a_socket_for_each_worker(service):
    """Each has a queue of its own; also those that have no worker any more are served."""
    listeners = 'listen = ( { name = "greeting"; protocol = "greeting"; type = "stream"; per_worker = true; },\n'
    listeners += '{ name = "hello"; protocol = "hello"; type = "datagram"; per_worker = true; } );\n'
    service.gate()
    service.configure(listeners + "workers = 4;\n")
    service.systemctl("start")
    wait_for_stored(service, 4 * SAMPLE + LEDGER)
    service.configure(listeners + "workers = 2;\n")
    service.close_gate()
    service.systemctl("restart", "--no-block")
    service.wait_at_gate()
    with Queue(service) as queue:
        service.open_gate()
        queue.expect_answers()
    for way in WAYS:
        service.ask(*way)


def test_what_is_stored(service):
    service.systemctl("start")
    wait_for_stored(service, SAMPLE + LEDGER)
    if service.machine.version() >= 254:
        said = service.machine("systemd-analyze", "fdstore", "--json=short", "hellod.service")
        names = Counter(entry["fdname"] for entry in json.loads(said))
        assert (names.pop("greeting"), names.pop("hello")) == (2, 2)
        assert list(names.values()) == [LEDGER]


def test_sockets_of_the_unit_are_not_stored(service):
    Service(service.machine, "hellod.socket").systemctl("start")
    service.systemctl("start")
    service.ask()
    assert service.stored() <= LEDGER
    service.configure(MORE)
    service.systemctl("restart")
    service.ask(port=4001)
    wait_for_stored(service, 2 + LEDGER)


def test_a_stop_empties_the_store(service):
    service.systemctl("start")
    wait_for_stored(service, SAMPLE + LEDGER)
    service.systemctl("stop")
    wait_for_stored(service, 0)
    service.wait_for_refusal("127.0.0.1", "::1")
    service.wait_for_free_ports()
    service.systemctl("start")
    for way in WAYS:
        service.ask(*way)
    wait_for_stored(service, SAMPLE + LEDGER)


def test_a_start_right_after_a_stop(service):
    """systemd may still have the sockets then."""
    for _ in range(3):
        service.systemctl("start")
        service.systemctl("stop")
    service.systemctl("start")
    for way in WAYS:
        service.ask(*way)


def test_the_socket_unit_takes_over_and_back(service):
    """The first moment after a stop systemd may still be closing what it had stored, as hellod.socket says."""
    sockets = Service(service.machine, "hellod.socket")
    for _ in range(3):
        service.systemctl("start")
        service.systemctl("stop")
        service.wait_for_free_ports()
        sockets.systemctl("start")
        service.ask()
        sockets.systemctl("stop")
        service.systemctl("stop")


def test_without_a_store_all_else_works(service):
    service.drop_in("[Service]\nFileDescriptorStoreMax=0\n")
    service.systemctl("start")
    service.systemctl("restart")
    service.systemctl("reload")
    for way in WAYS:
        service.ask(*way)
    assert service.stored() == 0


def test_a_port_that_changes_over_a_restart(service):
    service.systemctl("start")
    service.configure(MOVED)
    service.systemctl("restart")
    service.wait_for_refusal("127.0.0.1", "::1")
    service.ask(port=4001)
    service.ask("udp")
    wait_for_stored(service, SAMPLE + LEDGER)


def test_a_listener_that_is_gone_after_a_crash(service):
    service.configure(MORE)
    service.systemctl("start")
    wait_for_stored(service, SAMPLE + 2 + LEDGER)
    service.machine("rm", "/etc/hellod/conf.d/test.conf")
    old = service.master()
    service.kill("KILL", old)
    service.wait_for_new_master(old, 10)
    service.wait_for_refusal("127.0.0.1", "::1", port=4001)
    service.ask()
    wait_for_stored(service, SAMPLE + LEDGER)


def test_reloads_keep_the_store_up_to_date(service):
    service.systemctl("start")
    service.configure(MORE)
    service.systemctl("reload")
    service.ask(port=4001)
    wait_for_stored(service, SAMPLE + 2 + LEDGER)
    service.machine("rm", "/etc/hellod/conf.d/test.conf")
    service.systemctl("reload")
    service.wait_for_refusal("127.0.0.1", "::1", port=4001)
    wait_for_stored(service, SAMPLE + LEDGER)


def test_a_failed_reload_leaves_the_store_alone(service):
    service.systemctl("start")
    service.configure(MORE + "limits = { connections = 0; };\n")
    assert service.try_reload().returncode != 0
    wait_for_stored(service, SAMPLE + LEDGER)
    assert is_refused(service.machine, ("127.0.0.1", 4001))


@pytest.mark.parametrize("verb", ["daemon-reload", "daemon-reexec"])
def test_the_manager_itself_reloads(gated, verb):
    stored, old = gated.stored(), gated.master()
    with gated.connect() as client:
        client.greeted()
        gated.machine("systemctl", verb)
        client.ask(b"Bob", greeting(b"Bob"))
    gated.ask("udp")
    assert (gated.state(), gated.master(), gated.stored()) == ("active", old, stored)
    assert " workers, " in gated.show("StatusText")
    gated.systemctl("restart", "--no-block")
    gated.wait_at_gate()
    with Queue(gated) as queue:
        gated.open_gate()
        queue.expect_answers()


PATHS = (
    'listen = ( { name = "stream"; protocol = "greeting"; type = "stream"; path = "/run/hellod/stream"; },\n'
    '{ name = "datagram"; protocol = "hello"; type = "datagram"; path = "/run/hellod/datagram"; } );\n'
)
def test_paths_outlive_a_restart(service):
    """New clients find the path while the service is away, and it is answered when that is back."""
    service.gate()
    service.configure(PATHS)
    service.systemctl("start")
    wait_for_stored(service, 2 + LEDGER)
    service.close_gate()
    service.systemctl("restart", "--no-block")
    service.wait_at_gate()
    with service.machine.network():
        stream = Stream(service.machine.outside("/run/hellod/stream"), seconds=20)
        datagram = Datagram(service.machine.outside("/run/hellod/datagram"), seconds=20)
    with stream, datagram:
        datagram.send(b"Eve")
        service.open_gate()
        stream.greeted().ask(b"Bob", greeting(b"Bob"))
        assert datagram.receive()[0] == greeting(b"Eve")
    service.systemctl("stop")
    assert service.machine.run("ls", "/run/hellod").returncode != 0


def test_a_path_that_nobody_wants_any_more(service):
    service.configure(PATHS)
    service.systemctl("start")
    service.machine("rm", "/etc/hellod/conf.d/test.conf")
    service.systemctl("restart")
    service.ask()
    wait_for_stored(service, SAMPLE + LEDGER)
    left = service.machine("ls", "/run/hellod").split()
    assert "stream" not in left and "datagram" not in left, left
