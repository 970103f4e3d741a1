"""helloctl and hellod together: what an operator does, and what the exit code says about it.

helloctl alone, against every kind of answer, is in test_helloctl.py.
"""

import json
import re
import signal
import subprocess

from configs import GREETING, HELLO
from controlled import command, helloctl
from hellodtest import EXIT_OK, TREE
from manners import Manners
from reloads import Service, converse, owed
from watch import SLOW, wait_until
from workers import settled

LINES = {**GREETING, "framing": "line"}
SERVES = {"listen": [LINES, HELLO]}

DONE, REFUSED, NOBODY = 0, 1, 69


def ctl(service, *words, **how):
    return helloctl("-s", service.control_path, *words, **how)


def test_status_for_a_person():
    with Service(SERVES) as service:
        converse(service)
        settled(service)
        done = ctl(service, "status")
        text = done.stdout.decode()
        assert (done.returncode, done.stderr) == (DONE, "")
        for word in (str(service.pid), "greeting", "hello", "127.0.0.1", *map(str, service.workers())):
            assert word in text, text


def test_status_for_a_program(folder):
    name = 'a"quoted"\\name'
    local = {"name": "local", "protocol": "greeting", "type": "stream", "path": str(folder / name)}
    with Service({"listen": [LINES, HELLO, local]}) as service:
        converse(service)
        totals = settled(service)
        done = ctl(service, "status", "--json")
        assert (done.returncode, done.stderr) == (DONE, "")
        told, status = json.loads(done.stdout), service.status()
        assert told["service"]["pid"] == service.pid and told["service"]["healthy"] is True
        assert told["counters"] == totals == status.counters
        assert told["listeners"] == status.listeners and told["reload"] == status.reload
        assert sorted(row["pid"] for row in told["workers"]) == service.workers()
        assert any(row["address"].endswith(name) for row in told["listeners"])


def objects(told):
    """The objects in what --json has TOLD, by the member that they are in."""
    return {name: value if isinstance(value, list) else [value] for name, value in told.items()}


def documented():
    """The names of THE JSON FORM in helloctl(8), by the member that they are in."""
    section = (TREE / "man" / "helloctl.8").read_text(encoding="utf-8").partition("\n.Sh THE JSON FORM\n")[2].partition("\n.Sh ")[0]
    found = {}
    for members, text in re.findall(r"^\.It Li (.*)\n((?:(?!\.It ).*\n)*)", section, re.M):
        found.update({member: set(re.findall(r"^\.Li (\w+)", text, re.M)) for member in members.split(" , ")})
    return found


# What programs may rely on. Nothing is ever taken away here, and no type is changed.
STABLE = {
    "service": {"version": str, "pid": int, "state": str, "generation": int, "uptime_ms": int, "workers": int, "ready": int,
                "connections": int, "answers": int, "log_level": str, "config": str, "healthy": bool},
    "reload": {"number": int, "result": str, "age_ms": int, "reason": str},
    "listeners": {"name": str, "protocol": str, "type": str, "address": str, "passed": bool},
    "workers": {"generation": int, "slot": int, "pid": int, "state": str, "connections": int, "answers": int, "drops": int,
                "cpu_ms": int, "age_ms": int},
    "counters": {"accepted": int, "closed_end": int, "messages": int, "datagrams": int, "drop_text": int, "refused_full": int},
    "metrics": {"name": str, "kind": str, "unit": str, "help": str},
    "values": {"name": str, "value": int},
    "buckets": {"name": str, "value": int},
    "sums": {"name": str, "value": int},
}  # fmt: skip


def test_json_form_is_as_documented_and_stays():
    with Service(SERVES) as service:
        told = objects(json.loads(ctl(service, "status", "--json").stdout))
        labels = {"listener", "protocol", "type", "address", "cause", "rule", "result", "generation", "slot", "worker"}
        assert set(told) == set(documented()) == set(STABLE)
        for member, names in documented().items():
            assert told[member], member
            there = set().union(*told[member])
            if member in ("buckets", "sums"):
                assert there - labels <= {"name", "le", "value"}
            elif member != "counters":
                assert there - (labels if member == "values" else set()) == names, member
            for name, kind in STABLE[member].items():
                assert all(type(one[name]) is kind for one in told[member]), (member, name)


def test_socket_of_the_runtime_directory():
    with Service(SERVES) as service:
        done = helloctl("status", env={"RUNTIME_DIRECTORY": service.control_path.parent})
        assert done.returncode == DONE and str(service.pid) in done.stdout.decode()


def test_good_reload():
    with Service(SERVES) as service:
        service.rewrite({"listen": [{**LINES, "answer": "Hi, %s!"}, HELLO]})
        done = ctl(service, "reload")
        assert (done.returncode, done.stderr) == (DONE, "")
        with service.connect().greeted() as client:
            client.ask(b"Bob\n", b"Hi, Bob!\n")
        service.wait_for_line(r"^reload 1, asked for by uid \d+ \(pid \d+\)$")


def test_bad_reload():
    with Service(SERVES) as service:
        service.rewrite("workerz = 1;\nworkers = 1000;\n")
        done = ctl(service, "reload")
        lines = done.stderr.splitlines()
        assert (done.returncode, done.stdout) == (REFUSED, b"")
        # Each as the log has it, for an editor to jump to.
        assert lines[0].startswith(f"{service.config}:1: ") and "workerz" in lines[0]
        assert lines[1].startswith(f"{service.config}:2: ") and "workers" in lines[1]
        for line in lines[:2]:
            service.wait_for_line(line.replace("(", r"\(").replace(")", r"\)").replace("?", r"\?"))
        converse(service)


def test_reload_that_returns_when_the_new_ones_serve():
    with Manners() as manners, Service(SERVES, env=manners.environment) as service:
        manners.hold_one()
        with subprocess.Popen(command("-s", service.control_path, "reload"), stderr=subprocess.PIPE) as asks:
            wait_until(manners.holds, 5, "a new worker that is held")
            assert service.status().service["state"] == "reloading" and asks.poll() is None
            manners.let_go()
            assert asks.wait(10 * SLOW) == DONE and asks.stderr.read() == b""


def test_reload_that_a_stop_ends():
    with Manners() as manners, Service(SERVES, env=manners.environment) as service:
        manners.hold_one()
        with subprocess.Popen(command("-s", service.control_path, "reload"), stderr=subprocess.PIPE) as asks:
            wait_until(manners.holds, 5, "a new worker that is held")
            service.signal(signal.SIGTERM)
            manners.let_go()
            assert asks.wait(10 * SLOW) in (REFUSED, NOBODY) and asks.stderr.read()
        assert service.wait() == EXIT_OK


def test_log_level():
    with Service(SERVES) as service:
        done = ctl(service, "log-level", "debug")
        assert (done.returncode, done.stderr) == (DONE, "")
        assert service.status().service["log_level"] == "debug"


def test_stop_returns_when_the_service_has_ended():
    with Service({"listen": [{**LINES, "name": "slow", "delay": 0.7}]}) as service:
        client = owed(service)
        with subprocess.Popen(command("-s", service.control_path, "stop"), stderr=subprocess.PIPE) as asks:
            client.expect(b"Hello, Bob!\n")
            assert asks.poll() is None
            client.close()
            assert asks.wait(10 * SLOW) == DONE and asks.stderr.read() == b""
        assert service.wait(2) == EXIT_OK
        service.assert_clean()
        done = ctl(service, "status")
        assert done.returncode == NOBODY and str(service.control_path) in done.stderr
