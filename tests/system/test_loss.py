"""Nothing is lost by what an operator does: load on the installed service while systemd reloads and restarts it, and
while its workers are killed. What is asked, and how it is judged, is in ../loss. The figures are shown at the end.
"""

import os
import random
import socket
from pathlib import Path

import pytest

from keeper import kill_worker, pause
from measure import Measurement, configure
from service import PORT, Service
from watch import wait_until
from worlds import (
    DRAIN_SECONDS,
    KILL_PAUSE_SECONDS,
    MANY_WORKERS,
    RESTART_DATAGRAMS,
    RESTART_PAUSE_SECONDS,
    SEED,
    config,
    walk,
)

RELOADS, KILLS, RESTARTS = 200, 100, 20

pytestmark = pytest.mark.seconds(300)


def outside(machine, pid):
    """The process ID by which we know process PID of MACHINE."""
    namespace = os.readlink(f"/proc/{machine.init}/ns/pid")
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink(f"/proc/{entry}/ns/pid") != namespace:
                continue
            status = Path(f"/proc/{entry}/status").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(next(line for line in status.splitlines() if line.startswith("NSpid:")).split()[-1]) == pid:
            return int(entry)
    raise AssertionError(f"process {pid} is not there")


def test_reloads_lose_nothing(service, figures):
    ledger, chance = Measurement(service, "reloads"), random.Random(SEED)
    with service.machine.network():
        thief = socket.create_server(("", PORT + 2))
    configure(service, config(PORT))
    service.systemctl("start")
    with thief, ledger.run():
        for number, (what, world, can_be) in enumerate(walk(PORT, RELOADS), 1):
            configure(service, world)
            with ledger.doing(f"reload {number} ({what})"):
                done = service.machine.run("systemctl", "reload", service.unit)
            assert (done.returncode == 0) == can_be, f"{what}: {done.stdout}\n{service.texts()[-2000:]}"
            pause(chance.choice((0, 0, 0.1, 0.2, DRAIN_SECONDS)))
    ledger.judge(figures)


def test_killed_workers_lose_what_they_have_and_no_more(service, figures):
    ledger = Measurement(service, "kills")
    configure(service, config(PORT, workers=MANY_WORKERS))
    service.systemctl("start")
    workers = service.processes() - {service.master()}

    def all_there():
        found = service.processes() - {master}
        return found if len(found) == MANY_WORKERS else None

    master, oldest = service.master(), sorted(workers)
    with ledger.run():
        for number in range(KILLS):
            there = wait_until(all_there, 70, lambda: f"{MANY_WORKERS} workers: {service.texts()[-2000:]}")
            oldest = [pid for pid in oldest if pid in there] + sorted(there - set(oldest))
            with ledger.doing(f"kill {number + 1} (worker {oldest[0]})"):
                kill_worker(ledger, outside(service.machine, oldest[0]))
            pause(KILL_PAUSE_SECONDS)
        wait_until(all_there, 70, "all workers")
    assert service.master() == master
    ledger.judge(figures)


@pytest.mark.parametrize("way", ["store", "sockets"])
def test_restarts_lose_nothing(service, figures, way):
    ledger = Measurement(service, way, RESTART_DATAGRAMS)
    configure(service, config(PORT))
    if way == "sockets":
        Service(service.machine, "hellod.socket").systemctl("start")
    service.systemctl("start")
    with ledger.run():
        for number in range(RESTARTS):
            with ledger.doing(f"restart {number + 1}"):
                service.systemctl("restart")
            pause(RESTART_PAUSE_SECONDS)
    assert service.texts().count(" as descriptor ") >= 4 * RESTARTS
    ledger.judge(figures)
