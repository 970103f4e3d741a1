"""Runs the real daemon for a test: the library of all process tests.

    with Hellod({"listen": [GREETING]}) as daemon:
        client = daemon.connect("greeting")         # see clients.py

Leaving the block stops the daemon with TERM and asserts that it ended well: exit code 0, no process left, nothing said
by a sanitizer. Whatever happens, no process outlives the block.

Environment: HELLOD          the binary, default build/hellod of this tree
             HELLOD_WRAPPER  words to put in front of it ("valgrind -q"); the wrapper must exec, so that the PID stays
             HELLOD_SCOREBOARD  the program that prints the counters, default build/tests/scoreboard_dump
             and those of watch.py

This file must not know any protocol: configs are in configs.py, what clients say is in clients.py, what networks look
like is in netns.py, how to wait and what a process looks like from outside is in watch.py.
"""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path

import clients
from configs import write_config
from watch import SLOW, children, process_state, wait_until

TREE = Path(__file__).resolve().parents[2]

# Exit codes, as hellod(8) lists them.
EXIT_OK, EXIT_OTHER, EXIT_USAGE, EXIT_SOCKETS, EXIT_NO_WORKER, EXIT_SYSTEM, EXIT_CONFIG = 0, 1, 64, 69, 70, 71, 78

# What a sanitizer or valgrind prints when it has found something.
SICK = re.compile(
    r"AddressSanitizer|LeakSanitizer|MemorySanitizer|runtime error:"
    r"|==\d+== +(Invalid|Use of uninit|Conditional jump|Syscall param|Source and dest|Mismatched|Process terminating"
    r"|[\d,]+ bytes in [\d,]+ blocks are definitely)"
)
LISTENER_LINE = re.compile(
    r"listener (?P<name>[^:]+): (?P<kind>tcp|udp|unix stream|unix datagram|unix seqpacket) (?P<address>\S+)"
    r"(?: \((?:passed|stored) as descriptor (?P<fd>\d+)\))?$"
)


def tagged(tag):
    """The living processes whose environment at exec had the entry TAG."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) != os.getpid():
            try:
                if tag.encode() in Path(f"/proc/{entry}/environ").read_bytes().split(b"\0"):
                    found.append(int(entry))
            except OSError:
                continue
    return [pid for pid in found if process_state(pid)]


def binary():
    """The daemon to be tested."""
    return os.environ.get("HELLOD", str(TREE / "build" / "hellod"))


class Listener:
    """One socket as the daemon's log line names it: .name, .kind ("tcp", "udp", "unix stream", ...), .address ((host,
    port) or a path, abstract ones with a leading NUL), .reach (what connect() takes: .address, but loopback instead of
    a wildcard), .family, .fd (None unless passed)."""

    def __init__(self, match):
        self.name, self.kind = match["name"], match["kind"]
        self.fd = int(match["fd"]) if match["fd"] else None
        text = match["address"]
        if self.kind.startswith("unix"):
            self.family = socket.AF_UNIX
            self.address = "\0" + text[1:] if text.startswith("@") else text
        else:
            host, _, port = text.rpartition(":")
            self.family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
            self.address = (host.strip("[]"), int(port))
        wildcards = {"0.0.0.0": "127.0.0.1", "::": "::1"}
        self.reach = self.address
        if self.family != socket.AF_UNIX:
            self.reach = (wildcards.get(self.address[0], self.address[0]), self.address[1])


class Process:
    """The binary with ARGUMENTS, started and watched; knows nothing of configs.

    sockets: descriptors to pass as 3, 4, ...: sockets, or (name, socket) pairs; LISTEN_FDS, LISTEN_PID and, when there
             are names, LISTEN_FDNAMES are set to fit. Sockets stay the caller's.
    env:     entries to add to the environment; None removes one. Applied last, so that it can break LISTEN_*.
    wrapper: words in front of the binary, instead of HELLOD_WRAPPER.
    rlimits: {"RLIMIT_NOFILE": (soft, hard), ...}
    cwd:     working directory."""

    def __init__(self, arguments, sockets=(), env=None, wrapper=None, rlimits=None, cwd=None):
        self.lines = []  # (monotonic time, text without the syslog prefix)
        self.raw = []  # the lines as they came
        self._news = threading.Condition()
        self._tag = f"HELLOD_TEST_TAG={uuid.uuid4()}"
        words = shlex.split(os.environ.get("HELLOD_WRAPPER", "")) if wrapper is None else list(wrapper)
        pairs = [entry if isinstance(entry, tuple) else (None, entry) for entry in sockets]
        fds = [entry if isinstance(entry, int) else entry.fileno() for _, entry in pairs]
        environment = self._environment(pairs, env or {})
        plan = {
            "fds": fds,
            "limits": rlimits or {},
            "listen_pid": bool(pairs) and "LISTEN_PID" not in (env or {}),
        }
        launch = [sys.executable, "-I", "-S", str(Path(__file__).with_name("launch.py")), json.dumps(plan)]
        self.popen = subprocess.Popen(
            launch + words + [binary(), *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=fds,
            env=environment,
            cwd=cwd,
            start_new_session=True,
        )
        self.pid = self.popen.pid
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _environment(self, pairs, changes):
        fixed = {k: v for k, v in os.environ.items() if not re.match(r"LISTEN_|NOTIFY_SOCKET|WATCHDOG_", k)}
        name, _, value = self._tag.partition("=")
        fixed[name] = value
        if pairs:
            fixed["LISTEN_FDS"] = str(len(pairs))
            if any(name is not None for name, _ in pairs):
                fixed["LISTEN_FDNAMES"] = ":".join(name or "" for name, _ in pairs)
        fixed.update({k: str(v) for k, v in changes.items()})
        return {k: v for k, v in fixed.items() if changes.get(k, "") is not None}

    def _read(self):
        for line in self.popen.stderr:
            text = line.decode("utf-8", "backslashreplace").rstrip("\n")
            with self._news:
                self.raw.append(text)
                self.lines.append((time.monotonic(), re.sub(r"^(<\d>|hellod: )", "", text)))
                self._news.notify_all()

    def log(self):
        """All that was written to stderr so far, syslog prefixes cut off."""
        return "\n".join(text for _, text in list(self.lines))

    def mark(self):
        """The number of lines so far, for wait_for_line()'s since."""
        return len(self.lines)

    def wait_for_line(self, pattern, seconds=5, since=0):
        """The match of the first line that PATTERN (a regular expression, searched) fits, among those from number SINCE
        on; waits for it, fails after SECONDS or when the process has ended without it."""
        end = time.monotonic() + seconds * SLOW
        seen = since
        with self._news:
            while True:
                for _, text in self.lines[seen:]:
                    match = re.search(pattern, text)
                    if match:
                        return match
                seen = max(seen, len(self.lines))
                over = not self._reader.is_alive()
                if over or time.monotonic() > end:
                    why = "the process ended" if over else f"not within {seconds * SLOW:g} s"
                    raise AssertionError(f"no line like {pattern!r} ({why}); the log:\n{self.log()}")
                self._news.wait(0.05)

    def workers(self):
        """The process IDs of the living workers."""
        return children(self.pid)

    def signal(self, number):
        os.kill(self.pid, number)

    def wait(self, seconds=10):
        """Waits for the end and returns the exit code (negative: the signal)."""
        try:
            code = self.popen.wait(seconds * SLOW)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {seconds * SLOW:g} s; the log:\n{self.log()}") from None
        self._reader.join(2 * SLOW)
        return code

    def assert_clean(self):
        """Nothing that was started is left, and no sanitizer has complained."""
        wait_until(lambda: not tagged(self._tag), 3, lambda: f"end of processes {tagged(self._tag)}")
        sick = [line for line in self.raw if SICK.search(line)]
        assert not sick, "sanitizer: " + "\n".join(self.raw[self.raw.index(sick[0]) :])

    def destroy(self):
        """Ends everything that was started, by process ID, at once."""
        for pid in [self.pid] if self.popen.poll() is None else []:
            os.kill(pid, signal.SIGKILL)
        self.popen.wait()
        for pid in tagged(self._tag):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self._reader.join(2 * SLOW)
        if not self._reader.is_alive():
            self.popen.stderr.close()


class Hellod(Process):
    """The daemon, serving CONFIG (dict or text, see config_text()), as a context manager.

    ready=False does not wait until it serves. options are put on the command line after -c FILE. conf_d is a dict of
    file name to text. The rest as for Process. In the block: .directory (temporary, holds hellod.conf), .config (the
    file's path), .listeners."""

    def __init__(self, config, ready=True, options=(), conf_d=None, **how):
        self._config, self._ready, self._options, self._conf_d, self._how = config, ready, options, conf_d, how
        self.directory = None

    def __enter__(self):
        self.directory = Path(tempfile.mkdtemp(prefix="hellod-"))
        self.directory.chmod(0o755)
        self.config = write_config(self.directory, self._config, self._conf_d)
        super().__init__(["-c", self.config, *self._options], **self._how)
        if self._ready:
            try:
                self.wait_ready()
            except BaseException:
                self.__exit__(*sys.exc_info())
                raise
        return self

    def wait_ready(self, seconds=10):
        """Waits until every worker serves."""
        self.wait_for_line(r"^ready: \d+ workers?$", seconds)

    def __exit__(self, kind, *_):
        try:
            if kind is None and self.popen.poll() is None:
                self.stop()
            elif kind is not None:
                print(f"---- hellod's log ({self.config})\n{self.log()}\n----", file=sys.stderr)
        finally:
            self.destroy()
            shutil.rmtree(self.directory, ignore_errors=True)

    def stop(self, seconds=15):
        """TERM; asserts that the daemon ends in time with exit code 0 and leaves nothing behind."""
        self.signal(signal.SIGTERM)
        code = self.wait(seconds)
        assert code == EXIT_OK, f"exit code {code} after TERM; the log:\n{self.log()}"
        self.assert_clean()

    @property
    def listeners(self):
        """The sockets, as logged at the start, in order."""
        return [Listener(m) for m in (LISTENER_LINE.search(text) for _, text in list(self.lines)) if m]

    def listener(self, name, family=None):
        """The first socket of listener NAME, of address FAMILY if given."""
        for listener in self.listeners:
            if listener.name == name and family in (None, listener.family):
                return listener
        raise AssertionError(f"no socket of listener {name!r}; the log:\n{self.log()}")

    def address(self, name, family=None):
        """What connect() or sendto() takes to reach listener NAME."""
        return self.listener(name, family).reach

    def connect(self, name="greeting", family=None, **how):
        """A clients.Stream that is connected to listener NAME (stream or seqpacket)."""
        listener = self.listener(name, family)
        packets = listener.kind == "unix seqpacket"
        kind = socket.SOCK_SEQPACKET if packets else socket.SOCK_STREAM
        return clients.Stream(listener.reach, family=listener.family, kind=kind, **how)

    def datagrams(self, name="hello", family=None, **how):
        """A clients.Datagram that talks to listener NAME."""
        listener = self.listener(name, family)
        return clients.Datagram(listener.reach, family=listener.family, **how)

    def scoreboard(self):
        """The scoreboard as scoreboard_dump prints it: {"totals": {...}, "blocks": [...]}."""
        program = os.environ.get("HELLOD_SCOREBOARD", str(TREE / "build" / "tests" / "scoreboard_dump"))
        done = subprocess.run([program, str(self.pid)], capture_output=True, text=True, timeout=10 * SLOW)
        assert done.returncode == 0, f"{program}: exit code {done.returncode}: {done.stderr}"
        return json.loads(done.stdout)

    def counters(self):
        """The service's totals, name to number."""
        return self.scoreboard()["totals"]

    def at_rest(self, seconds=5):
        """The service's totals, once nothing is under way: each connection is counted as closed for some reason, each
        datagram as answered, dropped or given up. (A client has its answer a moment before that is counted.)"""

        def agreed():
            totals = self.counters()
            closed = sum(n for name, n in totals.items() if name.startswith("closed_"))
            ended = sum(n for name, n in totals.items() if name.startswith(("datagram_", "drop_")))
            return totals if totals["accepted"] == closed and totals["datagrams"] == ended else None

        return wait_until(agreed, seconds, lambda: f"the counters to agree: {self.counters()}")

    def wait_for_counter(self, name, value, seconds=5):
        """Waits until total NAME has reached exactly VALUE."""
        wait_until(
            lambda: self.counters()[name] == value, seconds, lambda: f"{name} to be {value}: {self.counters()}"
        )

    def where(self, pattern, after=None):
        """"FILE:LINE" of the first config line that PATTERN fits; with AFTER, the first one from the line on that AFTER
        fits (a listener's name, say)."""
        started = after is None
        for number, line in enumerate(self.config.read_text().splitlines(), 1):
            started = started or re.search(after, line)
            if started and re.search(pattern, line):
                return f"{self.config}:{number}"
        raise AssertionError(f"{pattern!r} is not in the config")


class refused(Hellod):
    """A daemon that must not start: waits for its end and asserts exit code CODE; the log is there to be read.

        with refused(config, EXIT_SOCKETS) as failed:
            assert failed.where("port") in failed.log()
    """

    def __init__(self, config, code, **how):
        super().__init__(config, ready=False, **how)
        self.code = code

    def __enter__(self):
        super().__enter__()
        try:
            code = self.wait(10)
            assert code == self.code, f"exit code {code}, not {self.code}; the log:\n{self.log()}"
            self.assert_clean()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self


def run(*arguments, env=None, seconds=10):
    """Runs the binary with ARGUMENTS to its end; returns subprocess.CompletedProcess with texts."""
    words = shlex.split(os.environ.get("HELLOD_WRAPPER", ""))
    done = subprocess.run(
        words + [binary(), *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="backslashreplace",
        timeout=seconds * SLOW,
        env={**os.environ, **(env or {})},
    )
    assert not SICK.search(done.stderr), done.stderr
    return done
