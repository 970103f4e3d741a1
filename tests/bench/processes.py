"""Processes of the bench: servers whose processor time and memory are read, load generators that pause."""

import contextlib
import os
import pathlib
import re
import select
import signal
import subprocess
import time

PATIENCE_S = 60  # for any one step
START_PATIENCE_S = 10


class Failure(Exception):
    """The bench cannot go on; the text says why."""


@contextlib.contextmanager
def on_processor(number):
    """What is started inside runs on that processor alone."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {number})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def stat_fields(pid):
    """The fields of /proc/PID/stat from the state on."""
    return pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="latin-1").rpartition(")")[2].split()


def only_child(pid):
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and int(stat_fields(entry.name)[1]) == pid:
                found.append(int(entry.name))
    if len(found) != 1:
        raise Failure(f"hellod has {len(found)} workers, not one")
    return found[0]


class Process:
    """A child whose words on one pipe are waited for, and that is ended by its own number."""

    def __init__(self, argv, pipe):
        self.argv = [str(word) for word in argv]
        self.child = subprocess.Popen(self.argv, bufsize=0, stdin=subprocess.PIPE, **{pipe: subprocess.PIPE})
        self.pid = self.child.pid  # whose processor time is read
        self.pipe = getattr(self.child, pipe)
        self.text = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end(signal.SIGTERM)

    def wait_for(self, pattern, patience_s=PATIENCE_S):
        """Reads until PATTERN matches; returns the match and forgets what came before its end."""
        deadline = time.monotonic() + patience_s
        while not (match := re.search(pattern, self.text)):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.pipe], [], [], left)[0]:
                raise Failure(f"{self.argv[0]} did not say {pattern!r} within {patience_s} s")
            piece = os.read(self.pipe.fileno(), 65536)
            if not piece:
                raise Failure(f"{self.argv[0]} has ended: {self.text.decode(errors='replace')}")
            self.text += piece
        self.text = self.text[match.end():]
        return match

    def cpu_ns(self):
        """Processor time spent so far, once nothing is left to do: that of a running process lags behind."""
        deadline = time.monotonic() + PATIENCE_S
        before = None
        while time.monotonic() < deadline:
            asleep = stat_fields(self.pid)[0] == "S"
            now = int(pathlib.Path(f"/proc/{self.pid}/schedstat").read_text().split()[0])
            if asleep and now == before:
                return now
            before = now
            time.sleep(0.003)
        raise Failure(f"{self.argv[0]} does not come to rest")

    def end(self, signum):
        """Ends it with a signal; returns the exit code."""
        if self.child.poll() is None:
            self.child.send_signal(signum)
        return self.collect()

    def collect(self):
        """Waits for its end, which standard input's end of file may bring; returns the exit code."""
        self.child.stdin.close()
        try:
            self.child.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        self.pipe.close()
        return self.child.returncode


class Load(Process):
    """A load generator, which takes orders on standard input and pauses between them."""

    def __init__(self, argv):
        super().__init__(argv, "stdout")

    def ask(self, count):
        """Has COUNT requests asked; returns how many were answered, which batches may make a few more."""
        self.child.stdin.write(b"%d\n" % count)
        return int(self.wait_for(rb"answered (\d+)\n")[1])

    def finish(self):
        """Ends it; it has then seen that no surplus answer came."""
        if self.collect() != 0:
            raise Failure(f"{self.argv[0]} has failed")


class Server(Process):
    """A server that says its ports and that it is ready on standard error; pid is the process that serves."""

    def __init__(self, argv):
        started = time.monotonic()
        super().__init__(argv, "stderr")
        try:
            head = self.wait_for(rb"(?s).*ready: 1 workers\n", START_PATIENCE_S)[0]
            self.ready_ms = (time.monotonic() - started) * 1000
            self.ports = {kind.decode(): int(port) for kind, port in
                          re.findall(rb"listener \S+: (tcp|udp) \S+:(\d+)", head)}
            if self.argv[0].endswith("hellod"):
                self.pid = only_child(self.child.pid)
        except BaseException:
            self.end(signal.SIGTERM)
            raise

    def cross_check(self):
        """Both ways in which the kernel tells the processor time must agree, within two ticks and 2 %."""
        tick_ns = 1e9 / os.sysconf("SC_CLK_TCK")
        ours, theirs = self.cpu_ns(), sum(int(field) for field in stat_fields(self.pid)[11:13]) * tick_ns
        if abs(ours - theirs) > 2 * tick_ns + 0.02 * ours:
            raise Failure(f"schedstat says {ours} ns, utime and stime say {theirs:.0f} ns")

    def memory(self):
        """Bytes of every kind in smaps_rollup."""
        text = pathlib.Path(f"/proc/{self.pid}/smaps_rollup").read_text()
        return {kind: int(kb) * 1024 for kind, kb in re.findall(r"(\w+): +(\d+) kB", text)}
