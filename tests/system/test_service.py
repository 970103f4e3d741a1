"""hellod.service, which binds what the configuration says."""

import re
import time

import pytest

from clients import PROMPT, Datagram, greeting
from machine import is_refused
from manners import one_spins
from service import MANNERS, WAYS, Service
from watch import wait_until


def test_start_returns_when_it_serves(service):
    service.systemctl("start")
    for kind, host in WAYS:
        service.ask(kind, host)
    assert service.state() == "active"
    assert "passed as descriptor" not in service.texts()


def test_status_line_follows_what_happens(service):
    service.systemctl("start")
    assert re.fullmatch(r"\d+ workers, 0 connections, 0 answers so far", service.show("StatusText"))
    with service.connect() as client:
        client.greeted().ask(b"Bob", greeting(b"Bob"))
        wait_until(lambda: " 1 connections, 1 answers" in service.show("StatusText"), 15, "a status line that knows")
        assert ' workers, 1 connections, 1 answers so far"' in service.systemctl("status")


def test_stop_lets_a_conversation_end(service):
    service.configure('listen = ( { name = "slow"; protocol = "greeting"; type = "stream"; delay = 2.0; } );\n')
    service.systemctl("start")
    with service.connect() as client:
        client.greeted().send(b"Bob")
        wait_until(lambda: service.machine.run("ss", "-Htn", "sport = :3288").stdout.split()[1] == "0", 5, "it is read")
        service.systemctl("stop", "--no-block")
        wait_until(lambda: service.state() == "deactivating", 1, service.state)
        wait_until(lambda: service.show("StatusText") == "finishing conversations", 1, "a status line that says so")
        client.expect_end(greeting(b"Bob"))
    wait_until(lambda: service.state() == "inactive", 10, service.state)
    assert (service.show("Result"), service.show("ExecMainStatus")) == ("success", "0")
    assert service.processes() == set()


def test_stop_is_over_at_once_when_nobody_is_there(service):
    service.systemctl("start")
    start = time.monotonic()
    service.systemctl("stop")
    assert time.monotonic() - start < 2
    assert (service.show("Result"), service.show("ExecMainStatus")) == ("success", "0")


def test_restart(service):
    service.systemctl("start")
    before = service.processes()
    service.systemctl("restart")
    service.ask()
    service.ask("udp")
    assert not before & service.processes()
    assert service.show("NRestarts") == "0"


def test_a_killed_master_is_replaced_and_leaves_no_worker(service):
    service.systemctl("start")
    old, before = service.master(), service.processes()
    assert len(before) > 1
    service.kill("KILL", old)
    service.wait_for_new_master(old, 10)
    service.ask()
    service.ask("udp")
    assert not before & service.processes()
    assert service.show("NRestarts") == "1"


def test_a_stopped_master_is_found_by_the_watchdog(service):
    service.drop_in("[Service]\nWatchdogSec=2\nTimeoutAbortSec=5\n")
    service.systemctl("start")
    old, before = service.master(), service.processes()
    service.kill("STOP", old)
    service.wait_for_new_master(old, 25)
    service.ask()
    assert not before & service.processes()
    said = service.machine("journalctl", "-q", "--after-cursor", service.since, "-o", "cat")
    assert "Watchdog timeout (limit 2s)" in said


def test_a_healthy_master_outlives_many_watchdog_intervals(service):
    service.drop_in("[Service]\nWatchdogSec=1\n")
    service.systemctl("start")
    old, until = service.master(), time.monotonic() + 4
    wait_until(lambda: time.monotonic() > until or service.state() != "active", 10, "four intervals")
    assert (service.master(), service.show("NRestarts")) == (old, "0")


def test_a_stuck_worker_is_replaced(service):
    service.drop_in(f"[Service]\nEnvironment=LD_PRELOAD={MANNERS} HELLOD_MANNERS=/run/hellod/wishes\n")
    service.systemctl("start")
    master, before = service.master(), service.processes()
    stuck = max(before)
    octal = "".join(f"\\{byte:03o}" for byte in one_spins(stuck))
    service.machine("sh", "-c", f"printf '{octal}' 1<>/run/hellod/wishes")
    # A signal that does nothing else ends its wait for events.
    service.kill("STOP", stuck)
    service.kill("CONT", stuck)
    wait_until(lambda: stuck not in service.processes(), 60, service.texts)
    wait_until(lambda: len(service.processes()) == len(before), 10, service.texts)
    assert re.search(rf"worker \(pid {stuck}\) is stuck: ", service.texts())
    assert service.processes() & before == before - {stuck}
    assert (service.master(), service.show("NRestarts")) == (master, "0")
    for way in WAYS:
        service.ask(*way)


def test_a_bad_config_is_said_and_not_tried_again(service):
    service.configure("limits = {\n    connections = 0;\n};\n")
    assert service.machine.run("systemctl", "start", service.unit).returncode != 0
    assert (service.state(), service.show("Result")) == ("failed", "exit-code")
    assert (service.show("ExecMainStatus"), service.show("NRestarts")) == ("78", "0")
    errors = [text for priority, text in service.journal() if priority == 3]
    assert any("/etc/hellod/conf.d/test.conf:2" in text for text in errors), errors


def test_a_bad_config_is_in_the_status_line(service):
    service.configure("limits = {\n    connections = 0;\n};\n")
    assert service.machine.run("systemctl", "start", service.unit).returncode != 0
    assert "/etc/hellod/conf.d/test.conf:2" in service.show("StatusText")


def test_a_taken_port_is_tried_until_it_is_free(service):
    service.machine("systemd-run", "-q", "--unit=thief", "--service-type=exec", "--property=DynamicUser=yes", "--",
                    "/usr/sbin/hellod")  # fmt: skip
    thief = Service(service.machine, "thief.service")
    try:
        wait_until(lambda: not is_refused(service.machine, ("127.0.0.1", 3288)), 10, "the thief serves")
        assert service.machine.run("systemctl", "start", service.unit).returncode != 0
        wait_until(lambda: int(service.show("NRestarts")) >= 2, 10, "tries")
        wait_until(lambda: "3288: Address already in use" in service.show("StatusText"), 5, "the reason")
    finally:
        thief.systemctl("stop")
    wait_until(lambda: service.state() == "active", 10, service.state)
    service.ask()


def test_term_for_every_process_drains_all_the_same(service):
    service.configure('listen = ( { name = "slow"; protocol = "greeting"; type = "stream"; delay = 2.0; } );\n')
    service.systemctl("start")
    with service.connect() as client:
        client.greeted().send(b"Bob")
        wait_until(lambda: service.machine.run("ss", "-Htn", "sport = :3288").stdout.split()[1] == "0", 5, "it is read")
        service.systemctl("kill", "--signal=TERM")
        client.expect_end(greeting(b"Bob"))
    wait_until(lambda: service.state() == "inactive", 10, service.state)
    assert (service.show("Result"), service.show("ExecMainStatus"), service.show("NRestarts")) == ("success", "0", "0")


def test_kill_for_every_process_is_a_crash(service):
    service.systemctl("start")
    old, before = service.master(), service.processes()
    service.systemctl("kill", "--signal=KILL")
    service.wait_for_new_master(old, 10)
    for way in WAYS:
        service.ask(*way)
    assert not before & service.processes()
    assert service.show("NRestarts") == "1"


# systemd gives the service 8 MB of room to the journal, which the kernel doubles; a line takes 768 bytes of it or more.
LINES_THAT_FIT = 2 * 8 * 1024 * 1024 // 768


def test_nobody_waits_for_a_journal_that_stands_still(service):
    service.configure("log = { access = true; };\n")
    service.systemctl("start")
    service.ask()
    journald = int(service.machine("systemctl", "show", "--value", "-p", "MainPID", "systemd-journald").strip())
    service.kill("STOP", journald)
    try:
        with service.machine.network():
            client = Datagram(("127.0.0.1", 3288))
        with client:
            for _ in range(LINES_THAT_FIT + 5000):
                client.expect(b"Bob", greeting(b"Bob"))
        for _ in range(50):
            service.ask()
        service.systemctl("restart")
        service.ask()
    finally:
        service.kill("CONT", journald)
    service.ask()


def test_journal_lines_have_their_priority(service):
    service.configure("log = { access = true; };\n")
    service.systemctl("start")
    service.ask()
    service.systemctl("reload-or-restart")
    lines = service.journal()
    assert any(priority == 6 and text.startswith("ready: ") for priority, text in lines), lines
    assert any(text.startswith("Accept new connection from 127.0.0.1:") for _, text in lines), lines
    assert not any(text.startswith("<") for _, text in lines), lines


def instance_config(name, port):
    return (
        'listen = ( { name = "it"; protocol = "greeting"; type = "stream";'
        f' port = {port}; answer = "{name}: %s"; }},\n'
        f'{{ name = "local"; protocol = "hello"; type = "datagram"; path = "/run/hellod-{name}/hello"; }} );\n'
    )


def test_two_instances_with_their_own_configs(service):
    instances = []
    for name, port in (("a", 4001), ("b", 4002)):
        service.machine.write(f"/etc/hellod/{name}/hellod.conf", instance_config(name, port))
        instances.append(Service(service.machine, f"hellod@{name}.service"))
    for it in instances:
        it.systemctl("start")
    for it, name, port in zip(instances, (b"a", b"b"), (4001, 4002)):
        with service.connect(port=port) as client:
            client.expect(PROMPT)
            client.ask(b"Bob", name + b": Bob")
    instances[0].systemctl("stop")
    service.wait_for_refusal("127.0.0.1", port=4001)
    with service.connect(port=4002) as client:
        client.expect(PROMPT)
    instances[1].systemctl("stop")


def test_the_processes_have_no_rights(service):
    service.systemctl("start")
    for pid in service.processes():
        status = dict(re.findall(r"^(\w+):\t(.*)$", service.machine("cat", f"/proc/{pid}/status"), re.MULTILINE))
        assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2", status
        assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}, status
        assert status["Uid"].split() == [service.machine("id", "-u", "hellod").strip()] * 4, status
        assert status["Gid"].split() == [service.machine("id", "-g", "hellod").strip()] * 4, status


@pytest.mark.parametrize("unit", ["hellod.service", "hellod@.service", "hellod.socket", "hellod-metrics.socket", "hellod-metrics@.service"])
def test_units_are_without_fault(service, unit):
    assert service.machine("systemd-analyze", "verify", "--man=no", "--recursive-errors=yes", unit) == ""


@pytest.mark.parametrize("drop_in, most", [(None, 1.1), ("socket-only.conf", 0.6)])
def test_exposure(service, drop_in, most):
    if drop_in:
        sample = service.machine("cat", f"/usr/share/doc/hellod/examples/{drop_in}")
        service.drop_in(sample)
    said = service.machine("systemd-analyze", "security", "--no-pager", "hellod.service")
    exposure = float(re.search(r"Overall exposure level for hellod.service: ([\d.]+)", said)[1])
    print(f"exposure {exposure}")
    assert exposure <= most, said
