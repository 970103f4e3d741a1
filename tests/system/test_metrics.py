"""hellod-metrics.socket: systemd listens, and starts what answers a request; between two requests nothing runs."""

import json
import re

import pytest

import netns
from scraped import Answer, Metrics
from service import PORT as HELLOD_PORT, Service
from watch import wait_until

PORT = 9288
REQUEST = b"GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n"


class Socket(Service):
    """hellod-metrics.socket."""

    def __init__(self, machine):
        super().__init__(machine, "hellod-metrics.socket")

    def scrape(self):
        with self.connect(port=PORT) as client:
            client.send(REQUEST)
            return Answer(client.socket)

    def requests(self):
        """The units that answer one now."""
        return self.machine("systemctl", "list-units", "--all", "--plain", "--no-legend", "hellod-metrics@*").split("\n")[:-1]

    def entries(self):
        """What the journal has of all requests, as objects."""
        self.machine("journalctl", "--sync")
        said = self.machine("journalctl", "-q", "--after-cursor", self.since, "-o", "json")
        units = re.compile(r"hellod-metrics@.*")
        found = [json.loads(line) for line in said.splitlines()]
        return [it for it in found if units.match(it.get("_SYSTEMD_UNIT", "")) or units.match(it.get("UNIT", ""))]


@pytest.fixture
def metrics(service):
    it = Socket(service.machine)
    it.since = service.since
    it.systemctl("start")
    yield it
    it.systemctl("stop")
    it.machine("systemctl", "stop", "hellod-metrics@*.service")


def test_is_off(service):
    it = Socket(service.machine)
    assert (it.show("UnitFileState"), it.state()) == ("disabled", "inactive")


def test_scraped(service, metrics):
    service.systemctl("start")
    service.ask()
    for _ in range(3):
        answer = metrics.scrape()
        assert answer.status == 200
        assert Metrics(answer.body).one("hellod_healthy") == 1
    assert sum(Metrics(answer.body).all("hellod_slot_answers_total")) == 1
    # Nothing runs, nothing has failed, and nothing was said.
    wait_until(lambda: metrics.requests() == [], 20, metrics.requests)
    assert service.machine("systemctl", "list-units", "--failed", "--plain", "--no-legend") == ""
    assert metrics.entries() == []


def test_there_is_no_service(metrics):
    """Which is said to who asks, and in the journal."""
    assert metrics.scrape().status == 503
    wait_until(lambda: metrics.requests() == [], 20, metrics.requests)
    (said,) = metrics.entries()
    assert (said["PRIORITY"], said["SYSLOG_IDENTIFIER"]) == ("4", "helloctl")
    assert "nobody answers at /run/hellod/control" in said["MESSAGE"]


def test_who_answers(service, metrics):
    """Neither root nor the service's user; it sees no network and has no rights."""
    service.systemctl("start")
    with metrics.connect(port=PORT) as client:
        (unit,) = wait_until(metrics.requests, 10, "a process for the request")
        process = Service(service.machine, unit.split()[0])
        pid = wait_until(process.master, 10, unit)
        # Before that it is systemd on its way to it.
        wait_until(lambda: service.machine("cat", f"/proc/{pid}/comm") == "helloctl\n", 10, unit)
        status = dict(re.findall(r"^(\w+):\t(.*)$", service.machine("cat", f"/proc/{pid}/status"), re.MULTILINE))
        network = service.machine("readlink", f"/proc/{pid}/ns/net"), service.machine("readlink", "/proc/1/ns/net")
        client.send(REQUEST)
        assert Answer(client.socket).status == 200
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2", status
    assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}, status
    assert not set(status["Uid"].split()) & {"0", service.machine("id", "-u", "hellod").strip()}, status
    assert network[0] != network[1]


LOCAL = (
    'listen = ( { name = "local"; protocol = "greeting"; type = "stream"; path = "/run/hellod/local"; backlog = 77; },\n'
    f'{{ name = "greeting"; protocol = "greeting"; type = "stream"; port = {HELLOD_PORT}; }} );\n'
)


@pytest.mark.skipif(not netns.tells_of_unix(), reason="the kernel does not tell of sockets of AF_UNIX")
def test_what_waits_at_a_path(service):
    """The unit does not let the service ask; the manual says what an operator adds."""
    service.configure(LOCAL)
    service.systemctl("start")
    told = Metrics(service.helloctl("metrics"))
    assert [labels["listener"] for labels, _ in told.samples["hellod_listen_queue_limit"]] == ["greeting"] * 2
    service.drop_in("[Service]\nRestrictAddressFamilies=AF_NETLINK\n")
    service.systemctl("restart")
    told = Metrics(service.helloctl("metrics"))
    assert told.one("hellod_listen_queue", listener="local", address="unix stream /run/hellod/local") == 0
    assert told.one("hellod_listen_queue_limit", listener="local") == 77
    assert [text for priority, text in service.journal() if priority < 5] == []


def test_exposure(metrics):
    said = metrics.machine("systemd-analyze", "security", "--no-pager", "hellod-metrics@test.service")
    exposure = float(re.search(r"Overall exposure level for .*: ([\d.]+)", said)[1])
    print(f"exposure {exposure}")
    assert exposure <= 0.8, said
