"""What is enabled is there after a reboot."""

import pytest

from service import WAYS, Service
from watch import wait_until

LATER = {"127.0.0.1": "192.0.2.7", "::1": "2001:db8::7"}


@pytest.fixture
def enabled(service):
    """Whatever the test enables is disabled again, and the addresses that it gives the system are taken back."""
    yield service
    for address in LATER.values():
        service.machine.run("ip", "address", "delete", address, "dev", "lo")


def test_the_service_is_back(enabled):
    enabled.systemctl("enable")
    enabled.machine.reboot()
    assert enabled.state() == "active"
    for way in WAYS:
        enabled.ask(*way)


def test_the_sockets_are_back(enabled):
    Service(enabled.machine, "hellod.socket").systemctl("enable")
    enabled.machine.reboot()
    assert enabled.state() == "inactive"
    for way in WAYS:
        enabled.ask(*way)
    wait_until(lambda: enabled.state() == "active", 5, enabled.state)


def give(machine, address):
    machine("ip", "address", "add", address, "dev", "lo", *(["nodad"] if ":" in address else []))


def test_an_address_that_comes_after_the_boot(enabled):
    listeners = [
        f'{{ name = "{kind}-{number}"; protocol = "{protocol}"; type = "{kind}"; address = "{address}"; }}'
        for number, address in enumerate(LATER.values())
        for kind, protocol in (("stream", "greeting"), ("datagram", "hello"))
    ]
    enabled.configure(f"listen = ( {', '.join(listeners)} );\n")
    enabled.systemctl("enable")
    enabled.machine.reboot()
    assert enabled.state() == "active"
    with pytest.raises(OSError):
        enabled.ask("tcp", LATER["127.0.0.1"])
    for address in LATER.values():
        give(enabled.machine, address)
    for address in LATER.values():
        enabled.ask("tcp", address)
        enabled.ask("udp", address)
    enabled.systemctl("restart")
    for address in LATER.values():
        enabled.ask("tcp", address)


def test_the_sockets_wait_for_an_address_too(enabled):
    sockets = Service(enabled.machine, "hellod.socket")
    address = LATER["127.0.0.1"]
    sockets.drop_in(f"[Socket]\nListenStream=\nListenDatagram=\nListenStream={address}:3288\n")
    enabled.configure(
        f'listen = ( {{ name = "one"; protocol = "greeting"; type = "stream"; address = "{address}"; }} );\n'
    )
    sockets.systemctl("enable")
    enabled.machine.reboot()
    assert sockets.state() == "active"
    give(enabled.machine, address)
    enabled.ask("tcp", address)
    wait_until(lambda: enabled.state() == "active", 5, enabled.state)
