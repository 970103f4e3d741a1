"""The daemon in its sandbox: what its processes may, as the kernel says it, and what becomes of a worker that tries
what it must not.

Which calls are forbidden is tried one by one in test_forbidden.py.
"""

import grp
import os
import pwd

import pytest

from configs import GREETING, HELLO
from confined import Acts, rights, status, unsanitized, without
from hellodtest import EXIT_NO_WORKER, Hellod, refused
from reloads import Service, converse
from workers import opened, replaced, settled, slots, stopped

pytestmark = unsanitized

LINES = {**GREETING, "framing": "line"}
SERVES = {"listen": [LINES, HELLO]}
NONE, FILTERED = "0", "2"  # of Seccomp: in /proc/PID/status
FILTERS = "Seccomp_filters"

privileged = pytest.mark.skipif(os.geteuid() != 0, reason="only root has rights that can be given up")


@pytest.fixture(scope="module")
def outside():
    """What the tests themselves are in: a container may have filters of its own."""
    return status("self")


@pytest.fixture(scope="module")
def acts():
    with Acts() as made:
        yield made


def filters(pid):
    return int(status(pid)[FILTERS])


# ---- what the kernel says ----


def test_everybody_is_confined(outside):
    """Workers by a filter of their own, beside the one that the master has."""
    with Hellod(SERVES) as daemon:
        daemon.wait_for_line(r"^workers are confined by seccomp and Landlock \(ABI \d+\)$")
        for pid in [daemon.pid, *daemon.workers()]:
            assert (status(pid)["Seccomp"], status(pid)["NoNewPrivs"]) == (FILTERED, "1")
            assert rights(pid) == [0, 0, 0, 0]
        assert filters(daemon.pid) == int(outside[FILTERS]) + 1
        assert {filters(pid) for pid in daemon.workers()} == {int(outside[FILTERS]) + 2}


@privileged
def test_workers_of_root_are_no_root():
    """They have no rights, and no way to any. (Who is not root cannot take anything out of the bounding set.)"""
    identity = {"user": pwd.getpwuid(0).pw_name, "group": grp.getgrgid(0).gr_name}
    with Hellod({**SERVES, **identity}) as daemon:
        for pid in daemon.workers():
            assert rights(pid) == [0, 0, 0, 0]
            assert int(status(pid)["CapBnd"], 16) == 0
        converse(daemon)


def test_off_is_off(outside):
    with Hellod({**SERVES, "sandbox": "off"}) as daemon:
        daemon.wait_for_line('^workers are not confined: sandbox = "off"$')
        for pid in [daemon.pid, *daemon.workers()]:
            assert filters(pid) == int(outside[FILTERS])
            assert status(pid)["NoNewPrivs"] == outside["NoNewPrivs"]
        converse(daemon)


def test_reload_changes_it_for_the_workers(outside):
    """The master confines itself once the new workers serve, and cannot get back what it has given up then."""
    start = int(outside[FILTERS])
    with Service({**SERVES, "sandbox": "off"}) as service:
        for mode, of_master, of_workers in (("enforce", 1, 1), ("off", 1, 1), ("log", 1, 2), ("enforce", 1, 2)):
            service.reload({**SERVES, "sandbox": mode})
            service.alone()
            assert filters(service.pid) - start == of_master, mode
            assert {filters(pid) - start for pid in service.workers()} == {of_workers}, mode
            converse(service)


LANDLOCK, SECCOMP = without("landlock_create_ruleset"), without("seccomp")


@pytest.mark.parametrize(
    "wrapper, line, own",
    [
        (LANDLOCK, "workers are confined by seccomp; Landlock cannot be had here", 2),
        (SECCOMP, r"workers are confined by Landlock \(ABI \d+\); seccomp cannot be had here", 0),
        (LANDLOCK + SECCOMP, "workers are not confined: neither seccomp nor Landlock can be had here", 0),
    ],
)
def test_where_there_is_no_such_thing(outside, wrapper, line, own):
    """As in a container that allows less, or with an old kernel: it does without, and says so."""
    with Hellod(SERVES, wrapper=wrapper) as daemon:
        daemon.wait_for_line(f"^{line}$")
        around = int(outside[FILTERS]) + wrapper.count("without")
        assert {filters(pid) for pid in daemon.workers()} == {around + own}
        assert rights(daemon.pid) == [0, 0, 0, 0]
        converse(daemon)


# ---- a worker that tries ----


def said(call, slot=r"\d+", pid=r"\d+"):
    return rf"^worker {slot} \(pid {pid}\) tried the system call {call}, which the sandbox forbids$"


ENDS = {
    "run a program": "execve",
    "make a process": "clone",
    "read a file": "openat",
    "call somebody": "socket",
}


def block_of(daemon, pid):
    (slot,) = [slot for slot, block in slots(daemon).items() if block["pid"] == pid]
    return slot


@pytest.mark.parametrize("act", ENDS)
def test_worker_that_does_what_it_must_not(acts, act):
    """It ends at once, the log says why, others do not notice, and the next worker is as good."""
    with Hellod(SERVES, env=acts.environment) as daemon:
        ((bad, victim),) = opened(daemon, 1)
        slot = block_of(daemon, victim)
        with stopped(victim):
            ((good, other),) = opened(daemon, 1)
        acts.order(bad, act)
        daemon.wait_for_line(said(ENDS[act], slot, victim))
        daemon.wait_for_line(rf"^worker {slot} \(pid {victim}\) was killed by signal 31 \(Bad system call\) ")
        assert bad.rest() == b""
        good.ask(b"Bob\n", b"Hello, Bob!\n")
        replaced(daemon, slot, victim)
        assert other in daemon.workers()
        converse(daemon)
        for client in (bad, good):
            client.close()
        totals = settled(daemon)
        assert (totals["sandbox_violations"], totals["closed_killed"]) == (1, 1)


def test_unknown_call_does_no_harm(acts):
    with Hellod(SERVES, env=acts.environment) as daemon:
        before = daemon.workers()
        with daemon.connect().greeted() as client:
            acts.order(client, "ask for news")
            client.expect(b"Hello, act ask for news!\n")
        assert daemon.workers() == before
        assert settled(daemon)["sandbox_violations"] == 0


def test_one_who_only_logs_lets_it_happen(acts):
    with Hellod({**SERVES, "sandbox": "log"}, env=acts.environment) as daemon:
        daemon.wait_for_line('^workers are not confined: sandbox = "log"')
        before = daemon.workers()
        with daemon.connect().greeted() as client:
            for act in ("read a file", "call somebody", "make a process"):
                acts.order(client, act)
                client.expect(f"Hello, act {act}!\n".encode())
        assert daemon.workers() == before
        assert settled(daemon)["sandbox_violations"] == 0


# ---- what serving needs is not there ----


@pytest.mark.parametrize("call", ["accept4", "recvmmsg", "sendmmsg", "shutdown", "alarm"])
def test_start_without_a_call_that_serving_needs(call):
    """As in a container that knows better: found at start, by name."""
    with refused(SERVES, EXIT_NO_WORKER, wrapper=without(call)) as failed:
        failed.wait_for_line(rf"^no worker could start: the sandbox forbids {call}: Operation not permitted$")


def test_start_with_a_library_that_needs_a_call_more(acts):
    """As after an upgrade."""
    environment = {**acts.environment, "HELLOD_ACT": "call somebody"}
    with refused(SERVES, EXIT_NO_WORKER, env=environment) as failed:
        failed.wait_for_line(said("socket"))
        failed.wait_for_line("^no worker could start: the sandbox forbids socket$")
