"""What holds for every process test: it ends in time, and a test marked netns runs in a network of its own."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import hellodtest
import netns
from configs import unprivileged
from watch import SLOW

INSIDE = "HELLOD_TEST_INSIDE_NETNS"  # set in the process that runs a netns test


def pytest_sessionstart(session):
    # Of whatever service runs the tests; it would move the daemon's control socket.
    os.environ.pop("RUNTIME_DIRECTORY", None)
    # Tests change their working directory, and so do the processes that run netns tests.
    for name in ("HELLOD", "HELLOC", "HELLOD_SCOREBOARD"):
        if name in os.environ:
            os.environ[name] = os.path.abspath(os.environ[name])
    if not os.access(hellodtest.binary(), os.X_OK):
        pytest.exit(f"{hellodtest.binary()} is not there: run make first, or set HELLOD", 2)


def pytest_collection_modifyitems(config, items):
    """A wrapper makes each start cost a third of a second of computing, and the client is started once a case: of its
    tests with many cases each third is run then. Under the sanitizers, which are built in, all of them are."""
    if not os.environ.get("HELLOD_WRAPPER"):
        return
    seen, left = {}, []
    for item in items:
        case = hasattr(item, "callspec") and item.path.name.startswith("test_helloc_") and (item.path, item.originalname)
        seen[case] = seen.get(case, -1) + 1
        if case and seen[case] % 3:
            left.append(item)
    items[:] = [item for item in items if item not in left]
    config.hook.pytest_deselected(items=left)


def have_ipv6():
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


@pytest.fixture
def ipv6():
    """For tests that talk to ::1."""
    if not have_ipv6():
        pytest.skip("this machine has no IPv6 loopback address")


@pytest.fixture
def folder():
    """An empty directory with a path short enough for AF_UNIX sockets. It belongs to the user that the daemon becomes,
    as RuntimeDirectory= would have it, so that the daemon can take its sockets away."""
    path = Path(tempfile.mkdtemp(prefix="hellod-"))
    path.chmod(0o755)
    if identity := unprivileged():
        shutil.chown(path, *identity)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(autouse=True)
def time_limit(request):
    """Ends a test that hangs. The library ends its daemons when the exception passes through."""
    mark = request.node.get_closest_marker("seconds")
    seconds = (mark.args[0] if mark else 60) * SLOW

    def ring(*_):
        raise TimeoutError(f"the test took longer than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def pytest_pyfunc_call(pyfuncitem):
    """Runs a netns test in a process of its own; returns None to let pytest go on as usual."""
    if not pyfuncitem.get_closest_marker("netns") or INSIDE in os.environ:
        return None
    enter, reason = netns.words()
    if enter is None:
        pytest.skip(reason)
    # The same test, by its ID, with loopback up: the namespace goes when its last process goes.
    command = [*enter, "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    command += [sys.executable, "-m", "pytest", "-q", "--no-header", "-rs", str(pyfuncitem.nodeid)]
    child = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="backslashreplace",
        cwd=pyfuncitem.config.rootpath,
        env={**os.environ, INSIDE: "1"},
    )
    try:
        said, _ = child.communicate()
    except BaseException:
        # The child has the same time limit and may be ending by itself; give it the chance to stop its daemons.
        child.send_signal(signal.SIGINT)
        try:
            child.wait(5)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        raise
    if child.returncode != 0:
        pytest.fail(said, pytrace=False)
    print(said)
    if " skipped" in said.splitlines()[-1]:
        pytest.skip(next((line for line in said.splitlines() if line.startswith("SKIPPED")), said))
    return True
