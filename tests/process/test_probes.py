"""The probes: which there are, and that a tracer sees by them what happens. Nobody who is traced notices, nor does the
sandbox: a probe that is looked at is a breakpoint of the kernel's, and no system call.
"""

import bisect
import os
import re
import shutil
import signal
import subprocess
import threading

import pytest

from configs import GREETING, HELLO
from hellodtest import TREE, Hellod, binary
from watch import SANITIZED, SLOW, children, wait_until

NOTE = re.compile(r"Provider: (\w+)\s+Name: (\w+)\s+Location: .*\s+Arguments: ?(.*)")


def documented():
    """The probes of the manual, each with the names of its arguments."""
    page = (TREE / "man" / "hellod.8").read_text()
    section = page.partition("\n.Sh PROBES\n")[2].partition("\n.Sh ")[0]
    return {name: names.split() for name, names in re.findall(r"^\.It Ic (\w+) Ar (.*)$", section, re.M)}


def built(path):
    """The probes in the program at PATH, each with the number of its arguments."""
    notes = subprocess.run(["readelf", "-nW", path], capture_output=True, text=True, check=True).stdout
    found = {}
    for provider, name, arguments in NOTE.findall(notes):
        assert provider == "hellod"
        found.setdefault(name, set()).add(arguments.count("@"))
    return found


@pytest.fixture(autouse=True)
def there_are_probes():
    if not shutil.which("readelf"):
        pytest.skip("no readelf here")
    if not built(binary()):
        pytest.skip("built without sys/sdt.h")


def test_manual_lists_all_with_their_arguments():
    assert {name: {len(names)} for name, names in documented().items()} == built(binary())


SCRIPT = """
usdt:PROGRAM:hellod:accept {
    $peer = (struct peer *) arg2;
    printf("accept %s %d %s %d\\n", str(arg0), arg1, ntop($peer->address), $peer->port);
}
usdt:PROGRAM:hellod:message { printf("message %s %d %s\\n", str(arg0), (int32) arg1, str(arg2, arg3)); }
usdt:PROGRAM:hellod:answer { printf("answer %s\\n", str(arg0, arg1)); }
usdt:PROGRAM:hellod:drop { printf("drop %s %d %d\\n", str(arg0), (int32) arg1, arg2); }
usdt:PROGRAM:hellod:close { printf("close %d %d\\n", arg0, (int32) arg1); }
usdt:PROGRAM:hellod:reload { printf("reload %d %s\\n", arg0, str(arg1)); }
usdt:PROGRAM:hellod:worker_start { printf("start %d %d %d\\n", arg0, arg1, arg2); }
usdt:PROGRAM:hellod:worker_end { printf("end %d %d %d %s\\n", arg0, arg1, arg2, str(arg3)); }
"""


class Tracer:
    """bpftrace with SCRIPT; .lines is what it has printed, in the order in which it happened: what comes from two
    processors it may print in another."""

    def __init__(self, script):
        self.lines, self.times = [], []
        script = re.sub(r'printf\("(.*?)", ', r'printf("at %llu \1", nsecs, ', script)
        self.child = subprocess.Popen(
            ["bpftrace", "-B", "line", "-e", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.lock = threading.Lock()
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self):
        for line in self.child.stdout:
            time, text = re.fullmatch(r"(?:at (\d+) )?(.*)\n?", line).groups()
            with self.lock:
                at = bisect.bisect(self.times, int(time or 0))
                self.times.insert(at, int(time or 0))
                self.lines.insert(at, text)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.send_signal(signal.SIGINT)
        try:
            self.child.wait(10 * SLOW)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        self.reader.join()

    def lives(self):
        assert self.child.poll() is None, f"bpftrace has ended: {self.lines}"

    def sees(self, *patterns):
        """Waits until there are lines that PATTERNS fit wholly, in this order; forgets them and those before."""

        def find():
            self.lives()
            at = 0
            for pattern in patterns:
                at = next((i + 1 for i, line in enumerate(self.lines) if i >= at and re.fullmatch(pattern, line)), None)
                if at is None:
                    return None
            return at

        wait_until(find, 10, lambda: f"{patterns} in {self.lines}")
        with self.lock:
            seen = find()
            del self.lines[:seen], self.times[:seen]


@pytest.fixture
def tracer(tmp_path, monkeypatch):
    """A tracer of a program of our own: the one that is tested has other tests' daemons, too."""
    if SANITIZED:
        pytest.skip("what a sanitizer or valgrind runs is not where the program's notes say")
    if os.geteuid() != 0:
        pytest.skip("only root may trace")
    if not shutil.which("bpftrace"):
        pytest.skip("no bpftrace here: packaging/install-needs probes")
    trial = subprocess.run(["bpftrace", "-e", "BEGIN { exit(); }"], capture_output=True, text=True)
    if trial.returncode != 0:
        pytest.skip(f"bpftrace does not work here: {trial.stderr.strip()[:200]}")
    program = shutil.copy(binary(), tmp_path / "hellod")
    monkeypatch.setenv("HELLOD", str(program))
    with Tracer(documented_types() + SCRIPT.replace("PROGRAM", str(program))) as running:
        yield running


def documented_types():
    """What the manual says that a peer looks like."""
    return re.search(r"^struct peer \{.*?\};?$", (TREE / "man" / "hellod.8").read_text(), re.M | re.S)[0] + "\n"


def greet_until_seen(daemon, tracer):
    """bpftrace does not say when it has come to the last probe."""

    def seen():
        tracer.lives()
        with daemon.datagrams() as client:
            client.expect(b"Eve", b"Hello, Eve!")
        return {"message hello -1 Eve", "answer Hello, Eve!"} <= set(tracer.lines)

    wait_until(seen, 30, lambda: f"the first line of bpftrace: {tracer.lines}")


def test_a_tracer_sees_what_happens(tracer):
    with Hellod({"workers": 1, "listen": [GREETING, HELLO]}) as daemon:
        greet_until_seen(daemon, tracer)
        with daemon.connect() as client:
            port = client.socket.getsockname()[1]
            client.greeted().ask(b"Bob", b"Hello, Bob!")
            client.finish()
            client.expect_end()
        tracer.sees(
            rf"accept greeting \d+ (::ffff:)?127\.0\.0\.1 {port}",
            r"message greeting \d+ Bob",
            "answer Hello, Bob!",
            r"close \d+ 1",
        )
        with daemon.datagrams() as client:
            client.send(b"Hello, Eve!")
            tracer.sees("drop hello 5 1")
        (worker,) = children(daemon.pid)
        os.kill(worker, signal.SIGKILL)
        tracer.sees(rf"end {worker} 0 0 was killed by signal 9 \(Killed\)", r"start \d+ 0 0")
        daemon.signal(signal.SIGHUP)
        tracer.sees("reload 1 begun", "reload 1 starting", r"start \d+ 0 1", "reload 1 ready", "reload 1 done")
