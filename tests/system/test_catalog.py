"""The journal's entries of what an operator may look up: they have an id, and journalctl -x explains them."""

import json

import pytest

from catalog import catalog
from watch import wait_until

IDS = {entry.subject: message_id for message_id, entry in catalog().items()}
BAD = "limits = {\n    connections = 0;\n};\n"


def journalctl(service, *options):
    service.machine("journalctl", "--sync")
    return service.machine("journalctl", "-q", "--after-cursor", service.since, *options)


def entry(service, subject):
    """The one entry of that event, once it is there."""

    def found():
        entries = [json.loads(line) for line in journalctl(service, "-o", "json").splitlines()]
        return [one for one in entries if one.get("MESSAGE_ID") == IDS[subject]]

    wait_until(found, 10, lambda: f"{subject}: {journalctl(service)}")
    (one,) = found()
    return one


def explained(service, subject):
    """Below the line with -x: the subject, and the beginning of the text."""
    said = journalctl(service, "-x")
    assert f"Subject: {subject}\n" in said
    assert catalog()[IDS[subject]].text.split("\n")[0] in said


def check(service, subject, priority, begins):
    one = entry(service, subject)
    assert (one["PRIORITY"], one["SYSLOG_IDENTIFIER"], one["SYSLOG_FACILITY"]) == (priority, "hellod", "3")
    assert one["MESSAGE"].startswith(begins)
    explained(service, subject)
    return one


def test_ready_and_stopped(service):
    service.systemctl("start")
    one = check(service, "hellod is ready", "6", "ready: ")
    assert (one["_SYSTEMD_UNIT"], one["_PID"]) == (service.unit, str(service.master()))
    assert one["_TRANSPORT"] == "journal"
    service.systemctl("stop")
    check(service, "hellod has begun to stop", "6", "Terminated: finishing ")


def test_reloads(service):
    service.systemctl("start")
    service.systemctl("reload")
    check(service, "hellod has taken up its new configuration", "6", "reload 1 done: ")
    service.configure(BAD)
    assert service.try_reload().returncode != 0
    check(service, "hellod has not taken up its new configuration", "3", "reload 2 failed: ")


def test_a_worker_that_died(service):
    service.systemctl("start")
    victim = max(service.processes() - {service.master()})
    service.kill("KILL", victim)
    one = check(service, "A worker of hellod has died and is replaced", "4", "worker ")
    assert f"(pid {victim}) was killed by signal 9 (Killed)" in one["MESSAGE"]
    assert (one["WORKER_PID"], one["GENERATION"]) == (str(victim), "0") and one["SLOT"].isdigit()


def test_a_client_is_found_by_its_address(service):
    service.configure("log = { access = true; };")
    service.systemctl("start")
    service.ask()
    service.ask("udp")

    def found():
        entries = [json.loads(line) for line in journalctl(service, "-o", "json").splitlines()]
        return [one for one in entries if one.get("PEER_ADDRESS") == "127.0.0.1"]

    wait_until(lambda: len(found()) == 3, 10, lambda: journalctl(service))
    for one in found():
        assert (one["_SYSTEMD_UNIT"], one["_PID"], one["GENERATION"]) == (service.unit, one["WORKER_PID"], "0")
        assert one["PEER_PORT"] in one["MESSAGE"] and one["SLOT"].isdigit()
        assert int(one["_PID"]) in service.processes() - {service.master()}
    assert sorted(one["LISTENER"] for one in found()) == ["greeting", "greeting", "hello"]


def test_a_service_that_could_not_start(service):
    service.configure(BAD)
    assert service.machine.run("systemctl", "start", service.unit).returncode != 0
    check(service, "hellod could not start", "3", "not started: /etc/hellod/conf.d/test.conf:2")
    # The lines that say why do not depend on it.
    errors = [text for priority, text in service.journal() if priority == 3 and not text.startswith("not started: ")]
    assert any("/etc/hellod/conf.d/test.conf:2" in text for text in errors), errors


@pytest.mark.parametrize("subject", IDS)
def test_the_package_has_brought_the_catalogue(service, subject):
    assert f"Subject: {subject}\n" in service.machine("journalctl", "--dump-catalog", IDS[subject])
