"""One booted system for each suite, with hellod's packages built and installed in it; each test finds it as if just
booted. Tests of the packages themselves get further systems."""

import os
import signal
from pathlib import Path

import pytest

import machine as machines
import packages as debian
from ledger import table
from service import ACTS, MANNERS, PROBE, Service

TREE = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("HELLOD_SYSTEM_CACHE", "/var/tmp/hellod-system"))
SUITES = os.environ.get("HELLOD_SYSTEM_SUITES", "bookworm trixie").split()
TEST_SECONDS = 90
PRISTINE = "/pristine"  # where the bare system sees what it was made of
FIGURES = []  # texts that are shown at the end, whatever became of the tests


def install(machine, packages):
    """The packages, and what tests need besides."""
    machine.bind(TREE / "tests", "/tests", "ro")
    packages.show_in(machine)
    machine.chroot("dpkg", "-i", *packages.debs(packages.new))
    machine.chroot("cc", "-D_GNU_SOURCE", "-o", PROBE, "/tests/system/probe.c")
    for library, name in ((MANNERS, "manners"), (ACTS, "acts")):
        source = f"/tests/process/preload/{name}.c"
        machine.chroot("cc", "-D_GNU_SOURCE", "-w", "-shared", "-fPIC", "-o", library, source, "-ldl")
    machine.unbind("/tests")


@pytest.fixture(scope="session", params=SUITES)
def suite(request):
    return request.param


@pytest.fixture(scope="session")
def root(suite):
    """The folder that machines are layers over."""
    return machines.make_root(CACHE, suite)


@pytest.fixture(scope="session")
def packages(suite, root):
    return debian.build(CACHE, suite, root)


@pytest.fixture(scope="session")
def machine(suite, root, packages):
    with machines.Machine(CACHE, root, suite) as booted:
        install(booted, packages)
        booted.boot()
        yield booted


@pytest.fixture(scope="session")
def bare(suite, root, packages):
    """A second system, without hellod; its tests leave it so. Its apt has nowhere to look, and its man-db does not look
    at all pages each time."""
    with machines.Machine(CACHE, root, f"{suite}-bare") as booted:
        packages.show_in(booted)
        booted.bind(root, PRISTINE, "ro")
        (booted.tree / "etc/apt/sources.list").write_text("")
        (booted.tree / "var/lib/man-db/auto-update").unlink(missing_ok=True)
        booted.boot()
        yield booted


@pytest.fixture
def service(machine):
    """hellod.service, stopped, with the sample configuration."""
    it = Service(machine)
    it.reset()
    yield it


@pytest.fixture(autouse=True)
def time_limit(request):
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
def figures(request, suite):
    """The ledgers of a module's tests; see measure.py."""
    ledgers = []
    yield ledgers
    if ledgers:
        FIGURES.append(f"-- losses, {request.module.__name__}, {suite}\n{table(ledgers)}")


def pytest_runtest_makereport(item, call):
    """What the services said, below a test that failed."""
    if call.when != "call" or not call.excinfo:
        return
    for name, machine in item.funcargs.items():
        if isinstance(machine, machines.Machine):
            said = machine.run("journalctl", "-o", "short-monotonic", "-n", "40").stdout
            item.add_report_section("call", f"journal of {name}", said)


def pytest_terminal_summary(terminalreporter):
    for text in FIGURES:
        terminalreporter.write_line(text)
