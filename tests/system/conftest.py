"""One booted system for each suite, with hellod built and installed in it; each test finds it as if just booted."""

import os
import signal
from pathlib import Path

import pytest

import machine as machines
from ledger import table
from service import MANNERS, PROBE, Service

TREE = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("HELLOD_SYSTEM_CACHE", "/var/tmp/hellod-system"))
SUITES = os.environ.get("HELLOD_SYSTEM_SUITES", "bookworm trixie").split()
TEST_SECONDS = 90
FIGURES = []  # texts that are shown at the end, whatever became of the tests


def install(machine, suite):
    """Builds with the suite's own compiler and libraries, and installs as README says. Objects are kept for the next
    run."""
    objects = CACHE / f"build-{suite}"
    objects.mkdir(exist_ok=True)
    machine.bind(TREE, "/source", "ro")
    machine.bind(objects, "/objects")
    make = ["nice", "make", "-s", f"-j{os.cpu_count()}", "-C", "/source", "BUILD=/objects", "PREFIX=/usr"]
    machine.chroot(*make, "install")
    machine.chroot("systemd-sysusers")
    machine.chroot("cc", "-D_GNU_SOURCE", "-o", PROBE, "/source/tests/system/probe.c")
    manners = "/source/tests/process/preload/manners.c"
    machine.chroot("cc", "-D_GNU_SOURCE", "-w", "-shared", "-fPIC", "-o", MANNERS, manners, "-ldl")
    machine.unbind("/objects")
    machine.unbind("/source")


@pytest.fixture(scope="session", params=SUITES)
def machine(request):
    suite = request.param
    with machines.Machine(CACHE, machines.make_root(CACHE, suite), suite) as booted:
        install(booted, suite)
        booted.boot()
        yield booted


@pytest.fixture
def service(machine):
    """hellod.service, stopped, with the sample configuration."""
    it = Service(machine)
    it.reset()
    yield it


@pytest.fixture(autouse=True)
def time_limit(request, machine):
    mark = request.node.get_closest_marker("seconds")
    seconds = mark.args[0] if mark else TEST_SECONDS

    def ring(*_):
        raise TimeoutError(f"the test took longer than {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def figures(request, machine):
    """The ledgers of a module's tests; see measure.py."""
    ledgers = []
    yield ledgers
    if ledgers:
        FIGURES.append(f"-- losses, {request.module.__name__}, {machine.name}\n{table(ledgers)}")


def pytest_runtest_makereport(item, call):
    """What the service said, below a test that failed."""
    if call.when == "call" and call.excinfo and "machine" in item.funcargs:
        said = item.funcargs["machine"].run("journalctl", "-o", "short-monotonic", "-n", "40").stdout
        item.add_report_section("call", "journal", said)


def pytest_terminal_summary(terminalreporter):
    for text in FIGURES:
        terminalreporter.write_line(text)
