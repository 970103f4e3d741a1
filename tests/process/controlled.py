"""A control socket that is answered by a test: what helloctl meets when there is no hellod, or a mad one.

This file must not know what helloctl makes of the answers.
"""

import os
import shlex
import socket
import subprocess
import threading
from pathlib import Path

from hellodtest import SICK, binary
from watch import SLOW

SERVICE = (
    'service version="0.1.0" pid=1 state="serving" generation=0 uptime_ms=93784000 workers=2 ready=2 connections=5'
    ' answers=77 log_level="info" config="/etc/hellod/hellod.conf" healthy=true\n'
)
RELOAD = 'reload number=3 result="ok" age_ms=125000 reason=""\n'
WORKER = (
    'worker generation={generation} slot={slot} pid={pid} state="{state}" connections={connections} answers={answers}'
    " drops={drops} cpu_ms={cpu_ms} age_ms=1000 heartbeats=12 restarts={restarts}\n"
)


def quoted(data):
    """BYTES as a string of the protocol, with every byte that is not plain escaped."""
    return b'"' + b"".join(bytes([byte]) if byte in PLAIN else b"\\x%02x" % byte for byte in data) + b'"'


PLAIN = set(range(0x20, 0x7F)) - set(b'"\\')


def worker(slot, generation=0, pid=None, state="ready", connections=0, answers=0, drops=0, cpu_ms=0, restarts=0):
    return WORKER.format(
        slot=slot,
        generation=generation,
        pid=4000 + slot if pid is None else pid,
        state=state,
        connections=connections,
        answers=answers,
        drops=drops,
        cpu_ms=cpu_ms,
        restarts=restarts,
    )


def listener(name, address, passed="false"):
    return f'listener name="{name}" protocol="greeting" address="{address}" passed={passed}\n'


def counter(name, value, text):
    return f'counter name="{name}" value={value} help="{text}"\n'


def histogram(name, *buckets, **labels):
    """The lines of a histogram of microseconds: BUCKETS are (bound, how many at most that), cumulative, the last without a
    bound."""
    its = "".join(f' {key}="{value}"' for key, value in labels.items())
    lines = [f'metric name="{name}" kind="histogram" unit="us" help="h"\n']
    for bound, value in buckets:
        bound = "" if bound is None else f" le={bound}"
        lines.append(f'bucket name="{name}"{its}{bound} value={value}\n')
    return "".join([*lines, f'sum name="{name}"{its} value=1\n'])


def status(*lines, service=SERVICE, reload=RELOAD):
    return (service + reload + "".join(lines) + "ok\n").encode()


class Control:
    """Listens at folder/control until the block ends. ANSWER is called with the open socket and each line that comes in, and
    answers; bytes stand for a function that sends them. .asked are the lines so far."""

    def __init__(self, folder, answer):
        self.path = str(Path(folder) / "control")
        self.answer = answer if callable(answer) else lambda client, _line: client.sendall(answer)
        self.asked = []
        self._clients = []

    def __enter__(self):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(self.path)
        self._socket.listen(8)
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()
        return self

    def _accept(self):
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(client,))
            self._clients.append((client, thread))
            thread.start()

    def _serve(self, client):
        with client, client.makefile("rb") as lines:
            try:
                for line in lines:
                    self.asked.append(line)
                    self.answer(client, line)
            except OSError:
                pass  # it has what it wanted, or was shut down here

    def __exit__(self, *_):
        os.unlink(self.path)
        # A thread that waits in accept() or recv() is not woken by close().
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()
        for client, thread in self._clients:
            try:
                client.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            thread.join()


def command(*arguments):
    """The words that run helloctl with ARGUMENTS."""
    words = shlex.split(os.environ.get("HELLOD_WRAPPER", ""))
    return [*words, str(Path(binary()).with_name("helloctl")), *map(str, arguments)]


def helloctl(*arguments, seconds=20, env=None, stdout=subprocess.PIPE):
    """Runs helloctl to its end; returns subprocess.CompletedProcess with bytes in .stdout and a text in .stderr."""
    done = subprocess.run(
        command(*arguments),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        timeout=seconds * SLOW,
        env={**os.environ, **(env or {})},
        check=False,
    )
    done.stderr = done.stderr.decode("utf-8", "backslashreplace")
    assert not SICK.search(done.stderr), done.stderr
    return done
