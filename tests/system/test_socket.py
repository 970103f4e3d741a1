"""hellod.socket: systemd holds the sockets, the first client starts the service."""

import pytest

from machine import is_refused
from service import SAMPLES, UNITS, WAYS, Service
from watch import wait_until


@pytest.fixture
def sockets(service):
    """hellod.socket listens, hellod.service is not there yet."""
    it = Service(service.machine, "hellod.socket")
    it.systemctl("start")
    assert service.state() == "inactive"
    return it


@pytest.fixture
def alone(service):
    """The same with the example that takes the network away from the service."""
    there = f"{UNITS}/hellod.service.d/socket-only.conf"
    service.machine("install", "-D", "-m", "644", f"{SAMPLES}/socket-only.conf", there)
    service.configure('activation = "require";\n', "socket-only.conf")
    service.machine("systemctl", "daemon-reload")
    it = Service(service.machine, "hellod.socket")
    it.systemctl("start")
    return it


@pytest.mark.parametrize("kind, host", WAYS)
def test_the_first_client_is_served(service, sockets, kind, host):
    service.ask(kind, host)
    wait_until(lambda: service.state() == "active", 5, service.state)
    assert service.texts().count("passed as descriptor") == 4
    for other in WAYS:
        service.ask(*other)


def test_the_sockets_outlive_the_service(service, sockets):
    service.ask()
    service.systemctl("stop")
    assert sockets.state() == "active"
    service.ask("udp")
    wait_until(lambda: service.state() == "active", 5, service.state)


def test_clients_are_not_refused_while_the_master_is_killed(service, sockets):
    service.ask()
    old, before = service.master(), service.processes()
    service.kill("KILL", old)
    # Whom a worker takes that is about to be killed as well is lost with it.
    wait_until(lambda: not before & service.processes(), 5, "the end of its workers")
    for kind, host in WAYS:
        service.ask(kind, host)
    service.wait_for_new_master(old, 10)


def test_what_the_sockets_leave_out_the_service_binds(service, sockets):
    service.configure(
        'listen = ( { name = "greeting"; protocol = "greeting"; type = "stream"; },\n'
        '{ name = "hello"; protocol = "hello"; type = "datagram"; },\n'
        '{ name = "more"; protocol = "greeting"; type = "stream"; port = 4001; } );\n'
    )
    service.ask()
    service.ask(port=4001)


def test_the_queues_have_room(service, sockets):
    said = service.machine("ss", "-Hlnum", "sport = :3288")
    assert said.count("rb2097152") == 2, said
    streams = service.machine("ss", "-Hlnt", "sport = :3288").splitlines()
    assert [line.split()[2] for line in streams] == ["4096"] * 2, streams


def test_a_service_that_cannot_start_does_not_spin(service, sockets):
    service.configure("limits = { connections = 0; };\n")
    client = service.connect()
    wait_until(lambda: sockets.state() == "failed", 20, sockets.state)
    client.close()
    assert service.state() == "failed"
    service.machine("rm", "/etc/hellod/conf.d/test.conf")
    service.machine("systemctl", "reset-failed")
    sockets.systemctl("start")
    service.ask()


def test_a_socket_is_slowed_down_but_never_switched_off(sockets):
    assert sockets.show("TriggerLimitIntervalUSec") in ("0", "infinity")
    if sockets.machine.version() < 255:
        pytest.skip("this systemd does not know PollLimitIntervalSec=")
    assert int(sockets.show("PollLimitBurst")) > 0 and sockets.show("PollLimitIntervalUSec") not in ("0", "infinity", "")


def test_without_network_it_serves_what_it_is_handed(service, alone):
    for kind, host in WAYS:
        service.ask(kind, host)
    ours = service.machine("readlink", "/proc/1/ns/net")
    assert service.machine("readlink", f"/proc/{service.master()}/ns/net") != ours


def test_without_network_it_starts_and_restarts_as_a_service(service, alone):
    service.systemctl("start")
    service.ask()
    service.systemctl("restart")
    for kind, host in WAYS:
        service.ask(kind, host)


def test_without_network_it_reloads(service, alone):
    service.ask()
    service.configure(
        'listen = ( { name = "greeting"; protocol = "greeting"; type = "stream"; answer = "Welcome, %s!"; },\n'
        '{ name = "hello"; protocol = "hello"; type = "datagram"; } );\n'
    )
    service.systemctl("reload")
    assert service.answer() == b"Welcome, Bob!\n"
    service.configure('listen = ( { name = "more"; protocol = "greeting"; type = "stream"; port = 4001; } );\n')
    assert service.try_reload().returncode != 0
    assert service.answer() == b"Welcome, Bob!\n"


def test_without_network_a_socket_that_is_missing_is_said(service, alone):
    service.configure('listen = ( { name = "more"; protocol = "greeting"; type = "stream"; port = 4001; } );\n')
    assert service.machine.run("systemctl", "start", service.unit).returncode != 0
    assert service.show("ExecMainStatus") == "69"
    service.systemctl("stop")
    alone.systemctl("stop")
    assert is_refused(service.machine, ("127.0.0.1", 3288))
