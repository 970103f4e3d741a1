"""What Debian's own checkers say of the packages: lintian, piuparts, and the packages' own tests under autopkgtest."""

import re

import pytest

from conftest import PRISTINE

pytestmark = pytest.mark.seconds(300)

# The installer's own; the name is made up anew for each package that apt configures before it is unpacked.
NOT_OURS = "/var/cache/debconf/tmp.ci"


@pytest.fixture
def check(bare, packages):
    """Runs a checker that this suite has, on the packages; returns it completed."""

    def run(*words):
        if bare.run("which", words[0]).returncode != 0:
            pytest.skip(f"another suite is made with {words[0]}")
        return bare.run(*words, seconds=280)

    run.machine = bare
    run.changes = packages.file(packages.new, "*.changes")
    run.debs = packages.debs(packages.new)
    yield run
    bare.run("dpkg", "--purge", "hellod", "hellod-client")
    bare.run("systemctl", "reset-failed")


def test_lintian(check):
    done = check("lintian", "--allow-root", "--display-info", "--display-experimental", "--pedantic", check.changes)
    assert (done.returncode, done.stdout) == (0, "")


def test_autopkgtest(check):
    """All of debian/tests, none left out."""
    # Its "null" does not know that it is in a container.
    known = ["--ignore-restrictions=isolation-container", check.changes, "--", "null"]
    done = check("autopkgtest", "--summary-file=/tmp/summary", *known)
    results = re.findall(r"^(\w+) +(PASS|FAIL|SKIP|FLAKY)", check.machine("cat", "/tmp/summary"), re.MULTILINE)
    assert done.returncode == 0 and dict(results) == dict.fromkeys(("service", "socket", "client"), "PASS"), done.stdout


def test_piuparts(check, suite):
    """In a system that is not booted, as in an image that is being made."""
    there = ["--defaults=debian", f"--distribution={suite}", f"--existing-chroot={PRISTINE}", "--no-eatmydata"]
    done = check("piuparts", *there, "--no-upgrade-test", f"--ignore-regex={NOT_OURS}.*", *check.debs)
    assert done.returncode == 0, done.stdout[-3000:]
    assert "PASS: All tests." in done.stdout
